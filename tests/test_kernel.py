"""The student kernel as suites meet it: who is told when it ends, and what a probe starts from.

A test runs cells and probes of its own in a sandboxed kernel, without any assignment.
"""

import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
import torch
from nbformat.v4 import new_code_cell, new_notebook

from autograder import ROOT
from autograder.grading.parallel import cores
from autograder.kernel.protocol import KernelTrouble, Launch, Limits
from autograder.kernel.student_kernel import StudentKernel
from autograder.kernel.values import Outcome, pack_inputs, unpack_outcome
from autograder.sandbox import SandboxLimits, close_templates
from autograder.sandbox.folder import archive

pytestmark = pytest.mark.kernel


class Notebook:
    """Cells that run one after the other, and probes between them."""

    def __init__(self, limits: Limits, sandbox: bool, files: bytes) -> None:
        launch = Launch(7, ROOT / "course_data", files, SandboxLimits() if sandbox else None)
        self.nb = new_notebook()
        self.kernel = StudentKernel(self.nb, launch, limits, logging.getLogger(__name__))
        self.kernel.start()

    def cell(self, source: str) -> int:
        """Run a new cell; return its index."""
        self.nb.cells.append(new_code_cell(source))
        self.kernel.run_cell(len(self.nb.cells) - 1)
        return len(self.nb.cells) - 1

    def shows(self, index: int) -> str:
        """All that a cell shows, its errors by name and words."""
        return "\n".join(
            f"{out.ename}: {out.evalue}"
            if out.output_type == "error"
            else out.get("text") or out.data.get("text/plain", "")
            for out in self.nb.cells[index].outputs
        )

    def run(self, source: str) -> str:
        """Run a new cell; return what it shows."""
        return self.shows(self.cell(source))

    def ask(self, lines: str, **inputs: Any) -> Outcome:
        """What comes of a probe whose body are these lines."""
        body = "".join(f"    {line}\n" for line in lines.splitlines())
        words = ", ".join(["notebook", *inputs])
        imports = "import numpy as np\nimport torch\nfrom torch import nn\n"
        code = compile(f"{imports}def probe({words}):\n{body}", "<probe>", "exec")
        return unpack_outcome(self.kernel.probe(code, pack_inputs(inputs), False))

    def value(self, expression: str, **inputs: Any) -> Any:
        """The value of an expression of `notebook`, `torch` and `np` in a probe."""
        outcome = self.ask(f"return {expression}", **inputs)
        assert outcome.trouble is None, outcome.trouble
        return outcome.value


Start = Callable[..., Notebook]
QUICK = Limits(cell_seconds=20, probe_seconds=10)


@pytest.fixture
def start() -> Iterator[Start]:
    """Call it for a notebook, whose kernel is ended after the test."""
    started: list[Notebook] = []

    def new(limits: Limits = QUICK, sandbox: bool = True, files: bytes = b"") -> Notebook:
        started.append(Notebook(limits, sandbox, files))
        return started[-1]

    yield new
    for notebook in started:
        notebook.kernel.close()


@pytest.fixture(scope="module", autouse=True)
def templates() -> Iterator[None]:
    yield
    close_templates()


@pytest.fixture
def busy() -> Iterator[None]:
    """A machine whose processors have much else to do."""
    program = [sys.executable, "-c", "while True: pass"]
    others = [subprocess.Popen(program, start_new_session=True) for _ in range(2 * cores())]
    yield
    for other in others:
        other.kill()
        other.wait()


@pytest.mark.usefixtures("busy")
def test_what_others_take_of_the_processors_costs_no_time(start: Start) -> None:
    nb = start(Limits(cell_seconds=1, probe_seconds=1))
    works = "t = time.process_time()\nwhile time.process_time() - t < 0.8: pass\n"
    assert nb.run(f"import time\n{works}print('done')") == "done\n"
    assert nb.ask(f"import time\n{works}return 1").value == 1
    assert nb.run("while True: pass").startswith("TimeLimit: ")
    with pytest.raises(KernelTrouble, match="stopped after 1 s"):
        nb.ask("while True: pass")


