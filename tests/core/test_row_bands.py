"""Bands of rows in threads: each row once, in bands that do not depend on the thread count."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kadr.core.row_bands import default_threads, run_bands


@given(height=st.integers(0, 100), band=st.integers(1, 40), threads=st.none() | st.integers(1, 5))
@settings(deadline=None, max_examples=60)
def test_every_row_once_in_the_same_bands(height: int, band: int, threads: int | None) -> None:
    rows = np.zeros(height, np.int64)
    bands: list[tuple[int, int]] = []
    lock = threading.Lock()

    def record_band(start: int, stop: int) -> None:
        with lock:
            rows[start:stop] += 1
            bands.append((start, stop))

    run_bands(record_band, height, band=band, threads=threads)
    assert (rows == 1).all()
    assert sorted(bands) == [(start, min(start + band, height)) for start in range(0, height, band)]


@pytest.mark.parametrize("threads", [1, 3])
def test_an_exception_of_a_band_is_raised_here(threads: int) -> None:
    def fail_in_band_20(start: int, stop: int) -> None:
        if start == 20:
            raise ValueError("band 20")

    with pytest.raises(ValueError, match="band 20"):
        run_bands(fail_in_band_20, 50, band=10, threads=threads)
    starts: list[int] = []
    run_bands(lambda start, stop: starts.append(start), 50, band=10, threads=threads)
    assert sorted(starts) == [0, 10, 20, 30, 40]


def test_threads_really_run_at_once() -> None:
    barrier = threading.Barrier(3, timeout=10)  # breaks unless three bands run at the same time
    run_bands(lambda start, stop: barrier.wait(), 3, band=1, threads=3)


def test_one_thread_is_the_callers_own() -> None:
    thread_ids: list[int] = []
    run_bands(lambda a, b: thread_ids.append(threading.get_ident()), 9, band=3, threads=1)
    assert set(thread_ids) == {threading.get_ident()}


def test_there_is_at_least_one_thread() -> None:
    assert default_threads() >= 1
