"""No lucky input, no flaky tolerance: each misconception of all suites on many draws of the inputs.

On every draw of a formula's inputs the right value, computed in float32 in several ways, passes the
suite's comparison; the value of every known mistake fails it and is named rightly. Every wrong
solution of the corpora loses the same tests, with the same names, on inputs of any seed. A new one
of any of these needs nothing here.

The environment variable AUTOGRADER_DRAWS says how many draws to make of the formulas in all, each
of other inputs, and has each wrong solution graded 20 times; without it there are fewer, and always
the same ones, and every third wrong solution is graded once.
"""

import ast
import importlib
import json
import math
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from autograder import ROOT
from autograder.commands.corpora import load
from autograder.exercise import checks
from autograder.exercise.checks import Failure
from autograder.exercise.formula import Formula, in_double
from autograder.exercise.gradients import Operation
from autograder.exercise.layers import Layer
from autograder.suites import SUITES
from autograder.suites.manual_backward import draw_state, test_LR_backward

ASKED = os.environ.get("AUTOGRADER_DRAWS")
DRAWS = int(ASKED or 600)
TIMES, ENTRIES = (20, 1) if ASKED else (1, 3)  # how often a wrong solution is graded, and which

ASSIGNMENTS = sorted(path.parent.name for path in ROOT.glob("source/*/*.ipynb"))


def formulas() -> Iterator[tuple[str, Formula]]:
    """All formulas of all suites, by `<assignment>.<module>.<name>`."""
    seen = set()
    for assignment in ASSIGNMENTS:
        for path in sorted((SUITES / assignment).glob("*.py")):
            suffix = "" if path.stem == "__init__" else f".{path.stem}"
            module = importlib.import_module(f"autograder.suites.{assignment}{suffix}")
            for name, formula in held(vars(module)):
                if id(formula) not in seen:
                    seen.add(id(formula))
                    yield f"{assignment}.{path.stem}.{name}", formula


def held(names: dict[str, Any]) -> Iterator[tuple[str, Formula]]:
    """The formulas among these, and those that layers and operations among them hold."""
    for name, thing in names.items():
        thing = getattr(thing, "formula", thing)  # a test's own
        if isinstance(thing, Formula):
            yield name, thing
        elif isinstance(thing, Layer | Operation):
            yield from ((f"{name}.{of}", formula) for of, formula in held(vars(thing)))
        elif isinstance(thing, dict) and name == "gradients":
            yield from held(thing)


FORMULAS = [
    pytest.param(name, formula, case, id=f"{name}-{place}")
    for name, formula in formulas()
    for place, case in enumerate(formula.cases)
]
SHARE = math.ceil(DRAWS / len(FORMULAS))

on_many_draws = settings(
    deadline=None,
    database=None,
    derandomize=ASKED is None,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)
seeds = st.integers(0, 2**63 - 1)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Tensors as small as these gain nothing from a second thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# ------------------------------------------------------------------------- other ways to be right


def _summed_one_by_one(
    x: torch.Tensor, weights: torch.Tensor, bias: torch.Tensor, backwards: bool = False
) -> torch.Tensor:
    places = range(x.shape[-1])
    total = torch.zeros_like(bias) if backwards else bias
    for i in reversed(places) if backwards else places:
        total = total + x[..., i : i + 1] * weights[i]
    return total + bias if backwards else total


def _linear(x: torch.Tensor, weights: torch.Tensor, bias: torch.Tensor) -> list[torch.Tensor]:
    extended = torch.cat([torch.ones_like(x[..., :1]), x], dim=-1)
    return [
        torch.nn.functional.linear(x, weights.T.contiguous(), bias),
        torch.einsum("...i,io->...o", x, weights) + bias,
        (x.unsqueeze(-1) * weights).sum(-2) + bias,
        (weights.T @ x.reshape(-1, x.shape[-1]).T + bias[:, None]).T.reshape(*x.shape[:-1], -1),
        extended @ torch.cat([bias[None], weights]),
        _summed_one_by_one(x, weights, bias),
        _summed_one_by_one(x, weights, bias, backwards=True),
    ]


