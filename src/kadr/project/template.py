"""Settings in, the text of a project.toml out: all entries that can be set, each with help."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import tomlkit

from kadr.errors import InputError
from kadr.project.schema import RANGE, Entry, sections, stylizer_entries
from kadr.project.settings import FORMAT, Settings
from kadr.stylize.registry import stylizer_options

_INTRODUCTION = """\
# A kadr project. Change what you like; `kadr run` then makes again only what depends on it.
# A line behind a # has no effect and shows the default; remove the # to set it.
# Paths are relative to the folder of this file. Frame numbers are those that `kadr info` shows and
# that the names of key files have.
"""

_MAX_HELP_COLUMN = 48
"""Help of longer lines follows them directly."""

_RANGE_EXAMPLE = (
    "# Other values for some frames; there may be several of these.",
    f"# [[stylizer.{RANGE}]]",
    '# frames = "FIRST:LAST"  # or shot = 2, as kadr plan numbers them',
)

_SECTION_HELP = {
    "clip": "The clip to restyle.",
    "keys": "The keyframes. A key without a range styles the frames up to its neighbours.",
    "stylizer": "The stylizer that makes the keyframes.",
    "picture": "How the style is carried to other frames. The defaults are those of the detail.",
    "guides": "Images of your own that steer where the paint goes, such as passes of a render.",
    "mask": "Where frames are restyled, and what shows elsewhere.",
    "output": "Where the output goes; finished frames are also kept in out/frames.",
    "run": "Cores, processes, seed and disk space.",
}


def project_text(settings: Settings) -> str:
    """A whole project.toml that ``read_settings`` reads as ``settings`` again."""
    schema = sections()
    schema["picture"] = _with_preset(schema["picture"], settings)
    if settings.stylizer != "external":
        schema["stylizer"] += stylizer_entries(stylizer_options(settings.stylizer))
    values = _values(settings)
    parts = [_INTRODUCTION, f"format = {FORMAT}\n"]
    for section, entries in schema.items():
        lines = [*_lines(entries, values[section])]
        if section == "stylizer" and settings.stylizer != "external":
            lines += _RANGE_EXAMPLE
        parts.append("\n".join([f"# {_SECTION_HELP[section]}", f"[{section}]", *lines, ""]))
    return "\n".join(parts)


def _with_preset(entries: Sequence[Entry], settings: Settings) -> tuple[Entry, ...]:
    preset = replace(settings, picture={}).propagate()
    return tuple(
        replace(entry, default=getattr(preset, entry.field)) if entry.field else entry
        for entry in entries
    )


def _values(settings: Settings) -> dict[str, dict[str, Any]]:
    """Section → entry name → the value that is set."""
    by_section: dict[str, dict[str, Any]] = {
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
        "guides": {},
        "mask": {},
        "output": {"path": settings.output},
        "run": {},
    }
    run = _dashed(settings.run)
    for section, entries in sections().items():
        names = {entry.name for entry in entries}  # an option of a stylizer may have such a name
        by_section[section] |= {name: value for name, value in run.items() if name in names}
    return {
        section: {name: value for name, value in values.items() if value is not None}
        for section, values in by_section.items()
    }


def _dashed(fields: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name.replace("_", "-"): value for name, value in (fields or {}).items()}


def _lines(entries: Sequence[Entry], values: Mapping[str, Any]) -> Iterator[str]:
    """``name = value  # help`` for each entry, with help in one column."""
    texts = []
    for entry in entries:
        is_set = entry.name in values
        value = values[entry.name] if is_set else entry.default
        text = f"{entry.name} = {toml_value(value)}".rstrip()
        texts.append(text if is_set else f"# {text}")
    width = min(max(map(len, texts), default=0), _MAX_HELP_COLUMN)
    for text, entry in zip(texts, entries, strict=True):
        yield f"{text:<{width}}  # {entry.help}" if entry.help else text


def toml_value(value: Any) -> str:
    """A value as TOML; "" for None. Raises InputError for file names that are not text."""
    if value is None:
        return ""
    if isinstance(value, Path):
        value = value.as_posix()
    if isinstance(value, dict):
        table = tomlkit.inline_table()
        table.update(
            {
                name: item.as_posix() if isinstance(item, Path) else item
                for name, item in value.items()
            }
        )
        value = table
    if isinstance(value, tuple):
        value = [item.as_posix() if isinstance(item, Path) else item for item in value]
    text: str = tomlkit.item(value).as_string()
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"{text}: this name is not valid text; rename it") from error
    return text
