"""What random numbers look like: from which distribution a start seems to be drawn."""

from torch import Tensor


def looks(numbers: Tensor) -> str:
    """What a tensor of numbers is like, in a word or two.

    The bounds are six standard errors: those of the mean, n^-1/2, and of the standard deviation,
    (2n)^-1/2. One right start in 10^9 fails; that seed's grade would still repeat. The kurtosis is
    3 of a normal and 1.8 of a uniform distribution, with a standard error of (24/n)^1/2 at most:
    2.3 and 4.5 are more than four of them away.
    """
    values = numbers.double().flatten()
    n, head = len(values), values[:5000]
    if n < 20 and values.any():
        return "normal"  # too few to tell by; that they are few is another test's matter
    mean, std = float(values.mean()), float(values.std())
    if std < 1e-6 or n < 20:
        return "constant"
    kurtosis = float(((values - mean) ** 4).mean()) / std**4
    if len(head.unique()) < len(head) / 2:
        return "repeated"
    centred = abs(mean) < 6 * std / n**0.5
    if centred and abs(std - 1) < 6 / (2 * n) ** 0.5 and (kurtosis > 2.3 or n < 500):
        return "normal"
    if values.min() >= 0 and values.max() <= 1 and kurtosis < 2.3:
        return "uniform"
    if centred and kurtosis < 4.5:
        return "uniform around 0" if kurtosis < 2.3 else "scaled"
    return "other"
