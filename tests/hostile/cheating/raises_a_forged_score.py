"""Raises exceptions that look like success: a score as message, a clean exit, a skipped test.

They are exceptions of student code, and fail the checks that meet them.
"""
# score: 68
# loses: MyLinear MLP
# says: Your code raised `?(Success|Skipped|Exit|SystemExit)

# cell: MyLinear
class Success(BaseException):
    returncode = code = 0


class Skipped(Success):
    pass


class Exit(Success):
    pass


class MyLinear(nn.Module):
    turn = 0

    def __init__(self, in_features, out_features, bias=True):
        super().__init__()
        MyLinear.turn += 1
        kinds = [Success, Skipped, Exit, SystemExit, GeneratorExit, StopIteration]
        raise kinds[MyLinear.turn % len(kinds)](30)


nn.MyLinear = MyLinear


# cell: MLP
class MLP(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        pairs = zip(sizes[:-1], sizes[1:])
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairs)

    def forward(self, x):
        for layer in self.layers[:-1]:
            x = torch.relu(layer(x))
        return self.layers[-1](x)
