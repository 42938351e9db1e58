"""Run a function over bands of rows of an image in threads; the result is the same for any count.

Kernels are serial, release the GIL and process rows ``[start, stop)``. The height of a band is
fixed and never computed from the number of threads, so no result can depend on that number.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count

from kadr.core.stage_times import in_stages, open_stages

_lock = threading.Lock()
_pools: dict[int, ThreadPoolExecutor] = {}
_limit: int | None = None


def default_threads() -> int:
    """The number of cores that this process may use, at most the limit set by ``limit_threads``."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS or Windows
        cores = os.cpu_count() or 1
    return cores if _limit is None else min(cores, _limit)


def limit_threads(count: int | None) -> int | None:
    """Let this process use at most ``count`` cores (None: no limit); returns the previous limit."""
    global _limit
    previous, _limit = _limit, count
    return previous


def run_bands(
    function: Callable[[int, int], object], height: int, *, band: int, threads: int | None = None
) -> None:
    """Call ``function(start, stop)`` for every band of ``band`` rows of ``height``, in ``threads``.

    Bands run in any order, some of them on the calling thread. An exception in a band is raised
    here, after all running bands have ended.
    """
    band_count = -(-height // band)
    helper_count = min(threads or default_threads(), band_count) - 1
    band_numbers = count()  # one shared counter: a free thread takes the next band
    stages = open_stages()

    def run_free_bands() -> None:
        while (band_number := next(band_numbers)) < band_count:
            function(band_number * band, min((band_number + 1) * band, height))

    if helper_count <= 0:
        run_free_bands()
        return

    def help_with_bands() -> None:
        with in_stages(stages):
            run_free_bands()

    futures = [_pool(helper_count).submit(help_with_bands) for _ in range(helper_count)]
    try:
        run_free_bands()
    finally:
        for future in futures:
            future.cancel()  # a helper that has not started has no band to run
        errors = [future.exception() for future in futures if not future.cancelled()]
    for error in errors:
        if error is not None:
            raise error


def _pool(helper_count: int) -> ThreadPoolExecutor:
    with _lock:
        if helper_count not in _pools:
            _pools[helper_count] = ThreadPoolExecutor(helper_count, thread_name_prefix="kadr-band")
        return _pools[helper_count]
