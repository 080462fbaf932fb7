"""Has attributes that are something else at every look: right when checked, wrong when used.

A probe's answer is one message, of one moment; what it holds no longer changes.
"""
# score: 70
# loses: MyLinear

# cell: MyLinear
import threading
import time


class MyLinear(nn.Module):
    looks = 0

    def __init__(self, in_features, out_features, bias=True):
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.shared = torch.zeros(in_features, out_features)
        threading.Thread(target=self.change, daemon=True).start()

    def change(self):
        for _ in range(500):
            self.shared.normal_()
            self.shared.resize_(torch.randint(1, 9, ()).item(), 3)
            time.sleep(0.001)

    @property
    def weights(self):
        MyLinear.looks += 1
        if MyLinear.looks % 2:
            return nn.Parameter(self.shared)
        return "nothing"

    @property
    def bias(self):
        MyLinear.looks += 1
        return "nothing" if MyLinear.looks % 3 else nn.Parameter(torch.ones(self.out_features))

    def forward(self, x):
        return self.shared.detach()
