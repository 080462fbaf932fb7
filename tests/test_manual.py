"""What `autograd_use` reads out of submitted code: each row is a way to write it."""

import time

import pytest

from autograder.exercise import autograd_use as manual
from autograder.exercise.autograd_use import UNREAD, autograd_in
from autograder.exercise.bindings import Enough

FORWARD = """
    def forward(self, x):
        return torch.sigmoid(self.w.T @ x + self.b)
"""


def lesson(body, above="", below="", more=""):
    """A notebook whose `LR.backward` has `body`, with code above, below, and more methods."""
    lines = "\n".join("        " + line for line in body.strip().splitlines())
    backward = f"    def backward(self, x, yhat, y):\n{lines}\n"
    methods = "\n".join("    " + line for line in more.strip().splitlines())
    model = f"class LR(nn.Module):\n{FORWARD}\n{backward}\n{methods}\n"
    return ["import torch\nfrom torch import nn", above, model, below]


def found(*parts, **more):
    return autograd_in(lesson(*parts, **more), ["LR.backward"])


BY_HAND = """
dz = (yhat - y) / y.shape[1]
self.grads = {"dw": x @ dz.T, "db": dz.sum()}
"""

USES = {
    "tensor's backward": ("loss(self(x), y).backward()", "", "Tensor.backward"),
    "with an argument by name": ("loss.backward(retain_graph=True)", "", "Tensor.backward"),
    "behind a local name": ("go = loss(yhat, y).backward\ngo()", "", "Tensor.backward"),
    "unbound": ("torch.Tensor.backward(loss)", "", "torch.Tensor.backward"),
    "autograd.backward": ("torch.autograd.backward([L])", "", "torch.autograd.backward"),
    "autograd.grad": ("dw, db = torch.autograd.grad(L, [w, b])", "", "torch.autograd.grad"),
    "module under another name": (
        "ag.grad(L, w)",
        "import torch.autograd as ag",
        "torch.autograd.grad",
    ),
    "torch under another name": (
        "t.autograd.grad(L, w)",
        "import torch as t",
        "torch.autograd.grad",
    ),
    "from torch": ("autograd.grad(L, w)", "from torch import autograd", "torch.autograd.grad"),
    "from torch, all": ("autograd.grad(L, w)", "from torch import *", "torch.autograd.grad"),
    "function under another name": (
        "slope(L, w)",
        "from torch.autograd import grad as slope",
        "torch.autograd.grad",
    ),
    "all of autograd": ("grad(L, w)", "from torch.autograd import *", "torch.autograd.grad"),
    "assigned outside": ("slope(L, w)", "slope = torch.autograd.grad", "torch.autograd.grad"),
    "assigned twice over": ("g(L, w)", "f = torch.autograd\ng = f.grad", "torch.autograd.grad"),
    "imported inside": (
        "from torch.autograd import grad\ngrad(L, w)",
        "",
        "torch.autograd.grad",
    ),
    "torch.func": ("torch.func.grad(f)(w)", "", "torch.func.grad"),
    "from torch.func": ("vjp(f, w)", "from torch.func import vjp", "torch.func.vjp"),
    "functorch": ("jacrev(f)(w)", "from functorch import jacrev", "functorch.jacrev"),
    "functional": (
        "AF.jacobian(f, w)",
        "from torch.autograd import functional as AF",
        "torch.autograd.functional.jacobian",
    ),
    "forward mode": (
        "with fw.dual_level():\n    fw.make_dual(w, t)",
        "import torch.autograd.forward_ad as fw",
        "torch.autograd.forward_ad.dual_level",
    ),
    "partial": (
        "slope(L)",
        "from functools import partial\nslope = partial(torch.autograd.grad, inputs=w)",
        "torch.autograd.grad",
    ),
    "getattr": ('getattr(L, "backward")()', "", "Tensor.backward"),
    "getattr of a put-together text": ('getattr(L, "back" + "ward")()', "", "Tensor.backward"),
    "getattr of a module": ('getattr(torch.autograd, "grad")(L, w)', "", "torch.autograd.grad"),
    "getattr twice": (
        'getattr(getattr(torch, "auto" "grad"), f"gr{\'ad\'}")(L, w)',
        "",
        "torch.autograd.grad",
    ),
    "text in a name": (
        "getattr(torch.autograd, NAME)(L, w)",
        'NAME = "grad"',
        "torch.autograd.grad",
    ),
    "text turned round": ('getattr(L, "drawkcab"[::-1])()', "", "Tensor.backward"),
    "text joined": ('getattr(L, "".join(["back", "ward"]))()', "", "Tensor.backward"),
    "methodcaller": (
        'operator.methodcaller("backward")(L)',
        "import operator",
        "Tensor.backward",
    ),
    "attrgetter": (
        'attrgetter("backward")(L)()',
        "from operator import attrgetter",
        "Tensor.backward",
    ),
    "__getattribute__": ('L.__getattribute__("backward")()', "", "Tensor.backward"),
    "exec": ('exec("L.backward()")', "", "Tensor.backward"),
    "eval": ('eval("torch.autograd.grad(L, w)")', "", "torch.autograd.grad"),
    "exec of a text outside": ("exec(CODE)", 'CODE = "L.backward()"', "Tensor.backward"),
    "import_module": (
        'import_module("torch.autograd").grad(L, w)',
        "from importlib import import_module",
        "torch.autograd.grad",
    ),
    "__import__": ('__import__("torch").autograd.grad(L, w)', "", "torch.autograd.grad"),
    "vars": ('vars(torch.autograd)["grad"](L, w)', "", "torch.autograd.grad"),
    "__dict__": ('torch.autograd.__dict__["grad"](L, w)', "", "torch.autograd.grad"),
    "sys.modules": (
        'sys.modules["torch.autograd"].grad(L, w)',
        "import sys",
        "torch.autograd.grad",
    ),
    "the engine": (
        "torch.autograd.Variable._execution_engine.run_backward((L,), (), False, False, ())",
        "",
        "run_backward",
    ),
    "the graph by hand": ("L.grad_fn(torch.ones(()))", "", "grad_fn"),
    "the graph's nodes": ("node = L.grad_fn\nnode(torch.ones(()))", "", "grad_fn"),
    "default argument": (
        "slope(L, w)",
        "def slope(L, w, g=torch.autograd.grad): return g(L, w)",
        "torch.autograd.grad",
    ),
    "a helper": ("helper(L)", "def helper(L):\n    L.backward()", "Tensor.backward"),
    "a helper's helper": (
        "one(L)",
        "def two(L):\n    L.backward()\n\ndef one(L):\n    return two(L)",
        "Tensor.backward",
    ),
    "a helper passed on": (
        "list(map(helper, [L]))",
        "def helper(L): L.backward()",
        "Tensor.backward",
    ),
    "a lambda": ("helper(L)", "helper = lambda L: L.backward()", "Tensor.backward"),
    "a local function": ("def inner():\n    L.backward()\ninner()", "", "Tensor.backward"),
    "a helper class": (
        "Tape(L).run()",
        "class Tape:\n    def __init__(self, L):\n        self.L = L\n"
        "    def run(self):\n        self.L.backward()",
        "Tensor.backward",
    ),
    "a callable object": (
        "Tape()(L)",
        "class Tape:\n    def __call__(self, L):\n        L.backward()",
        "Tensor.backward",
    ),
    "a context manager": (
        "with Tape() as tape: pass",
        "class Tape:\n    def __exit__(self, *info):\n        self.L.backward()",
        "Tensor.backward",
    ),
    "in a cell with a magic": (
        "helper(L)",
        "%matplotlib inline\n!pip list\ndef helper(L):\n    %timeit 1\n    L.backward()",
        "Tensor.backward",
    ),
    "in a timed line": ("helper(L)", "%time helper = lambda L: L.backward()", "Tensor.backward"),
    "in a cell with a magic of one's own": (
        "helper(L)",
        "%%run_unless skip\ndef helper(L):\n    L.backward()",
        "Tensor.backward",
    ),
    "a function made by one": (
        "slope(w)",
        "slope = make_fx(torch.func.grad(f))(w)",
        "torch.func.grad",
    ),
    "in a timed cell": ("helper(L)", "%%time\ndef helper(L):\n    L.backward()", "Tensor.backward"),
}


