"""Writes files until there is no room, in large pieces, in small ones, and with holes.

Working folder and /tmp have one limit of their own.
"""
# score: 100
# says: wrote \d+ MB
# says: made \d+ files

# cell: before MLP
import os

size = made = 0
for folder in (".", "/tmp"):
    try:
        for number in range(500):
            with open(f"{folder}/large{number}", "wb") as file:
                size += file.write(bytes(2**20))
    except OSError as error:
        print(error)
print("wrote", size // 2**20, "MB")
for number in range(500):
    for folder in (".", "/tmp"):
        if os.path.exists(f"{folder}/large{number}"):
            os.remove(f"{folder}/large{number}")
try:
    for made in range(10**6):
        open(f"small{made}", "w").close()
except OSError as error:
    print(error)
print("made", made, "files")
try:
    with open("holes", "wb") as file:
        file.truncate(10**15)
except OSError as error:
    print(error)
