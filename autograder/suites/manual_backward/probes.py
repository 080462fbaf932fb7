"""What runs in the student kernel for the suites of `manual_backward`."""

import tempfile
from functools import partial
from pathlib import Path

import numpy
import torch
from torch import Tensor, nn

from autograder.exercise.inside_model import make_model_again
from autograder.exercise.inside_stand_ins import with_stand_in
from autograder.exercise.inside_state import copied, here, like, made, put

# --------------------------------------------------------------------------------------------- LR


def init(notebook, dim, lr):
    """What two new models hold, one of them without a learning rate of its own."""
    models = notebook.LR(dim), notebook.LR(dim, lr.to(notebook.device))
    names = ("w", "b", "grads", "lr")
    held = [{name: getattr(model, name, None) for name in names} for model in models]
    return {
        **held[1],
        "lr": [each["lr"] for each in held],
        "shared": any(_same(*(each[name] for each in held)) for name in names[:3]),
        "module": isinstance(models[1], nn.Module),
        "ready": "_parameters" in vars(models[1]),
    }


def _same(one, two):
    both = isinstance(one, Tensor) and isinstance(two, Tensor)
    return one.data_ptr() == two.data_ptr() if both else isinstance(one, dict) and one is two


def arbitrary(z):
    """Stands for `sigmoid`."""
    return 2 * z + 5


W, B, RATE = torch.zeros(4, 1), torch.zeros(()), torch.scalar_tensor(0.1)


def lr(notebook, calls, w=W, b=B, lr=RATE, fresh=False, stand_in=False):
    """What calls of a model's methods leave behind, or of `train`: each is a name with arguments.

    What `optimize` is given, dw and db, is put in place before. With `fresh`, each call gets a
    model of its own; with `stand_in`, its sigmoid is another function.
    """
    left, model = [], None
    for name, *given in here(calls, notebook.device):
        if fresh or model is None:
            model = _model(notebook, w=w, b=b, lr=lr)
        if stand_in:
            model.sigmoid = lambda *z, **named: arbitrary(*z, *named.values())
        if name == "optimize":
            grads = vars(model).get("grads")
            model.grads = grads if isinstance(grads, dict) else {}
            model.grads |= {f"d{of}": like(getattr(model, of), given.pop(0)) for of in ("w", "b")}
        call = partial(notebook.train, model) if name == "train" else getattr(model, name)
        found = {"returned": call(*given), "grads": getattr(model, "grads", None)}
        left.append(copied({**found, "w": model.w, "b": model.b}))
    return left


def _model(notebook, **state):
    """A model with these numbers in it; its constructor is another test's matter."""
    model = made(notebook.LR, len(state["w"]), state["lr"].to(notebook.device, copy=True))
    for name, value in state.items():
        put(model, name, value.to(notebook.device, copy=True), in_place=name != "lr")
    return model


# ---------------------------------------------------------------------------------- loss, predict


def on_pairs(notebook, name, pairs):
    """What a function of the notebook's gives for pairs of answers and classes."""
    return [getattr(notebook, name)(*pair) for pair in here(pairs, notebook.device)]


# -------------------------------------------------------------------------------------- pictures


def reshaped(notebook, img, size):
    return notebook.ReshapeTransform(tuple(size))(img)


def piped(notebook, pictures, size):
    """What each pipeline makes of each picture, six times over.

    What leaves pictures as they are is there for `ReshapeTransform`, unless they fail with it.

    Returns:
        `type` of what `make_transforms` returned; `rows` by key, by picture; the shapes that were
        `asked` for.
    """
    from PIL import Image

    asked = []
    images = [Image.fromarray(picture) for picture in pictures]

    def note(*new_size, **named):
        asked.append(numpy.ravel([*new_size, *named.values()]).tolist())
        return lambda img: img

    def rows():
        made = notebook.make_transforms(size)
        if not isinstance(made, dict):
            return {"type": type(made).__name__}
        rows = {
            str(key): [[to(each) for _ in range(6)] for each in images] for key, to in made.items()
        }
        return {"type": "dict", "rows": rows}

    found, used = with_stand_in(notebook, "ReshapeTransform", note, rows)
    return {**found, "asked": asked if used else []}


SPLITS = ("train", "val")


def code(pipeline, folder):
    """What says so in a row: between two grey levels, where no number of a picture's is."""
    return (64 * (SPLITS.index(pipeline) + 2 * SPLITS.index(folder)) + 0.5) / 255


def describe(picture, size, pipeline="train"):
    """A row of a picture's numbers, the first of which says its pipeline and its folder."""
    values = numpy.asarray(picture).reshape(-1)
    numbers = numpy.resize(values / 255, 3 * size**2)
    numbers[0] = code(pipeline, SPLITS[values[0] % 2])
    return torch.tensor(numbers, dtype=torch.float32)


def loaded(notebook, tree, size):
    """What `load_split` makes of each split of a tree of pictures, given by path.

    Pipelines that describe are there for those of `make_transforms`, unless it fails with them.

    Returns:
        by split, what came back; what the pipelines were `asked` for with.
    """
    from PIL import Image

    asked = []

    def make_transforms(*sizes, **named):
        asked.extend([*sizes, *named.values()])
        return {split: partial(describe, size=size, pipeline=split) for split in SPLITS}

    def load():
        return {split: notebook.load_split(Path(folder), split, size) for split in SPLITS}

    with tempfile.TemporaryDirectory() as folder:
        for path, picture in tree.items():
            file = Path(folder, path)
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(file, compress_level=0)
        found, used = with_stand_in(notebook, "make_transforms", make_transforms, load)
    return {**found, "asked": asked if used else []}


