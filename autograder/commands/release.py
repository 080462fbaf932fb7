"""Makes `release/` anew from `source/`."""

import shutil
import tempfile
from argparse import Namespace
from pathlib import Path

from autograder import ROOT
from autograder.commands.corpora import assignments_of
from autograder.commands.workspace import Workspace


def main(arguments: Namespace) -> int:
    """Make the release of every assignment, and put it in the place of the old one."""
    with tempfile.TemporaryDirectory(prefix="release-") as folder:
        for assignment in assignments_of([]):
            workspace = Workspace.make(Path(folder) / assignment, [assignment])
            target = ROOT / "release" / assignment
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(workspace.folder / "release" / assignment, target)
            print(target)
    return 0
