"""Settings of the allocator, and of Python's search for garbage, that a network on a CPU wants.

glibc gives large blocks back to the kernel as soon as they are free and faults them in again,
page by page, a moment later. A denoiser allocates the same few megabytes over and over, so
glibc is told to keep them: a call of the embedded prior goes from 1100 page faults to none.

Torch and what comes with it leave half a million objects that live as long as the process.
Python looks through them for garbage again and again while they are made, and once more at its
end.
"""

import atexit
import ctypes
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# From glibc's malloc.h: the number of each setting, and the bytes we set it to.
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
KEPT = {M_MMAP_THRESHOLD: 1 << 30, M_TRIM_THRESHOLD: 1 << 30, M_TOP_PAD: 64 << 20}


def keep_memory() -> bool:
    """Let glibc keep freed memory; False where there is no glibc, such as on macOS."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return all(mallopt(setting, size) == 1 for setting, size in KEPT.items())


@contextmanager
def loading() -> Iterator[None]:
    """Import what is heavy in here: what it leaves is not looked through, then or later.

    Saves 0.3 s of torch's import; does nothing where torch is there already.
    """
    if "torch" in sys.modules:
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def end_quickly() -> None:
    """At its end, let the process not search for garbage, which takes half a second."""
    atexit.register(gc.freeze)
