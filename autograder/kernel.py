"""The student kernel as the grader drives it: cells and probes, each within its limits.

Nothing here trusts the kernel. It may die, hang, flood or send nonsense: the cell or probe that did
it gets an error that says so, a fresh kernel replays the cells before it, and grading goes on.
"""

import json
import logging
import marshal
import os
import re
import sys
import tempfile
import time
from binascii import b2a_base64
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from queue import Empty
from types import CodeType
from typing import Any

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionComplete, DeadKernelError
from nbclient.util import ensure_async, run_sync
from nbformat import NotebookNode, ValidationError
from nbformat.v4 import new_output

from autograder import channel
from autograder.sandbox import SandboxKernelManager, SandboxLimits

_AGENT = compile(resources.files("autograder").joinpath("agent.py").read_bytes(), "<agent>", "exec")

# An expression, since IPython looks through the text of a cell at length, and needs a name in the
# notebook for what a cell computes. The sandbox and the grader have one Python, so code may travel
# compiled.
_PROBE = """(lambda python, names: (lambda agent, probe, inputs, watch, space: (
    python.exec(agent, space), space["run"](names, probe, inputs, watch))[1])(
    *python.__import__("marshal").loads(python.__import__("binascii").a2b_base64("{}")), {{}})
)(__builtins__, __builtins__.globals())"""

#: What one output costs beside its text, and how many cells of a submission may show all they may.
OVERHEAD = 200
FULL_CELLS = 10


class KernelTrouble(Exception):
    """A probe could not be answered; `kind` is timeout, dead, garbled, submission or replays."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True)
class Limits:
    """What a submission may use: seconds, bytes, and how often its kernel may be replaced."""

    cell: int = 60
    probe: int = 20
    submission: int = 300
    output: int = 2**20
    replays: int = 3


@dataclass(frozen=True)
class Launch:
    """How student kernels start.

    Attributes:
        folder: the submission's folder; a sandboxed kernel works on copies of its files.
        seed: of the kernel's random state; not a secret.
        course_data: the folder of the data that notebooks read.
        sandbox: what the kernel may use of the machine; None for an ordinary kernel, which can do
            whatever the grader's user can.
    """

    folder: Path
    seed: int
    course_data: Path
    sandbox: SandboxLimits | None


class _OneSpec(KernelSpecManager):
    """Answers every kernel name with the student kernel: what a notebook asks for is no matter."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        return KernelSpec(
            argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            display_name="student kernel without a sandbox",
            language="python",
        )


