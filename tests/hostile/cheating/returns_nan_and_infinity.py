"""Returns NaN, infinity and minus zero, which compare in odd ways and poison sums.

They are not finite, and the report says so.
"""
# score: 80
# loses: count_parameters Standardize
# says: NaN or infinity

# cell: count_parameters
def count_parameters(module):
    return [float("nan"), float("inf"), -float("inf"), 1e400, -0.0][len(list(module.modules())) % 5]


# cell: Standardize
class Standardize(nn.Module):
    def __init__(self, mean, std):
        super().__init__()
        self.register_buffer("mean", mean * float("nan"))
        self.register_buffer("std", std / 0)

    def forward(self, x):
        return (x - self.mean) / self.std
