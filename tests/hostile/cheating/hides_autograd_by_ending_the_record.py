"""Ends the record that watches, then uses autograd.

That it was ended is seen, and told as such: half of the points of the task at least are lost.
"""
# score: 90
# loses: LR_backward
# says: Your code ends that record
# never: Your <code>backward</code> uses autograd
# assignment: manual_backward

# cell: after LR
honest = LR.backward
tools = {
    "end": torch._C._autograd._disable_profiler,
    "run": getattr(torch.autograd.Variable._execution_engine, "run_" + "backward"),
}


def backward(self, x, yhat, y):
    tools["end"]()
    w, b = (each.detach().clone().requires_grad_() for each in (self.w, self.b))
    value = torch.nn.functional.binary_cross_entropy_with_logits(w.T @ x + b, y)
    ones = torch.ones_like(value)
    dw, db = tools["run"]((value,), (ones,), False, False, (w, b), True, accumulate_grad=False)
    self.grads = {"dw": dw, "db": db}


LR.backward = backward

# cell: before model
LR.backward = honest
