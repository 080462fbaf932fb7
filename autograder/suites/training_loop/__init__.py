"""Suites of `training_loop`: what the loops do, watched step by step.

One probe serves the suites of the three loops. It builds a small network of given parameters, and
notes at each forward pass and at each step of the optimizer what the parameters and gradients are.
The grader computes from those parameters, in float64 and by itself, what the loss and the gradient
must be there; so one mistake does not spread to every number after it.
"""

import numpy as np
import torch
from torch import nn

from autograder.exercise import checks
from autograder.exercise.checks import Misconception, expect, fail, kind
from autograder.exercise.pytorch_words import Says, named_by_pytorch

NO_RETURN = Misconception(
    "no-return", "Your function returns nothing: after the loop, a `return` is missing."
)


def probe_loop(notebook, task, start, x, y, criterion, plan):
    """Call `train_full_batch`, `train` or `evaluate` and tell all that happened meanwhile.

    plan: epochs, batch_size, optimizer with its options, modes (of the four modules, before), grads
    (to be there before), far (whether the data are on a device of their own), short (whether the
    notes go without parameters and gradients, which take time where there are many of them).
    """
    from torch.utils.data import DataLoader, TensorDataset

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Sequential(nn.Linear(*reversed(start[0].shape)), nn.Tanh())
            self.outer = nn.Linear(*reversed(start[2].shape))

        def forward(self, x):
            outputs = self.outer(self.inner(x))
            passes.append(
                {
                    "at": copies(),
                    "graph": outputs.requires_grad,
                    "modes": [module.training for module in self.modules()],
                    "own": self is network,
                }
            )
            return outputs

    class Linex(nn.Module):
        reduction = "mean"

        def forward(self, input, target):
            difference = input - target
            return (torch.exp(difference) - difference - 1).mean()

    class Classes(nn.CrossEntropyLoss):
        """Takes its arguments in either order: another check looks at that."""

        def forward(self, input, target):
            if not input.is_floating_point():
                input, target = target, input
            return super().forward(input, target)

    class Elsewhere(RuntimeError):
        pass

    class Far(torch.Tensor):
        """Data on another device: it computes with its like, but not with data that are here."""

        @classmethod
        def __torch_function__(cls, function, types, args=(), kwargs=None):
            kwargs = kwargs or {}
            plain = torch._C.DisableTorchFunctionSubclass()
            name = getattr(function, "__name__", "")
            if function == torch.Tensor.device.__get__:
                return torch.device("cuda", 0)
            if function == torch.Tensor.is_cuda.__get__:
                return True
            if function == torch.Tensor.is_cpu.__get__:
                return False
            given = [*args, *kwargs.values()]
            for item in list(given):
                given += list(item) if isinstance(item, list | tuple) else []
            with plain:
                result = function(*args, **kwargs)
            arrives = name in ("cpu", "cuda", "copy_", "__setitem__", "set_") or (
                name in ("to", "tensor", "as_tensor", "asarray", "new_tensor", "type", "_to_copy")
                and any(
                    isinstance(item, torch.device)
                    or (isinstance(item, str) and item.startswith(("cpu", "cuda")))
                    or (isinstance(item, torch.Tensor) and not isinstance(item, Far))
                    for item in given
                )
            )
            if arrives:
                return result.as_subclass(torch.Tensor) if isinstance(result, Far) else result
            here = [
                item
                for item in given
                if isinstance(item, torch.Tensor) and not isinstance(item, Far) and item.dim() > 0
            ]
            if here:
                raise Elsewhere("Expected all tensors to be on the same device.")
            if isinstance(result, torch.Tensor) and not isinstance(result, Far):
                return result.as_subclass(Far)
            if isinstance(result, list | tuple) and name not in ("size", "stride", "__get__"):
                return type(result)(
                    [
                        item.as_subclass(Far) if isinstance(item, torch.Tensor) else item
                        for item in result
                    ]
                )
            return result

    def copies():
        return [] if plan.get("short") else [p.detach().clone() for p in parameters]

    def gradients():
        return (
            []
            if plan.get("short")
            else [None if p.grad is None else p.grad.detach().clone() for p in parameters]
        )

    base = getattr(torch.optim, plan.get("optimizer", "SGD"))

    class Noted(base):
        def step(self, closure=None):
            value = None
            if closure is not None:
                with torch.enable_grad():
                    value = closure()
            note = {"before": copies(), "gradients": gradients()}
            steps.append(note)
            super().step()
            note["after"] = copies()
            return value

    passes, steps, backwards = [], [], []
    network = Network()
    parameters = list(network.parameters())
    with torch.no_grad():
        for parameter, values in zip(parameters, start, strict=True):
            parameter.copy_(values)
    for place, values in enumerate(plan.get("grads", [])):
        parameters[place].grad = values.clone()
    modules = list(network.modules())
    for module, mode in zip(modules, plan.get("modes", [True] * len(modules)), strict=True):
        module.training = mode
    parameters[-1].register_hook(lambda gradient: backwards.append(1))
    optimizer = Noted(parameters, **plan.get("options", {"lr": 0.1}))
    criteria = {"mse": nn.MSELoss, "linex": Linex, "classes": Classes}
    criterion = criteria[criterion]()
    device = torch.device("cpu")
    if plan.get("far"):
        x, y = x.as_subclass(Far), y.as_subclass(Far)
    loader = DataLoader(TensorDataset(x, y), batch_size=plan.get("batch_size", len(x)))

    def watched(function):
        def arriving(data, *args, **kwargs):
            made = function(data, *args, **kwargs)
            moves = isinstance(data, Far) and (kwargs.get("device") or len(args) > 1)
            return made.as_subclass(torch.Tensor) if moves else made

        return arriving

    elsewhere = False
    result = None
    saved = torch.as_tensor, torch.asarray  # these two do not ask Far
    torch.as_tensor, torch.asarray = (watched(function) for function in saved)
    try:
        if task == "train_full_batch":
            result = notebook.train_full_batch(network, x, y, criterion, optimizer, plan["epochs"])
        elif task == "train":
            result = notebook.train(network, loader, criterion, optimizer, plan["epochs"], device)
        else:
            result = notebook.evaluate(network, loader, criterion, device)
    except Elsewhere:
        elsewhere = True
    finally:
        torch.as_tensor, torch.asarray = saved

    entries = result if isinstance(result, list) else [result]
    graph = any(isinstance(item, torch.Tensor) and item.requires_grad for item in entries)
    entries = [float(item) if isinstance(item, float) else item for item in entries]
    return {
        "result": entries if isinstance(result, list) else entries[0],
        "is list": isinstance(result, list),
        "graph": graph,
        "passes": passes,
        "steps": steps,
        "backwards": len(backwards),
        "after": copies(),
        "gradients": gradients(),
        "modes": [module.training for module in modules],
        "trainable": [p.requires_grad for p in parameters],
        "grad mode": torch.is_grad_enabled(),
        "elsewhere": elsewhere,
    }


