"""`SoftmaxCrossEntropy`: softmax, logarithm and mean in one, so that nothing overflows."""

import pytest
import torch
from torch.nn.functional import cross_entropy, nll_loss, one_hot

from autograder.exercise import Misconception, between, checks, expect, in_double
from autograder.suites.autograd_functions import probes
from autograder.suites.autograd_functions.functions import EXPANDED, OVERFLOW, TURNED, Function

M, CLASSES = 5, 4


def draw(rng):
    """Five samples, four classes; no class is the right one of all samples."""
    logits = 3 * torch.rand(M, CLASSES, generator=rng) - 1.5
    classes = torch.cat([torch.randperm(CLASSES, generator=rng) for _ in range(2)])
    return {"logits": logits, "target": classes[:M]}


def also(logits, target):
    p, y = logits.softmax(1), one_hot(target, CLASSES).to(logits.dtype)
    return {"p": p, "y": y, "error": p - y}


entropy = Function(
    "SoftmaxCrossEntropy",
    lambda logits, target: cross_entropy(logits, target),
    draw,
    by=("logits",),
    also=also,
    terms=M + CLASSES,
)
forward, gradient = entropy.forward, entropy.gradients["logits"]

entropy.mistake(
    "sum-instead-of-mean", lambda logits, target: M * cross_entropy(logits, target)
).says(
    "Too large by the factor m, the number of samples: the loss is their mean, not their sum. The"
    " gradient of a mean has `1 / m` in it."
)
entropy.mistake(
    "divided-by-the-classes",
    lambda logits, target: cross_entropy(logits, target) / CLASSES,
    lambda logits, target: M * cross_entropy(logits, target) / CLASSES,
).says("You divide by the number of classes; the mean goes over the samples alone.")
OVER_SAMPLES = entropy.mistake(
    "softmax-over-samples",
    lambda logits, target: nll_loss(logits.log_softmax(0), target),
).says("Your softmax compares the samples with each other; it should compare the classes of each.")
entropy.mistake(
    "softmax-twice", lambda logits, target: cross_entropy(logits.softmax(1), target)
).says("You take the softmax of what is one already.")
entropy.mistake("softmax-forgotten", lambda logits, target: nll_loss(logits, target)).says(
    "You take the logits as they are, without what the softmax divides by."
)
entropy.mistake(
    "logarithm-forgotten", lambda logits, target: nll_loss(logits.softmax(1), target)
).says("Your loss has no logarithm: it takes the probabilities themselves.")
forward.mistake("minus-forgotten", lambda logits, target: -cross_entropy(logits, target)).says(
    "Your loss is negative: the logarithm of a probability is, so there is a minus in front of it."
)
forward.mistake("not-reduced", lambda target: 0.5 * target, shape_only=True).says(
    "Your loss is one number for each sample; wanted is their mean, one scalar."
)

gradient.add(OVER_SAMPLES, lambda logits, y, g: g * (logits.softmax(0) - y) / M)
gradient.mistake("divided-twice", lambda error, g: g * error / M**2).says(
    "Your gradient is too small by the factor m: you divide by the number of samples twice."
)
gradient.mistake(
    "mean-on-one-term",
    lambda p, y, g: (found for k in (1 / M, g / M) for found in (k * p - y * g, p * g - k * y)),
    lambda p, y, g: iter((g * p / M - y, p - g * y / M, g * p / M - y / M, p / M - g * y / M)),
).says(
    "`1 / m`, or the gradient that comes in, reaches one of the two terms `p` and `y` only: it is"
    " for their difference. Is there a bracket missing?"
)
gradient.mistake(
    "softmax-jacobian-twice",
    lambda p, error, g: g * p * (error - (p * error).sum(1, keepdim=True)) / M,
).says(
    "You multiply by the Jacobian of the softmax once more: `p - y` is the gradient by the logits"
    " already, with the softmax in it."
)
gradient.mistake("gradient-by-probabilities", lambda p, y, g: -g * y / p / M).says(
    "Yours is the gradient by the probabilities; it still has to go through the softmax."
)
gradient.mistake("target-not-subtracted", lambda p, g: g * p / M).says(
    "Your gradient is positive everywhere: 1 has to be subtracted at each sample's own class."
)
gradient.mistake("target-only", lambda p, y, g: g * y * (p - 1) / M).says(
    "Only the right class of each sample gets a gradient; the logits of the others count as well:"
    " they are in the sum that the softmax divides by."
)
gradient.mistake("logits-for-probabilities", lambda logits, y, g: g * (logits - y) / M).says(
    "Your gradient has the logits in the place of the probabilities."
)
gradient.mistake("softmax-of-a-softmax", lambda p, y, g: g * (p.softmax(1) - y) / M).says(
    "Your `backward` takes the softmax of what is one already."
)
gradient.mistake("sigmoid-for-softmax", lambda logits, y, g: g * (logits.sigmoid() - y) / M).says(
    "Your probabilities are sigmoids, one class at a time: those of a sample do not add up to 1."
)

INFINITE = Misconception(
    "log-of-zero",
    "With logits of ±1,000 your loss is infinite: a probability is so small that it becomes 0, and"
    " then the logarithm is taken. Logarithm and softmax have to be one step: `logsumexp` or"
    " `log_softmax`.",
)
CUT_OFF = Misconception(
    "cut-off",
    "With logits of ±1,000 your loss is too small: a small number is added to the probabilities, or"
    " they are kept away from 0. Logarithm and softmax in one step need no such thing.",
)


