"""The packages that a submission finds when it is graded, and what is told of one that is not."""

import re

from autograder.language import Text

#: By the names that they are imported by; each is among the dependencies of this package. The
#: student's page of the README lists them.
PACKAGES = (
    *("torch", "torchvision", "numpy", "matplotlib", "PIL"),
    *("pandas", "seaborn", "tqdm", "ipywidgets", "ipympl"),
)
_NOT_FOUND = re.compile(r"No module named '(\w{1,80})(?:\.[\w.]*)?'")


def not_there(message: str) -> Text:
    """What is wrong with the import of a package that is not there when a submission is graded.

    Args:
        message: of a ModuleNotFoundError, as it came.

    Returns:
        What was imported, to follow "imports"; empty where the package is there, and only a part of
        it is misspelt, or where the message is another one.
    """
    found = _NOT_FOUND.match(message)
    if not found or found[1] in PACKAGES:
        return Text("")
    return Text(
        "`{name}`, which is not there when submissions are graded (there are {packages}, and a file"
        " of your own if you hand it in beside the notebook)",
        name=found[1],
        packages=", ".join(PACKAGES),
    )
