"""What a probe needs inside the student kernel.

The source of this file is sent to the kernel with every probe: the `autograder` package itself is
never there. It imports nothing of the project, keeps nothing between probes, and is untrusted as
soon as it runs: all that it returns is data, checked by `autograder.kernel.values`.
"""

import base64
import builtins
import functools
import io
import json
import linecache
import math
import os
import random
import signal
import struct
import sys
import traceback
import warnings
from collections.abc import Iterable
from contextlib import nullcontext
from types import CodeType
from typing import Any

import numpy
import safetensors.torch
import torch

Tensors = dict[str, torch.Tensor]


class Pieces:
    """Tensors to be packed: joined to a long one for each dtype, since each costs time by itself.

    A tree refers to them by that tensor's name, where they start in it, and their shape.
    """

    def __init__(self) -> None:
        self.parts: dict[str, list[torch.Tensor]] = {}
        self.sizes: dict[str, int] = {}

    def keep(self, tensor: torch.Tensor) -> list[Any]:
        """Put a tensor among the others; return what the tree refers to it by."""
        name = str(tensor.dtype)
        start = self.sizes.get(name, 0)
        self.sizes[name] = start + tensor.numel()
        self.parts.setdefault(name, []).append(tensor.reshape(-1))
        return [name, start, list(tensor.shape)]

    def joined(self) -> Tensors:
        """The long tensors, by name."""
        return {name: torch.cat(parts) for name, parts in self.parts.items()}


class MissingName(Exception):
    """The notebook does not define a name that a probe asks for."""


class Notebook:
    """The names that the notebook has defined, as attributes."""

    def __init__(self, names: dict[str, Any]) -> None:
        self.__dict__["_names"] = names

    def __getattr__(self, name: str) -> Any:
        try:
            return self._names[name]
        except KeyError:
            raise MissingName(name) from None

    def __setattr__(self, name: str, value: Any) -> None:
        self._names[name] = value


# ------------------------------------------------------------------ values: a tree and its tensors


def unpack(blob: bytes) -> tuple[Any, Tensors]:
    """Split `blob` into the JSON tree and the tensors that it refers to."""
    (size,) = struct.unpack("<Q", blob[:8])
    tree = json.loads(blob[8 : 8 + size])
    rest = blob[8 + size :]
    return tree, safetensors.torch.load(rest) if rest else {}


def pack(tree: Any, pieces: Pieces) -> bytes:
    """Put a JSON tree and its tensors into one piece; see `unpack`."""
    text = json.dumps(tree).encode()
    rest = safetensors.torch.save(pieces.joined()) if pieces.parts else b""
    return struct.pack("<Q", len(text)) + text + rest


def encode(value: Any, pieces: Pieces, depth: int = 0) -> Any:
    """Turn a value into JSON; tensors and arrays go to `pieces`, the unknown becomes its type."""
    if depth > 8:
        return {"?": "a deeply nested value"}
    if value is None or type(value) in (bool, int, str):
        return value
    if type(value) is float:
        return value if value - value == 0 else {"float": repr(value)}
    if isinstance(value, torch.Tensor):
        with torch._C.DisableTorchFunctionSubclass(), torch.no_grad():
            plain = value.as_subclass(torch.Tensor).detach().to("cpu").resolve_conj().resolve_neg()
            return {"tensor": pieces.keep(plain.contiguous().clone())}
    if isinstance(value, numpy.ndarray | numpy.generic):
        return {"array": pieces.keep(torch.from_numpy(numpy.array(value)))}
    if isinstance(value, list | tuple):
        return [encode(item, pieces, depth + 1) for item in list(value)]
    if isinstance(value, dict) and all(type(key) is str for key in value):
        return {"dict": {key: encode(value[key], pieces, depth + 1) for key in list(value)}}
    return {"?": type(value).__name__}


def take(reference: Any, tensors: Tensors) -> torch.Tensor:
    """The tensor that a tree refers to, as a view."""
    name, start, shape = reference
    return tensors[name][start : start + math.prod(shape)].reshape(shape)


def decode(tree: Any, tensors: Tensors) -> Any:
    """Undo `encode`, for inputs that the grader made."""
    if isinstance(tree, list):
        return [decode(item, tensors) for item in tree]
    if not isinstance(tree, dict):
        return tree
    ((kind, value),) = tree.items()
    if kind == "tensor":
        return take(value, tensors).clone()
    if kind == "array":
        return take(value, tensors).clone().numpy()
    if kind == "float":
        return float(value)
    return {key: decode(item, tensors) for key, item in value.items()}


