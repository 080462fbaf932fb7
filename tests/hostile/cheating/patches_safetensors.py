"""Replaces the packing of tensors: zeros, rubbish, pickles, cut off, without a header.

Only values travel: wrong ones fail, rubbish is refused, and nothing is unpickled.
"""
# score: 90
# loses: Standardize
# never: unpickled

# cell: before Standardize
import pickle

import safetensors.torch as packing


class Run:
    def __reduce__(self):
        return (print, ("un" "pickled",))


def pack(tensors):
    turn.append(1)
    return [
        lambda: save({name: torch.zeros_like(t) for name, t in tensors.items()}),
        lambda: b"\xff" * 100,
        lambda: pickle.dumps(Run()),
        lambda: save(tensors)[:-3],
        lambda: b"\x08" + bytes(7) + b'{"0":{}}',
    ][len(turn) % 5]()


turn, save = [0], packing.save
packing.save = pack

# cell: after test_Standardize
packing.save = save
