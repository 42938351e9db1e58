"""Frames in, the times at which an output shows them out, counted from the first frame written."""

from __future__ import annotations

from fractions import Fraction

from kadr.core.frames import Frame
from kadr.video.base import DEFAULT_FRAME_RATE, Clip


class Timing:
    """Gives each frame its time.

    With frame_rate the frames follow one another steadily; without it they keep the times they have
    in ``like``, and without both they run at 24 a second. clock: the only step that the container
    knows (GIF: 1/100 s); frames that fall together on it are left out but for the first.
    """

    def __init__(
        self, like: Clip | None, frame_rate: Fraction | None, clock: Fraction | None = None
    ) -> None:
        if like is not None and _runs_at(like, frame_rate):
            frame_rate = None
        self._like = None if frame_rate is not None else like
        steady = frame_rate or DEFAULT_FRAME_RATE
        self.rate = self._like.info.frame_rate if self._like is not None else steady
        self._step = 1 / self.rate
        self.follows_like = self._like is not None
        """Whether frames keep the times they have in ``like``."""
        own = self._like.info.time_base if self._like is not None else self._step
        self.base = own if clock is None else clock
        self._clock = clock
        self._count = 0
        self._origin = Fraction(0)
        self._last: Fraction | None = None
        self.end = Fraction(0)
        """When the last frame given so far stops being shown."""
        self.reached_end = False
        """Whether the last frame given is the last of ``like``."""

    def refine(self, step: Fraction) -> None:
        """Make ``base`` at most ``step``, still a divisor of every time."""
        self.base /= max(1, -(-self.base // step))

    def peek(self, frame: Frame) -> Fraction:
        """The time of a frame in ``like``, or 0."""
        return self._time_in_like(frame) if self._like is not None else Fraction(0)

    def next(self, frame: Frame) -> Fraction | None:
        """Seconds from the first frame, or None when the clock is too coarse to show it."""
        time = self._time(frame)
        self._count += 1
        self.reached_end = self._like is not None and frame.index + 1 == len(self._like)
        self.end = time + self._shown_for(frame)
        if self._clock is not None:
            time = round(time / self._clock) * self._clock
            self.end = max(self.end, time + self._clock)
        if self._last is not None and time <= self._last:
            if self._clock is not None:
                return None
            raise ValueError(f"frame {frame.index} comes at {time} s, not after {self._last} s")
        self._last = time
        return time

    def _time(self, frame: Frame) -> Fraction:
        if self._like is None:
            return self._count * self._step
        time = self._time_in_like(frame)
        if self._count == 0:
            self._origin = time
        return time - self._origin

    def _time_in_like(self, frame: Frame) -> Fraction:
        assert self._like is not None
        times = self._like.times
        return times[frame.index] if frame.index < len(times) else frame.time

    def _shown_for(self, frame: Frame) -> Fraction:
        if self._like is None:
            return self._step
        times = self._like.times
        if frame.index + 1 < len(times):
            return times[frame.index + 1] - times[frame.index]
        if frame.index + 1 == len(times):
            return self._like.info.duration - times[-1]
        return self._step


def _runs_at(clip: Clip, frame_rate: Fraction | None) -> bool:
    return clip.info.frame_rate == frame_rate and not clip.info.variable_frame_rate
