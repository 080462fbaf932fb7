"""Reaches autograd by names that are put together when it runs, through `getattr` and `vars`.

The answer is right, the method is not manual: half of the points of the task at least are lost.
"""
# score: 90
# loses: LR_backward
# assignment: manual_backward

# cell: after LR
def backward(self, x, yhat, y):
    w, b = (each.detach().clone().requires_grad_() for each in (self.w, self.b))
    with torch.enable_grad():
        value = torch.nn.functional.binary_cross_entropy_with_logits(w.T @ x + b, y)
    getattr(value, "drawkcab"[::-1])()
    found = vars()
    self.grads = {name: found[name[1]].__getattribute__("gr" + "ad") for name in ("dw", "db")}


LR.backward = backward
