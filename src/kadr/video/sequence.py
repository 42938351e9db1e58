"""Find the numbered image files of a folder, a pattern or a glob, without decoding them."""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kadr.errors import InputError
from kadr.files import list_folder
from kadr.frame_names import frame_numbers
from kadr.image_files import IMAGE_SUFFIXES

_LAST_NUMBER = re.compile(r"^(.*?)(\d+)(\D*)$", re.DOTALL)
_DIGITS = re.compile(r"\d+")
_PLACEHOLDER = re.compile(r"%(0?)(\d*)d|\[(#+)\]|(#+)")
_MOST_DIGITS = 200
_MOST_WIDTH_FIGURES = 9
_GLOB = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class NumberedFiles:
    """Files in the order of their numbers, which increase by one.

    unused: images beside them that belong to another sequence, or to none.
    """

    files: tuple[Path, ...]
    first: int
    unused: tuple[Path, ...] = ()


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
    try:
        is_folder = path.is_dir()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    pattern = None if is_folder else sequence_pattern(path.name)
    folder = path if is_folder else path.parent
    if not folder.is_dir():
        raise InputError(f"{path}: the folder {folder} does not exist; check the path")
    names = sorted(_image_names(folder))
    considered: Sequence[str] = ()
    if pattern is not None:
        numbered = [(n, name) for name in names if (n := pattern.number(name)) is not None]
    elif is_folder:
        considered = names
        numbered = _longest_sequence(path, names)
    else:
        try:
            matching = {file.name for file in folder.glob(path.name)}
        except ValueError as error:  # two stars
            raise InputError(f"{path}: not a pattern of names ({error})") from error
        considered = [name for name in names if name in matching]
        numbered = _longest_sequence(path, considered)
    if not numbered:
        raise InputError(
            f"{path}: no images found; expected png, jpg, webp, tif, bmp or avif files"
        )
    used = {name for _, name in numbered}
    unused = tuple(folder / name for name in considered if name not in used)
    return replace(_in_order(path, folder, numbered), unused=unused)


def _image_names(folder: Path) -> Iterable[str]:
    for entry in list_folder(folder):
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
    folder = path if path.is_dir() else path.parent
    sequences = [*groups.values(), *_counted_sequences(folder, groups)]
    longest, *others = sorted(sequences, key=len, reverse=True)
    if len(longest) == 1 and not others:
        return _counted(folder, [longest[0][1]])
    if others and len(others[0]) == len(longest):
        raise InputError(
            f"{path}: holds several sequences ({longest[0][1]}, {others[0][0][1]}, …); "
            f"give a pattern, for example {_example_pattern(longest[0][1])}"
        )
    return longest


def _counted_sequences(
    folder: Path, groups: Mapping[tuple[str, str], Sequence[tuple[int, str]]]
) -> Iterator[list[tuple[int, str]]]:
    """Sequences of names that differ in more than their last number: ``00000-73.png``, ``00001-9``.

    groups: names by what stands around their last number. Only what is longer than the longest of
    these is tried.
    """
    alike: dict[str, list[Sequence[tuple[int, str]]]] = defaultdict(list)
    for (before, after), numbered in groups.items():
        alike[_structure(before, after)].append(numbered)
    longest = max(map(len, groups.values()))
    for parts in alike.values():
        if sum(len(part) == 1 for part in parts) > longest:
            yield _counted(folder, [name for part in parts for _, name in part])


def _structure(before: str, after: str) -> str:
    """A name with its numbers replaced."""
    return _DIGITS.sub("#", f"{before}0{after}")


def _counted(folder: Path, names: Sequence[str]) -> list[tuple[int, str]]:
    """Names with the numbers that they count by."""
    numbers = frame_numbers([folder / name for name in names])
    return list(zip(numbers, names, strict=True))


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