class StudentKernel(NotebookClient):
    """Runs one submission's cells and probes in a student kernel.

    Args:
        nb: the sanitised notebook; cells get their outputs in place.
        launch: how to start a kernel, again after one has died.
        limits: what the submission may use.
    """

    def __init__(
        self, nb: NotebookNode, launch: Launch, limits: Limits, log: logging.Logger
    ) -> None:
        super().__init__(nb, log=log)
        self.launch = launch
        self.limits = limits
        self.notes: list[str] = []
        self._deadline = time.monotonic() + limits.submission
        self._ran: list[int] = []
        self._replays = 0
        self._sizes: dict[int, int] = {}
        self._shown = 0
        self._heard_all = False
        self._updates: dict[str, int] = {}
        self._sockets: tempfile.TemporaryDirectory[str] | None = None
        self.allow_errors = True
        self.interrupt_on_timeout = True
        self.shutdown_kernel = "immediate"
        self.store_widget_state = False
        self.record_timing = False
        self.iopub_timeout = 3
        self.timeout_func = self._cell_timeout
        self.error_on_timeout = {"ename": "TimeLimit", "evalue": "", "traceback": []}
        self.on_cell_executed = self._note_timeout

    # -------------------------------------------------------------------------------- life cycle

    def start(self) -> None:
        """Start a kernel and seed its random state."""
        if self.launch.sandbox is not None:
            self.km = SandboxKernelManager()
            self.start_new_kernel(
                cwd=str(self.launch.folder),
                seed=self.launch.seed,
                course_data=self.launch.course_data,
                limits=self.launch.sandbox,
                prepare_next=True,
            )
        else:
            self._sockets = tempfile.TemporaryDirectory(prefix="autograder-")
            self.km = AsyncKernelManager(kernel_spec_manager=_OneSpec(), transport="ipc")
            self.km.connection_file = str(Path(self._sockets.name) / "kernel.json")
            self.km.ip = str(Path(self._sockets.name) / "s")
            own = {
                "COURSE_DATA": str(self.launch.course_data),
                "MPLBACKEND": "module://matplotlib_inline.backend_inline",
                "OMP_NUM_THREADS": "1",
                "PYTHONHASHSEED": "0",
            }
            self.start_new_kernel(cwd=str(self.launch.folder), env={**os.environ, **own})
        self.start_new_kernel_client()
        if self.launch.sandbox is None:
            seed = (
                "import random, numpy, torch\n"
                f"random.seed({self.launch.seed}); numpy.random.seed({self.launch.seed % 2**32})\n"
                f"torch.manual_seed({self.launch.seed}); del random, numpy, torch"
            )
            self._ask(seed, None, 60)

    async def async_start_new_kernel_client(self) -> Any:
        """Connect to the kernel, by bounded channels and no more of them than are read."""
        assert self.km is not None
        client: Any = self.km.client()
        self.kc = client
        channel.bound(client)
        try:
            client.start_channels(stdin=False, control=False, hb=False)
            await client.wait_for_ready(timeout=self.startup_timeout)
        except Exception:
            await self._async_cleanup_kernel()
            raise
        return client

    start_new_kernel_client = run_sync(async_start_new_kernel_client)

    def close(self) -> None:
        """End the kernel and all that belongs to it."""
        try:
            if self.km is not None:
                self._cleanup_kernel()
        finally:
            self.km = self.kc = None
            if self._sockets is not None:
                self._sockets.cleanup()
                self._sockets = None

    def _replace(self, skip: int | None) -> None:
        """Start afresh and replay the cells that ran, without cell `skip`, outputs left alone."""
        self.close()
        if skip is not None and skip in self._ran:
            self._ran.remove(skip)
        while self._replays < self.limits.replays and self._left() > 0:
            self._replays += 1
            try:
                self.start()
                for index in list(self._ran):
                    self._replay(index)
                return
            except Exception as error:
                self.log.warning("Replaying the submission failed: %r", error)
                self.close()

    def _replay(self, index: int) -> None:
        original = self.nb.cells[index]
        try:
            self.execute_cell(deepcopy(original), index)
        finally:
            self.nb.cells[index] = original

    @property
    def _alive(self) -> bool:
        return self.kc is not None

    def _left(self) -> float:
        return self._deadline - time.monotonic()

    # ------------------------------------------------------------------------------------- cells

    def run_cell(self, index: int) -> None:
        """Run one code cell; whatever happens, it ends with outputs and no exception."""
        cell = self.nb.cells[index]
        if cell.cell_type != "code" or not cell.source.strip():
            return
        cell.outputs = []
        if not self._alive or self._left() <= 0:
            self._give_error(cell, "NotRun", self._why_not())
            return
        self._timed_out = self._heard_all = False
        try:
            self.execute_cell(cell, index)
        except DeadKernelError:
            self._fatal(index, "KernelDied", self._why_dead())
        except Exception as error:
            self.log.warning("The student kernel sent what could not be read: %r", error)
            self._fatal(index, "KernelGarbled", _GARBLED)
        else:
            self._ran.append(index)
            if self._timed_out:
                self._after_timeout(index)
            elif not self._heard_all:
                self._say(index, _TOO_FAST)
        self._trim(index)

    def _after_timeout(self, index: int) -> None:
        cell = self.nb.cells[index]
        cell.outputs = [out for out in cell.outputs if out.output_type != "error"]
        whole = self._left() <= 0
        seconds = self.limits.submission if whole else self.limits.cell
        what = "The submission" if whole else "This cell"
        message = (
            f"{what} ran longer than its time limit of {seconds} s and was stopped. Is there a loop"
            " that never ends, or far too many iterations?"
        )
        self._give_error(cell, "TimeLimit", message)
        if not whole and not self._responds():
            self.log.warning("The student kernel ignored an interrupt; replacing it")
            self._replace(skip=index)

    def _fatal(self, index: int, name: str, message: str) -> None:
        self._give_error(self.nb.cells[index], name, message)
        self._replace(skip=index)

    def _why_dead(self) -> str:
        provisioner = self.km.provisioner if self.km is not None else None
        if getattr(provisioner, "exit_reason", None) == "memory":
            assert self.launch.sandbox is not None
            limit = self.launch.sandbox.memory_bytes / 2**30
            return f"The kernel was ended: your code used more than its {limit:g} GiB of memory."
        return "The kernel died: your code ended the Python process, or crashed it."

    def _why_not(self) -> str:
        if self._left() <= 0:
            return f"Not run: the submission used up its time limit of {self.limits.submission} s."
        return f"Not run: the kernel had died {self.limits.replays + 1} times before this cell."

    def _give_error(self, cell: NotebookNode, name: str, message: str) -> None:
        note = f"{name}: {message}"
        if note not in self.notes:
            self.notes.append(note)
        cell.outputs.append(new_output("error", ename=name, evalue=message, traceback=[note]))

    def _cell_timeout(self, cell: NotebookNode) -> int:
        return max(1, int(min(self.limits.cell, self._left())))

    def _note_timeout(self, **kwargs: Any) -> None:
        reply = kwargs["execute_reply"]
        self._timed_out = "header" not in reply and reply["content"]["ename"] == "TimeLimit"

    # ------------------------------------------------------------------------------------ output

    def process_message(
        self, msg: dict[str, Any], cell: NotebookNode, cell_index: int
    ) -> NotebookNode | None:
        """Take a message for what it is where it has the form; all others are nobody's.

        Widgets are among the others: nothing here shows them.
        """
        kind, content = msg["msg_type"], msg["content"]
        if not _is_count(content.get("execution_count", 0)):
            del content["execution_count"]
        if kind == "status" and content.get("execution_state") == "idle":
            self._heard_all = True
            raise CellExecutionComplete
        if not _is_output(kind, content):
            return None
        if kind == "update_display_data" and not self._may_update(content):
            return None
        # An update of what has been cut or cleared since; what nbformat knows to be no output.
        with suppress(IndexError, ValidationError):
            return super().process_message(msg, cell, cell_index)
        return None

    def _may_update(self, content: dict[str, Any]) -> bool:
        """Whether there is room for what a display is to show now, beside what the others do."""
        name = (content.get("transient") or {}).get("display_id", "")
        others = sum(self._updates.values()) - self._updates.get(name, 0)
        size = OVERHEAD + len(json.dumps(content))
        if others + size > FULL_CELLS * self.limits.output:
            return False
        self._updates[name] = size
        return True

    def output(
        self, outs: list[NotebookNode], msg: dict[str, Any], display_id: str | None, cell_index: int
    ) -> NotebookNode | None:
        """Keep an output message unless the cell has already said enough."""
        if self.clear_before_next_output:
            self.clear_before_next_output = False
            self.clear_display_id_mapping(cell_index)
            self._sizes[cell_index] = 0
            outs[:] = []
        spent = self._sizes.get(cell_index, 0)
        if spent > self._room:
            return None
        content = msg["content"]
        if msg["msg_type"] == "stream":
            last = outs[-1] if outs else None
            more = last and last.output_type == "stream" and last.name == content["name"]
            self._sizes[cell_index] = spent + len(content["text"]) + (0 if more else OVERHEAD)
            content["text"] = content["text"][: self._room - spent + 1]
            if more:
                outs[-1].text += content["text"]
                return None
        else:
            self._sizes[cell_index] = spent + OVERHEAD + len(json.dumps(content))
            if self._sizes[cell_index] > self._room:
                return None
        return super().output(outs, msg, display_id, cell_index)

    @property
    def _room(self) -> int:
        """What the cell that is running may show."""
        return max(0, min(self.limits.output, FULL_CELLS * self.limits.output - self._shown))

    def clear_output(self, outs: list[NotebookNode], msg: dict[str, Any], cell_index: int) -> None:
        """Clear the outputs of a cell, and what they count."""
        if not msg["content"].get("wait"):
            self._sizes[cell_index] = 0
        super().clear_output(outs, msg, cell_index)

    def _trim(self, index: int) -> None:
        """Say where output was cut; the limit is no error."""
        size, room = self._sizes.pop(index, 0), self._room
        if size > room:
            self._say(index, f"Output beyond {room // 2**10} KiB was cut here.")
        self._shown += min(size, room)

    def _say(self, index: int, note: str) -> None:
        text = f"\n[{note}]\n"
        self.nb.cells[index].outputs.append(new_output("stream", name="stdout", text=text))

    # ------------------------------------------------------------------------------------ probes

    def probe(self, code: CodeType, inputs: bytes, watch: bool) -> str:
        """Run a probe in the kernel and return the packed outcome, as text not yet checked.

        Args:
            code: defines `probe`.
            inputs: its packed arguments.
            watch: whether the ways into autograd are watched meanwhile.

        Raises:
            KernelTrouble: the kernel died, hung, answered nonsense, or may not run any more.
        """
        if not self._alive or self._left() <= 0:
            raise KernelTrouble("replays" if self._left() > 0 else "submission", self._why_not())
        whole = marshal.dumps((_AGENT, code, inputs, watch))
        expression = _PROBE.format(b2a_base64(whole, newline=False).decode())
        seconds = max(1.0, min(self.limits.probe, self._left()))
        try:
            answer = self._ask("", expression, seconds)
        except Empty:
            self._interrupt()
            if not self._responds():
                self._replace(skip=None)
            raise KernelTrouble(
                "timeout", f"Your code was stopped after {seconds:.0f} s in this check."
            ) from None
        except DeadKernelError:
            why = self._why_dead()
            self._replace(skip=None)
            raise KernelTrouble("dead", why) from None
        except Exception as error:
            self.log.warning("A probe's answer could not be read: %r", error)
            if not self._responds():
                self._replace(skip=None)
            raise KernelTrouble("garbled", "Your code's answer could not be read.") from None
        if answer is None:
            raise KernelTrouble("garbled", "Your code's answer could not be read.")
        return answer

    async def _async_ask(self, code: str, expression: str | None, seconds: float) -> str | None:
        """Execute `code` silently and return the text that `expression` has then.

        Raises:
            Empty: no answer within `seconds`.
            DeadKernelError: the kernel is gone.
        """
        assert self.kc is not None
        wanted = {"answer": expression} if expression else {}
        message = self.kc.execute(code, silent=True, user_expressions=wanted)
        deadline = time.monotonic() + seconds
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise Empty
            try:
                reply = await ensure_async(self.kc.shell_channel.get_msg(timeout=min(left, 0.5)))
            except Empty:
                await self._async_check_alive()
                continue
            if reply["parent_header"].get("msg_id") == message:
                break
        if not wanted:
            return None
        text = reply["content"]["user_expressions"]["answer"]["data"]["text/plain"]
        match = re.fullmatch(r"'([A-Za-z0-9+/=]*)'", text)
        return match[1] if match else None

    _ask = run_sync(_async_ask)

    def _interrupt(self) -> None:
        assert self.km is not None
        run_sync(self.km.interrupt_kernel)()  # type: ignore[arg-type]

    def _responds(self, seconds: float = 5) -> bool:
        """Whether the kernel answers a request within `seconds`."""
        try:
            self._ask("", None, seconds)
        except Exception:
            return False
        return True


def _is_count(value: Any) -> bool:
    """Whether a value can be the number of a cell's execution."""
    return type(value) is int and 0 <= value < 10**6


def _is_output(kind: str, content: dict[str, Any]) -> bool:
    """Whether a message is one that puts something into a cell, in the form that it must have."""
    transient = content.get("transient") or {}
    if not isinstance(transient, dict) or not isinstance(transient.get("display_id", ""), str):
        return False
    match kind, content:
        case "stream", {"name": "stdout" | "stderr", "text": str()}:
            return True
        case "error", {"ename": str(), "evalue": str(), "traceback": list(lines)}:
            return all(isinstance(line, str) for line in lines)
        case "display_data" | "execute_result" | "update_display_data", {
            "data": dict(),
            "metadata": dict(),
        }:
            return kind != "execute_result" or "execution_count" in content
        case "execute_input" | "clear_output", _:
            return True
    return False


_TOO_FAST = "Some output came too fast, or too much of it at once, and is not shown."
_GARBLED = "The kernel sent messages in this cell that no kernel sends, and was replaced."
