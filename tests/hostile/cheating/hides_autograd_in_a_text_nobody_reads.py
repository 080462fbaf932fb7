"""Runs autograd in a process of its own, from a text that comes about only as it runs.

Neither reading nor watching finds it; what cannot be read is not taken for clean: half of the points
of the task are lost, and the report says why. It is far too slow to train with.
"""
# score: 90
# loses: LR_backward
# says: cannot be read to its end
# assignment: manual_backward

# cell: after LR
import base64
import os
import pickle

text = base64.b64encode("".join([
    'w, b = self.w.detach().clone().requires_grad_(), self.b.detach().clone().requires_grad_()\n',
    'read, write = os.pipe()\n',
    'if os.fork() == 0:\n',
    '    value = torch.nn.functional.binary_cross_entropy_with_logits(w.T @ x + b, y)\n',
    '    slopes = torch.autograd.grad(value, (w, b))\n',
    '    os.write(write, pickle.dumps([each.tolist() for each in slopes]))\n',
    '    os._exit(0)\n',
    'dw, db = pickle.loads(os.read(read, 10**6))\n',
    'self.grads = {"dw": torch.tensor(dw), "db": torch.tensor(db)}\n',
]).encode())


def backward(self, x, yhat, y):
    exec(base64.b64decode(text), {**globals(), "self": self, "x": x, "y": y})


LR.backward = backward

# cell: before model
train = lambda *ignored: []
