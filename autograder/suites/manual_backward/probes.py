"""What runs in the student kernel for the suites of `manual_backward`."""

import numpy


def reshaped(notebook, img, size):
    return notebook.ReshapeTransform(tuple(size))(img)


def piped(notebook, pictures, size, stand_in):
    """What each pipeline makes of each picture, six times over.

    With `stand_in`, an object that leaves pictures as they are is there for `ReshapeTransform`.

    Returns:
        `type` of what `make_transforms` returned; `rows` by key, by picture; the shapes that were
        `asked` of the stand-in.
    """
    from PIL import Image

    asked = []

    class Note:
        def __init__(self, *new_size, **named):
            asked.append(numpy.ravel([*new_size, *named.values()]).tolist())

        def __call__(self, img):
            return img

    if stand_in:
        notebook.ReshapeTransform = Note
    made = notebook.make_transforms(size)
    images = [Image.fromarray(picture) for picture in pictures]
    rows = {
        str(key): [[pipeline(image) for _ in range(6)] for image in images]
        for key, pipeline in (made.items() if isinstance(made, dict) else ())
    }
    name = "dict" if isinstance(made, dict) else type(made).__name__
    return {"type": name, "rows": rows, "asked": asked}
