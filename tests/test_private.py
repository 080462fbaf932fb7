"""Private folders: one's own stays, what a killed process has left goes."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from autograder.submission.private import PrivateFolder

LEAVES = """\
import os, signal, sys
from autograder.submission.private import PrivateFolder
folder = PrivateFolder("test", sys.argv[1])
(folder.path / "file").write_text("left")
print(folder.path, flush=True)
sys.stdin.read(1)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_left_goes_and_nothing_else(tmp_path: Path) -> None:
    other = subprocess.Popen(
        [sys.executable, "-c", LEAVES, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert other.stdout is not None
    theirs = Path(other.stdout.readline().strip())
    (tmp_path / "autograder-other-1").mkdir()
    (tmp_path / "autograder-test-link").symlink_to(tmp_path / "autograder-other-1")
    for path in tmp_path.iterdir():
        os.utime(path, (0, 0), follow_symlinks=False)

    first = PrivateFolder("test", str(tmp_path))
    assert (theirs / "file").read_text() == "left"  # its process lives
    other.communicate("x")
    assert other.returncode == -signal.SIGKILL
    os.utime(first.path, (0, 0))
    second = PrivateFolder("test", str(tmp_path))
    left = {"autograder-other-1", "autograder-test-link", first.path.name, second.path.name}
    assert {path.name for path in tmp_path.iterdir()} == left
    first.remove()
    second.remove()
    second.remove()
    assert not first.path.exists()


def test_a_young_one_may_not_be_locked_yet(tmp_path: Path) -> None:
    young = tmp_path / "autograder-test-1"
    young.mkdir()
    PrivateFolder("test", str(tmp_path)).remove()
    assert young.is_dir()