# ------------------------------------------------------------------------------- who ended it

EXITS = ["exit()", "quit()", "exit", "get_ipython().ask_exit()", "get_ipython().exit_now = True"]
STAYS = "while grading it is left out"
WAIT = "import time; time.sleep(0.4)"


@pytest.mark.parametrize("code", EXITS)
def test_exit_ends_nothing(start: Start, code: str) -> None:
    notebook = start()
    notebook.run("x = 1")
    assert STAYS in notebook.run(code)
    assert notebook.run(WAIT) == ""
    assert notebook.value("notebook.x") == 1


def test_exit_ends_nothing_without_a_sandbox(start: Start) -> None:
    notebook = start(sandbox=False)
    assert STAYS in notebook.run("x = 1\nexit()\nx = 2")
    assert notebook.run(WAIT) == ""
    assert notebook.value("notebook.x") == 2


def test_exit_in_a_function_ends_no_probe(start: Start) -> None:
    notebook = start()
    notebook.run("def f():\n    exit()\n    return 3")
    assert notebook.value("notebook.f()") == 3
    notebook.run(WAIT)
    assert notebook.value("notebook.f()") == 3


AT_ONCE = {
    "os._exit": "os._exit(0)",
    "kill": "os.kill(os.getpid(), 9)",
    "abort": "os.abort()",
    "exec": "import sys; os.execv(sys.executable, [sys.executable, *sys.argv])",
    "segfault": "import ctypes; ctypes.string_at(0)",
}


@pytest.mark.parametrize("how", AT_ONCE)
def test_a_cell_that_ends_the_kernel_is_told(start: Start, how: str) -> None:
    notebook = start()
    before, fatal, after = map(
        notebook.cell, ("x = 1; print('x')", f"import os\nx = 2\n{AT_ONCE[how]}", "x += 10")
    )
    assert "KernelDied" in notebook.shows(fatal)
    assert (notebook.shows(before), notebook.shows(after)) == ("x\n", "")
    assert notebook.value("notebook.x") == 11


LATER = {
    "timer": "import threading; threading.Timer(0.6, os._exit, (0,)).start()",
    "alarm": "import signal; signal.setitimer(signal.ITIMER_REAL, 0.6)",
    "process": "os.system(f'(sleep 0.6; kill -9 {os.getpid()}) &')",
    "next cell": "get_ipython().events.register('pre_run_cell', lambda info: os._exit(0))",
    "loop": "import asyncio; asyncio.get_running_loop().call_later(0.2, os._exit, 0)",
}


@pytest.mark.parametrize("how", LATER)
def test_a_cell_that_ends_the_kernel_later_is_told(start: Start, how: str) -> None:
    notebook = start()
    first = notebook.cell("x = 1")
    fatal = notebook.cell(f"import os\n{LATER[how]}\nx = 2")
    others = [notebook.cell(WAIT) for _ in range(3)]
    last = notebook.cell("x += 10")
    assert "KernelDied: The kernel died some time after this cell" in notebook.shows(fatal)
    assert [notebook.shows(index) for index in (first, *others, last)] == [""] * 5
    assert notebook.value("notebook.x") == 11


def test_what_an_innocent_cell_left_running_is_not_told(start: Start) -> None:
    notebook = start()
    innocent = notebook.cell("import threading, time\nthreading.Timer(60, print).start()")
    fatal = notebook.cell("import os; os._exit(0)")
    assert notebook.shows(innocent) == ""
    assert "KernelDied" in notebook.shows(fatal)


def test_a_probe_that_ends_the_kernel_later_costs_no_other(start: Start) -> None:
    notebook = start()
    notebook.run(
        "import os, threading\ndef f():\n    threading.Timer(0.3, os._exit, (0,)).start()\n"
        "    return 3\nx = 1"
    )
    assert notebook.value("notebook.f()") == 3
    assert notebook.run(f"{WAIT}\nx += 1") == ""
    assert notebook.value("notebook.x") == 2


