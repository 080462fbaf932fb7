"""Where a backward pass is to be worked out by hand: what is said where autograd was used."""

from collections.abc import Sequence

from autograder.exercise.autograd_use import UNREAD
from autograder.exercise.checks import Misconception, expect
from autograder.kernel.inside import Recording

BY_HAND = Misconception(
    "autograd-used",
    "Your backward pass uses autograd (`{way}`). Here it is to be worked out by hand; outside of"
    " the class, autograd is a good way to check it.",
)
NOT_WATCHED = Misconception(
    "watch-ended",
    "While your backward pass runs, torch's profiler records whether autograd works out the"
    " gradients. Your code ends that record, so it cannot be seen that they are worked out by hand:"
    " leave the profiler's inner functions alone.",
)
NOT_READ = Misconception(
    "code-not-readable",
    "Your backward pass, or what it uses, cannot be read to its end: an expression in it is too"
    " long or too deeply nested, it runs a text as code, or stands in a cell that is no plain"
    " Python. So it cannot be seen that it is worked out by hand: write it in short, plain lines.",
)


def expect_by_hand(ways: Sequence[str]) -> None:
    """Fail where ways into autograd were taken.

    Args:
        ways: those found in the code (`autograd_use.autograd_in`), then those that were taken while
            a probe ran (`Student.watch`).

    Raises:
        Failure: there is one, or none of this can be told.
    """
    taken = [way for way in ways if way not in (UNREAD, Recording.ENDED)]
    # The first that is known by name is told.
    named = (way for way in taken if "._" not in way)
    expect(not taken, BY_HAND, way=next(named, "torch.autograd"))
    expect(Recording.ENDED not in ways, NOT_WATCHED)
    expect(UNREAD not in ways, NOT_READ)