# ---------------------------------------------------------------------- traps for autograd's doors


class Recording:
    """While active, torch keeps a record of what it runs, whoever calls it and in whichever thread.

    `used` has what is in it of autograd: a node of a graph that runs backward, a tensor that
    becomes dual. To build a graph runs no node of it.
    """

    BACKWARD = 1  # the scope of an event: at::RecordScope::BACKWARD_FUNCTION
    DUAL = "aten::_make_dual"

    #: What `used` says where somebody else has ended the record.
    ENDED = "ended"
    #: Stands at the start and at the end of the record.
    MARK = "autograder"
    FUNCTIONS = ("_prepare_profiler", "_enable_profiler", "_disable_profiler")

    def __enter__(self) -> "Recording":
        self.used: list[str] = []
        self.active = False
        # The student's own profiler takes the place of this one: what it records counts as well.
        self.real = {name: getattr(torch._C._autograd, name) for name in self.FUNCTIONS}
        self.saved = {name: getattr(torch.autograd.profiler, name) for name in self.FUNCTIONS}
        for name in self.FUNCTIONS:
            setattr(torch.autograd.profiler, name, functools.partial(self.replaced, name))
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()
        for name, function in self.saved.items():
            setattr(torch.autograd.profiler, name, function)

    def replaced(self, name: str, *args: Any, **named: Any) -> Any:
        """Do for the student's own profiler what the function `name` does."""
        self.stop()
        result = self.real[name](*args, **named)
        if name == "_disable_profiler":
            self.look(result)
            self.start()
        return result

    def start(self) -> None:
        kinds = torch._C._profiler
        everywhere = kinds._ExperimentalConfig(profile_all_threads=True)
        make: Any = kinds.ProfilerConfig  # the last argument may be left out
        config = make(kinds.ProfilerState.KINETO, *[False] * 5, everywhere)
        level = os.environ.get("KINETO_LOG_LEVEL")
        os.environ["KINETO_LOG_LEVEL"] = "99"  # what it prints would be shown in a cell
        begin = functools.partial(self.begin, config, {kinds.ProfilerActivity.CPU})
        try:
            try:
                begin()
            except RuntimeError:  # the notebook keeps a record of its own
                self.real["_disable_profiler"]()
                begin()
            self.active = True
            self.mark()
        except Exception:
            self.note(self.ENDED)
        finally:
            del os.environ["KINETO_LOG_LEVEL"]
            if level is not None:
                os.environ["KINETO_LOG_LEVEL"] = level

    def begin(self, *how: Any) -> None:
        for name in ("_prepare_profiler", "_enable_profiler"):
            self.real[name](*how)

    def stop(self) -> None:
        """Note what was recorded since the start."""
        if not self.active:
            return
        self.active = False
        self.mark()
        try:
            whole = self.look(self.real["_disable_profiler"]()) == 2
        except Exception:
            whole = False
        if not whole:
            self.note(self.ENDED)

    def mark(self) -> None:
        with torch._C._profiler._RecordFunctionFast(self.MARK):
            pass

    def look(self, result: Any) -> int:
        """Note what of autograd is in a record; return how often `mark` is."""
        marks = 0
        for event in result.events():
            name = event.name()
            marks += name == self.MARK
            if event.scope() == self.BACKWARD:
                self.note("torch.autograd")
            elif name == self.DUAL:
                self.note("torch.autograd.forward_ad.make_dual")
        return marks

    def note(self, name: str) -> None:
        if name not in self.used:
            self.used.append(name)


