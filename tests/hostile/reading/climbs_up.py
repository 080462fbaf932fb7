"""Climbs out of its folder: by `..`, by descriptors of folders, by `/proc/self/root`, by chroot.

The top of the kernel's view has nothing above it.
"""
# score: 100
# says: climbed to: \['bin.*'\], outside: \[\]

# cell: before MLP
import os

tops = {tuple(sorted(os.listdir("../" * depth or "."))) for depth in (8, 20, 60)}
for path in ("/", "/..", "/proc/self/root", "/proc/self/root/..", "/proc/self/cwd/../..", "/proc/thread-self/root"):
    tops.add(tuple(sorted(os.listdir(path))))
fd = os.open("/", os.O_RDONLY)
for _ in range(10):
    fd = os.open("..", os.O_RDONLY, dir_fd=fd)
tops.add(tuple(sorted(os.listdir(fd))))
outside = []
for attempt in (
    lambda: os.chroot("/tmp"),
    lambda: os.listdir("/proc/1/root"),
    lambda: os.listdir("/proc/1/cwd"),
    lambda: os.listdir(f"/proc/{os.getppid()}/fd"),
    lambda: open("/proc/self/root/../../<course>/source/notes.txt").read(),
    lambda: open("../../../../../../../..<course>/source/notes.txt").read(),
):
    try:
        outside.append(attempt())
    except OSError:
        pass
(top,) = tops
print(f"climbed to: {[name for name in top][:3]}, outside: {outside}")