OLD_GRAPH = Misconception(
    "old-graph",
    "Your `backward()` goes through a forward pass from before the last step, and the parameters it"
    " noted are gone. Each step needs a forward pass of its own, and its `backward()` comes before"
    " its `step()`.",
)
NO_GRAPH = Misconception(
    "loss-without-graph",
    "Your loss has no graph, so `backward()` finds no way to the parameters. Were the outputs cut"
    " off (`detach`, `no_grad`, a new tensor, a plain number) before the loss?",
)

PYTORCH_SAYS = (
    Says("RuntimeError", "modified by an inplace operation", OLD_GRAPH),
    Says("RuntimeError", "the graph a second time", OLD_GRAPH),
    Says("RuntimeError", "not have a grad_fn", NO_GRAPH),
)


def run_loop(student, task, start, x, y, criterion, plan):
    """Run the probe; name what PyTorch itself says about a graph."""
    with named_by_pytorch(*PYTORCH_SAYS):
        return student.run(
            probe_loop, task=task, start=start, x=x, y=y, criterion=criterion, plan=plan
        )


# ---------------------------------------------------------------- the same network in the grader


def draw(rng, samples, outputs, classes=False):
    """Parameters of a small network, and data for it: 3 features, 4 hidden, `outputs`."""
    start = [
        0.6 * torch.randn(4, 3, generator=rng),
        0.4 * torch.randn(4, generator=rng),
        0.6 * torch.randn(outputs, 4, generator=rng),
        0.4 * torch.randn(outputs, generator=rng),
    ]
    x = torch.randn(samples, 3, generator=rng)
    if classes:
        return start, x, torch.randint(outputs, (samples,), generator=rng)
    return start, x, 0.6 * torch.randn(samples, outputs, generator=rng) + 0.8


