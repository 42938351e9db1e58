"""The text of a TOML file and a key in, the line of the key out."""

from __future__ import annotations

import itertools
import re
import tomllib
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import suppress

_HEADER = re.compile(r"\s*(?:\[([^\[\]]+)\]|\[\[([^\[\]]+)\]\])\s*(?:#.*)?$")
"""``[section]``, or ``[[section]]`` of which there may be several."""

_PART = re.compile(r""""((?:[^"\\]|\\.)*+)"|'([^']*+)'|([\w-]++)""")
_ANY_PART = r"""(?:"(?:[^"\\]|\\.)*+"|'[^']*+'|[\w-]++)"""
# possessive, since what does not match must not be tried again in other pieces
_KEY = re.compile(rf"\s*+({_ANY_PART}(?:\s*+\.\s*+{_ANY_PART})*+)\s*+=")
_ESCAPE = re.compile(r'\\(["\\])')
_MOST_TRIES = 200
"""Places for new entries that are tried: each one takes as long as reading the file."""

_LONG = re.compile(r'"""|' + "'''")


def line_of(
    text: str,
    section: str | tuple[str, ...],
    key: str | None = None,
    value: str | None = None,
) -> int:
    """The number of a line, from 1: of the entry ``key`` of ``section``, or of the section.

    section: the parts of its name; of several [[sections]] of a name the last part is the number,
    "1" for the first.
    value: text in the value of the entry; if the value takes several lines, the line of this text.
    For a missing entry this is the line of its section, for a missing section line 1.
    """
    names = (section,) if isinstance(section, str) else section
    lines, path = text.splitlines(), names if key is None else (*names, key)
    numbers = {name: number for number, name in reversed(list(_paths(lines)))}
    line = numbers.get(path)
    if line is None:
        subtables = [number for name, number in numbers.items() if name[: len(names)] == names]
        return numbers.get(names, min(subtables, default=1))
    if value is None:
        return line
    stop = min((number for number in numbers.values() if number > line), default=len(lines) + 1)
    return next((number for number in range(line, stop) if value in lines[number - 1]), line)


def repeated_line(text: str) -> int | None:
    """The number of the first line that begins a table or a value for the second time."""
    paths: set[tuple[str, ...]] = set()
    for number, path in _paths(text.splitlines()):
        if path in paths:
            return number
        paths.add(path)
    return None


def add_empty_entries(text: str, section: str, names: Collection[str]) -> str:
    """Add an empty entry for each missing name below the last entry of a section.

    An edit sets an existing entry in its line, but puts a new entry at the very end of the section:
    below the comment that introduces the next section. Text in which no line can be found for the
    entries is returned unchanged.
    """
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError:  # a newer TOML than this Python's, which the project reads
        return text
    missing = dict.fromkeys((name for name in names if name not in content.get(section, {})), "")
    expected = {**content, section: {**content.get(section, {}), **missing}}
    lines = text.split("\n")
    line_end = "\r" if "\r\n" in text else ""
    new_lines = [f'{name} = ""{line_end}' for name in missing]
    for index in itertools.islice(_insertion_points(lines, section), _MOST_TRIES):
        changed = "\n".join([*lines[:index], *new_lines, *lines[index:]])
        # what looks like a header or a comment may be part of a value: check the result
        with suppress(tomllib.TOMLDecodeError):
            if tomllib.loads(changed) == expected:
                return changed
    return text


def _insertion_points(lines: list[str], section: str) -> Iterator[int]:
    """Indices of lines before which a section may take another entry, the best one first."""
    headers = {
        index: (match[1] or match[2]).strip()
        for index, line in enumerate(lines)
        if (match := _HEADER.match(line))
    }
    for start in (index for index, name in headers.items() if name == section):
        for stop in (*(index for index in headers if index > start), len(lines)):
            entries = (
                index for index in range(start, stop) if lines[index].strip()[:1] not in ("", "#")
            )
            first = max(entries) + 1
            # a comment right below an entry belongs to it
            while first < stop and lines[first].strip().startswith("#"):
                first += 1
            yield from range(first, stop + 1)


def _paths(lines: list[str]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Lines that begin a table or a value, with its full name."""
    table: tuple[str, ...] = ()
    counts: Counter[tuple[str, ...]] = Counter()
    inside = False
    for number, line in enumerate(lines, start=1):
        if not inside:
            header, key = _HEADER.match(line), _KEY.match(line)
            if header is not None and header[2]:
                table = _numbered(_parts(header[2]), counts)
                counts[table] += 1
                table = (*table, str(counts[table]))
                yield number, table
            elif header is not None:
                table = _numbered(_parts(header[1]), counts)
                yield number, table
            elif key is not None:
                yield number, (*table, *_parts(key[1]))
        inside ^= len(_LONG.findall(line)) % 2 == 1


def _numbered(parts: tuple[str, ...], counts: Counter[tuple[str, ...]]) -> tuple[str, ...]:
    """A table's full name with the number of each [[table]] that it lies in: of the last one."""
    name: tuple[str, ...] = ()
    for part in parts:
        if counts[name]:
            name = (*name, str(counts[name]))
        name = (*name, part)
    return name


def _parts(name: str) -> tuple[str, ...]:
    """The parts of a dotted name without quotes; escapes that a key may need are decoded."""
    return tuple(_ESCAPE.sub(r"\1", "".join(groups)) for groups in _PART.findall(name))
