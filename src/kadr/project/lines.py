"""The text of a TOML file and a key in, the line that the key stands in out."""

from __future__ import annotations

import re
from collections.abc import Iterator

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
