"""Returns tensors that are enormous, or that pretend to be: terabytes that share one number.

They are refused by their size, or are too large for the kernel's own memory.
"""
# score: 85
# loses: Standardize

# cell: Standardize
class Standardize(nn.Module):
    def __init__(self, mean, std):
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)
        self.turn = 0

    def forward(self, x):
        self.turn += 1
        return [
            torch.zeros(1).expand(10**12),
            torch.zeros(3 * 10**7),
            torch.zeros(0, 2**40),
            torch.zeros(1).expand(2**62, 1)[:0],
            torch.zeros([1] * 60),
        ][self.turn % 5]
