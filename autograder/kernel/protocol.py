"""What a student kernel is to the grader: it runs cells in order, and answers probes between them.

Two kernels ship: :class:`autograder.kernel.student_kernel.StudentKernel`, sandboxed, for work that
nobody has read, and :class:`autograder.kernel.same_process.SameProcess`, for work that is trusted.
"""

from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType
from typing import Protocol

from nbformat import NotebookNode

from autograder.language import Explained, Sentence, Text
from autograder.sandbox import SandboxLimits


class KernelTrouble(Explained):
    """A probe could not be answered; `kind` is timeout, dead, garbled, submission or replays."""

    def __init__(self, kind: str, why: Sentence) -> None:
        super().__init__(why)
        self.kind = kind


class Kernel(Protocol):
    """A kernel that belongs to one notebook.

    Attributes:
        nb: the notebook; cells get their outputs in place.
        notes: what the student should know of how it went.
    """

    nb: NotebookNode
    notes: list[Text]

    def start(self) -> None:
        """Start it; called once, before all else."""

    def run_cell(self, index: int) -> None:
        """Run one cell of `nb`; whatever happens, it ends with outputs and no exception."""

    def probe(self, code: CodeType, inputs: bytes, watch: bool) -> str:
        """Run a probe and return its packed outcome, as text not yet checked.

        Args:
            code: defines `probe`.
            inputs: its packed arguments (:func:`autograder.kernel.values.pack_inputs`).
            watch: whether the ways into autograd are watched meanwhile.

        Raises:
            KernelTrouble: there is no answer.
        """

    def close(self) -> None:
        """End it, and all that belongs to it."""


@dataclass(frozen=True)
class Limits:
    """What a submission may use: seconds, bytes, and how often it may end its kernel."""

    cell_seconds: int = field(default=60, metadata={"help": "The longest that one cell may run."})
    probe_seconds: int = field(default=20, metadata={"help": "The longest that one probe may run."})
    submission_seconds: int = field(
        default=300, metadata={"help": "The longest that a submission may run."}
    )
    output_bytes: int = field(
        default=2**20, metadata={"help": "Output of a cell beyond this is cut, with a note."}
    )
    replays: int = field(default=3, metadata={"help": "How often it may end its kernel."})


@dataclass(frozen=True)
class Launch:
    """How student kernels start.

    Attributes:
        seed: of the kernel's random state; not a secret.
        course_data: the folder of the data that notebooks read, if there is any.
        files: a tar archive of the files that a kernel gets copies of; empty for none.
        sandbox: what the kernel may use of the machine; None for an ordinary kernel, which can do
            whatever the grader's user can.
    """

    seed: int
    course_data: Path | None = None
    files: bytes = b""
    sandbox: SandboxLimits | None = field(default_factory=SandboxLimits)