def test_a_function_that_ends_the_kernel_fails_its_own_checks_alone(start: Start) -> None:
    """However often it is asked: the replays are there for the others, too."""
    notebook = start(Limits(replays=1))
    notebook.run("import os\ndef f(x):\n    os._exit(0)")
    notebook.run("# a grade cell")
    for x in range(4):
        with pytest.raises(KernelTrouble, match="The kernel died"):
            notebook.ask("return notebook.f(x)", x=x)
    notebook.run("y = 5")
    assert notebook.value("notebook.y") == 5


def test_replays_are_bounded(start: Start) -> None:
    notebook = start(Limits(replays=2))
    for _ in range(3):
        assert "KernelDied" in notebook.run("import os; os._exit(0)")
    assert "NotRun" in notebook.run("x = 1")


# ------------------------------------------------------------------------------------- await

AWAITED = {
    "sleep": ("await asyncio.sleep(0.01)\n5", "5"),
    "gather": ("sum(await asyncio.gather(*map(asyncio.sleep, [0, 0], [2, 3])))", "5"),
    "own": ("async def f():\n    return 5\nawait f()", "5"),
    "task": ("t = asyncio.create_task(asyncio.sleep(0, 5))\nawait t", "5"),
    "error": ("async def f():\n    1 / 0\nawait f()", "ZeroDivisionError: division by zero"),
    "timeout": ("await asyncio.wait_for(asyncio.sleep(9), 0.01)", "TimeoutError: "),
    "run": (
        "asyncio.run(asyncio.sleep(0))",
        "RuntimeError: asyncio.run() cannot be called from a running event loop",
    ),
}


@pytest.mark.parametrize("what", AWAITED)
def test_await_in_a_cell(start: Start, what: str) -> None:
    source, shows = AWAITED[what]
    assert start(Limits(cell_seconds=5)).run(f"import asyncio\n{source}") == shows


NO_FLUSH = "import sys\nclass Tee:\n    def write(self, text):\n        pass\nsys.stdout = Tee()"


@pytest.mark.parametrize("end", ["", "\n1 + 1", "\n1 / 0"])
@pytest.mark.parametrize("streams", [NO_FLUSH, "import sys\nsys.stdout = sys.stderr = None"])
def test_streams_that_cannot_be_flushed_end_with_their_cell(
    start: Start, streams: str, end: str
) -> None:
    notebook = start(Limits(cell_seconds=5))
    assert "TimeLimit" not in notebook.run(streams + end)
    assert notebook.run("print(sys.stdout is sys.stderr)") == "False\n"  # in the same kernel


def test_await_without_end(start: Start) -> None:
    notebook = start(Limits(cell_seconds=1))
    assert "TimeLimit" in notebook.run("import asyncio\nx = 1\nawait asyncio.Event().wait()")
    assert notebook.run("x += 1; x") == "2"  # in the same kernel


def test_a_task_that_goes_on_is_in_nobodys_way(start: Start) -> None:
    notebook = start()
    notebook.run(
        "import asyncio\nn = 0\nasync def count():\n    global n\n    while True:\n"
        "        n += 1\n        await asyncio.sleep(0)\nt = asyncio.create_task(count())"
    )
    assert notebook.run("await asyncio.sleep(0.05)\nn > 1") == "True"
    assert notebook.value("notebook.n > 1")


# ------------------------------------------------------------------------------- known settings

