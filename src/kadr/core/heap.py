"""Memory that the C library holds back after it was freed; glibc only, elsewhere nothing is done.

Arrays below 32 MiB come from glibc's heaps, one for each few threads. What is freed there stays
with the process: after a step with large frames that can be as much again as is in use.
"""

from __future__ import annotations

import ctypes
import sys

_ARENA_MAX = -8
"""M_ARENA_MAX of mallopt(3)."""
_ARENAS = 2


def limit_arenas() -> None:
    """Let the threads of this process share two heaps; call it before they are started."""
    if (libc := _glibc()) is not None:
        libc.mallopt(_ARENA_MAX, _ARENAS)


def release_free_heap() -> None:
    """Give what is free in the heaps back to the system; takes some milliseconds."""
    if (libc := _glibc()) is not None:
        libc.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "mallopt") and hasattr(libc, "malloc_trim") else None
