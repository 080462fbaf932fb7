"""Hands in files that are together larger than a submission may be, and thousands of small ones.

What is too much is left alone, and the notebook is graded.
"""
# score: 100
# says: The files beside the notebook were not used

# cell: before MLP
import os

print(len(os.listdir(".")))

# handed in:
for number in range(3):
    with open(folder / f"large{number}.bin", "wb") as file:
        file.truncate(60 * 2**20)
(folder / "many").mkdir()
for number in range(12_000):
    (folder / "many" / f"{number}.txt").touch()
