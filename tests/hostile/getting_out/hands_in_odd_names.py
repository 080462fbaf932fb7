"""Hands in files with names that no encoding knows, very long ones, deep folders, line ends.

Files with names that cannot be used are copied or left alone; the notebook is graded.
"""
# score: 100
# says: there are [1-9]

# cell: before MLP
import os

print("there are", sum(len(files) for _, _, files in os.walk(".")), "files")

# handed in:
import os

base = os.fsencode(folder)
for name in (b"a\xff\xfeb.txt", b"line\nend.txt", b"-rf", b"$(id).txt", b"x" * 250, b"<b>.txt", "é\u202e.txt".encode()):
    open(os.path.join(base, name), "w").write("x")
os.symlink(b"/etc/passwd", os.path.join(base, b"link\xff"))
os.symlink(b"/etc/passwd", os.path.join(base, b"link\n<b>"))
os.mkfifo(os.path.join(base, b"pipe\xff"))
deep = folder
for _ in range(60):
    deep = deep / ("d" * 30)
deep.mkdir(parents=True)
(deep / "x.txt").write_text("x")
(folder / "closed").mkdir(mode=0)
