"""Hands in files that are together larger than a submission may be, and thousands of small ones.

What is too much is left alone, and the notebook is graded.
"""
# score: 100
# says: The file `?large2.bin`? was not used: it is larger than 50 MiB
# says: The file `?many`? was not used: it is a folder of more than 10,000 files

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
