"""Opens the grader's files by their full names, as somebody would who has seen the machine.

In the kernel's view of the machine, these names do not exist.
"""
# score: 100
# says: read: \[\]

# cell: before MLP
import glob
import os

found = []
for path in (
    "<course>/source/notes.txt",
    "<course>/source/parameters/parameters.ipynb",
    "<course>/gradebook.db",
    "<course>/beside-the-gradebook.txt",
    "<course>/holdout/labels.csv",
    "<course>/nbgrader_config.py",
    "<course>/submitted/aaa-honest/parameters/parameters.ipynb",
    "<course>/autograded/aaa-honest/parameters/parameters.ipynb",
    "<root>/autograder/suites/parameters/test_MyLinear.py",
    "<root>/autograder/holdout",
    "<root>/source/parameters/parameters.ipynb",
    "<root>/course_secret",
    "<root>/nbgrader_config.py",
    "<home>/.ssh/id_rsa",
    "<home>/.bashrc",
    "/tmp/<mark>-note",
    "/dev/shm/<mark>-note",
    "/etc/shadow",
    "/etc/gshadow",
    "/etc/hostname",
    "/etc/machine-id",
    "/root/.bashrc",
    "/var/log",
    "/var/lib/dpkg/status",
    "/home",
    "/mnt",
    "/opt",
    "/srv",
    "/proc/1/environ",
    "/proc/1/mem",
    "/proc/kcore",
    "/proc/kallsyms",
    "/proc/sys/kernel/random/boot_id-",
    "/sys/class/net",
    "/sys/kernel",
    "/sys/fs/cgroup",
    "/dev/mem",
    "/dev/sda",
    "/dev/kmsg",
):
    try:
        there = os.listdir(path) if os.path.isdir(path) else open(path, "rb").read(99)
    except OSError:
        continue
    found += [(path, there)] if there else []
found += [(path, "") for path in glob.glob("<course>/*") + glob.glob("<root>/autograder/*")]
print("read:", found)