@pytest.mark.parametrize(("body", "above", "door"), USES.values(), ids=USES)
def test_uses(body, above, door):
    assert door in found(body, above)


METHODS = {
    "another method": ("self._slopes(L)", "def _slopes(self, L):\n    L.backward()"),
    "a property": ("self.slopes", "@property\ndef slopes(self):\n    return self.L.backward()"),
    "a static method": ("self.run(L)", "@staticmethod\ndef run(L):\n    L.backward()"),
    "through the class": ("LR.run(self, L)", "def run(self, L):\n    L.backward()"),
    "kept in __init__": (
        "self.slope(L)",
        "def __init__(self):\n    self.slope = torch.autograd.grad",
    ),
    "made in __init__": (
        "self.slope(L)",
        "def __init__(self):\n    self.slope = torch.compile(torch.func.grad(f))",
    ),
    "kept in the class": ("self.slope(L)", "slope = torch.autograd.grad"),
    "called as a module": (
        "self(x)",
        "def forward(self, x):\n    torch.autograd.grad(x, self.w)",
    ),
}


@pytest.mark.parametrize(("body", "more"), METHODS.values(), ids=METHODS)
def test_uses_through_the_class(body, more):
    assert found(body, more=more)


REDEFINED = {
    "set on the class": "def other(self, x, yhat, y):\n    L.backward()\nLR.backward = other",
    "set by setattr": (
        "def other(self, x, yhat, y):\n    L.backward()\n\nsetattr(LR, 'backward', other)"
    ),
    "added by a decorator": "@add_to_class(LR)\ndef backward(self, x, yhat, y):\n    L.backward()",
    "a subclass of the same name": (
        "class LR(LR):\n    def backward(self, x, yhat, y):\n        L.backward()"
    ),
    "a mixin": (
        "class Auto:\n    def backward(self, x, yhat, y):\n        L.backward()\n\n"
        "class LR(Auto, nn.Module): pass"
    ),
    "super": (
        "class Auto:\n    def backward(self, x, yhat, y):\n        L.backward()\n\n"
        "class LR(Auto):\n    def backward(self, x, yhat, y):\n        super().backward(x, yhat, y)"
    ),
}


