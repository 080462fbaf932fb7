"""Each way into autograd is noticed while a probe is watched; honest code is not taken for one."""

import copy
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn
from torch.autograd.graph import _engine_run_backward as run
from torch.func import grad, jacfwd, jvp
from torch.utils.checkpoint import checkpoint

from autograder.exercise.student import compiled
from autograder.kernel import inside
from autograder.kernel.inside import Autograd, Recording
from autograder.kernel.values import pack_inputs, unpack_outcome
from tests import probes

X = torch.arange(6.0).reshape(2, 3)
UNIT = torch.jit.CompilationUnit("""
def slope(w, x):
    return torch.autograd.grad([torch.matmul(w, x).sigmoid().mean()], [w])
""")
WAITING = ThreadPoolExecutor(1)
WAITING.submit(int).result()


def weights():
    return torch.ones(2, requires_grad=True)


def value(w):
    return torch.sigmoid(w @ X).mean()


def engine():
    w = weights()
    ones = (torch.ones(()),)
    return run((value(w),), ones, False, False, (w,), True, accumulate_grad=False)


def in_a_thread():
    thread = threading.Thread(target=engine)
    thread.start()
    thread.join()


def by_the_node():
    return value(weights()).grad_fn(torch.ones(()))


def by_a_dual_number():
    level = torch._C._enter_dual_level()
    try:
        dual = torch._VF._make_dual(torch.ones(2), torch.ones(2), level=level)
        return torch._VF._unpack_dual(value(dual), level=level)
    finally:
        torch._C._exit_dual_level(level=level)


def in_a_profiler():
    with torch.profiler.profile():
        engine()


def in_a_profiler_before_another():
    """The first takes the place of the record that watches, the second hides that it is gone."""
    in_a_profiler()
    left_on = torch.profiler.profile()
    left_on.start()


WAYS = {
    "backward": lambda: value(weights()).backward(),
    "the engine, imported before": engine,
    "in a thread": in_a_thread,
    "in a thread that waited": lambda: WAITING.submit(engine).result(),
    "a node of the graph": by_the_node,
    "TorchScript": lambda: UNIT.slope(weights(), X),
    "torch.func.grad": lambda: grad(value)(torch.ones(2)),
    "torch.func.jacfwd": lambda: jacfwd(value)(torch.ones(2)),
    "torch.func.jvp": lambda: jvp(value, (torch.ones(2),), (torch.ones(2),)),
    "a dual number": by_a_dual_number,
    "recomputed": lambda: checkpoint(value, weights(), use_reentrant=False).backward(),
    "in a profiler": in_a_profiler,
    "in a profiler before another": in_a_profiler_before_another,
    "the record ended": torch._C._autograd._disable_profiler,
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_ways(way):
    with Autograd() as autograd:
        way()
    assert autograd.used


def numpy_and_back():
    w = weights()
    array = w.detach().numpy()
    array[0] = 3
    return torch.from_numpy(array), w.tolist(), float(w.sum().detach()), str(w)


def in_place():
    w = nn.Parameter(torch.ones(2))
    w.data = w.data * 2
    with torch.no_grad():
        w -= value(w)
    return copy.deepcopy(w)


def without_a_graph():
    with torch.inference_mode():
        return value(torch.ones(2))


class Twice(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return 2 * x

    @staticmethod
    def backward(ctx, slope):
        return 2 * slope


def profiled():
    with torch.profiler.profile() as profiler, torch.profiler.record_function("MmBackward0"):
        X @ X.T
    assert "aten::mm" in {event.name for event in profiler.events()}


HONEST = {
    "nothing": lambda: None,
    "a graph that nobody runs": lambda: value(weights()),
    "numpy": numpy_and_back,
    "in place": in_place,
    "inference": without_a_graph,
    "vmap": lambda: torch.vmap(torch.sigmoid)(X),
    "a function of one's own": lambda: Twice.backward(None, Twice.apply(weights())),
    "a profiler": profiled,
    "a module": lambda: nn.Linear(2, 1)(X.T),
}


@pytest.mark.parametrize("code", HONEST.values(), ids=HONEST)
def test_honest(code):
    with Autograd() as autograd:
        code()
    assert autograd.used == []


def test_a_record_of_the_notebooks_own_hides_nothing():
    own = torch.profiler.profile()
    own.start()
    with Autograd() as autograd:
        engine()
    assert autograd.used
    with Autograd() as autograd:
        value(weights())
    assert autograd.used == []


def test_that_the_record_ended_is_told_as_such():
    with Autograd() as autograd:
        torch._C._autograd._disable_profiler()
    assert autograd.used == [Recording.ENDED]


def test_the_record_prints_nothing(capfd):
    with Autograd():
        value(weights())
    assert capfd.readouterr() == ("", "")


class Later(list):  # type: ignore[type-arg]
    """Works out what is in it when somebody looks."""

    def __iter__(self):
        return iter(engine())


@pytest.mark.parametrize(("kept", "used"), [(Later([1]), True), ([1], False)])
def test_what_is_worked_out_when_looked_at_is_watched(kept, used):
    code, inputs = compiled(probes.kept), pack_inputs({})
    outcome = unpack_outcome(inside.answer({"kept": kept}, code, inputs, watch=True))
    assert outcome.trouble is None
    assert bool(outcome.autograd) is used
