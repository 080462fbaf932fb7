"""Returns tensors of types that few have met: complex, quantized, sparse, float8, meta, nested.

Each is a wrong value, and no trouble for the grader.
"""
# score: 85
# loses: Standardize

# cell: Standardize
import warnings

import numpy

warnings.simplefilter("ignore")


class Standardize(nn.Module):
    def __init__(self, mean, std):
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)
        self.turn = 0

    def forward(self, x):
        self.turn += 1
        z = torch.zeros(x.shape)
        return [
            lambda: z.to(torch.complex64),
            lambda: z.to(torch.float8_e4m3fn),
            lambda: z.to_sparse(),
            lambda: z.to("meta"),
            lambda: torch.nested.nested_tensor([z, z]),
            lambda: torch.quantize_per_tensor(z, 0.1, 0, torch.qint8),
            lambda: numpy.array([object()]),
            lambda: numpy.zeros(3, dtype="M8[s]"),
            lambda: z.to(torch.uint16),
            lambda: z.bool(),
        ][self.turn % 10]()
