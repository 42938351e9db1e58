"""The text of a TOML file and a key in, the line that the key stands in out."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterator
from contextlib import suppress

_HEADER = re.compile(r"\s*\[([^\[\]]+)\]\s*(?:#.*)?$")
_KEY = re.compile(r"""\s*((?:"(?:[^"\\]|\\.)*"|'[^']*'|[\w-]+|\s*\.\s*)+?)\s*=""")
_PART = re.compile(r""""((?:[^"\\]|\\.)*)"|'([^']*)'|([\w-]+)""")
_ESCAPE = re.compile(r'\\(["\\])')
_LONG = re.compile(r'"""|' + "'''")


def line_of(text: str, section: str, key: str | None = None, value: str | None = None) -> int:
    """The number of a line, from 1 on: of ``section``'s ``key``, or of the section alone.

    value: text that stands in the value; its line is meant where the value takes several. What
    cannot be found is said to be where it would be looked for: its section, or line 1.
    """
    lines, wanted = text.splitlines(), (section,) if key is None else (section, key)
    at = {path: number for number, path in reversed(list(_paths(lines)))}
    found = at.get(wanted)
    if found is None:
        below = [number for path, number in at.items() if path[0] == section]
        return at.get((section,), min(below, default=1))
    if value is None:
        return found
    after = min((number for number in at.values() if number > found), default=len(lines) + 1)
    return next((number for number in range(found, after) if value in lines[number - 1]), found)


def repeated_line(text: str) -> int | None:
    """The number of the first line that begins a table or a value for the second time."""
    seen: set[tuple[str, ...]] = set()
    for number, path in _paths(text.splitlines()):
        if path in seen:
            return number
        seen.add(path)
    return None


def with_room(text: str, section: str, names: Collection[str]) -> str:
    """A project file with an empty entry below the section's last one for each name it lacks.

    An edit sets an entry where it stands, but puts a new one at the very end of the section: below
    the words that introduce the next. A text in which no place can be told comes back as it is.
    """
    try:
        told = tomllib.loads(text)
    except tomllib.TOMLDecodeError:  # a newer TOML than this Python's, which the project reads
        return text
    new = dict.fromkeys((name for name in names if name not in told.get(section, {})), "")
    wanted = {**told, section: {**told.get(section, {}), **new}}
    lines = text.split("\n")
    mark = "\r" if "\r\n" in text else ""
    room = [f'{name} = ""{mark}' for name in new]
    for at in _places(lines, section):
        changed = "\n".join([*lines[:at], *room, *lines[at:]])
        # what looks like a header or a comment may be part of a value: see what became of it
        with suppress(tomllib.TOMLDecodeError):
            if tomllib.loads(changed) == wanted:
                return changed
    return text


def _places(lines: list[str], section: str) -> Iterator[int]:
    """Where a section may take another entry, as indices of lines, the likeliest first."""
    headers = {
        at: found[1].strip() for at, line in enumerate(lines) if (found := _HEADER.match(line))
    }
    for start in (at for at, name in headers.items() if name == section):
        for end in (*(at for at in headers if at > start), len(lines)):
            said = (at for at in range(start, end) if lines[at].strip()[:1] not in ("", "#"))
            first = max(said) + 1
            # a comment right below an entry belongs to it
            while first < end and lines[first].strip().startswith("#"):
                first += 1
            yield from range(first, end + 1)


def _paths(lines: list[str]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Lines that begin a table or a value, with its full name."""
    table: tuple[str, ...] = ()
    inside = False
    for number, line in enumerate(lines, start=1):
        if not inside:
            header, key = _HEADER.match(line), _KEY.match(line)
            if header is not None:
                table = _parts(header[1])
                yield number, table
            elif key is not None:
                yield number, (*table, *_parts(key[1]))
        inside ^= len(_LONG.findall(line)) % 2 == 1


def _parts(name: str) -> tuple[str, ...]:
    """Each name without its quotes; of escapes, those that a key may need are undone."""
    return tuple(_ESCAPE.sub(r"\1", "".join(groups)) for groups in _PART.findall(name))
