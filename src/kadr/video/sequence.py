"""A folder, a pattern or a glob in, numbered image files in order out. No image is decoded."""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kadr.errors import InputError
from kadr.files import IMAGE_SUFFIXES

_LAST_NUMBER = re.compile(r"^(.*?)(\d+)(\D*)$", re.DOTALL)
_PLACE = re.compile(r"%(0?)(\d*)d|\[(#+)\]|(#+)")
_GLOB = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class NumberedFiles:
    """Files in the order of their numbers, which rise by one."""

    files: tuple[Path, ...]
    first: int


@dataclass(frozen=True)
class SequencePattern:
    """A file name with one place for a frame number: ``f_%05d.png``, ``f_[####].png``, ``####``.

    before, after: the name around the number. digits: the least number of digits, zero padded.
    """

    before: str
    after: str
    digits: int

    def name(self, number: int) -> str:
        """The file name for a frame number."""
        return f"{self.before}{number:0{self.digits}d}{self.after}"

    def number(self, name: str) -> int | None:
        """The frame number in a file name, or None when the name is of another pattern."""
        end = len(name) - len(self.after)
        digits = name[len(self.before) : end]
        fits = name.startswith(self.before) and name.endswith(self.after) and digits.isdecimal()
        return int(digits) if fits and len(digits) >= max(self.digits, 1) else None


def sequence_pattern(name: str) -> SequencePattern | None:
    """Read a file name as a pattern; None when it has no place for a number."""
    places = list(_PLACE.finditer(name))
    if not places:
        return None
    place = places[-1]
    zero, width, bracketed, bare = place.groups()
    digits = len(bracketed or bare or "") or (int(width or 0) if zero else 0)
    return SequencePattern(
        name[: place.start()].replace("%%", "%"), name[place.end() :].replace("%%", "%"), digits
    )


def is_glob(name: str) -> bool:
    """Whether a file name has wildcards: ``*``, ``?``, ``[abc]``."""
    return bool(_GLOB.search(name))


def find_sequence(path: Path) -> NumberedFiles:
    """The image files that a folder, a pattern or a glob means.

    Of several kinds of names the most numerous is taken. Raises InputError when there is none, when
    two are equally numerous, when numbers repeat or when some are missing.
    """
    pattern = None if path.is_dir() else sequence_pattern(path.name)
    folder = path if path.is_dir() else path.parent
    if not folder.is_dir():
        raise InputError(f"{path}: the folder {folder} does not exist; check the path")
    names = sorted(_image_names(folder))
    if pattern is not None:
        numbered = [(n, name) for name in names if (n := pattern.number(name)) is not None]
    elif path.is_dir():
        numbered = _largest_group(path, names)
    else:
        wanted = {found.name for found in folder.glob(path.name)}
        numbered = _largest_group(path, [name for name in names if name in wanted])
    if not numbered:
        raise InputError(f"{path}: no images found; expected png, jpg, webp, tif or bmp files")
    return _in_order(path, folder, numbered)


def _image_names(folder: Path) -> Iterable[str]:
    for entry in folder.iterdir():
        if entry.suffix.lower() in IMAGE_SUFFIXES and not entry.name.startswith("."):
            yield entry.name


def _largest_group(path: Path, names: Sequence[str]) -> list[tuple[int, str]]:
    groups: dict[tuple[str, str], list[tuple[int, str]]] = defaultdict(list)
    for name in names:
        found = _LAST_NUMBER.match(Path(name).stem)
        if found:
            key = (found[1], found[3] + Path(name).suffix.lower())
            groups[key].append((int(found[2]), name))
    if not groups:
        if len(names) == 1:
            return [(0, names[0])]
        if names:
            raise InputError(
                f"{path}: image names have no frame numbers ({names[0]}, …); "
                f"number them, for example frame_00001.png"
            )
        return []
    best, *others = sorted(groups.values(), key=len, reverse=True)
    if others and len(others[0]) == len(best):
        raise InputError(
            f"{path}: holds several sequences ({best[0][1]}, {others[0][0][1]}, …); "
            f"give a pattern, for example {_example(best[0][1])}"
        )
    return best


def _example(name: str) -> str:
    found = _LAST_NUMBER.match(Path(name).stem)
    if found is None:
        return name
    return f"{found[1]}{'#' * len(found[2])}{found[3]}{Path(name).suffix}"


def _in_order(path: Path, folder: Path, numbered: list[tuple[int, str]]) -> NumberedFiles:
    numbered = sorted(numbered)
    for (a, name), (b, other) in itertools.pairwise(numbered):
        if a == b:
            raise InputError(f"{path}: {name} and {other} have the same frame number; remove one")
    numbers = [number for number, _ in numbered]
    missing = missing_numbers(numbers)
    if missing:
        raise InputError(
            f"{path}: frames are missing: {missing}; the sequence runs from {numbers[0]} to "
            f"{numbers[-1]}, add them or renumber"
        )
    return NumberedFiles(tuple(folder / name for _, name in numbered), numbers[0])


def missing_numbers(numbers: Sequence[int], limit: int = 12) -> str:
    """The gaps in rising numbers, compact: ``12, 15–17``; at most ``limit`` ranges, then …"""
    gaps = [(a + 1, b - 1) for a, b in itertools.pairwise(numbers) if b - a > 1]
    parts = [f"{a}" if a == b else f"{a}–{b}" for a, b in gaps[:limit]]
    return ", ".join([*parts, "…"] if len(gaps) > limit else parts)
