"""Text of the command line in, checked values out; numbers are those that people know frames by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from fractions import Fraction
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Protocol, Union, get_args, get_origin, get_type_hints

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


def parse_assignments(given: Sequence[str], kind: type[Any], owner: str) -> dict[str, Any]:
    """``name=value`` texts as values of the fields of the options dataclass ``kind``."""
    hints = get_type_hints(kind)
    known = [item.name for item in fields(kind)]
    values: dict[str, Any] = {}
    for text in given:
        name, equals, value = text.partition("=")
        name = name.strip().replace("-", "_")
        if not equals:
            raise OptionsError(f"{owner}: option {text!r}: expected name=value")
        if name not in known:
            raise OptionsError(f"{owner}: no option {name!r}; it has {', '.join(known)}")
        values[name] = parse_value(value, hints[name], f"{owner}: {name}")
    return values


def parse_value(text: str, kind: Any, name: str) -> Any:
    """``text`` as a value of the type ``kind``; ``none`` where the type allows it."""
    if get_origin(kind) in (Union, UnionType):
        if text.lower() == "none" and NoneType in get_args(kind):
            return None
        kind = next(part for part in get_args(kind) if part is not NoneType)
    if get_origin(kind) is tuple:
        inner = get_args(kind)[0]
        return tuple(parse_value(part, inner, name) for part in text.split(","))
    if kind is bool:
        return _truth(text, name)
    if kind in (int, float):
        try:
            return kind(text)
        except ValueError as error:
            expected = "a whole number" if kind is int else "a number"
            raise OptionsError(f"{name} {text!r}: expected {expected}") from error
    return Path(text) if kind is Path else text


def _truth(text: str, name: str) -> bool:
    words = {"true": True, "yes": True, "on": True, "1": True}
    words |= {"false": False, "no": False, "off": False, "0": False}
    if text.lower() not in words:
        raise OptionsError(f"{name} {text!r}: expected yes or no")
    return words[text.lower()]