# --------------------------------------------------------------------------------- train, model


def noted(notebook, x, y, answers, costs, swapped, iterations):
    """What `train` does with a model and a loss that answer with any numbers, and note their calls.

    Returns:
        `returned`: what it returned; `steps`: for each the number of the answers, from 1 on, that
        its gradients are of; -1 where there are no new ones, -2 where they are others; `notes`:
        whether model and loss got the "whole" of x and y, the first "part" of them, or "others";
        whether "another model" was asked, or w and b were "moved" otherwise than by a step.
    """
    x, y, costs, answers = here([x, y, costs.float(), answers], notebook.device)
    numbers = [answer.tolist() for answer in answers]
    notes: set[str] = set()
    steps: list[int] = []

    def which(yhat):
        """The number of the answers that yhat is, from 1 on; -2 where it is none of them."""
        found = yhat.tolist() if isinstance(yhat, Tensor) else None
        return 1 + numbers.index(found) if found in numbers else -2

    def part(value, whole):
        flat = isinstance(value, Tensor) and value.dim() == 2
        if not flat or not torch.equal(value, whole[:, : value.shape[1]]):
            return "others"
        return "whole" if value.shape == whole.shape else "part"

    class Model(nn.Module):
        def __init__(self, *ignored, **named):
            super().__init__()
            self.lr, self.grads = torch.scalar_tensor(0.5, device=x.device), {}
            self.move()

        def move(self):
            """Put other numbers into w and b than before; their gradients are not known yet."""
            self.w, self.b = torch.full_like(x[:, :1], 1.5 + len(steps)), y.new_tensor(len(steps))
            self.ready = -1

        def note(self):
            stays = bool((self.w == 1.5 + len(steps)).all()) and float(self.b) == len(steps)
            notes.add("another model" if self is not model else "stays" if stays else "moved")

        def forward(self, x_given):
            notes.add(part(x_given, x))
            self.note()
            return answers[min(len(steps), len(answers) - 1)].clone()

        def backward(self, x_given, yhat, y_given):
            whole = part(x_given, x) == part(y_given, y) == "whole"
            self.ready = which(yhat) if whole else -2
            self.grads = {"dw": torch.ones_like(self.w), "db": torch.ones_like(self.b)}

        def optimize(self):
            kept = all(bool((each == 1).all()) for each in self.grads.values())
            steps.append(self.ready if kept and self.lr == 0.5 else -2)
            self.move()

    def loss(yhat, labels):
        place = which(yhat)
        if place < 0:
            return y.new_tensor(swapped if which(labels) > 0 else swapped - 1)
        notes.add(part(labels, y))
        return costs[place - 1].clone()

    notebook.loss, notebook.LR, model = loss, Model, Model()
    returned = notebook.train(model, x, y, iterations)
    model.note()
    return {"returned": returned, "notes": list(notes), "steps": steps[:1000]}


class Trained(nn.Module):
    """Good enough to train with, by autograd."""

    def __init__(self, dim, lr=0.01):
        super().__init__()
        self.w, self.b = nn.Parameter(torch.zeros(int(dim), 1)), nn.Parameter(torch.zeros(()))
        self.lr, self.grads = lr, {}

    def forward(self, x):
        self.to(x.device)
        return torch.sigmoid(nn.functional.linear(x.T, self.w.T, self.b[None]).T)

    def backward(self, x, yhat, y):
        cost = nn.functional.binary_cross_entropy(self(x), y)
        self.grads = dict(
            zip(("dw", "db"), torch.autograd.grad(cost, [self.w, self.b]), strict=True)
        )

    def optimize(self):
        for number, slope in zip((self.w, self.b), self.grads.values(), strict=True):
            number.data -= float(self.lr) * slope


def train(model, x, y, iterations):
    for _ in range(min(int(iterations), 3000)):
        model.backward(x, None, y)
        model.optimize()
    return [0.5] * min(int(iterations), 100000)


def weights(notebook, cells, splits):
    """The numbers of `model`; with cells, after those made it again, of pictures (m, 3, 28, 28)."""

    def load_split(data_dir, split, image_size):
        x, y = here(splits[split], notebook.device)
        if image_size > 64:
            raise ValueError("pictures as large as these take too long")
        size = int(image_size), int(image_size)
        x = nn.functional.interpolate(x, size, mode="bilinear", antialias=True)
        return x.flatten(1).T.contiguous(), y

    if cells:
        stand_ins = {"load_split": load_split, "LR": Trained, "train": train}
        stand_ins |= {"loss": lambda yhat, y: torch.tensor(0.5), "predict": lambda yhat, y: 50.0}
        for split in SPLITS:
            x, y = load_split(None, split, notebook._names.get("image_size", 28))
            stand_ins |= {f"x_{split}": x, f"y_{split}": y}
        make_model_again(notebook, cells, **stand_ins)
    return {"w": notebook.model.w, "b": notebook.model.b}
