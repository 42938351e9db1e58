"""Option fields in, the sections and entries that a project file may hold out."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, fields
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from kadr.core.formatting import shorten
from kadr.core.locations import refuse_secrets
from kadr.core.parsing import expand_home, parse_bytes
from kadr.errors import OptionsError
from kadr.option_fields import option_help, option_range
from kadr.options import PropagateOptions, RunOptions
from kadr.stylize.ranges import range_options


@dataclass(frozen=True)
class Entry:
    """One line of a project file.

    name: as written there. kind: the type of its value. help: a line for people.
    default: shown where nothing is set; None for none. field: its field of RunOptions or
    PropagateOptions, "" for an entry that the project itself turns into an option. unit: "bytes"
    for a size that may be written with a unit, "path" for a text that is a path.
    """

    name: str
    kind: Any
    help: str
    default: Any = None
    field: str = ""
    unit: str = ""


def run_fields() -> tuple[str, ...]:
    """The fields of RunOptions that a project file holds as they are."""
    return tuple(item.name for item in fields(RunOptions) if _is_held(item))


def _is_held(item: Field[Any]) -> bool:
    return bool(item.metadata.get("section")) and not item.metadata.get("entry")


def sections() -> dict[str, tuple[Entry, ...]]:
    """Every section of a project file with its entries in order, without those of the stylizer."""
    entries = {
        "clip": [
            _project_entry("clip", str, unit="path"),
            Entry("sha256", str, ""),
            Entry("size", int, "in bytes; sha256 and size find the clip when it was moved"),
            _project_entry("frames", str, "FIRST:LAST"),
            _project_entry("frame_rate", float | str, 24),
        ],
        "keys": [
            _project_entry("keys", str, unit="path"),
            _project_entry("ranges", list[str], ["FIRST:KEY:LAST"]),
        ],
        "stylizer": [_project_entry("stylizer", str)],
        "picture": [
            Entry("detail", str, "high, medium, low or draft: trades time for quality"),
        ],
        "guides": [],
        "mask": [],
        "output": [_project_entry("output", str, unit="path")],
        "run": [],
    }
    for kind in (PropagateOptions, RunOptions):
        hints = get_type_hints(kind)
        for item in fields(kind):
            if _is_held(item):
                entries[item.metadata["section"]].append(_entry(item, hints[item.name]))
    return {section: tuple(listed) for section, listed in entries.items()}


def stylizer_entries(kind: type[Any]) -> tuple[Entry, ...]:
    """The entries for the fields of a stylizer's options dataclass."""
    hints = get_type_hints(kind)
    return tuple(_entry(item, hints[item.name]) for item in fields(kind))


RANGE = "range"
"""The name of the sections in [stylizer] that give other values to some frames."""

RANGE_ENTRIES = (
    Entry("frames", str, "the frames of the range, FIRST:LAST, both included"),
    Entry("shot", int, "or a shot, by its number as kadr plan shows it"),
)
"""Which frames a range is for."""


def range_entries(kind: type[Any]) -> tuple[Entry, ...]:
    """The entries of a range for the fields of a stylizer's options dataclass."""
    names = range_options(kind)
    return tuple(entry for entry in stylizer_entries(kind) if entry.field in names)


def _project_entry(field: str, kind: Any, default: Any = None, unit: str = "") -> Entry:
    """An entry that the project itself turns into a field of RunOptions."""
    name = RunOptions.__dataclass_fields__[field].metadata["entry"]
    return Entry(name, kind, option_help(RunOptions, field), default, unit=unit)


def _entry(item: Field[Any], hint: Any) -> Entry:
    notes = [option_range(item), item.metadata.get("unset", "")]
    if notes[1]:
        notes[1] = f"default: {notes[1]}"
    name, default = item.name.replace("_", "-"), item.default
    unit = item.metadata.get("unit", "")
    if unit == "bytes":
        hint, default, notes[0] = int | str, "20GB", ""
    suffix = "; ".join(note for note in notes if note)
    text = str(item.metadata.get("help", "")) + (f" ({suffix})" if suffix else "")
    return Entry(name, hint, text, None if default is MISSING else default, item.name, unit)


def checked_value(entry: Entry, value: Any) -> Any:
    """A value from a file as the entry's type. Raises OptionsError that says what was expected."""
    kinds = [entry.kind]
    if get_origin(entry.kind) in (Union, UnionType):
        kinds = [kind for kind in get_args(entry.kind) if kind is not NoneType]
    for kind in kinds:
        checked = _as_kind(kind, value)
        if checked is not None and entry.unit == "bytes":
            return parse_bytes(str(checked), entry.name)
        if checked is not None and (entry.unit == "path" or kind is Path):
            refuse_secrets(entry.name, checked)
        if checked is not None:
            return expand_home(checked) if entry.unit == "path" else checked
    expected = " or ".join(map(_kind_name, kinds))
    raise OptionsError(f"{entry.name} {shorten(repr(value))}: expected {expected}")


def _as_kind(kind: Any, value: Any) -> Any:
    """The value as ``kind``, or None if it is of another kind; nothing is guessed."""
    if get_origin(kind) in (tuple, list):
        inner = get_args(kind)[0]
        items = [_as_kind(inner, item) for item in value] if isinstance(value, list) else [None]
        return None if None in items else tuple(items)
    if get_origin(kind) is Mapping:
        if not isinstance(value, dict):
            return None
        values = {name: _as_kind(get_args(kind)[1], item) for name, item in value.items()}
        return None if None in values.values() else values
    if isinstance(value, bool) or kind is bool:
        return value if isinstance(value, bool) and kind is bool else None
    if kind is Path:
        return Path(expand_home(value)) if isinstance(value, str) else None
    if kind is float:
        return float(value) if isinstance(value, (int, float)) else None
    return value if kind in (int, str) and isinstance(value, kind) else None


def _kind_name(kind: Any) -> str:
    if get_origin(kind) in (tuple, list):
        return "a list in brackets"
    if get_origin(kind) is Mapping:
        example = '"folder"' if get_args(kind)[1] is Path else "2.5"
        return f"names with values in braces, such as {{ normals = {example} }}"
    names = {
        bool: "true or false",
        int: "a whole number",
        float: "a number",
        str: "text in quotes",
        Path: "a path in quotes",
    }
    return names.get(kind, str(kind))


def describe_unknown(name: str, names: Sequence[str]) -> str:
    """The text of an error about an unknown name: the most similar of ``names``, or all of them."""
    short = shorten(name)  # the search takes long for long names
    similar = difflib.get_close_matches(short.replace("_", "-"), names, 1)
    if similar:
        return f"unknown {short!r}; did you mean {similar[0]!r}?"
    return f"unknown {short!r}; expected one of {', '.join(names)}"