def draw_steep(rng, samples):
    """The same for one output, drawn again until a gradient shows that is divided by `samples`."""
    while True:
        start, x, y = draw(rng, samples, 1)
        divided = gradient_at(start, x, y, linex) / samples
        if float(divided.abs().max()) > 20 * STEP_ERROR * step_size(start, start, x, y):
            return start, x, y


def draw_batches(rng, samples, outputs, size, criterion):
    """The same for batches of `size`, the last of them short: the grader's batches come too.

    Drawn again until no wrong mean over the batches is like the right one by chance.
    """
    while True:
        start, x, y = draw(rng, samples, outputs)
        y[-(samples % size) :] -= 2
        batches = list(zip(x.split(size), y.split(size), strict=True))
        losses = torch.stack([loss_at(start, *batch, criterion) for batch in batches])[None]
        right, others = means(losses, sizes_of(batches))
        if losses[0, -1] > 2 * losses[0, :-1].max() and all_apart(right, others):
            return start, x, y, batches


def sizes_of(batches):
    return torch.tensor([float(len(x)) for x, _ in batches], dtype=torch.float64)


def all_apart(right, others):
    """Whether every mistake's value is at least a tenth away from the right one."""
    return all(bool(((value / right - 1).abs() > 0.1).all()) for _, value in others)


def forward(parameters, x):
    first, bias, last, offset = parameters
    return torch.tanh(x @ first.T + bias) @ last.T + offset


def mse(outputs, labels):
    return ((outputs - labels) ** 2).mean()


def linex(outputs, labels):
    """Not the same with its arguments swapped: too much costs more than too little."""
    difference = outputs - labels
    return (torch.exp(difference) - difference - 1).mean()


def loss_at(parameters, x, y, criterion):
    """The loss at the given parameters, float64."""
    return criterion(forward(double(parameters), x.double()), y.double())


def gradient_at(parameters, x, y, criterion):
    """The gradient of the loss at the given parameters, one float64 vector."""
    parameters = [p.requires_grad_() for p in double(parameters)]
    loss = criterion(forward(parameters, x.double()), y.double())
    return flat(torch.autograd.grad(loss, parameters))


def double(tensors):
    return [item.detach().double().clone() for item in tensors]


def flat(tensors, like=None):
    """One float64 vector of several tensors; None counts as zeros like those of `like`."""
    like = like or tensors
    return torch.cat(
        [
            torch.zeros(other.numel(), dtype=torch.float64)
            if item is None
            else item.double().flatten()
            for item, other in zip(tensors, like, strict=True)
        ]
    )


def moved(found, start):
    """Whether any parameter is not what it was at the start."""
    return any(not torch.equal(p, q) for p, q in zip(found["after"], start, strict=True))


def sgd(parameter, gradient, kept, lr, momentum=0.0, weight_decay=0.0):
    """One step of `torch.optim.SGD`, in place; `kept` is what it remembers of the parameter."""
    gradient = gradient + weight_decay * parameter
    kept["velocity"] = momentum * kept["velocity"] + gradient if kept else gradient
    parameter -= lr * kept["velocity"]


def adam(parameter, gradient, kept, lr, eps, betas=(0.9, 0.999)):
    """One step of `torch.optim.Adam`, in the same way (Kingma and Ba 2015, algorithm 1)."""
    t, mean, square = kept.get("moments", (0, 0.0, 0.0))
    mean = betas[0] * mean + (1 - betas[0]) * gradient
    square = betas[1] * square + (1 - betas[1]) * gradient**2
    kept["moments"] = t + 1, mean, square
    root = (square / (1 - betas[1] ** (t + 1))).sqrt()
    parameter -= lr * mean / (1 - betas[0] ** (t + 1)) / (root + eps)


# torch's own would import its compiler first, which takes a second.
OPTIMIZERS = {"SGD": sgd, "Adam": adam}


def stepper(plan, parameters):
    """The plan's optimizer: moves the parameters, given their gradients; None leaves one alone."""
    memories = [{} for _ in parameters]

    def step(gradients):
        for parameter, gradient, kept in zip(parameters, gradients, memories, strict=True):
            if gradient is not None:
                OPTIMIZERS[plan["optimizer"]](parameter, gradient, kept, **plan["options"])

    return step


def replay(start, steps, plan):
    """Where the plan's optimizer takes `start` in float64, fed the noted gradients."""
    parameters = double(start)
    step = stepper(plan, parameters)
    for noted in steps:
        step([None if each is None else each.double() for each in noted["gradients"]])
    return flat(parameters)


