"""Seconds of a core by stage, counted with a clock that only ``work`` moves."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from kadr.core import stage_times
from kadr.core.prefetch import prefetch
from kadr.core.row_bands import run_bands
from kadr.core.stage_times import MAIN, OTHER, StageTimes, add_times, stage, take_times, timed


class _Clock:
    """Seconds that each thread, and all of them, worked."""

    def __init__(self) -> None:
        self._thread, self._lock, self._all = threading.local(), threading.Lock(), 0.0

    def work(self, seconds: float = 1.0) -> None:
        with self._lock:
            self._all += seconds
        self._thread.seconds = self.thread() + seconds

    def thread(self) -> float:
        seconds: float = getattr(self._thread, "seconds", 0.0)
        return seconds

    def process(self) -> float:
        return self._all


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[_Clock]:
    clock = _Clock()
    monkeypatch.setattr(stage_times, "_clock", clock.thread)
    monkeypatch.setattr(stage_times, "_process_clock", clock.process)
    take_times()
    yield clock
    monkeypatch.undo()
    take_times()


def _positive(times: StageTimes) -> StageTimes:
    return {key: seconds for key, seconds in times.items() if seconds}


def test_only_the_innermost_stage_counts(clock: _Clock) -> None:
    clock.work(10)
    with stage("propagate"):
        clock.work(1)
        with stage("synthesis"):
            clock.work(2)
            with stage("search"):
                clock.work(4)
            clock.work(2)
        with stage("search"):
            clock.work(4)
    assert _positive(take_times()) == {
        ("propagate", ""): 1,
        ("propagate", "synthesis"): 4,
        ("propagate", "search"): 8,
        (OTHER, MAIN): 10,
    }
    assert _positive(take_times()) == {}, "taken once"


def test_threads_of_bands_count_for_the_stage_that_started_them(clock: _Clock) -> None:
    barrier = threading.Barrier(3, timeout=10)  # each thread takes one band

    def band(start: int, stop: int) -> None:
        barrier.wait()
        clock.work(2)

    with stage("blend"), stage("mix"):
        run_bands(band, 3, band=1, threads=3)
    assert _positive(take_times()) == {("blend", "mix"): 6}


def test_a_thread_that_reads_ahead_counts_for_the_step_that_reads(clock: _Clock) -> None:
    def frames() -> Iterator[int]:
        for index in range(3):
            clock.work(1)
            yield index

    with stage("propagate"):
        for _ in prefetch(timed("decode", frames())):
            clock.work(5)
    assert _positive(take_times()) == {("propagate", "decode"): 3, ("propagate", ""): 15}


def test_an_open_stage_is_taken_from_the_rest_later(clock: _Clock) -> None:
    total: StageTimes = {}
    with stage("plan"):
        clock.work(3)
        add_times(total, take_times())
        assert total == {(OTHER, MAIN): 3}
        clock.work(1)
    add_times(total, take_times())
    assert total == {("plan", ""): 4, (OTHER, MAIN): 0}


def test_a_stage_that_another_thread_closes_does_not_stay_open(clock: _Clock) -> None:
    def steps() -> Iterator[None]:
        with stage("plan"):
            yield

    generator = steps()
    next(generator)
    thread = threading.Thread(target=generator.close)  # type: ignore[attr-defined]
    thread.start()
    thread.join()
    with stage("blend"):
        clock.work(1)
    assert take_times()["blend", ""] == 1


def test_an_exception_ends_a_stage(clock: _Clock) -> None:
    def fail() -> None:
        with stage("plan"):
            clock.work(1)
            raise ValueError("wrong")

    with pytest.raises(ValueError, match="wrong"):
        fail()
    clock.work(2)
    assert _positive(take_times()) == {("plan", ""): 1, (OTHER, MAIN): 2}
