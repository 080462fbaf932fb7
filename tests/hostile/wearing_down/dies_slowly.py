"""Has objects whose `__del__` never ends, at a function's end and at the process's.

The first is interrupted like any loop; the second is not waited for.
"""
# score: 100
# says: TimeLimit

# cell: before MLP
class Undying:
    def __del__(self):
        while True:
            pass


def leave():
    undying = Undying()


leave()

# cell: before MLP
undying = Undying()