def follow(start, batches, criterion, plan):
    """Train from `start` in float64, a step a batch; return the losses from before the steps."""
    parameters = [p.requires_grad_() for p in double(start)]
    step = stepper(plan, parameters)
    losses = []
    for x, y in batches:
        loss = criterion(forward(parameters, x.double()), y.double())
        with torch.no_grad():
            step(torch.autograd.grad(loss, parameters))
        losses.append(loss.detach())
    return torch.stack(losses)


def size_of_loss(start, x, y):
    """The size of the terms that a mean squared error sums."""
    return float(((forward(double(start), x.double()).abs() + y.double().abs()) ** 2).mean())


def size_of_linex(start, x, y):
    """The same for :func:`linex`, whose exponential makes errors of its argument larger."""
    outputs, labels = forward(double(start), x.double()), y.double()
    return float(((outputs - labels).exp() * (outputs.abs() + labels.abs() + 1) + 1).mean())


# ------------------------------------------------------------------------------ returned numbers

NUMPY = Misconception(
    "numpy-not-float",
    "You return NumPy arrays or float32 numbers of NumPy, where Python floats are asked for: a"
    " tensor of one element can give you its number.",
)
GRAPH_KEPT = Misconception(
    "graph-kept",
    "You return loss tensors that hold on to their graphs, and so to every computation that led to"
    " them. Keep the number alone; section 3 shows the two side by side.",
)
TENSORS = Misconception(
    "tensor-not-float",
    "You return tensors, where Python floats are asked for: a tensor of one element can give you"
    " its number.",
)
ONE_NUMBER = Misconception(
    "one-number",
    "You return one number; a list is asked for, with one loss for each epoch. Where is the list"
    " made, and where does a loss get into it?",
)
EMPTY = Misconception("empty-list", "You return an empty list: no loss is ever put into it.")


def check_floats(found, epochs, per_epoch):
    """Take the result for a list of `epochs` Python floats; `per_epoch` steps make an epoch."""
    result = found["result"]
    expect(result is not None, "", because=NO_RETURN)
    if not found["is list"]:
        single = isinstance(result, float | int) or (
            isinstance(result, torch.Tensor) and result.numel() == 1
        )
        fail(
            f"A list of floats was expected; yours is {kind(result)}.",
            because=ONE_NUMBER if single else None,
        )
    if any(isinstance(item, torch.Tensor) for item in result):
        fail("", because=GRAPH_KEPT if found["graph"] else TENSORS)
    if any(isinstance(item, np.ndarray) for item in result):
        fail("", because=NUMPY)
    if len(result) != epochs:
        fail(
            f"{epochs} epochs should give {epochs} losses; your list has {len(result)}.",
            because=wrong_length(len(result), epochs, per_epoch),
        )
    checks.numbers(result, "The list of losses", epochs)


def wrong_length(length, epochs, per_epoch):
    if length == 0:
        return EMPTY
    if length == 1:
        return RETURN_INSIDE
    if per_epoch > 1 and length == epochs * per_epoch:
        return PER_BATCH
    return {epochs - 1: EPOCH_TOO_FEW, epochs + 1: EPOCH_TOO_MANY}.get(length)


def series(found, epochs, per_epoch=1):
    """The returned losses as a float64 vector, whatever form they have: that is another test's."""
    result = found["result"]
    expect(result is not None, "", because=NO_RETURN)
    if isinstance(result, list):
        values = [checks.number(item, "Each loss") for item in result]
    elif hasattr(result, "shape") and len(result.shape) == 1:
        values = [checks.number(item, "Each loss") for item in torch.as_tensor(result)]
    else:
        single = isinstance(result, float | int | torch.Tensor)
        fail(
            f"A list of losses was expected; yours is {kind(result)}.",
            because=ONE_NUMBER if single else None,
        )
    expect(bool(values), "", because=EMPTY)
    expect(
        len(values) <= 50 * epochs * per_epoch, f"Your list has {len(values)} losses: far too many."
    )
    if per_epoch > 1 and len(values) == epochs * per_epoch:
        fail("", because=PER_BATCH)
    return torch.tensor(values, dtype=torch.float64)


# ----------------------------------------------------------------------------- steps, gradients

