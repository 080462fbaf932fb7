"""How a process that lives long keeps no more memory than it needs."""

import ctypes

#: glibc's number of the option, and from how many bytes on a piece of memory is a large one.
_M_MMAP_THRESHOLD = -3
_LARGE = 2**20


def give_back_large_pieces() -> None:
    """Have large pieces of memory go back to the system when they are freed; for this process.

    glibc maps them on their own, and does not: once one of up to 32 MiB has been freed, all smaller
    ones come from its heap, which shrinks from its end alone. So each large submission would leave
    about its size behind. Another C library is left as it is. Source: mallopt(3).
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGE)
