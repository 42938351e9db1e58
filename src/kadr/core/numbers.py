"""Text with the numbers that people know frames by in, frame indices out; rates and sizes too."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Protocol

from kadr.core.frames import FrameRange, Span
from kadr.errors import OptionsError


class Numbered(Protocol):
    """What is asked of a clip here."""

    def __len__(self) -> int: ...

    def number(self, index: int) -> int:
        """The number that people know the frame by."""
        ...

    def index_of(self, number: int) -> int | None:
        """The index of the frame called ``number``, or None."""
        ...


def parse_rate(text: str, name: str = "fps") -> Fraction:
    """Frames a second: ``25``, ``23.976`` or ``30000/1001``."""
    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if not 0 < rate <= 1000:
        raise OptionsError(f"{name} {text}: expected 0 to 1000, such as 25, 23.976 or 30000/1001")
    return rate


def parse_bytes(text: str, name: str) -> int:
    """A size: ``500MB``, ``20 GB``, ``1.5GiB`` or plain bytes; units of 1000, or 1024 with an i."""
    found = _SIZE.fullmatch(text.strip())
    count = 0
    if found is not None:
        base = 1024 if found[3] else 1000
        count = round(Fraction(found[1]) * base ** _UNITS.index((found[2] or "").lower()))
    if found is None or count < 1:
        raise OptionsError(f"{name} {text}: expected a size such as 500MB or 20GB")
    return count


_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(?:([kmgt])(i)?)?b?", re.IGNORECASE)
_UNITS = ["", "k", "m", "g", "t"]


def parse_frames(text: str, clip: Numbered) -> FrameRange:
    """``FIRST:LAST``, both inclusive and by their numbers, as a FrameRange of indices."""
    first, last = _numbers("frames", text, "FIRST:LAST", 2)
    if first > last:
        raise OptionsError(f"frames {text}: the first comes after the last; give FIRST:LAST")
    return FrameRange(_index("frames", text, first, clip), _index("frames", text, last, clip) + 1)


def parse_span(text: str, clip: Numbered) -> Span:
    """``FIRST:KEY:LAST``, inclusive and by their numbers, as a Span of indices."""
    first, key, last = numbers = _numbers("range", text, "FIRST:KEY:LAST", 3)
    if not first <= key <= last:
        raise OptionsError(f"range {text}: the key must lie between first and last")
    start, at, end = (_index("range", text, number, clip) for number in numbers)
    return Span(at, start, end + 1)


def _numbers(name: str, text: str, form: str, count: int) -> list[int]:
    parts = text.split(":")
    if len(parts) != count or not all(part.strip().isdecimal() for part in parts):
        raise OptionsError(f"{name} {text}: expected {form}, frame numbers from 0 on")
    return [int(part) for part in parts]


def _index(name: str, text: str, number: int, clip: Numbered) -> int:
    index = clip.index_of(number)
    if index is None:
        raise OptionsError(
            f"{name} {text}: the clip has no frame {number}; its frames are "
            f"{clip.number(0)} to {clip.number(len(clip) - 1)}"
        )
    return index