#: What a cell sets for all code, and an expression that tells in a later cell that it still holds.
SET = {
    "dtype": ("torch.set_default_dtype(torch.float64)", "torch.ones(1).dtype == torch.float64"),
    "half": ("torch.set_default_dtype(torch.float16)", "torch.ones(1).dtype == torch.float16"),
    "tensor type": (
        "torch.set_default_tensor_type(torch.DoubleTensor)",
        "torch.get_default_dtype() == torch.float64",
    ),
    "cuda": (
        "torch.set_default_device('cuda')",
        "torch._GLOBAL_DEVICE_CONTEXT.device_context.device.type == 'cuda'",
    ),
    "mps": (
        "torch.set_default_device('mps')",
        "torch._GLOBAL_DEVICE_CONTEXT.device_context.device.type == 'mps'",
    ),
    "meta": ("torch.set_default_device('meta')", "torch.ones(1).is_meta"),
    "device entered": ("torch.device('meta').__enter__()", "torch.ones(1).is_meta"),
    "no grad": ("torch.set_grad_enabled(False)", "not torch.is_grad_enabled()"),
    "inference": (
        "inference = torch.inference_mode(); inference.__enter__()",
        "torch.is_inference_mode_enabled() and torch.ones(1).is_inference()",
    ),
    "autocast": (
        "autocast = torch.autocast('cpu'); autocast.__enter__()",
        "(torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16",
    ),
    "threads": ("torch.set_num_threads(3)", "torch.get_num_threads() == 3"),
    "deterministic": (
        "torch.use_deterministic_algorithms(True)",
        "torch.are_deterministic_algorithms_enabled()",
    ),
    "anomaly": ("torch.autograd.set_detect_anomaly(True)", "torch.is_anomaly_enabled()"),
    "precision": (
        "torch.set_float32_matmul_precision('medium')",
        "torch.get_float32_matmul_precision() == 'medium'",
    ),
    "denormals": (
        "torch.set_flush_denormal(True)",
        "float(torch.tensor([1e-39]) * 0.5) == 0",
    ),
    "function mode": (
        "class Broken(torch.overrides.TorchFunctionMode):\n"
        "    def __torch_function__(self, function, types, args=(), kwargs=None):\n"
        "        raise RuntimeError('broken')\n"
        "mode = Broken(); mode.__enter__()",
        "torch._C._len_torch_function_stack() == 1",
    ),
    "dispatch mode": (
        "from torch.utils._python_dispatch import TorchDispatchMode\n"
        "class Broken(TorchDispatchMode):\n"
        "    def __torch_dispatch__(self, function, types, args=(), kwargs=None):\n"
        "        raise RuntimeError('broken')\n"
        "mode = Broken(); mode.__enter__()",
        "torch._C._len_torch_dispatch_stack() == 1",
    ),
    "warnings": (
        "import warnings; warnings.simplefilter('error')",
        "warnings.filters[0][0] == 'error'",
    ),
    "NumPy's errors": ("np.seterr(all='raise')", "np.geterr()['divide'] == 'raise'"),
    "trace": (
        "import sys\ndef trace(*args): pass\nsys.setprofile(trace)",
        "sys.getprofile() is trace",
    ),
    "stream": (
        "import io, sys\nold = sys.stdout\nsys.stdout = io.StringIO()\nsys.stdout.close()",
        "sys.stdout is not old and sys.stdout.closed",
    ),
    "recursion": ("import sys; sys.setrecursionlimit(300)", "sys.getrecursionlimit() == 300"),
}

NORMAL = """\
import sys, warnings
print("anything")
warnings.warn("anything")
def deep(n):
    return n and deep(n - 1)
deep(400)
w = torch.tensor([[3.001, 1.0], [1.0, 2.0]], requires_grad=True)
y = (w @ torch.ones(2, 2) * torch.from_numpy(x)).sum()
y.backward()
np.float32(1) / np.float32(0)
places = torch.zeros(3).index_add(0, torch.tensor([1]), torch.ones(1))
return [w.detach(), w.grad, y, str(y.dtype), float(torch.tensor([1e-39]) * 0.5), places,
        torch.empty(1).device.type, torch.get_num_threads(), torch.is_anomaly_enabled(),
        torch.are_deterministic_algorithms_enabled(), torch.get_float32_matmul_precision(),
        sys.getprofile() is None, sys.gettrace() is None, notebook.x]"""