def _network(x: torch.Tensor, layers: list[list[torch.Tensor]]) -> list[torch.Tensor]:
    found = []
    for way in range(len(_linear(x, *layers[0]))):
        h = x
        for place, (weights, bias) in enumerate(layers):
            h = _linear(h * (h > 0) if place else h, weights, bias)[way]
        found.append(h)
    return found


def _standardized(x: torch.Tensor, mean: torch.Tensor, std: torch.Tensor) -> list[torch.Tensor]:
    inverse = 1 / std
    return [
        (x - mean) * inverse,
        x * inverse - mean * inverse,
        x / std - mean / std,
        -(mean - x) / std,
        torch.addcmul(-mean * inverse, x, inverse),
        (x - mean) / (std + 1e-8),
        torch.nn.functional.batch_norm(
            x.reshape(-1, len(mean)), mean, std**2, training=False, eps=0
        ).reshape(x.shape),
    ]


#: By formula: float32 ways of computing the right value beside the suite's own.
WAYS: dict[str, Callable[..., list[Any]]] = {
    "parameters.test_MyLinear.linear": _linear,
    "parameters.test_MLP.network": _network,
    "parameters.test_Standardize.standardize": _standardized,
}


# ------------------------------------------------------------------------------------- properties


@pytest.mark.parametrize(("name", "formula", "case"), FORMULAS)
def test_right_values_pass_and_mistakes_are_named(
    name: str, formula: Formula, case: dict[str, Any]
) -> None:
    draws = 0
    ways = WAYS.get(name)

    @settings(on_many_draws, max_examples=SHARE)
    @given(seed=seeds, double=st.booleans())
    def try_one(seed: int, double: bool) -> None:
        nonlocal draws
        draws += 1
        for inputs in formula.wholes(formula.draw(generator(seed), **case)):
            check_verdicts(formula, inputs, ways(**inputs) if ways else [], double)

    try_one()
    assert draws >= SHARE


def check_verdicts(formula: Formula, inputs: dict[str, Any], ways: list[Any], double: bool) -> None:
    """On these inputs right values pass, and wrong ones are named, worked out in float32 or not."""
    exact = in_double(inputs)
    right = [formula.right(**inputs), in_single(formula.right(**exact)), *ways]
    for way, value in enumerate(right):
        assert verdict(formula, value, inputs) == "passes", f"way {way} of being right"
    wrong = exact if double else inputs
    for mistake, value in [*formula.wrong(**wrong), *formula.misshapen(**wrong)]:
        assert verdict(formula, in_single(value), inputs) == mistake.name
    for value in formula.unnamed(**inputs):
        assert verdict(formula, in_single(value), inputs) == "fails without a name"


def verdict(formula: Formula, value: Any, inputs: dict[str, Any]) -> str:
    """What the suite's comparison says of a value."""
    try:
        formula.check(value, **inputs)
    except Failure as failure:
        return failure.misconception or "fails without a name"
    return "passes"


def in_single(value: Any) -> Any:
    """A value as float32 code would return it."""
    if isinstance(value, torch.Tensor):
        return value.float() if value.is_floating_point() else value
    if isinstance(value, list | tuple):
        return type(value)(in_single(item) for item in value)
    if isinstance(value, dict):
        return {key: in_single(item) for key, item in value.items()}
    return value


@pytest.fixture(scope="module")
def strays() -> dict[str, list[str]]:
    """What wrong solutions came to otherwise than the corpus says, by assignment."""

    def run(assignment: str) -> list[str]:
        command = [sys.executable, "-m", "tests.draws", assignment, str(TIMES), str(ENTRIES)]
        ran = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=False)
        assert ran.returncode == 0, ran.stderr
        lines = [json.loads(line) for line in ran.stdout.splitlines()]
        assert len(lines) == len([entry for entry in load(assignment) if entry.loses][::ENTRIES])
        return [f"{each['entry']}: {stray}" for each in lines for stray in each["strays"]]

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(ASSIGNMENTS, pool.map(run, ASSIGNMENTS), strict=True))


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_wrong_solutions_lose_the_same_on_fresh_inputs(
    assignment: str, strays: dict[str, list[str]]
) -> None:
    assert not strays[assignment]


