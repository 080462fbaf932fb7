"""Returns objects whose `__repr__`, `__str__`, `__iter__` and `__len__` exit, hang or write HTML.

Nothing of an object is asked for but its type, whose name is quoted as text.
"""
# score: 80
# loses: parameter_names count_parameters
# never: <b>full marks

# cell: parameter_names
import os


class Odd:
    def __repr__(self):
        os._exit(0)

    __str__ = __format__ = __iter__ = __len__ = __bool__ = __hash__ = __repr__


Odd.__name__ = "<b>full " "marks</b>"


def parameter_names(module):
    return Odd()


# cell: count_parameters
class Angry(Exception):
    def __str__(self):
        raise KeyboardInterrupt

    __repr__ = __str__


def count_parameters(module):
    raise Angry