@pytest.mark.parametrize("below", REDEFINED.values(), ids=REDEFINED)
def test_the_last_definition_counts(below):
    assert found(BY_HAND, below=below) == ["Tensor.backward"]


INNOCENT = {
    "by hand": (BY_HAND, "", ""),
    "comments and texts": (
        '"""No loss.backward() here, nor torch.autograd.grad."""\n'
        "# torch.autograd.grad(L, w)\nname = 'loss.backward()'\nprint(name, 'autograd')" + BY_HAND,
        "",
        "",
    ),
    "without a graph": ("with torch.no_grad():\n    self.grads = {'dw': x}", "", ""),
    "grad mode by its long name": ("with torch.autograd.no_grad():\n    pass", "", ""),
    "a check outside": (BY_HAND, "", "L.backward()\nprint(torch.autograd.grad(L, w))"),
    "a check in a function": (
        BY_HAND,
        "def check(model):\n    loss(model(x), y).backward()\n    return torch.func.grad(f)(w)",
        "check(model)",
    ),
    "a check in another class": (
        BY_HAND,
        "class Check:\n    def run(self, model):\n        loss(model(x), y).backward()",
        "",
    ),
    "an import that is not used": (BY_HAND, "from torch.autograd import grad", ""),
    "a local variable named grad": (
        "grad = x @ (yhat - y).T\nself.grads = {'dw': grad / y.shape[1]}",
        "from torch.autograd import grad",
        "",
    ),
    "a parameter named grad": (
        "helper(x)",
        "from torch.autograd import grad\n\ndef helper(grad):\n    return grad.sum()",
        "",
    ),
    "an earlier try": (
        BY_HAND,
        "class LR(nn.Module):\n    def backward(self, x, yhat, y):\n        L.backward()",
        "",
    ),
    "a helper that was written anew": (
        "helper(x)",
        "def helper(x):\n    x.backward()",
        "def helper(x):\n    return x",
    ),
    "another class's own backward": (
        "self.layer.backward(x, yhat)",
        "class Layer:\n    def backward(self, x, grad_output):\n        return grad_output",
        "",
    ),
    "its own backward by getattr": ('getattr(model, "backward")(x, yhat, y)', "", ""),
    "numerical differentiation": (
        "h = 1e-3\nself.grads = {'dw': (f(w + h) - f(w - h)) / (2 * h)}",
        "",
        "",
    ),
    "numpy's gradient": ("np.gradient(x)\ntorch.gradient(x)", "import numpy as np", ""),
    "w.grad as a place": ("self.w.grad = x @ (yhat - y).T", "", ""),
    "looking at the graph": ("assert yhat.grad_fn is None", "", ""),
    "a function of its own": (
        "Sigmoid.apply(x)",
        "class Sigmoid(torch.autograd.Function):\n    @staticmethod\n    def backward(ctx, g):\n"
        "        return g",
        "",
    ),
    "a syntax error elsewhere": (BY_HAND, "def broken(:\n    L.backward()", "this is ( no Python"),
    "magics": (BY_HAND, "%%bash\npython -c 'loss.backward()'", "%time L.backward()\n!ls"),
    "a null byte": (BY_HAND, "x = 1\0", ""),
    "a helper that calls itself": ("f(3)", "def f(n):\n    return n and f(n - 1)", ""),
    "methods that are named like those that run texts": (
        "model.eval()\nre.compile(p)\ntorch.compile(f)\nframe.eval('x + y')",
        "",
        "",
    ),
    "another kernel's cell": (
        BY_HAND,
        "",
        "%%python\nclass LR:\n    def backward(self, x, yhat, y):\n        L.backward()",
    ),
    "a broken cell named like a builtin": ("sum(x)", "sum = = 3", ""),
    "a broken try of a helper": ("f(x)", "def f(x:\n    pass", "def f(x): return x"),
    "a broken cell that names a parameter": (BY_HAND, "x = = yhat = 3", ""),
    "names in a circle": ("a(x)", "a = b\nb = a", ""),
}