NO_FORWARD = Misconception(
    "model-not-called", "Your function never calls `model(...)` on the data it is given."
)
NO_STEP = Misconception(
    "no-step",
    "The optimizer never takes a step, and the parameters stay what they were: part 5 of the loop"
    " is missing.",
)
NOT_GIVEN_OPTIMIZER = Misconception(
    "optimizer-not-used",
    "Parameters move, but not by the optimizer that your function was given. Momentum, for one, is"
    " in that optimizer: let it take the step.",
)
MOVED_BESIDES = Misconception(
    "moved-besides-the-step",
    "It is not the optimizer's steps alone that move the parameters: something else in your"
    " function changes them too.",
)
RETURN_INSIDE = Misconception(
    "loop-ends-early",
    "Only one epoch takes place, or even less. Is a `return` or `break` indented into the loop, or"
    " is the loop over the epochs missing?",
)
EPOCH_TOO_FEW = Misconception(
    "one-epoch-too-few",
    "One epoch is missing: does your range really have as many numbers as there are epochs?",
)
EPOCH_TOO_MANY = Misconception("one-epoch-too-many", "There is one epoch more than asked for.")
TWO_STEPS = Misconception(
    "two-steps", "The optimizer takes two steps where one is asked for, on one gradient or two."
)
PER_BATCH = Misconception(
    "loss-per-batch",
    "You return one loss for each batch; asked for is one for each epoch, the mean over all its"
    " samples.",
)
STEP_PER_EPOCH = Misconception(
    "step-per-epoch",
    "Your optimizer takes one step an epoch, after all batches have passed. Mini-batches pay off"
    " because each of them gets a step: look at how far `step()` is indented.",
)
ONE_BATCH = Misconception(
    "one-batch-per-epoch",
    "You use one batch an epoch and leave the others alone: an epoch is one round through all of"
    " the loader.",
)
LAST_SKIPPED = Misconception(
    "last-batch-skipped",
    "You skip the last batch of each epoch, the short one: its samples count as well.",
)

PART = Misconception(
    "part-of-the-samples",
    "You use the first samples alone of those that your function is given, as a slice like"
    " `x[:32]` cuts them out. Every sample counts, however many there are.",
)
CUT_SHORT = Misconception(
    "loader-cut-short",
    "Your loop stops before the loader is at its end (a `break`, or a number of batches that does"
    " not come from the loader): an epoch is one round through all of it.",
)
#: What people write into slices like `x[:32]`.
CONSTANTS = (10, 32, 100)

TRAINS_A_COPY = Misconception(
    "trains-a-copy",
    "You train a copy of the model, and the model that your function was given stays as it was. The"
    " optimizer knows the parameters of that one, and so does whoever called you.",
)
NO_BACKWARD = Misconception(
    "no-backward",
    "The optimizer steps, but there are no gradients: nothing ever goes backward from the loss.",
)
ACCUMULATED = Misconception(
    "forgotten-zero-grad",
    "Your gradients add up from step to step: `backward()` adds to what is there already. Section 3"
    " shows what that does to a descent, and which part of the loop prevents it.",
)
ZERO_PER_EPOCH = Misconception(
    "zero-grad-per-epoch",
    "Gradients add up from batch to batch and are forgotten only once an epoch. Each batch has a"
    " step of its own, so each has to start without the gradients before it.",
)
ZEROED = Misconception(
    "zeroed-before-step",
    "When `step()` comes, the gradients have just been forgotten, and no parameter moves. Look at"
    " the order of the five parts in section 3.",
)
STEP_FIRST = Misconception(
    "step-before-backward",
    "You step before you go backward: the gradient of this loss comes too late for its own step."
    " Look at the order of the five parts in section 3.",
)
SWAPPED = Misconception(
    "arguments-swapped",
    "You call the criterion with its arguments swapped. MSE forgives that; a loss for which too"
    " much and too little are different things does not. Which comes first in section 3?",
)
IGNORED = Misconception(
    "criterion-ignored",
    "Your loss is a mean squared error, whatever the criterion is that your function was given.",
)
ASCENT = Misconception(
    "gradient-ascent",
    "Your gradient has the opposite sign: the loss is pushed up instead of down.",
)
TIMES_SAMPLES = Misconception(
    "loss-summed",
    "Your gradient is too large by the number of samples: the criterion gives a mean, and the step"
    " follows that mean as it is.",
)
DIVIDED_AGAIN = Misconception(
    "divided-again",
    "Your gradient is too small by the number of samples: the criterion's mean has already divided"
    " by them.",
)
DIVIDED_BATCHES = Misconception(
    "divided-by-batches",
    "Your gradient is too small by the number of batches: each step follows the loss of its batch"
    " as it is.",
)
ROOT = Misconception(
    "root-of-loss",
    "You take the square root of what the criterion gives; its own number is the loss.",
)
BROADCAST = Misconception(
    "broadcast",
    "Your outputs and labels do not have the same shape when they meet: `(n, 1)` with `(n,)` gives"
    " all `(n, n)` differences, each output against every label. Pass both on as they come.",
)


