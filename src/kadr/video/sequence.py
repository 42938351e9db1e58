"""Find the numbered image files of a folder, a pattern or a glob, without decoding them."""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kadr.errors import InputError
from kadr.image_files import IMAGE_SUFFIXES

_LAST_NUMBER = re.compile(r"^(.*?)(\d+)(\D*)$", re.DOTALL)
_PLACEHOLDER = re.compile(r"%(0?)(\d*)d|\[(#+)\]|(#+)")
_MOST_DIGITS = 200
_MOST_WIDTH_FIGURES = 9
_GLOB = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class NumberedFiles:
    """Files in the order of their numbers, which increase by one."""

    files: tuple[Path, ...]
    first: int


@dataclass(frozen=True)
class SequencePattern:
    """A file name with a place for a frame number: ``f_%05d.png``, ``f_[####].png``, ``####``.

    before, after: the name around the number. digits: the least number of digits, zero padded.
    """

    before: str
    after: str
    digits: int

    def name(self, number: int) -> str:
        """The file name for a frame number."""
        return f"{self.before}{number:0{self.digits}d}{self.after}"

    def number(self, name: str) -> int | None:
        """The frame number in a file name, or None if the name does not match."""
        end = len(name) - len(self.after)
        digits = name[len(self.before) : end]
        matches = name.startswith(self.before) and name.endswith(self.after) and digits.isdecimal()
        return int(digits) if matches and len(digits) >= max(self.digits, 1) else None


def sequence_pattern(name: str) -> SequencePattern | None:
    """Parse a file name as a pattern; None if it has no placeholder for a number.

    Raises InputError for a number of more digits than a file name can hold.
    """
    placeholders = list(_PLACEHOLDER.finditer(name))
    if not placeholders:
        return None
    last = placeholders[-1]
    zero, width, bracketed, bare = last.groups()
    # a name padded to millions of digits would fill the memory
    if len(width or "") > _MOST_WIDTH_FIGURES:
        raise InputError(_too_wide(name))
    digits = len(bracketed or bare or "") or (int(width or 0) if zero else 0)
    if digits > _MOST_DIGITS:
        raise InputError(_too_wide(name))
    return SequencePattern(
        name[: last.start()].replace("%%", "%"), name[last.end() :].replace("%%", "%"), digits
    )


def _too_wide(name: str) -> str:
    return f"{name[:80]}: its number has more than {_MOST_DIGITS} digits; give fewer, such as %05d"


def is_glob(name: str) -> bool:
    """Whether a file name has wildcards: ``*``, ``?``, ``[abc]``."""
    return bool(_GLOB.search(name))


def find_sequence(path: Path) -> NumberedFiles:
    """The image files that belong to a folder, a pattern or a glob.

    If there are several sequences, the longest is used. Raises InputError if there is none, if two
    are equally long, if numbers repeat or if some are missing.
    """
    pattern = None if path.is_dir() else sequence_pattern(path.name)
    folder = path if path.is_dir() else path.parent
    if not folder.is_dir():
        raise InputError(f"{path}: the folder {folder} does not exist; check the path")
    names = sorted(_image_names(folder))
    if pattern is not None:
        numbered = [(n, name) for name in names if (n := pattern.number(name)) is not None]
    elif path.is_dir():
        numbered = _longest_sequence(path, names)
    else:
        matching = {file.name for file in folder.glob(path.name)}
        numbered = _longest_sequence(path, [name for name in names if name in matching])
    if not numbered:
        raise InputError(
            f"{path}: no images found; expected png, jpg, webp, tif, bmp or avif files"
        )
    return _in_order(path, folder, numbered)


def _image_names(folder: Path) -> Iterable[str]:
    for entry in folder.iterdir():
        if entry.suffix.lower() in IMAGE_SUFFIXES and not entry.name.startswith("."):
            yield entry.name


def _longest_sequence(path: Path, names: Sequence[str]) -> list[tuple[int, str]]:
    groups: dict[tuple[str, str], list[tuple[int, str]]] = defaultdict(list)
    for name in names:
        match = _LAST_NUMBER.match(Path(name).stem)
        if match:
            key = (match[1], match[3] + Path(name).suffix.lower())
            groups[key].append((int(match[2]), name))
    if not groups:
        if len(names) == 1:
            return [(0, names[0])]
        if names:
            raise InputError(
                f"{path}: image names have no frame numbers ({names[0]}, …); "
                f"number them, for example frame_00001.png"
            )
        return []
    longest, *others = sorted(groups.values(), key=len, reverse=True)
    if others and len(others[0]) == len(longest):
        raise InputError(
            f"{path}: holds several sequences ({longest[0][1]}, {others[0][0][1]}, …); "
            f"give a pattern, for example {_example_pattern(longest[0][1])}"
        )
    return longest


def _example_pattern(name: str) -> str:
    match = _LAST_NUMBER.match(Path(name).stem)
    if match is None:
        return name
    return f"{match[1]}{'#' * len(match[2])}{match[3]}{Path(name).suffix}"


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
    """The gaps in increasing numbers, such as ``12, 15–17``; at most ``limit`` ranges, then …"""
    gaps = [(a + 1, b - 1) for a, b in itertools.pairwise(numbers) if b - a > 1]
    parts = [f"{a}" if a == b else f"{a}–{b}" for a, b in gaps[:limit]]
    return ", ".join([*parts, "…"] if len(gaps) > limit else parts)