class Autograd:
    """While active, notes every way into autograd that is taken; `used` has their names.

    Some are known by name. All of them come by torch's own record of what it runs.
    """

    DOORS = (
        ("torch", "Tensor.backward"),
        ("torch.autograd", "backward"),
        ("torch.autograd", "grad"),
        ("torch.autograd", "_engine_run_backward"),
        ("torch.autograd.graph", "_engine_run_backward"),
        ("torch.autograd.functional", "jacobian"),
        ("torch.autograd.functional", "vjp"),
        ("torch.autograd.functional", "jvp"),
        ("torch.autograd.functional", "hessian"),
        ("torch.autograd.forward_ad", "enter_dual_level"),
        ("torch.autograd.forward_ad", "make_dual"),
        ("torch.func", "grad"),
        ("torch.func", "grad_and_value"),
        ("torch.func", "vjp"),
        ("torch.func", "jvp"),
        ("torch.func", "jacrev"),
        ("torch.func", "jacfwd"),
        ("torch.func", "linearize"),
        ("torch._functorch.eager_transforms", "_autograd_grad"),
        ("torch._functorch.eager_transforms", "_jvp_with_argnums"),
        ("torch._functorch.eager_transforms", "grad_and_value_impl"),
        ("torch._functorch.eager_transforms", "_vjp_with_argnums"),
    )

    def __enter__(self) -> "Autograd":
        self.used: list[str] = []
        self.saved: list[tuple[Any, str, Any]] = []
        for module, path in self.DOORS:
            owner = sys.modules.get(module)
            *parents, name = path.split(".")
            for parent in parents:
                owner = getattr(owner, parent, None)
            door = getattr(owner, name, None)
            if door is not None:
                self.saved.append((owner, name, door))
                setattr(owner, name, self.watch(door, f"{module}.{path}"))
        self.recording = Recording().__enter__()
        return self

    def __exit__(self, *exc_info: object) -> None:
        for owner, name, door in reversed(self.saved):
            setattr(owner, name, door)
        self.recording.__exit__()
        named = bool(self.used)
        self.used += [way for way in self.recording.used if not named or way == Recording.ENDED]

    def watch(self, door: Any, label: str) -> Any:
        """Wrap `door`, so that going through it is noted."""

        def watched(*args: Any, **kwargs: Any) -> Any:
            if label not in self.used:
                self.used.append(label)
            return door(*args, **kwargs)

        return watched


# ------------------------------------------------------------------------------- known settings


class Nowhere(io.TextIOBase):
    """Takes all that is printed: nobody reads what a probe prints."""

    encoding = "utf-8"

    def write(self, text: str) -> int:
        return len(text)


def is_flushed() -> bool:
    """Whether numbers below the smallest normal one are taken for zero."""
    tiny = sys.float_info.min
    return tiny * sys.float_info.epsilon == 0


def take_modes() -> tuple[list[Any], list[Any]]:
    """Leave every mode of torch's that is entered, a default device among them; return them."""
    lengths = torch._C._len_torch_function_stack(), torch._C._len_torch_dispatch_stack()
    functions = [torch._C._pop_torch_function_stack() for _ in range(lengths[0])]
    return functions, [torch._C._pop_torch_dispatch_stack(None) for _ in range(lengths[1])]


def set_modes(modes: tuple[list[Any], list[Any]]) -> None:
    """Undo `take_modes`."""
    take_modes()
    for mode in reversed(modes[0]):
        torch._C._push_on_torch_function_stack(mode)
    for mode in reversed(modes[1]):
        torch._C._push_on_torch_dispatch_stack(mode)


