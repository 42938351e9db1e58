"""Progress of a step in, its speed and the time left out; compiling time does not count."""

from __future__ import annotations

import time
from collections import deque

from kadr.core.events import Event

_MIN_UNITS = 3
"""Units that must be done before a speed is known."""
_WINDOW = 30.0
"""Seconds that a speed is measured over, if enough units were done in them."""


class StepTimer:
    """Measures one step, in units such as frames."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, float]] = deque()
        self._index = 0
        self._waits_for_unit = False

    def update(self, event: Event) -> None:
        """Take the newest event of the step."""
        if self._waits_for_unit and event.index <= self._index:
            return
        self._waits_for_unit, self._index = False, event.index
        samples = self._samples
        samples.append((time.monotonic(), event.index + event.share))
        while len(samples) > 2:
            moment, done = samples[1]
            if samples[-1][0] - moment < _WINDOW or samples[-1][1] - done < _MIN_UNITS:
                break
            samples.popleft()

    def restart(self) -> None:
        """Measure again from the moment when the next unit is done."""
        self._samples.clear()
        self._waits_for_unit = True

    @property
    def speed(self) -> float | None:
        """Units per second, None while it is not known."""
        if not self._samples:
            return None
        (first_moment, first), (moment, done) = self._samples[0], self._samples[-1]
        if done - first < _MIN_UNITS or moment <= first_moment:
            return None
        return (done - first) / (moment - first_moment)

    def seconds_left(self, total: int | None) -> float | None:
        """The time that the step still takes, None while it is not known."""
        speed = self.speed
        if speed is None or total is None:
            return None
        return max(0.0, total - self._samples[-1][1]) / speed


class StepTimers:
    """A timer for each step, by its name."""

    def __init__(self) -> None:
        self._timers: dict[str, StepTimer] = {}
        self._restarted = False

    def update(self, event: Event) -> StepTimer:
        """Give an event to the timer of its step, and return this timer."""
        timer = self._timers.get(event.step)
        if timer is None:
            timer = self._timers[event.step] = StepTimer()
            if self._restarted:  # the step may wait for compiling as well
                timer.restart()
        timer.update(event)
        return timer

    def restart(self) -> None:
        """Restart the timers of all steps, also of later ones: compiling begins."""
        self._restarted = True
        for timer in self._timers.values():
            timer.restart()
