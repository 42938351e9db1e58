"""Rows of an image shared out over threads: the same bands, and so the same bytes, for any count.

Kernels are serial, release the GIL and work on rows ``[start, stop)``. Bands have a fixed height,
never one that follows from the number of threads, so nothing in a result can depend on it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count

_lock = threading.Lock()
_pools: dict[int, ThreadPoolExecutor] = {}
_limit: int | None = None


def default_threads() -> int:
    """How many cores this process may use, or as many of them as ``limit_threads`` left."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS or Windows
        cores = os.cpu_count() or 1
    return cores if _limit is None else min(cores, _limit)


def limit_threads(count: int | None) -> int | None:
    """Let this process use at most ``count`` cores, None: all it may; gives the limit before."""
    global _limit
    before, _limit = _limit, count
    return before


def run_bands(
    work: Callable[[int, int], object], height: int, *, band: int, threads: int | None = None
) -> None:
    """Call ``work(start, stop)`` for every band of ``band`` rows of ``height``, on ``threads``.

    Bands run in any order, some of them on the calling thread. An exception of a band is raised
    here, once no band runs any more.
    """
    bands = -(-height // band)
    helpers = min(threads or default_threads(), bands) - 1
    numbers = count()  # one shared counter: whoever is free takes the next band

    def share() -> None:
        while (number := next(numbers)) < bands:
            work(number * band, min((number + 1) * band, height))

    if helpers <= 0:
        share()
        return
    futures = [_pool(helpers).submit(share) for _ in range(helpers)]
    try:
        share()
    finally:
        for future in futures:
            future.cancel()  # one that never began has nothing left to do
        errors = [future.exception() for future in futures if not future.cancelled()]
    for error in errors:
        if error is not None:
            raise error


def _pool(helpers: int) -> ThreadPoolExecutor:
    with _lock:
        if helpers not in _pools:
            _pools[helpers] = ThreadPoolExecutor(helpers, thread_name_prefix="kadr-band")
        return _pools[helpers]
