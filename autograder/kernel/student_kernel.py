"""The student kernel as the grader drives it: cells and probes, each within its limits.

Nothing here trusts the kernel. It may die, hang, flood or send nonsense: the cell or probe that did
it gets an error that says so, a fresh kernel replays the cells before it, and grading goes on.
"""

import asyncio
import logging
import marshal
import os
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from copy import deepcopy
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

from autograder.errors import AutograderError
from autograder.kernel import channel
from autograder.kernel.channel import no_grace
from autograder.kernel.fair_time import FairTime
from autograder.kernel.history import History
from autograder.kernel.output_budget import OutputBudget
from autograder.kernel.protocol import KernelTrouble, Launch, Limits
from autograder.language import Sentence, Text
from autograder.sandbox import SandboxKernelManager
from autograder.sandbox.folder import unpack
from autograder.sandbox.usage import Usage
from autograder.submission.cells import described

_AGENT = compile(
    resources.files("autograder.kernel").joinpath("inside.py").read_bytes(), "<agent>", "exec"
)

# An expression, since IPython looks through the text of a cell at length, and needs a name in the
# notebook for what a cell computes. What it is about comes in the message as a buffer, neither JSON
# nor source. The sandbox and the grader have one Python, so code may travel compiled.
_PROBE = """(lambda python, names: (lambda agent, probe, inputs, watch, space: (
    python.exec(agent, space), space["run"](names, probe, inputs, watch))[1])(
    *python.__import__("marshal").loads(
        python.__import__("IPython").get_ipython().get_parent()["buffers"][0]), {})
)(__builtins__, __builtins__.globals())"""

# What a cell may leave running, to act later: processes, threads, tasks, a timer. Their names.
_RUNNING = """(lambda asyncio, os, signal: "/".join(
    [name for name in os.listdir("/proc") if name.isdecimal()] + os.listdir("/proc/self/task")
    + [f"task{i}" for i in range(len(asyncio.all_tasks()))]
    + [f"call{i}" for i in range(len(asyncio.get_running_loop()._scheduled))]
    + [f"timer{which}" for which in range(3) if signal.getitimer(which)[0]]
))(*map(__import__, ("asyncio", "os", "signal")))"""

# Without a sandbox; see inside.py, which has its like.
_STAY = """get_ipython().ask_exit = lambda: print(
    "\\n[`exit()` ends the kernel; while grading it is left out.]")"""


