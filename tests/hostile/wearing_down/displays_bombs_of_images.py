"""Displays images that are bombs: an SVG of entities in entities, a PNG of a billion pixels.

They stay what they are, inside an image, where nothing of the grader's unpacks them.
"""
# score: 100
# says: shown

# cell: before MLP
import struct
import zlib

from IPython.display import SVG, display

entities = "".join(
    f'<!ENTITY a{n} "' + f"&a{n - 1};" * 10 + '">' for n in range(1, 10)
)
svg = f'<!DOCTYPE svg [<!ENTITY a0 "lol">{entities}]><svg xmlns="http://www.w3.org/2000/svg"><text>&a9;</text></svg>'
display({"image/svg+xml": svg}, raw=True)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


import base64

header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
pixels = zlib.compress(bytes(10**7), 9)
png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
display({"image/png": base64.b64encode(png).decode()}, raw=True)
print("shown")