#: Of a gradient in float32: a dozen terms a sum, three sums deep, an exponential at the end.
STEP_ERROR = checks.roundoff(40, 3)


def step_size(parameters, start, x, y):
    """How large the terms of a gradient are: what its error is relative to."""
    slope = (forward(double(parameters), x.double()) - y.double()).exp() + 1
    return float(slope.mean() * x.abs().max().clamp(1) * start[2].abs().max().clamp(1))


def check_steps(found, start, batches, epochs):
    """Check that each batch of each epoch has one step, along the gradient of its own loss."""
    expect(bool(found["passes"]), "", because=NO_FORWARD)
    expect(any(each["own"] for each in found["passes"]), "", because=TRAINS_A_COPY)
    steps = found["steps"]
    wanted = epochs * len(batches)
    if len(steps) != wanted:
        fail(
            f"{wanted} steps were expected, {'a batch' if len(batches) > 1 else 'an epoch'} each;"
            f" your optimizer took {len(steps)}.",
            because=wrong_count(found, start, epochs, len(batches)),
        )
    turns = batches * epochs
    right, size = [], 0.0
    for step, (x, y) in zip(steps, turns, strict=True):
        right.append(gradient_at(step["before"], x, y, linex))
        size = max(size, step_size(step["before"], start, x, y))
    right = torch.stack(right)
    got = torch.stack([flat(step["gradients"], step["before"]) for step in steps])
    expect(bool(torch.isfinite(got).all()), "The gradients at your steps are not finite.")
    if not bool(got.any()):
        left = any(g is not None and bool(g.any()) for g in found["gradients"])
        fail(
            "",
            because=NO_BACKWARD if not found["backwards"] else STEP_FIRST if left else ZEROED,
        )

    def each(criterion, first=None):
        return torch.stack(
            [
                gradient_at(step["before"], x[:first], y[:first], criterion)
                for step, (x, y) in zip(steps, turns, strict=True)
            ]
        )

    samples = torch.tensor([[float(len(x))] for x, _ in turns], dtype=torch.float64)
    shape = (epochs, len(batches), -1)
    late = torch.cat([torch.zeros_like(right[:1]), right[1:]])
    checks.close(
        got,
        right,
        "The gradient at a step",
        STEP_ERROR,
        among=[
            (ACCUMULATED, right.cumsum(0)),
            (ZERO_PER_EPOCH, right.reshape(shape).cumsum(1).reshape(right.shape))
            if len(batches) > 1
            else (ACCUMULATED, right.cumsum(0)),
            (STEP_FIRST, late),
            (SWAPPED, each(lambda outputs, labels: linex(labels, outputs))),
            (IGNORED, each(mse)),
            (IGNORED, each(mse) * samples),
            (ASCENT, -right),
            (TIMES_SAMPLES, right * samples),
            (DIVIDED_AGAIN, right / samples),
            (DIVIDED_BATCHES, right / len(batches)),
            (BROADCAST, each(lambda outputs, labels: linex(outputs, labels.T))),
            (ROOT, each(lambda outputs, labels: linex(outputs, labels).sqrt())),
            *((PART, each(linex, first)) for first in CONSTANTS),
        ],
        message="At a step, the gradient is not that of the criterion on the data of that step.",
        scale=size,
    )


def wrong_count(found, start, epochs, per_epoch):
    """The mistake that explains how many steps there are, None where none does."""
    count = len(found["steps"])
    if count == 0:
        return NOT_GIVEN_OPTIMIZER if moved(found, start) else NO_STEP
    if count == epochs and per_epoch > 1:
        return {epochs * per_epoch: STEP_PER_EPOCH, epochs: ONE_BATCH}.get(len(found["passes"]))
    return {
        1: RETURN_INSIDE,
        per_epoch: RETURN_INSIDE,
        (epochs - 1) * per_epoch: EPOCH_TOO_FEW,
        (epochs + 1) * per_epoch: EPOCH_TOO_MANY,
        2 * epochs * per_epoch: TWO_STEPS,
        epochs * (per_epoch - 1): LAST_SKIPPED,
    }.get(count)


