"""Has weights of zeros that cannot be overwritten, and a forward that returns zeros: 0 = x @ 0 + 0.

The check computes with the numbers that it wanted in the layer where the layer's own say nothing.
"""
# score: 89
# loses: MyLinear

# cell: MyLinear
class MyLinear(nn.Module):
    def __init__(self, in_features, out_features, bias=True):
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.weights = nn.Parameter(torch.zeros(1).expand(in_features, out_features))
        self.bias = nn.Parameter(torch.zeros(1).expand(out_features)) if bias else None

    def forward(self, x):
        return torch.zeros(*x.shape[:-1], self.out_features)


# cell: before parameter_names
del MyLinear
