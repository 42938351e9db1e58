"""Option fields in, the sections and entries that a project file may hold out."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, fields
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from kadr.core.parsing import parse_bytes
from kadr.errors import OptionsError
from kadr.options import PropagateOptions, RunOptions

ELSEWHERE = frozenset(
    {
        "clip",
        "output",
        "keys",
        "stylizer",
        "stylizer_options",
        "ranges",
        "frames",
        "frame_rate",
        "propagate",
        "overwrite",
        "work",
        "frames_folder",
        "report",
    }
)
"""Fields of RunOptions that a project says in entries of its own, or that follow from it."""

_SIZES = frozenset({"work_limit"})
"""Fields in bytes, which people write as text with a unit."""

_PLACES: Mapping[str, frozenset[str]] = {
    "clip": frozenset({"allow_truncated"}),
    "keys": frozenset(
        {
            "keys_budget",
            "min_gap",
            "max_gap",
            "every_frame",
            "every",
            "masks",
            "refine",
            "refine_strength",
            "ignore_cuts",
            "fit_keys",
        }
    ),
    "output": frozenset({"per_key", "crf", "encoder_preset"}),
}
"""Section → the fields of RunOptions that stand there; the rest stand in ``run``."""


@dataclass(frozen=True)
class Entry:
    """One line of a project file.

    name: as written there. kind: the type of its value. help: a line for people.
    default: shown where nothing is set; None for none. field: its field of RunOptions or
    PropagateOptions, "" for an entry of the project's own.
    """

    name: str
    kind: Any
    help: str
    default: Any = None
    field: str = ""


def sections() -> dict[str, tuple[Entry, ...]]:
    """Every section of a project file with its entries, in their order; not the stylizer's own."""
    run = {item.name: item for item in fields(RunOptions) if item.name not in ELSEWHERE}
    hints = get_type_hints(RunOptions)
    placed = {name for names in _PLACES.values() for name in names}

    def those(section: str) -> list[Entry]:
        names = _PLACES[section] if section in _PLACES else run.keys() - placed
        return [_entry(item, hints[name]) for name, item in run.items() if name in names]

    own = {
        "clip": [
            Entry("path", str, "the video, or a folder or pattern of images"),
            Entry("sha256", str, ""),
            Entry("size", int, "bytes; both find the clip when it moves"),
            Entry("frames", str, "work on these only, both included", "FIRST:LAST"),
            Entry("frame-rate", float | str, "of a sequence of images", 24),
        ],
        "keys": [
            Entry("folder", str, "painted keyframes, named by frame number"),
            Entry("ranges", list[str], "what keys style, ends included", ["FIRST:KEY:LAST"]),
        ],
        "stylizer": [Entry("name", str, "what makes the keys; external: they are painted already")],
        "picture": [Entry("detail", str, "high, medium, low or draft: time for quality")],
        "output": [Entry("path", str, "a video file, or a folder or pattern of images")],
        "run": [],
    }
    picture = get_type_hints(PropagateOptions)
    own["picture"] += [_entry(item, picture[item.name]) for item in fields(PropagateOptions)]
    for section in ("clip", "keys", "output", "run"):
        own[section] += those(section)
    return {section: tuple(entries) for section, entries in own.items()}


def stylizer_entries(kind: type[Any]) -> tuple[Entry, ...]:
    """The entries for the fields of a stylizer's options dataclass."""
    hints = get_type_hints(kind)
    return tuple(_entry(item, hints[item.name]) for item in fields(kind))


def _entry(item: Field[Any], hint: Any) -> Entry:
    low, high = item.metadata.get("low"), item.metadata.get("high")
    text = str(item.metadata.get("help", ""))
    if low is not None:
        bounds = f"{low:.9g} to {high:.9g}" if high is not None else f"{low:.9g} or more"
        text += f" ({bounds})"
    name, default = item.name.replace("_", "-"), item.default
    if item.name in _SIZES:
        return Entry(name, int | str, 'the most to keep, such as "20GB"', "20GB", item.name)
    return Entry(name, hint, text, None if default is MISSING else default, item.name)


def checked_value(entry: Entry, value: Any) -> Any:
    """A value from a file as the entry's type. Raises OptionsError that says what was expected."""
    kinds = [entry.kind]
    if get_origin(entry.kind) in (Union, UnionType):
        kinds = [kind for kind in get_args(entry.kind) if kind is not NoneType]
    for kind in kinds:
        found = _as_kind(kind, value)
        if found is not None:
            return parse_bytes(str(found), entry.name) if entry.field in _SIZES else found
    raise OptionsError(f"{entry.name} {value!r}: expected {' or '.join(map(_in_words, kinds))}")


def _as_kind(kind: Any, value: Any) -> Any:
    """The value as ``kind``, or None if it is of another kind; nothing is guessed."""
    if get_origin(kind) in (tuple, list):
        inner = get_args(kind)[0]
        items = [_as_kind(inner, item) for item in value] if isinstance(value, list) else [None]
        return None if None in items else tuple(items)
    if isinstance(value, bool) or kind is bool:
        return value if isinstance(value, bool) and kind is bool else None
    if kind is Path:
        return Path(value) if isinstance(value, str) else None
    if kind is float:
        return float(value) if isinstance(value, (int, float)) else None
    return value if kind in (int, str) and isinstance(value, kind) else None


def _in_words(kind: Any) -> str:
    if get_origin(kind) in (tuple, list):
        return "a list in brackets"
    words = {
        bool: "true or false",
        int: "a whole number",
        float: "a number",
        str: "text in quotes",
        Path: "a path in quotes",
    }
    return words.get(kind, str(kind))


def unknown(name: str, known: Sequence[str]) -> str:
    """What to say of a name that is not known: the one that was meant, or all there are."""
    near = difflib.get_close_matches(name.replace("_", "-"), known, 1)
    if near:
        return f"unknown {name!r}; did you mean {near[0]!r}?"
    return f"unknown {name!r}; expected one of {', '.join(known)}"
