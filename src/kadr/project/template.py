"""Settings in, the text of a project.toml out: all that can be set, each with a word of help."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import tomlkit

from kadr.errors import InputError
from kadr.project.schema import Entry, sections, stylizer_entries
from kadr.project.settings import FORMAT, Settings
from kadr.stylize.registry import stylizer_options

_INTRODUCTION = """\
# A kadr project. Change what you like; `kadr run` then makes again only what depends on it.
# A line behind a # is not in force and shows the default; take the # away to set it.
# Paths are relative to this file's folder. Frames go by the numbers that `kadr info` and the
# names of keys give them.
"""

_WIDEST = 48
"""Columns after which help stands where it may."""

_ABOUT = {
    "clip": "What is restyled.",
    "keys": "The keyframes. Without a range of its own a key reaches to its neighbours.",
    "stylizer": "What makes the keyframes.",
    "picture": "How the style is carried over. The defaults shown are those of the detail.",
    "output": "Where the result goes; finished frames are also kept in out/frames.",
    "run": "How it is worked.",
}


def project_text(settings: Settings) -> str:
    """A whole project.toml that ``read_settings`` reads as ``settings`` again."""
    known = sections()
    known["picture"] = _with_preset(known["picture"], settings)
    if settings.stylizer != "external":
        known["stylizer"] += stylizer_entries(stylizer_options(settings.stylizer))
    values = _values(settings)
    parts = [_INTRODUCTION, f"format = {FORMAT}\n"]
    for section, entries in known.items():
        lines = _lines(entries, values[section])
        parts.append("\n".join([f"# {_ABOUT[section]}", f"[{section}]", *lines, ""]))
    return "\n".join(parts)


def _with_preset(entries: Sequence[Entry], settings: Settings) -> tuple[Entry, ...]:
    preset = replace(settings, picture={}).propagate()
    return tuple(
        replace(entry, default=getattr(preset, entry.field)) if entry.field else entry
        for entry in entries
    )


def _values(settings: Settings) -> dict[str, dict[str, Any]]:
    """Section → entry name → what is set."""
    run = {name.replace("_", "-"): value for name, value in (settings.run or {}).items()}
    own: dict[str, dict[str, Any]] = {
        "clip": {
            "path": settings.clip,
            "sha256": settings.sha256 or None,
            "size": settings.size,
            "frames": settings.frames,
            "frame-rate": settings.frame_rate,
        },
        "keys": {"folder": settings.keys, "ranges": settings.ranges or None},
        "stylizer": {"name": settings.stylizer, **_dashed(settings.stylizer_options)},
        "picture": {"detail": settings.detail, **_dashed(settings.picture)},
        "output": {"path": settings.output},
        "run": {},
    }
    return {
        section: run | {name: value for name, value in values.items() if value is not None}
        for section, values in own.items()
    }


def _dashed(fields: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name.replace("_", "-"): value for name, value in (fields or {}).items()}


def _lines(entries: Sequence[Entry], values: Mapping[str, Any]) -> Iterator[str]:
    """``name = value  # help`` for each entry, the words of help below one another."""
    shown = []
    for entry in entries:
        given = entry.name in values
        value = values[entry.name] if given else entry.default
        text = f"{entry.name} = {toml_value(value)}".rstrip()
        shown.append(text if given else f"# {text}")
    width = min(max(map(len, shown), default=0), _WIDEST)
    for text, entry in zip(shown, entries, strict=True):
        yield f"{text:<{width}}  # {entry.help}" if entry.help else text


def toml_value(value: Any) -> str:
    """A value as TOML writes it; nothing for None. Raises InputError for names that are no text."""
    if value is None:
        return ""
    if isinstance(value, Path):
        value = value.as_posix()
    if isinstance(value, tuple):
        value = [item.as_posix() if isinstance(item, Path) else item for item in value]
    text: str = tomlkit.item(value).as_string()
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"{text}: this name is not text; rename it") from error
    return text
