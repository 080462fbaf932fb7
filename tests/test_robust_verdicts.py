"""No lucky input, no flaky tolerance: the formulas of all suites on many draws of their inputs.

On every draw the right value, computed in float32 in several ways, passes the suite's comparison;
the value of every known misconception fails it and is named rightly. A formula is found by its
functions, `autograder.exercise.formula`; where a suite has none, its comparisons are listened to
while it grades the solution. A new suite or a new misconception needs nothing here.

The environment variable AUTOGRADER_DRAWS says how many draws to make of the formulas in all, each
of other inputs; without it there are fewer, and always the same ones.
"""

import contextlib
import io
import logging
import math
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from autograder import ROOT
from autograder.exercise import checks
from autograder.exercise import formula as formulas
from autograder.exercise.checks import Failure
from autograder.exercise.formula import in_double
from autograder.exercise.student import Student
from autograder.grading import session as suite
from autograder.grading.session import SUITES
from autograder.kernel import inside
from autograder.suites.manual_backward import draw_state, test_LR_backward

ASKED = os.environ.get("AUTOGRADER_DRAWS")
DRAWS = int(ASKED or 600)

FORMULAS = [
    pytest.param(f"{folder.name}.{name}", formula, case, id=f"{folder.name}.{name}-{place}")
    for folder in sorted(SUITES.iterdir())
    if folder.is_dir() and folder.name.isidentifier()
    for name, formula in formulas.found(folder.name)
    for place, case in enumerate(getattr(formula, "CASES", ({},)))
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
    "parameters.test_MyLinear": _linear,
    "parameters.test_MLP": _network,
    "parameters.test_Standardize": _standardized,
}


# ------------------------------------------------------------------------------------- properties


@pytest.mark.parametrize(("name", "formula", "case"), FORMULAS)
def test_right_values_pass_and_mistakes_are_named(
    name: str, formula: Any, case: dict[str, Any]
) -> None:
    draws = 0

    @settings(on_many_draws, max_examples=SHARE)
    @given(seed=seeds, double=st.booleans())
    def try_one(seed: int, double: bool) -> None:
        nonlocal draws
        draws += 1
        inputs = formula.draw(generator(seed), **case)
        exact = in_double(inputs)

        right = [formula.reference(**inputs), in_single(formula.reference(**exact))]
        right += WAYS[name](**inputs) if name in WAYS else []
        for way, value in enumerate(right):
            assert verdict(formula, value, inputs) == "passes", f"way {way} of being right"

        for mistake, value in formula.mistakes(**(exact if double else inputs)):
            assert verdict(formula, in_single(value), inputs) == mistake.name

        for value in formula.unnamed(**inputs) if hasattr(formula, "unnamed") else []:
            assert verdict(formula, in_single(value), inputs) == "fails without a name"

    try_one()
    assert draws >= SHARE


def verdict(formula: Any, value: Any, inputs: dict[str, Any]) -> str:
    """What the suite's comparison says of a value."""
    try:
        formula.compare(value, **inputs)
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


# ------------------------------------------------- every comparison of every suite, listened to


class SameProcess:
    """Answers probes like a student kernel, in this process: for our own solutions alone."""

    def __init__(self, names: dict[str, Any]) -> None:
        self.names = names

    def probe(self, source: str, blob: str, watch: bool) -> str:
        return inside.run(self.names, source, blob, watch)


class Listener:
    """Stands for `checks.close`: tries every mistake that a suite could name, then compares.

    Attributes:
        heard: the grade cells whose tests have compared anything.
        named: how often each mistake of each test was named, and how often it could have been.
        wrong: the verdicts that no student should get.
    """

    def __init__(self) -> None:
        self.close = checks.close
        self.heard: set[str] = set()
        self.named: Counter[tuple[str, str]] = Counter()
        self.tried: Counter[tuple[str, str]] = Counter()
        self.wrong: Counter[str] = Counter()

    def __call__(
        self,
        got: Any,
        wanted: Any,
        name: str,
        relative: float,
        among: Any = (),
        message: str | None = None,
        scale: float | None = None,
    ) -> None:
        among = list(among)
        where = self.caller()

        def says(value: Any) -> str:
            try:
                value = torch.as_tensor(value, dtype=torch.float64).float()
                self.close(value, wanted, name, relative, among, message, scale)
            except Failure as failure:
                return failure.misconception or ""
            return "passes"

        if says(wanted) != "passes":
            self.wrong[f"{where}, {name}: what is right fails"] += 1
        for mistake, value in among:
            value = torch.as_tensor(value, dtype=torch.float64)
            right = torch.as_tensor(wanted, dtype=torch.float64)
            if value.shape == right.shape and torch.equal(value, right):
                continue  # no mistake on this input, such as rounding of whole numbers
            if not bool(torch.isfinite(value).all()):
                continue  # a check of its own says that a value is not finite
            verdict = says(value)
            self.tried[where, mistake.name] += 1
            self.named[where, mistake.name] += verdict == mistake.name
            if verdict not in (mistake.name, ""):
                self.wrong[f"{where}, {name}: {mistake.name} is taken for [{verdict}]"] += 1
        self.close(got, wanted, name, relative, among, message, scale)

    def caller(self) -> str:
        frame = sys._getframe(2)
        while not frame.f_code.co_name.startswith("test_"):
            assert frame.f_back is not None
            frame = frame.f_back
        grade_id = Path(frame.f_code.co_filename).stem
        self.heard.add(grade_id)
        return f"{grade_id}.{frame.f_code.co_name}"


def solved(assignment: str) -> tuple[dict[str, Any], list[str], tuple[str, ...]]:
    """What the solution cells of an assignment define, its grade cells, and all of its code.

    The cells that only show something are left out, and what cannot do without them.
    """
    path = ROOT / "source" / assignment / f"{assignment}.ipynb"
    cells = [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]
    about = [(cell, cell.metadata.get("nbgrader", {})) for cell in cells]
    names: dict[str, Any] = {"__name__": "__main__"}
    for cell, told in about:
        if told and not told["grade"]:
            with contextlib.suppress(Exception):
                exec(compile(cell.source, "<solution>", "exec"), names)
    return (
        names,
        [told["grade_id"] for _, told in about if told and told["grade"]],
        tuple(cell.source for cell in cells),
    )


@pytest.mark.parametrize(
    "assignment", sorted(path.parent.name for path in ROOT.glob("source/*/*.ipynb"))
)
def test_the_solution_passes_and_mistakes_are_named(
    assignment: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COURSE_DATA", str(ROOT / "course_data"))
    monkeypatch.setenv("MPLBACKEND", "agg")
    with contextlib.redirect_stdout(io.StringIO()):
        names, order, code = solved(assignment)
    student = Student(SameProcess(names), code)  # type: ignore[arg-type]
    listener = Listener()
    monkeypatch.setattr(checks, "close", listener)

    @settings(on_many_draws, max_examples=max(2, DRAWS // 500))
    @given(seed=seeds)
    def try_one(seed: int) -> None:
        todo = [name for name in order if name in listener.heard] or order
        log = logging.getLogger(__name__)
        results = suite.run(assignment, todo, lambda grade_id: None, student, f"{seed:032x}", log)
        for name in listener.heard:
            for test in results[name].tests:
                assert test.earned == test.points, f"{name}.{test.id}: {test.message}"
        assert not listener.wrong

    try_one()
    rarely = {
        where: f"{listener.named[where]} of {tried}"
        for where, tried in listener.tried.items()
        if tried >= 20 and listener.named[where] < 0.95 * tried
    }
    assert not rarely


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
