"""Uses autograd in a thread of its own that has waited since before the check.

The traps are where autograd is, not where it is called: half of the points at least are lost.
"""
# score: 90
# loses: LR_backward
# assignment: manual_backward

# cell: after LR
import queue
import threading

tasks, results = queue.Queue(), queue.Queue()


def work():
    while True:
        w, b, x, y = tasks.get()
        w, b = w.detach().clone().requires_grad_(), b.detach().clone().requires_grad_()
        with torch.enable_grad():
            value = torch.nn.functional.binary_cross_entropy_with_logits(w.T @ x + b, y)
            getattr(value, "back" + "ward")()
        results.put({"dw": w.grad, "db": b.grad})


threading.Thread(target=work, daemon=True).start()


def backward(self, x, yhat, y):
    tasks.put((self.w, self.b, x, y))
    self.grads = results.get()


LR.backward = backward
