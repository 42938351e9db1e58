"""Text of the command line in, values of the right types out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin, get_type_hints

from kadr.core.formatting import shorten
from kadr.core.frames import FrameRange
from kadr.core.locations import hide_secret
from kadr.core.parsing import expand_home, parse_frames
from kadr.errors import OptionsError

if TYPE_CHECKING:
    from kadr.video.clip_source import ClipSource


def parse_assignments(texts: Sequence[str], kind: type[Any], owner: str) -> dict[str, Any]:
    """``name=value`` texts as values of the fields of the options dataclass ``kind``."""
    hints = get_type_hints(kind)
    names = [item.name for item in fields(kind)]
    values: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        name = name.strip().replace("-", "_")
        dashed = name.replace("_", "-")
        if not equals:
            raise OptionsError(f"{owner}: option {shorten(repr(text))}: expected name=value")
        if name not in names:
            options = ", ".join(names).replace("_", "-")
            raise OptionsError(f"{owner}: no option {shorten(dashed)!r}; it has {options}")
        values[name] = parse_value(value, hints[name], f"{owner}: {dashed}")
    return values


def parse_named_values(texts: Sequence[str], kind: Any, option: str) -> dict[str, Any]:
    """``NAME=VALUE`` texts of a repeated option; each name once, its value of the type ``kind``."""
    values: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name or not value:
            raise OptionsError(f"{option} {shorten(repr(text))}: expected NAME=VALUE")
        if name in values:
            raise OptionsError(f"{option} {shorten(text)}: {name} is given twice; leave one out")
        values[name] = parse_value(value, kind, f"{option} {name}")
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
        return _parse_bool(text, name)
    if kind in (int, float):
        try:
            return kind(text)
        except ValueError as error:
            expected = "a whole number" if kind is int else "a number"
            raise OptionsError(f"{name} {shorten(repr(text))}: expected {expected}") from error
    return Path(expand_home(text)) if kind is Path else text


def parse_path(text: str) -> Path:
    """A path, with the home folder for ``~`` where the shell left it: in ``--keys=~/keys``."""
    return Path(parse_location(text))


def parse_location(text: str) -> str:
    """The path or URL of a clip; of a signed URL the signature stays out of all records."""
    return hide_secret(expand_home(text))


def _parse_bool(text: str, name: str) -> bool:
    words = {"true": True, "yes": True, "on": True, "1": True}
    words |= {"false": False, "no": False, "off": False, "0": False}
    if text.lower() not in words:
        raise OptionsError(f"{name} {shorten(repr(text))}: expected yes or no")
    return words[text.lower()]


def parse_part(text: str | None, source: ClipSource) -> FrameRange | None:
    """The frames FIRST:LAST of a clip, in its frame numbers; None: all of them.

    Raises OptionsError for frames that it does not have.
    """
    if text is None:
        return None
    with source.open() as clip:
        return parse_frames(text, clip)
