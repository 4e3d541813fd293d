"""Memory that was freed and is still held."""

import ctypes


def give_back() -> None:
    """Give it to the system: a large document leaves holes in the C library's heaps that nothing fills soon."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # the GNU C library has it, others have no need
    if trim is not None:
        trim(0)