@pytest.mark.parametrize(("body", "above", "below"), INNOCENT.values(), ids=INNOCENT)
def test_innocent(body, above, below):
    assert found(body, above, below) == []


def test_kept_results_of_a_check_are_no_use():
    check = "def check(self):\n    self.grads = dict(dw=torch.autograd.grad(L, self.w))"
    assert found('self.grads["dw"] = x', more=check) == []


def test_a_missing_root_is_empty():
    assert autograd_in(["loss.backward()"], ["LR.backward", "train"]) == []


def test_functions_can_be_roots():
    code = ["def train(model):\n    model.step()\n    loss.backward()", "def other(): pass"]
    assert autograd_in(code, ["train"]) == ["Tensor.backward"]
    assert autograd_in(code, ["other"]) == []


def test_each_door_is_named_once():
    assert found("L.backward()\nL.backward()\ntorch.autograd.grad(L, w)") == [
        "Tensor.backward",
        "torch.autograd.grad",
    ]


def test_blocks_that_call_each_other():
    code = [
        "class Linear:\n    def backward(self, grad_output):\n        return grad_output",
        "class Block:\n    def backward(self, grad_output):\n"
        "        for layer in reversed(self.layers):\n"
        "            grad_output = layer.backward(grad_output)\n        return grad_output",
    ]
    assert autograd_in(code, ["Block.backward"]) == []
    code[0] = code[0].replace("return grad_output", "self.L.backward()")
    assert autograd_in(code, ["Block.backward"]) == ["Tensor.backward"]


