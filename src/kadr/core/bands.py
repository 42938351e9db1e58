"""Rows of an image shared out over threads: the same bands, and so the same bytes, for any count.

Kernels are serial, release the GIL and work on rows ``[start, stop)``. Bands have a fixed height,
never one that follows from the number of threads, so nothing in a result can depend on it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

_lock = threading.Lock()
_pools: dict[int, ThreadPoolExecutor] = {}


def default_threads() -> int:
    """How many cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS or Windows
        return os.cpu_count() or 1


def run_bands(
    work: Callable[[int, int], object], height: int, *, band: int, threads: int | None = None
) -> None:
    """Call ``work(start, stop)`` for every band of ``band`` rows of ``height``, on ``threads``.

    Bands run in any order. An exception of a band is raised here.
    """
    starts = range(0, height, band)
    count = min(threads or default_threads(), len(starts))
    if count <= 1:
        for start in starts:
            work(start, min(start + band, height))
        return
    list(_pool(count).map(lambda start: work(start, min(start + band, height)), starts))


def _pool(threads: int) -> ThreadPoolExecutor:
    with _lock:
        if threads not in _pools:
            _pools[threads] = ThreadPoolExecutor(threads, thread_name_prefix="kadr-band")
        return _pools[threads]