class _Ended(AutograderError):
    """The kernel does not answer any more, after what `trouble` says."""

    def __init__(self, trouble: KernelTrouble) -> None:
        super().__init__(str(trouble))
        self.trouble = trouble


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
        self.notes: list[Text] = []
        self._deadline = time.monotonic() + limits.submission_seconds
        self._fair = FairTime(self._usage, limits.submission_seconds)
        self._history = History(limits.replays)
        self._output = OutputBudget(limits.output_bytes)
        self._fatal_probes: dict[tuple[int, CodeType], tuple[str, Text]] = {}
        self._heard_all = self._timed_out = False
        self._own_folder: tempfile.TemporaryDirectory[str] | None = None
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
                files=self.launch.files,
                seed=self.launch.seed,
                course_data=self.launch.course_data,
                limits=self.launch.sandbox,
                prepare_next=True,
            )
        else:
            self._start_unsandboxed()
        self.start_new_kernel_client()
        if self.launch.sandbox is None:
            seed = (
                "import random, numpy, torch\n"
                f"random.seed({self.launch.seed}); numpy.random.seed({self.launch.seed % 2**32})\n"
                f"torch.manual_seed({self.launch.seed}); del random, numpy, torch\n{_STAY}"
            )
            self._ask(seed, None, 60)

    def _start_unsandboxed(self) -> None:
        self._own_folder = tempfile.TemporaryDirectory(prefix="autograder-")
        own, work = Path(self._own_folder.name), Path(self._own_folder.name, "submission")
        work.mkdir()
        unpack(self.launch.files, work)
        self.km = AsyncKernelManager(kernel_spec_manager=_OneSpec(), transport="ipc")
        self.km.connection_file = str(own / "kernel.json")
        self.km.ip = str(own / "s")
        environment = {
            **os.environ,
            "MPLBACKEND": "module://matplotlib_inline.backend_inline",
            "OMP_NUM_THREADS": "1",
            "PYTHONHASHSEED": "0",
            "TORCH_COMPILE_DISABLE": "1",
        }
        if self.launch.course_data is not None:
            environment["COURSE_DATA"] = str(self.launch.course_data)
        self.start_new_kernel(cwd=str(work), env=environment)

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
            if self._own_folder is not None:
                self._own_folder.cleanup()
                self._own_folder = None

    def _replace(self, skip: int | None = None) -> None:
        """Start afresh and replay the cells that ran, without cell `skip`, outputs left alone.

        Nobody runs in a kernel that an earlier cell is about to end: the replay finds such a cell,
        tells it, and leaves it out.
        """
        ages = self._history.ages(time.monotonic(), skip)
        self._history.replace_begins()
        while True:
            self.close()
            self._history.leave_out(skip)
            if not self._history.may_go_on or self._left() <= 0:
                return
            try:
                self.start()
                skip = self._replay(ages)
            except Exception as error:
                self.log.warning("Replaying the submission failed: %r", error)
                self._history.replay_failed()
                skip = None
                continue
            if skip is None:
                return
            self._give_error(self.nb.cells[skip], "KernelDied", _LATER)
            self._history.kernel_ended()

    def _replay(self, ages: dict[int, float]) -> int | None:
        """Run the cells that ran once more, up to one that ends the kernel; return that one.

        A cell may end it by something that it has left running (a timer, a thread, a process),
        in the midst of another. So where something is left running, the kernel waits as long as it
        took until the last one died: `ages` has the seconds from each cell's start to that.
        """
        cells = self._history.replay_begins()
        running = self._running()
        for index in cells:
            original = self.nb.cells[index]
            self._history.begins(index, time.monotonic())
            try:
                self._execute(deepcopy(original), index)
                before, running = running, self._running()
                now = time.monotonic()
                wait = self._history.wait_after(index, ages, now, running, before)
                if wait is not None:
                    self._wait(min(wait, self.limits.probe_seconds, self._left()))
            except DeadKernelError:
                return index
            finally:
                self.nb.cells[index] = original
        return None

    def _running(self) -> set[str]:
        """What runs in the kernel beside its cells, by names of no meaning.

        It is asked with a cell: what was to happen at the next one has happened then.

        Raises:
            DeadKernelError: the kernel is gone.
        """
        try:
            names = self._ask("pass", _RUNNING, self.limits.probe_seconds, silent=False)
        except DeadKernelError:
            raise
        except Exception:  # it does not say
            names = None
        return set((names or str(time.monotonic())).split("/"))

    async def _async_wait(self, seconds: float) -> None:
        """Wait, or raise `DeadKernelError` when the kernel dies meanwhile."""
        until = time.monotonic() + seconds
        await self._async_check_alive()
        while time.monotonic() < until:
            await asyncio.sleep(0.02)
            await self._async_check_alive()

    _wait = run_sync(_async_wait)

    @property
    def _alive(self) -> bool:
        return self.kc is not None

    def _left(self) -> float:
        return self._deadline + self._fair.given - time.monotonic()

    def _usage(self) -> Usage | None:
        provisioner = self.km.provisioner if self.km is not None else None
        return getattr(provisioner, "usage", None)

    # ------------------------------------------------------------------------------------- cells

    def run_cell(self, index: int) -> None:
        """Run one code cell; whatever happens, it ends with outputs and no exception."""
        cell = self.nb.cells[index]
        if cell.cell_type != "code" or not cell.source.strip():
            return
        if not self._alive or self._left() <= 0:
            cell.outputs = []
            self._give_error(cell, "NotRun", self._why_not())
            return
        why = self._attempt(index)
        if why is not None and self._history.may_end_another:
            self._replace()  # perhaps another cell had ended the kernel: then this one may run now
            why = self._attempt(index) if self._alive else why
        if why is not None:
            self._fatal(index, *why)
        if note := self._output.end(index):
            self._say(index, note)

    def _attempt(self, index: int) -> tuple[str, Text] | None:
        """Run a code cell; return name and words of an error where the kernel died in it."""
        cell = self.nb.cells[index]
        cell.outputs = []
        self._output.begin(index)
        self._timed_out = self._heard_all = False
        self._history.begins(index, time.monotonic())
        try:
            self._execute(cell, index)
        except DeadKernelError:
            cell.execution_count = None  # whether it was still told is chance
            return "KernelDied", self._why_dead()
        except Exception as error:
            self.log.warning("The student kernel sent what could not be read: %r", error)
            self._fatal(index, "KernelGarbled", _GARBLED)
        else:
            self._history.ended_well(index)
            if self._timed_out:
                self._after_timeout(index)
            elif not self._heard_all:
                self._say(index, _TOO_FAST)
        return None

    def _execute(self, cell: NotebookNode, index: int) -> None:
        """Have a cell run, with the time that it gets back."""
        assert self.kc is not None
        channel = self.kc.shell_channel
        self._fair.begin()
        channel.grace = self._fair.grace
        try:
            self.execute_cell(cell, index)
        finally:
            channel.grace = no_grace

    async def _async_poll_kernel_alive(self) -> None:
        """Like nbclient's, which looks once a second."""
        while True:
            await asyncio.sleep(0.1)
            try:
                await self._async_check_alive()
            except DeadKernelError:
                assert self.task_poll_for_reply is not None
                self.task_poll_for_reply.cancel()
                return

    def _after_timeout(self, index: int) -> None:
        cell = self.nb.cells[index]
        cell.outputs = [out for out in cell.outputs if out.output_type != "error"]
        whole = self._left() <= 0
        seconds = self.limits.submission_seconds if whole else self.limits.cell_seconds
        stopped = _SUBMISSION_STOPPED if whole else _CELL_STOPPED
        self._give_error(cell, "TimeLimit", Text(stopped, seconds=seconds))
        if not whole and not self._responds():
            self.log.warning("The student kernel ignored an interrupt; replacing it")
            self._history.kernel_ended()
            self._replace(skip=index)

    def _fatal(self, index: int, name: str, message: Sentence) -> None:
        self._give_error(self.nb.cells[index], name, message)
        self._history.kernel_ended()
        self._replace(skip=index)

    def _why_dead(self) -> Text:
        provisioner = self.km.provisioner if self.km is not None else None
        if getattr(provisioner, "exit_reason", None) == "memory":
            assert self.launch.sandbox is not None
            limit = self.launch.sandbox.memory_bytes / 2**30
            return Text(_TOO_LARGE, limit=limit)
        return Text("The kernel died: your code ended the Python process, or crashed it.")

    def _why_not(self) -> Text:
        if self._left() <= 0:
            seconds = self.limits.submission_seconds
            return Text(_NO_TIME_LEFT, seconds=seconds)
        return Text(_TOO_MANY_ENDINGS, count=self.limits.replays + 1)

    def _give_error(self, cell: NotebookNode, name: str, message: Sentence) -> None:
        says = Text("{name}: {message}", name=name, message=Text(message))
        # Many cells may not have been run, all for one reason.
        note = says if name == "NotRun" else Text(ABOUT, cell=described(cell), says=says)
        if note not in self.notes:
            self.notes.append(note)
        shown = {"evalue": str(message), "traceback": [str(says)]}
        cell.outputs.append(new_output("error", ename=name, **shown))

    def _cell_timeout(self, cell: NotebookNode) -> int:
        return max(1, int(min(self.limits.cell_seconds, self._left())))

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
        if kind == "update_display_data" and not self._output.admits_update(content):
            return None
        # An update of what has been cut or cleared since; what nbformat knows to be no output.
        with suppress(IndexError, ValidationError):
            return super().process_message(msg, cell, cell_index)
        return None

    def output(
        self, outs: list[NotebookNode], msg: dict[str, Any], display_id: str | None, cell_index: int
    ) -> NotebookNode | None:
        """Keep an output message unless the cell has already said enough."""
        if self.clear_before_next_output:
            self.clear_before_next_output = False
            self.clear_display_id_mapping(cell_index)
            self._output.clear(cell_index)
            outs[:] = []
        kind, content = msg["msg_type"], msg["content"]
        last = outs[-1] if outs else None
        goes_on = (
            kind == "stream"
            and last is not None
            and last.output_type == "stream"
            and last.name == content["name"]
        )
        if not self._output.admits(cell_index, kind, content, goes_on):
            return None
        if goes_on:
            outs[-1].text += content["text"]
            return None
        return super().output(outs, msg, display_id, cell_index)

    def clear_output(self, outs: list[NotebookNode], msg: dict[str, Any], cell_index: int) -> None:
        """Clear the outputs of a cell, and what they count."""
        if not msg["content"].get("wait"):
            self._output.clear(cell_index)
        super().clear_output(outs, msg, cell_index)

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
        place = self._history.last, code
        if place in self._fatal_probes:
            raise KernelTrouble(*self._fatal_probes[place])
        whole = marshal.dumps((_AGENT, code, inputs, watch))
        try:
            try:
                return self._answer(whole)
            except DeadKernelError:
                if not self._history.may_end_another:
                    raise
            self._replace()  # perhaps a cell had ended the kernel: then the probe may run now
            return self._answer(whole)
        except DeadKernelError:
            trouble = KernelTrouble("dead", self._why_dead())
        except _Ended as ended:
            trouble = ended.trouble
        self._fatal_probes[place] = trouble.kind, trouble.text
        self._history.kernel_ended()
        self._replace()
        raise trouble

    def _answer(self, whole: bytes) -> str:
        """The answer to a probe.

        Raises:
            KernelTrouble: there is none.
            DeadKernelError: the kernel is gone.
            _Ended: it does not answer any more.
        """
        if not self._alive or self._left() <= 0:
            raise KernelTrouble("replays" if self._left() > 0 else "submission", self._why_not())
        seconds = max(1.0, min(self.limits.probe_seconds, self._left()))
        try:
            answer = self._ask("", _PROBE, seconds, buffers=[whole])
        except DeadKernelError:
            raise
        except Empty:
            self._interrupt()
            kind, says = "timeout", Text(_PROBE_STOPPED, seconds=seconds)
        except Exception as error:
            self.log.warning("A probe's answer could not be read: %r", error)
            kind, says = "garbled", Text(_UNREADABLE)
        else:
            if answer is None:
                raise KernelTrouble("garbled", _UNREADABLE)
            return answer
        trouble = KernelTrouble(kind, says)
        raise trouble if self._responds() else _Ended(trouble) from None

    async def _async_ask(
        self,
        code: str,
        expression: str | None,
        seconds: float,
        silent: bool = True,
        buffers: Sequence[bytes] = (),
    ) -> str | None:
        """Execute `code` and return the text that `expression` has then.

        Raises:
            Empty: no answer within `seconds`.
            DeadKernelError: the kernel is gone.
        """
        assert self.kc is not None
        wanted = {"answer": expression} if expression else {}
        asked = {
            "code": code,
            "silent": silent,
            "store_history": False,
            "user_expressions": wanted,
            "allow_stdin": False,
            "stop_on_error": True,
        }
        # Not by `execute` of the client, which sends no buffers.
        request = {**self.kc.session.msg("execute_request", asked), "buffers": list(buffers)}
        self.kc.shell_channel.send(request)
        message = request["header"]["msg_id"]
        self._fair.begin()
        deadline = time.monotonic() + seconds
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                if not (more := self._fair.grace()):
                    raise Empty
                deadline += more
                continue
            try:
                reply = await ensure_async(self.kc.shell_channel.get_msg(timeout=min(left, 0.1)))
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


#: A note about one cell; `grading.grader` says of such a one whether it cost points.
ABOUT = "In {cell}: {says}"

_CELL_STOPPED = (
    "This cell ran longer than its time limit of {seconds} s and was stopped. Is there a loop that"
    " never ends, or far too many iterations?"
)
_SUBMISSION_STOPPED = (
    "The submission ran longer than its time limit of {seconds} s and was stopped. Is there a loop"
    " that never ends, or far too many iterations?"
)
_PROBE_STOPPED = "Your code was stopped after {seconds:.0f} s in this check."
_NO_TIME_LEFT = "Not run: the submission used up its time limit of {seconds} s."
_TOO_MANY_ENDINGS = "Not run: the kernel had died {count} times before this cell."
_TOO_LARGE = "The kernel was ended: your code used more than its {limit:g} GiB of memory."
_UNREADABLE = "Your code's answer could not be read."
_TOO_FAST = "Some output came too fast, or too much of it at once, and is not shown."
_LATER = (
    "The kernel died some time after this cell, by something that the cell had left running: a"
    " timer, a thread or a process. It was graded without this cell."
)
_GARBLED = "The kernel sent messages in this cell that no kernel sends, and was replaced."