class Known:
    """While entered, what can be set for all code is as after a fresh start; then as before.

    A probe shall not fail, nor pass, for what the notebook has set in another cell. What its own
    functions may need is left alone: the environment, paths, the working folder, random states.
    """

    #: How a setting is read and written, and its value after a fresh start.
    SETTINGS: tuple[tuple[Any, Any, Any], ...] = (
        (sys.gettrace, sys.settrace, None),
        (sys.getprofile, sys.setprofile, None),
        (lambda: signal.getitimer(0), lambda value: signal.setitimer(0, *value), (0.0, 0.0)),
        (is_flushed, torch.set_flush_denormal, False),
        (torch.get_default_dtype, torch.set_default_dtype, torch.float32),
        (torch.is_grad_enabled, torch._C._set_grad_enabled, True),
        (torch.get_num_threads, torch.set_num_threads, 1),
        (
            lambda: torch.is_autocast_enabled("cpu"),
            lambda value: torch.set_autocast_enabled("cpu", value),
            False,
        ),
        (
            torch._C._get_float32_matmul_precision,
            torch._C._set_float32_matmul_precision,
            "highest",
        ),
        (
            lambda: (
                torch._C._get_deterministic_algorithms(),
                torch._C._get_deterministic_algorithms_warn_only(),
            ),
            lambda value: torch._C._set_deterministic_algorithms(value[0], warn_only=value[1]),
            (False, False),
        ),
        (
            lambda: (torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()),
            lambda value: torch.set_anomaly_enabled(*value),
            (False, True),
        ),
        (
            numpy.geterr,
            lambda value: numpy.seterr(**value),
            {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"},
        ),
    )

    def __enter__(self) -> None:
        self.streams = sys.stdout, sys.stderr
        sys.stdout = sys.stderr = Nowhere()
        self.depth = sys.getrecursionlimit()
        sys.setrecursionlimit(max(self.depth, 1000))
        self.warned = warnings.catch_warnings()
        self.warned.__enter__()
        warnings.simplefilter("ignore")
        self.modes = take_modes()
        self.device = getattr(torch._GLOBAL_DEVICE_CONTEXT, "device_context", None)
        torch._GLOBAL_DEVICE_CONTEXT.device_context = None
        self.inference = torch.inference_mode(False) if torch.is_inference_mode_enabled() else None
        if self.inference:
            self.inference.__enter__()
        self.before = [read() for read, _, _ in self.SETTINGS]
        self.settle(known for _, _, known in self.SETTINGS)

    def __exit__(self, *exc_info: object) -> None:
        self.settle(self.before)
        if self.inference:
            self.inference.__exit__(None, None, None)
        torch._GLOBAL_DEVICE_CONTEXT.device_context = self.device
        set_modes(self.modes)
        self.warned.__exit__(None, None, None)
        sys.setrecursionlimit(self.depth)
        sys.stdout, sys.stderr = self.streams

    def settle(self, values: Iterable[Any]) -> None:
        """Give each setting its value, where it has another."""
        for (read, write, _), value in zip(self.SETTINGS, values, strict=True):
            if read() != value:
                write(value)


# --------------------------------------------------------------------------------------- one probe


def describe(error: BaseException) -> dict[str, str]:
    """Say what went wrong, in plain values: kind, type, message and the line of the notebook.

    Only nbgrader's stub, where it is what raised, makes a task one that is still to do.
    """
    if isinstance(error, MissingName):
        return {"kind": "missing", "type": "NameError", "message": str(error), "line": ""}
    kind = "error"
    if isinstance(error, KeyboardInterrupt):
        kind = "timeout"
    line = file = task = ""
    stub = False
    for frame, number in traceback.walk_tb(error.__traceback__):
        file, stub = frame.f_code.co_filename, False
        if "ipykernel_" in file or file.startswith("<ipython-input"):
            line = linecache.getline(file, number).strip()
            above = linecache.getline(file, number - 1).strip()
            stub = (above, line) == ("# YOUR CODE HERE", "raise NotImplementedError()")
            task = frame.f_code.co_qualname
    if isinstance(error, NotImplementedError) and stub:
        return {"kind": "todo", "type": "NotImplementedError", "message": task, "line": line}
    if isinstance(error, NameError) and file == "<probe>":
        kind = "suite"
    try:
        message = str(error)
    except BaseException:
        message = ""
    return {
        "kind": kind,
        "type": type(error).__name__[:80],
        "message": message[:2000],
        "line": line[:160],
    }


def run(names: dict[str, Any], code: CodeType, inputs: bytes, watch: bool) -> str:
    """Call the probe that `code` defines with the notebook's `names`; give back the packed outcome.

    It starts from known settings. Those, the random state and the notebook's names are afterwards
    what they were.
    """
    with Known():
        return answer(names, code, inputs, watch)


def answer(names: dict[str, Any], code: CodeType, inputs: bytes, watch: bool) -> str:
    """The same, in known settings."""
    arguments = decode(*unpack(inputs))
    space: dict[str, Any] = {"__name__": "probes"}
    builtins.exec(code, space)
    probe: Any = space["probe"]

    before = dict(names)
    states = random.getstate(), numpy.random.get_state(), torch.get_rng_state()
    autograd = Autograd()
    outcome: dict[str, Any] = {"error": None, "autograd": []}
    found = Pieces()
    try:
        with autograd if watch else nullcontext():
            # Encoded in here: what is worked out only when somebody looks at it is watched, too.
            outcome["value"] = encode(probe(Notebook(names), **arguments), found)
    except BaseException as error:
        outcome["value"], found = None, Pieces()
        outcome["error"] = describe(error)
    finally:
        random.setstate(states[0])
        numpy.random.set_state(states[1])
        torch.set_rng_state(states[2])
        for name in set(names) - set(before):
            del names[name]
        names.update(before)
    outcome["autograd"] = autograd.used if watch else []
    return base64.b64encode(pack(outcome, found)).decode()