@pytest.mark.points(5)
def test_forward(student, rng):
    """The mean over the samples of `-log softmax(logits)` at each sample's class, a scalar.

    logits = torch.tensor([[1.0, 2.0, 0.5], [0.0, -1.0, 1.5]], dtype=torch.float64)
    loss = SoftmaxCrossEntropy.apply(logits, torch.tensor([1, 0]))
    print(round(loss.item(), 9), loss.shape, loss.dtype)
    #> 1.115368342 torch.Size([]) torch.float64
    print(SoftmaxCrossEntropy.apply(logits.float(), torch.tensor([1, 0])).dtype)
    #> torch.float32
    """
    entropy.check_forward(student, rng)


@pytest.mark.points(7)
def test_gradient(student, rng):
    """`backward` gives the gradient of the mean loss by the logits, times what comes in.

    logits = torch.tensor([[1.0, 2.0, 0.5], [0.0, -1.0, 1.5]], dtype=torch.float64)
    loss = SoftmaxCrossEntropy.apply(logits.requires_grad_(), torch.tensor([1, 0]))
    (gradient,) = torch.autograd.grad(3 * loss, logits)
    print([[round(number, 6) for number in row] for row in gradient.tolist()])
    #> [[0.346836, -0.557202, 0.210367], [-1.243571, 0.094335, 1.149236]]
    print(type(loss.grad_fn).__name__)
    #> SoftmaxCrossEntropyBackward
    """
    entropy.check_gradient(student, rng, "logits")


@pytest.mark.points(5)
def test_large_logits(student, rng):
    """With logits of ±1,000 the loss and its gradient are finite and right.

    logits = torch.tensor([[1000.0, 0.0, -1000.0], [0.0, 999.0, 1000.0]], requires_grad=True)
    for target in ([0, 2], [2, 0]):
        loss = SoftmaxCrossEntropy.apply(logits, torch.tensor(target))
        (gradient,) = torch.autograd.grad(loss, logits)
        print(round(loss.item(), 3), bool(gradient.isfinite().all()))
    #> 0.157 True
    #> 1500.157 True
    """
    logits, target = between(rng, 990, 1000, M, CLASSES), torch.arange(M) % CLASSES
    for signs, infinite in (([1.0, 1.0, 1.0, 1.0], OVERFLOW), ([1.0, 1.0, -1.0, -1.0], INFINITE)):
        inputs = {"logits": logits * torch.tensor(signs), "target": target, "g": torch.tensor(1.5)}
        got = entropy.ask(student, probes.whole, inputs=inputs)["numbers"]
        loss, of_logits = got[: -logits.numel()].mean(), got[-logits.numel() :]
        expect(not loss.isnan(), OVERFLOW)
        expect(bool(loss.isfinite()), infinite)
        expect(bool(of_logits.isfinite().all()), "With logits of ±1,000 your gradient is `nan`.")
    usual = forward.draw(rng)
    loss_of_usual = entropy.ask(student, probes.forward, inputs=usual)[0]
    # A loss that is wrong anyway is another test's matter.
    if checks.is_close(loss_of_usual, forward.right(**in_double(usual)), 1e-6):
        expect(bool(loss > 0.9 * cross_entropy(inputs["logits"], target)), CUT_OFF)


@pytest.mark.points(1)
@pytest.mark.parametrize("form", [TURNED, EXPANDED])
def test_forms(student, rng, form):
    """Transposed and expanded logits come to what all others come to.

    turned = torch.tensor([[1.0, 0.0], [2.0, -1.0], [0.5, 1.5]]).T
    for logits in (turned, torch.tensor([1.0, 2.0, 0.5]).expand(2, 3)):
        loss = SoftmaxCrossEntropy.apply(logits.requires_grad_(), torch.tensor([1, 0]))
        (gradient,) = torch.autograd.grad(loss, logits)
        print(round(loss.item(), 3), round(gradient[0, 0].item(), 3))
    #> 1.115 0.116
    #> 0.964 0.116
    """
    entropy.check_form(student, rng, form)


@pytest.mark.points(4)
def test_second(student, rng):
    """The gradient can be differentiated again: the second derivative is right.

    logits = torch.tensor([[1.0, 2.0, 0.5], [0.0, -1.0, 1.5]], requires_grad=True)
    loss = SoftmaxCrossEntropy.apply(logits, torch.tensor([1, 0]))
    (gradient,) = torch.autograd.grad(loss**2, logits, create_graph=True)
    (bend,) = torch.autograd.grad(gradient[0, 0], logits)
    print([round(number, 4) for number in bend[0].tolist()])
    #> [0.225, -0.205, -0.02]
    """
    entropy.check_second(student, rng)


@pytest.mark.points(3)
def test_saved(student, rng):
    """Tensors wait for `backward` in `ctx.save_for_backward` alone; what was given stays as it was.

    def goes_well(between, twice=False):
        logits, target = torch.tensor([[1.0, 2.0]]).requires_grad_(), torch.tensor([1])
        loss = SoftmaxCrossEntropy.apply(logits, target)
        with torch.no_grad():
            between(logits, target)
        try:
            (found,) = torch.autograd.grad(loss, logits)
            if twice:
                torch.autograd.grad(loss, logits)
        except RuntimeError as error:  # PyTorch has noticed
            return "inplace" in str(error) or "second time" in str(error)
        kept = between != nothing or logits.tolist() == [[1.0, 2.0]]
        return not twice and kept and [round(n, 3) for n in found[0].tolist()] == [0.269, -0.269]

    def nothing(logits, target):
        pass

    print(goes_well(nothing), goes_well(nothing, twice=True))
    #> True True
    changes = (
        lambda logits, target: SoftmaxCrossEntropy.apply(-logits, 1 - target),
        lambda logits, target: logits[0, 0].mul_(3),
        lambda logits, target: target.sub_(1),
    )
    print([goes_well(change) for change in changes])
    #> [True, True, True]
    """
    entropy.check_saved(student, rng)
