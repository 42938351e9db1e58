"""Parse frame rates, sizes in bytes, paths, and frame numbers or times that the user types.

Whatever the text is, it takes no longer than its length.
"""

from __future__ import annotations

import contextlib
import os
import re
from bisect import bisect_right
from collections.abc import Sequence
from fractions import Fraction
from typing import Protocol

from kadr.core.clock_times import format_clock_time, parse_clock_range
from kadr.core.formatting import shorten
from kadr.core.frames import FrameRange, Span
from kadr.errors import OptionsError


class FrameNumbering(Protocol):
    """The part of a clip that converts frame numbers to indices and back."""

    def __len__(self) -> int: ...

    def number(self, index: int) -> int:
        """The frame number that the user sees."""
        ...

    def index_of(self, number: int) -> int | None:
        """The index of frame ``number``, or None."""
        ...


class TimedFrames(FrameNumbering, Protocol):
    """A FrameNumbering that also tells when its frames are shown."""

    @property
    def times(self) -> Sequence[Fraction]:
        """Seconds from the first frame, increasing."""
        ...

    @property
    def info(self) -> HasDuration:
        """Facts of the clip."""
        ...


class HasDuration(Protocol):
    """The part of the facts of a clip that says how long it is."""

    @property
    def duration(self) -> Fraction:
        """Seconds, the last frame's own duration included."""
        ...


def parse_rate(text: str, name: str = "fps") -> Fraction:
    """Frames a second: ``25``, ``23.976`` or ``30000/1001``."""
    rate = Fraction(0)
    # an exponent may stand for a number that fills the memory
    if len(text) <= _MOST_CHARACTERS and "e" not in text.lower():
        with contextlib.suppress(ValueError, ZeroDivisionError):
            rate = Fraction(text)
    if not 0 < rate <= 1000:
        raise OptionsError(
            f"{name} {shorten(text)}: expected 0 to 1000, such as 25, 23.976 or 30000/1001"
        )
    return rate


def parse_bytes(text: str, name: str) -> int:
    """A size: ``500MB``, ``20 GB``, ``1.5GiB`` or plain bytes; units of 1000, or 1024 with an i."""
    match = _SIZE.fullmatch(text.strip()) if len(text) <= _MOST_CHARACTERS else None
    count = 0
    if match is not None:
        base = 1024 if match[3] else 1000
        count = round(Fraction(match[1]) * base ** _UNITS.index((match[2] or "").lower()))
    if match is None or count < 1:
        raise OptionsError(f"{name} {shorten(text)}: expected a size such as 500MB or 20GB")
    return count


_MOST_CHARACTERS = 40
"""A longer text is no number that anybody means."""

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(?:([kmgt])(i)?)?b?", re.IGNORECASE)
_UNITS = ["", "k", "m", "g", "t"]


def parse_frames(text: str, clip: TimedFrames) -> FrameRange:
    """``FIRST:LAST``, frame numbers or times, both inclusive, as a FrameRange of indices.

    A time stands for the frame that is shown then; see ``parse_clock_range`` for how it is written.
    Raises OptionsError for what the clip does not have.
    """
    first, last = ends = _frame_ends(text)
    if isinstance(first, int):
        start, end = (_index("frames", text, int(number), clip) for number in ends)
    else:
        start, end = (_index_at(text, Fraction(time), clip) for time in (first, last))
    return FrameRange(start, end + 1)


def check_frames(text: str) -> None:
    """Raise OptionsError for frames that no clip can have."""
    _frame_ends(text)


def _frame_ends(text: str) -> tuple[int, int] | tuple[Fraction, Fraction]:
    """Two frame numbers, or two times in seconds."""
    ends: tuple[int, int] | tuple[Fraction, Fraction]
    times = parse_clock_range(text)
    if times is not None:
        ends = times
    else:
        numbers = [parse_number(part) for part in text.split(":")]
        if len(numbers) != 2 or numbers[0] is None or numbers[1] is None:
            raise OptionsError(
                f"frames {shorten(text)}: expected FIRST:LAST, frame numbers from 0 on, or two "
                "times written alike, such as 0:02.5:0:08"
            )
        ends = numbers[0], numbers[1]
    if ends[0] > ends[1]:
        raise OptionsError(f"frames {text}: the first comes after the last; give FIRST:LAST")
    return ends


def parse_span(text: str, clip: FrameNumbering) -> Span:
    """``FIRST:KEY:LAST``, frame numbers, inclusive, as a Span of indices."""
    first, key, last = numbers = _numbers("range", text, "FIRST:KEY:LAST", 3)
    if not first <= key <= last:
        raise OptionsError(f"range {text}: the key must lie between first and last")
    first_index, key_index, last_index = (_index("range", text, number, clip) for number in numbers)
    return Span(key_index, first_index, last_index + 1)


def _numbers(name: str, text: str, form: str, count: int) -> list[int]:
    numbers = [parse_number(part) for part in text.split(":")]
    if len(numbers) != count or None in numbers:
        raise OptionsError(f"{name} {shorten(text)}: expected {form}, frame numbers from 0 on")
    return [number for number in numbers if number is not None]


def parse_number(text: str) -> int | None:
    """A frame number of decimal digits, with spaces around it; None for any other text."""
    digits = text.strip()
    return int(digits) if digits.isdecimal() and len(digits) <= _MOST_CHARACTERS else None


def expand_home(path: str) -> str:
    """A path with ``~`` or ``~user`` at its start replaced, as shells do where they see it."""
    return os.path.expanduser(path) if path.startswith("~") else path  # noqa: PTH111


def _index(name: str, text: str, number: int, clip: FrameNumbering) -> int:
    index = clip.index_of(number)
    if index is None:
        raise OptionsError(
            f"{name} {text}: the clip has no frame {number}; its frames are "
            f"{clip.number(0)} to {clip.number(len(clip) - 1)}"
        )
    return index


def _index_at(text: str, time: Fraction, clip: TimedFrames) -> int:
    """The index of the frame that is shown at a time; at the very end it is the last."""
    end = clip.info.duration
    if time > end:
        raise OptionsError(
            f"frames {text}: {format_clock_time(time)} is after the end of the clip, which lasts "
            f"{format_clock_time(end)}; give earlier times"
        )
    return max(0, bisect_right(clip.times, time) - 1)
