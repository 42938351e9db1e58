"""Steps share the wall-clock time of their tasks, and no step counts time of another."""

from __future__ import annotations

import pytest

from kadr.render import renderer
from kadr.render.renderer import StepClock


class _Time:
    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock_time(monkeypatch: pytest.MonkeyPatch) -> _Time:
    fake = _Time()
    monkeypatch.setattr(renderer, "time", fake)
    return fake


def test_one_process_that_waits_for_its_reader(clock_time: _Time) -> None:
    clock = StepClock()
    clock.start()
    clock.add("propagate", 6.0)
    clock.add("blend", 1.0)
    clock_time.now = 20.0  # the reader wrote frames for 13 seconds
    clock.stop()
    assert clock.seconds("propagate") == 6.0
    assert clock.seconds("blend") == 1.0


def test_two_processes_at_a_time(clock_time: _Time) -> None:
    clock = StepClock()
    clock.start()
    clock_time.now = 10.0
    clock.add("propagate", 15.0)
    clock.add("blend", 5.0)
    assert clock.seconds("propagate") == pytest.approx(7.5), "while tasks run"
    clock.stop()
    clock_time.now = 99.0
    assert clock.seconds("propagate") == pytest.approx(7.5)
    assert clock.seconds("blend") == pytest.approx(2.5)
    assert clock.seconds("refine") == 0.0


def test_nothing_computed_takes_no_time() -> None:
    assert StepClock().seconds("propagate") == 0.0