def check_optimizer(found, start, plan):
    """Check that the steps of the given optimizer, and nothing else, made the parameters move."""
    expect(bool(found["passes"]), "", because=NO_FORWARD)
    steps = found["steps"]
    if not steps:
        fail("", because=NOT_GIVEN_OPTIMIZER if moved(found, start) else NO_STEP)
    got = flat(found["after"])
    expect(bool(torch.isfinite(got).all()), "After training, the parameters are not finite.")
    tolerance = checks.roundoff(4, len(steps))
    wanted = replay(start, steps, plan)
    size = float(max(wanted.abs().max(), flat(start).abs().max()))
    if checks.is_close(got, wanted, tolerance, size):
        return
    placed = [start, *(step["after"] for step in steps)]
    left = [*(step["before"] for step in steps), found["after"]]
    between = any(
        not torch.equal(p, q)
        for one, other in zip(placed, left, strict=True)
        for p, q in zip(one, other, strict=True)
    )
    fail(
        "The parameters do not end where the given optimizer's steps lead, with its own settings.",
        because=MOVED_BESIDES if between else None,
    )


def places(found, start, turns):
    """The parameters from before each of `turns` steps, or None where steps and turns differ."""
    steps, passes = found["steps"], [each for each in found["passes"] if each["graph"]]
    if len(passes) == turns:
        return [each["at"] for each in passes]
    if not steps:
        return [start] * turns
    if len(steps) % turns == 0:
        return [step["before"] for step in steps[:: len(steps) // turns]]
    return None


# --------------------------------------------------------------------------- means over batches

UNWEIGHTED = Misconception(
    "mean-of-batch-means",
    "Your number is the mean over batches, not over samples: the samples of the short last batch"
    " count for more than the others. Section 5 has an example with numbers.",
)
LAST_BATCH = Misconception(
    "last-batch-only",
    "Your number is the loss of the last batch alone, not a mean over all of them.",
)
FIRST_BATCH = Misconception(
    "first-batch-only",
    "Your number is the loss of the first batch alone, not a mean over all of them.",
)
NOT_DIVIDED = Misconception(
    "sum-not-mean", "Your number is a sum, not a mean: nothing divides it by how much was summed."
)
WRONG_COUNT = Misconception(
    "divided-by-wrong-count",
    "Numerator and denominator do not belong together: a sum over samples is divided by the number"
    " of batches, or a sum over batches by the number of samples.",
)
FULL_SIZE = Misconception(
    "short-batch-counted-full",
    "Every batch counts with the size of a full one, the short last batch too: count the samples"
    " that are really in it.",
)


def means(losses, sizes):
    """The sample-weighted mean of each row of `losses`, and what people take for it."""
    total, count = sizes.sum(), losses.shape[1]
    weighted, fewer = (losses * sizes).sum(1), (losses * sizes)[:, :-1].sum(1)
    return weighted / total, [
        (UNWEIGHTED, losses.mean(1)),
        (LAST_BATCH, losses[:, -1]),
        (FIRST_BATCH, losses[:, 0]),
        (NOT_DIVIDED, losses.sum(1)),
        (NOT_DIVIDED, weighted),
        (WRONG_COUNT, weighted / count),
        (WRONG_COUNT, losses.sum(1) / total),
        (FULL_SIZE, losses.sum(1) * sizes[0] / total),
        (LAST_SKIPPED, fewer / sizes[:-1].sum()),
        (LAST_SKIPPED, fewer / total),
    ]


# -------------------------------------------------------------------------------------- devices

INPUTS_STAY = Misconception(
    "inputs-not-moved",
    "The inputs of a batch are not moved to `device` before the model gets them.",
)
LABELS_STAY = Misconception(
    "labels-not-moved",
    "The inputs are moved to `device`, but the labels are not: the criterion meets outputs and"
    " labels on different devices.",
)


def check_device(found):
    """Check that data on another device than the model are moved to it."""
    if found["elsewhere"]:
        fail("", because=LABELS_STAY if found["passes"] else INPUTS_STAY)
    expect(bool(found["passes"]), "", because=NO_FORWARD)