@pytest.mark.parametrize("what", SET)
def test_a_probe_starts_from_known_settings(start: Start, what: str) -> None:
    code, holds = SET[what]
    notebook = start()
    notebook.run("import numpy as np\nimport torch\nx = 5")
    before = notebook.ask(NORMAL, x=np.array([2.0], dtype=np.float32))
    assert before.trouble is None
    # In one cell: what is asked is what the probe finds, and what a setting breaks is its own.
    notebook.run(code)
    after = notebook.ask(NORMAL, x=np.array([2.0], dtype=np.float32))
    assert after.trouble is None
    assert str(after.value) == str(before.value)
    assert notebook.shows(notebook.cell(f"assert {holds}")) == ""


def test_what_a_probe_sets_is_gone_after_it(start: Start) -> None:
    notebook = start()
    notebook.run("import torch")
    for code, _ in list(SET.values())[:17]:
        outcome = notebook.ask("exec(code, {'torch': torch, 'np': np})", code=code)
        assert outcome.trouble is None, code
        assert notebook.value("torch.ones(2).sum()") == 2
        assert notebook.run("assert (torch.ones(1) + 1).dtype == torch.float32") == ""


def test_what_functions_may_need_stays(start: Start) -> None:
    notebook = start()
    notebook.run(
        "import os, sys\nos.environ['MINE'] = 'a'\nos.mkdir('b')\nos.chdir('b')\n"
        "sys.path.insert(0, 'c')\nsys.setrecursionlimit(5000)"
    )
    here = "[__import__('os').environ['MINE'], __import__('os').getcwd()]"
    assert notebook.value(here) == ["a", "/submission/b"]
    assert notebook.ask("import sys\nreturn [sys.path[0], sys.getrecursionlimit()]").value == [
        "c",
        5000,
    ]


def test_a_timer_does_not_go_off_in_a_probe(start: Start) -> None:
    notebook = start()
    notebook.run("import signal\nsignal.setitimer(signal.ITIMER_REAL, 0.3)")
    assert notebook.ask("import time\ntime.sleep(0.5)\nreturn 1").value == 1
    assert notebook.run("signal.getitimer(signal.ITIMER_REAL)[0] > 0") == "True"


def test_one_more_dtype_is_no_trouble(start: Start) -> None:
    """What the notebook has made before is of the type that it was made with."""
    notebook = start()
    notebook.run("import torch\ntorch.set_default_dtype(torch.float64)\nw = torch.ones(2)")
    assert notebook.value("notebook.w").dtype == torch.float64
    assert notebook.value("torch.ones(2)").dtype == torch.float32


# ------------------------------------------------------------------- compilers, workers, files

COMPILED = {
    "function": "@torch.compile\ndef f(x): return 2 * x\nf(torch.ones(1))",
    "options": "torch.compile(lambda x: 2 * x, fullgraph=True, mode='max-autotune')(torch.ones(1))",
    "eager": "torch.compile(lambda x: 2 * x, backend='eager')(torch.ones(1))",
    "script": "@torch.jit.script\ndef f(x: torch.Tensor):\n    return 2 * x\nf(torch.ones(1))",
    "trace": "torch.jit.trace(lambda x: 2 * x, torch.ones(1))(torch.ones(1))",
    "vmap": "torch.func.vmap(lambda x: 2 * x)(torch.ones(1))",
}


@pytest.mark.parametrize("how", COMPILED)
def test_compilers(start: Start, how: str) -> None:
    notebook = start(Limits(cell_seconds=60))
    quiet = "import warnings; warnings.simplefilter('ignore')"
    assert notebook.run(f"import torch\n{quiet}\n{COMPILED[how]}") == "tensor([2.])"