def misconceptions_in(path: Path) -> set[str]:
    """The names of the misconceptions that a file defines."""
    calls = [call for call in ast.walk(ast.parse(path.read_text())) if isinstance(call, ast.Call)]
    return {
        call.args[0].value
        for call in calls
        if call.args and isinstance(call.args[0], ast.Constant)
        if ast.unparse(call.func).rpartition(".")[2] in ("Misconception", "mistake")
    }


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_every_misconception_is_tried(assignment: str) -> None:
    """Each is a formula's, or a wrong solution of the corpus has it."""
    known = set().union(*map(misconceptions_in, (SUITES / assignment).glob("*.py")))
    tried = {name for entry in load(assignment) for name in entry.loses.values()}
    for _, formula in formulas():
        tried |= {mistake.known.name for mistake in formula.mistakes}
    assert known
    assert not known - tried


def test_every_misconception_that_assignments_share_is_tried() -> None:
    known = set().union(*map(misconceptions_in, (ROOT / "autograder/exercise").glob("*.py")))
    entries = [entry for assignment in ASSIGNMENTS for entry in load(assignment)]
    assert known
    assert not known - {name for entry in entries for name in entry.loses.values()}


# -------------------------------------------------------------------- the derivation of tolerances


sizes = st.integers(2, 49)
scales = st.integers(-6, 6).map(lambda power: 10.0**power)


@settings(on_many_draws, max_examples=SHARE)
@given(seed=seeds, samples=sizes, features=sizes, scale=scales, spread=scales)
def test_any_order_of_summation_is_within_roundoff(
    seed: int, samples: int, features: int, scale: float, spread: float
) -> None:
    """The tolerance covers float32 sums of up to 50 products of any size, in any order."""
    rng = generator(seed)
    x = scale * torch.randn(samples, features, generator=rng)
    x[:, 0] *= spread  # one term may drown the others
    weights, bias = torch.randn(features, 3, generator=rng), torch.randn(3, generator=rng)
    exact = x.double() @ weights.double() + bias.double()
    size = x.double().abs() @ weights.double().abs() + bias.double().abs()
    for way, value in enumerate(_linear(x, weights, bias)):
        near = checks.is_close(value, exact, checks.roundoff(features), float(size.max()))
        assert near, f"way {way}"


@settings(on_many_draws, max_examples=SHARE)
@given(seed=seeds, step=st.floats(1e-5, 1.0))
def test_finite_differences_are_outside_roundoff(seed: int, step: float) -> None:
    """Central differences in float32, whatever their step, are no gradient to the suite."""
    rng = generator(seed)
    state = draw_state(rng, test_LR_backward.DIM)

    def is_near(x: torch.Tensor, y: torch.Tensor) -> bool:
        def loss(w: torch.Tensor) -> torch.Tensor:
            outputs = w.T @ x + state["b"]
            return torch.nn.functional.binary_cross_entropy_with_logits(outputs, y)

        w = state["w"]
        probability = torch.sigmoid(w.double().T @ x.double() + state["b"].double())
        dz = (probability - y.double()) / x.shape[1]
        differences = torch.zeros_like(w)
        for i in range(len(w)):
            e = torch.zeros_like(w)
            e[i] = step
            differences[i] = (loss(w + e) - loss(w - e)) / (2 * step)
        scale = float((x.double().abs() @ dz.abs().T).max())
        return checks.is_close(differences, x.double() @ dz.T, checks.roundoff(sum(x.shape)), scale)

    drawn = [test_LR_backward.draw(rng, state, m) for m in test_LR_backward.SIZES]
    assert not all(is_near(data["x"], data["y"]) for data in drawn)
