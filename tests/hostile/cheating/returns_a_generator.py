"""Returns generators, coroutines and iterators without an end, and dictionaries that grow.

What cannot be sent as plain values is sent as the name of its type.
"""
# score: 80
# loses: parameter_names count_parameters
# says: stopped after|MemoryError

# cell: parameter_names
class Endless(list):
    def __iter__(self):
        while True:
            yield "weight"


def parameter_names(module):
    while True:
        yield "weight"


# cell: count_parameters
class Growing(dict):
    def __iter__(self):
        self[len(self)] = Growing()
        return super().__iter__()


async def count_parameters(module):
    return 5


# cell: before Standardize
_ = [parameter_names(example)]