HOSTILE = {
    "a tower of names": "\n".join(f"n{i} = n{i + 1}" for i in range(500)),
    "a maze of names": "\n".join(f"n{i} = n{j}" for i in range(12) for j in range(12)),
    "a long sum": "n0 = " + " + ".join(["n1"] * 3000),
    "a long chain": "n0 = n1" + ".n" * 3000,
    "a net of classes": "class A0: pass\nclass B0: pass\n"
    + "\n".join(f"class {c}{i}(A{i - 1}, B{i - 1}): pass" for i in range(1, 60) for c in ("A", "B"))
    + "\nn0 = A59().nothing",
    "nested functions": "\n".join("    " * i + f"def n{i}():" for i in range(90))
    + "\n"
    + " " * 400
    + "n0",
}


@pytest.mark.parametrize("code", HOSTILE.values(), ids=HOSTILE)
def test_hostile_code_ends(code):
    body = code + "\nn0(x)\ngetattr(n0, n1)()\n" + BY_HAND
    start = time.monotonic()
    assert set(found(body, above=code)) <= {UNREAD}
    assert time.monotonic() - start < 20


SUM = " + ".join(["x"] * 1500)


def test_a_long_sum_hides_nothing() -> None:
    assert found(f"total = {SUM}\nL.backward()") == ["Tensor.backward"]
    assert found(f"total = {SUM}\n{BY_HAND}") == []


UNREADABLE = {
    "a call in a chain without end": ("f" + "(x)" * 40_000, "", ""),
    "a helper": ("helper(x)", "def helper(x):\n    return x" + ".T" * 40_000, ""),
    "put in place of it": (BY_HAND, "", "LR.backward = other; a = x" + ".T" * 40_000),
    "a helper in a cell that is no Python": ("f(x)", "def f(x) = L.backward()", ""),
    "a text that comes about as it runs": ("exec(base64.b64decode(text))", "", ""),
    "a cell of more code than is read": (BY_HAND, "", "class LR(LR): pass\n" + "f(x)\n" * 100_000),
}


@pytest.mark.parametrize(("body", "above", "below"), UNREADABLE.values(), ids=UNREADABLE)
def test_what_cannot_be_read_is_not_taken_for_clean(body, above, below):
    assert found(body, above, below) == [UNREAD]


def test_a_class_in_a_cell_that_is_no_python() -> None:
    assert autograd_in(["import torch", "class LR:\n    begin backward"], ["LR.backward"]) == [
        UNREAD
    ]


READABLE = {
    "in a cell of its own": ("", "total = x" + ".T" * 40_000),
    "in a helper that is not used": ("", "def helper(x):\n    return x" + ".T" * 40_000),
    "in an earlier try": ("class LR:\n    def backward(self): return x" + ".T" * 40_000, ""),
    "in a table": ("table = [" + "0.5, " * 300_000 + "]", ""),
    "a broken try": ("", "class LR:\n    begin backward"),
}


@pytest.mark.parametrize(("above", "below"), READABLE.values(), ids=READABLE)
def test_what_cannot_be_read_elsewhere_is_no_matter(above, below):
    assert found(BY_HAND, above, below) == []


def test_each_look_for_a_magic_is_a_step() -> None:
    """IPython looks through the whole cell for each: their number is bounded, not only the code."""
    looks = 0

    def step() -> None:
        nonlocal looks
        looks += 1
        if looks > 50:
            raise Enough

    with pytest.raises(Enough):
        manual._parse("x = %time 1\n" * 300, step)
    assert looks == 51


def test_more_magics_than_ipython_takes_are_no_code() -> None:
    assert manual._parse("x?\n" * 600, lambda: None) == []
