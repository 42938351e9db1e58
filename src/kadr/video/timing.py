"""Compute the time at which an output shows each frame, from the first written frame on."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from kadr.core.frames import Frame
from kadr.video.base import DEFAULT_FRAME_RATE, Clip
from kadr.video.sparse_clip import whole_clip


class Timing:
    """Assigns a time to each frame.

    With frame_rate the rate is constant; without it frames keep the times that they have in
    ``like``; without both the rate is 24 a second. clock: the step of a coarse container clock in
    seconds (GIF: 1/100); times are rounded to it. shortest: seconds that a frame is shown at least,
    a multiple of the clock, one step by default; a frame that would have to wait more than a step
    for it is left out.
    """

    def __init__(
        self,
        like: Clip | None,
        frame_rate: Fraction | None,
        clock: Fraction | None = None,
        shortest: Fraction | None = None,
    ) -> None:
        self.rate_is_assumed = frame_rate is None and (like is None or like.info.rate_is_assumed)
        """Whether nothing tells the rate, so that the default is used."""
        if like is not None and _has_rate(like, frame_rate):
            frame_rate = None
        self._like = None if frame_rate is not None else like
        constant_rate = frame_rate or DEFAULT_FRAME_RATE
        self.rate = self._like.info.frame_rate if self._like is not None else constant_rate
        self._step = 1 / self.rate
        self.follows_like = self._like is not None
        """Whether frames keep the times that they have in ``like``."""
        base = self._like.info.time_base if self._like is not None else self._step
        self.base = base if clock is None else clock
        self._clock = clock
        self._shortest = shortest or clock
        self._count = 0
        self._origin = Fraction(0)
        self._last: Fraction | None = None
        self.end = Fraction(0)
        """The time at which the last frame so far ends."""
        self.reached_end = False
        """Whether the last frame so far is the last of the whole file that ``like`` reads."""

    def refine(self, step: Fraction) -> None:
        """Make ``base`` at most ``step``; every time stays a multiple of it."""
        self.base /= max(1, -(-self.base // step))

    def peek(self, frame: Frame) -> Fraction:
        """The time of a frame in ``like``, or 0."""
        return self._time_in_like(frame) if self._like is not None else Fraction(0)

    def next(self, frame: Frame) -> Fraction | None:
        """Seconds from the first frame, or None if the clock is too coarse to show the frame."""
        time = self._time(frame)
        self._count += 1
        self.reached_end = self._is_last(frame)
        self.end = time + self._duration(frame)
        if self._clock is not None and self._shortest is not None:
            exact, time = time, round(time / self._clock) * self._clock
            if self._last is not None:
                time = max(time, self._last + self._shortest)
            if time - exact > self._clock:
                return None
            self.end = max(self.end, time + self._shortest)
        if self._last is not None and time <= self._last:
            raise ValueError(f"frame {frame.index} is at {time} s, expected after {self._last} s")
        self._last = time
        return time

    def _is_last(self, frame: Frame) -> bool:
        """Whether nothing of the clip, and so of its sound, follows a frame.

        A clip that ends early goes on in its file.
        """
        like = self._like
        if like is None or frame.index + 1 != len(like):
            return False
        whole = whole_clip(like).info
        is_cut = whole.truncated or (whole.size_change is not None and not whole.resized)
        return not is_cut and like.info.duration == whole.duration

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

    def _duration(self, frame: Frame) -> Fraction:
        if self._like is None:
            return self._step
        times = self._like.times
        if frame.index + 1 < len(times):
            return times[frame.index + 1] - times[frame.index]
        if frame.index + 1 == len(times):
            return self._like.info.duration - times[-1]
        return self._step


def _has_rate(clip: Clip, frame_rate: Fraction | None) -> bool:
    return clip.info.frame_rate == frame_rate and not clip.info.variable_frame_rate


def rate_notices(path: Path, timing: Timing) -> list[str]:
    """What to tell people about an output whose rate nothing told."""
    if not timing.rate_is_assumed:
        return []
    return [
        f"{path}: is written at {timing.rate} frames a second and without sound, images tell "
        "neither; give the rate as --fps, or the clip they are from (encode: --like)"
    ]