@pytest.mark.parametrize("sandbox", [True, False], ids=["sandboxed", "plain"])
def test_a_compiled_module_is_what_it_is_at_home(start: Start, sandbox: bool) -> None:
    notebook = start(Limits(cell_seconds=60), sandbox)
    notebook.run("import torch\nmodel = torch.compile(torch.nn.Linear(2, 1, bias=False))")
    assert notebook.run("list(model.state_dict())") == "['_orig_mod.weight']"
    assert notebook.value("notebook.model(torch.zeros(3, 2)).shape == (3, 1)")
    notebook.run("other = torch.nn.Linear(2, 1)\nother.compile()")
    assert notebook.value("notebook.other(torch.zeros(3, 2)).shape == (3, 1)")


WORKERS = {
    "fork": "",
    "spawn": "torch.multiprocessing.set_start_method('spawn')",
    "forced": "import multiprocessing\nmultiprocessing.set_start_method('forkserver', force=True)",
    "context": "options = {'multiprocessing_context': 'spawn'}",
    "persistent": "options = {'persistent_workers': True}",
    "pinned": "options = {'pin_memory': True}",
}


@pytest.mark.parametrize("how", WORKERS)
def test_workers(start: Start, how: str) -> None:
    notebook = start()
    notebook.run(
        "import torch\nfrom torch.utils.data import DataLoader, TensorDataset\noptions = {}\n"
        f"{WORKERS[how]}\n"
        "def batches():\n"
        "    data = TensorDataset(torch.arange(5))\n"
        "    loader = DataLoader(data, batch_size=2, num_workers=2, **options)\n"
        "    return [x.tolist() for _ in range(2) for x, in loader]"
    )
    assert notebook.run("batches()").endswith(str([[0, 1], [2, 3], [4]] * 2))
    assert notebook.value("notebook.batches()") == [[0, 1], [2, 3], [4]] * 2


BESIDE = {
    "run notebook": "%run 'my other.ipynb'\nhelped(1)",
    "run module": "%run helper.py\nhelped(1)",
    "import": "from helper import helped\nhelped(1)",
    "reload": "%load_ext autoreload\n%autoreload 2\nimport helper\nhelper.helped(1)",
    "written": "%%writefile new.py\ndef helped(x): return x + 1",
    "exec": "exec(open('helper.py').read())\nhelped(1)",
}


@pytest.mark.parametrize(
    ("how", "sandbox"), [*((how, True) for how in BESIDE), ("run notebook", False)]
)
def test_files_beside(start: Start, tmp_path: Path, how: str, sandbox: bool) -> None:
    helper = "def helped(x):\n    return x + 1\n"
    (tmp_path / "helper.py").write_text(helper)
    nbformat.write(new_notebook(cells=[new_code_cell(helper)]), tmp_path / "my other.ipynb")
    notebook = start(files=archive(tmp_path, 2**20), sandbox=sandbox)
    shows = notebook.run(BESIDE[how])
    if how == "written":
        shows = notebook.run("import new\nnew.helped(1)")
    assert shows == "2"


# --------------------------------------------------------------------------- packages of students

WORK = {
    "tqdm": "from tqdm.auto import tqdm\nfor x in tqdm(range(3)):\n    pass",
    "tqdm, plain": "from tqdm import trange\nfor x in trange(3):\n    pass",
    "pandas": "import pandas as pd\nx = int(pd.DataFrame({'a': [1, 2]})['a'].sum()) - 1",
    "seaborn": "import seaborn as sns\nsns.lineplot(x=[1, 2], y=[3, 4])\nx = 2",
    "ipywidgets": "from ipywidgets import interact\n@interact(k=(0, 4))\ndef f(k=2):\n"
    "    global x\n    x = k",
    "ipympl": "%matplotlib widget\nfrom matplotlib import pyplot as plt\nplt.plot([1, 2])\n"
    "plt.show()\nx = 2",
}


@pytest.mark.parametrize("source", WORK.values(), ids=WORK)
def test_packages_that_students_like_do_no_harm(start: Start, source: str) -> None:
    notebook = start()
    assert "Error" not in notebook.run(source)
    assert notebook.value("notebook.x") == 2
