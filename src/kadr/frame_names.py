"""Names of image files in, the numbers of the frames that they belong to out."""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from kadr.errors import InputError

_NUMBER = re.compile(r"\d+")
_IMPROBABLE, _SEED = 10**7, 10**5
"""Numbers from these on are seeds or dates: in any clip, and in a clip that is far shorter."""

_START, _END = r"(?<![^\W_])", r"(?![^\W_])"
"""Borders of a word; underscores separate words too."""

_DAY, _MONTH, _YEAR = r"(?:0[1-9]|[12]\d|3[01])", r"(?:0[1-9]|1[0-2])", r"(?:19|20)\d\d"
_TIME = r"(?:[ T_-]+(?:at )?(?:[01]\d|2[0-3])(?P<colon>[-_.:]?)[0-5]\d(?P=colon)[0-5]\d(?!\d))?"
_COPY = "copy|kopie|copie|copia|cópia|kopia|kópia|копия|コピー|副本|복사본"

_LABEL = re.compile(rf"{_START}(?:frames?|frm|fr|f|bild|кадр|フレーム|帧)[ ._#-]*$", re.IGNORECASE)
"""What stands right before a number that is called a frame's."""

_MARKS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(?<!\d)\d{2,5} ?[x×] ?\d{2,5}(?!\d)",  # a size in pixels
        r"@\d+(?:\.\d+)?x|" + rf"{_START}(?:x[1-9]|[1-9]x){_END}",  # a scale
        rf"{_START}v\d{{1,3}}(?:\.\d{{1,2}})?{_END}",
        rf"{_START}(?:ver|version|rev|take)[ ._-]?\d{{1,3}}{_END}",
        rf"{_START}\d+(?:\.\d+)? ?(?:fps|hz|bits?|px|dpi|mm|k){_END}",
        rf"{_START}(?:240|360|480|540|720|1080|1440|2160|4320)p{_END}",
        rf"{_START}(?:mp4|[hx]\.?26[45]|sd ?1[._]?5){_END}",
        rf"{_START}(?:seed|cfg|steps?|denoise|denoising|strength)[ ._-]?\d+(?:\.\d+)?{_END}",
        rf"(?<!\d){_YEAR}(?P<dash>[-_.]?){_MONTH}(?P=dash){_DAY}(?!\d){_TIME}",
        rf"(?<!\d){_DAY}(?P<dash>[-_.]){_MONTH}(?P=dash){_YEAR}(?!\d){_TIME}",
        r"\d+(?:\.\d+)?%",
    )
)
"""Numbers in names that are not a frame's: sizes, versions, shots, dates and so on."""

_SHOT_MARK = re.compile(
    rf"{_START}(?:(?:shot|sh|scene|sc|seq|sq|cam|ep) ?\d{{1,3}}|s\d\de\d\d){_END}", re.IGNORECASE
)
"""The number of a shot, if another number looks like a frame's: ``shot2.png`` may be frame 2."""

_COPY_MARK = re.compile(
    rf"(?:[ _-]*[ _(-](?:{_COPY})(?:[ _]?\(?\d{{1,3}}\)?)?\)?|[ _]*\([1-9]\d{{0,2}}\)"
    r"| ?\(\d+(?:st|nd|rd|th) copy\))$",
    re.IGNORECASE,
)
"""What systems and browsers append to the second file of a name: `` (1)``, `` copy 2``."""

_HASH = re.compile(rf"{_START}[0-9a-f]{{6,}}{_END}", re.IGNORECASE)
_HASH_CHANGES = 3
"""A word of hexadecimal digits that changes so often between digits and letters is a hash."""


class NumberedClip(Protocol):
    """The part of a clip that tells how its frames are numbered."""

    def __len__(self) -> int: ...

    def number(self, index: int) -> int:
        """The number of the frame in file names."""
        ...

    def index_of(self, number: int) -> int | None:
        """The index of the frame with this number, or None."""
        ...

    def name(self, index: int) -> str:
        """The file stem of a frame."""
        ...


@dataclass(frozen=True)
class _Number:
    """A number in a name. start, stop: where its digits stand. labelled: it is called a frame's."""

    digits: str
    start: int
    stop: int
    labelled: bool = False

    @property
    def value(self) -> int:
        return int(self.digits)

    @property
    def padded(self) -> bool:
        return len(self.digits) >= 3 and self.value < 10 ** (len(self.digits) - 1)


@dataclass(frozen=True)
class _Name:
    """The numbers of one name that may be its frame's. marked: each of them is in a mark."""

    file: Path
    numbers: tuple[_Number, ...]
    marked: bool = False

    @property
    def texts(self) -> tuple[str, ...]:
        """What stands before each number."""
        stops = (0, *(number.stop for number in self.numbers))
        return tuple(
            self.file.stem[stop : number.start]
            for stop, number in zip(stops, self.numbers, strict=False)
        )


def frame_numbers(
    files: Sequence[Path], clip: NumberedClip | None = None, offset: int = 0
) -> list[int]:
    """The number of the frame that each file belongs to, read from its name.

    A number is chosen by its position in the name: what is a size, a version, a date or the mark of
    a copy does not count; the names of the clip's own frames, the word "frame" before a number,
    zero padding, and what varies from name to name decide between the rest. Names are compared with
    those of the same structure. clip: whose frames they are; None: the files are a clip themselves.
    offset: is added to the numbers in the names to get the frames' numbers; the result has none.
    Raises InputError naming a file without a number, or one with several of which none stands out.
    """
    is_probable = _probability(clip, offset)
    names = [_parse(file) for file in files]
    groups: dict[tuple[str, ...], list[_Name]] = defaultdict(list)
    for name in names:
        groups[name.texts].append(name)
    positions = {
        texts: _position(group, is_probable, clip, offset) for texts, group in groups.items()
    }
    return [name.numbers[positions[name.texts]].value for name in names]


def _probability(clip: NumberedClip | None, offset: int) -> Callable[[int], bool]:
    """Tells whether a number may be meant as a frame's, even of a longer clip."""
    if clip is None:
        return lambda number: number < _IMPROBABLE
    first, last = clip.number(0), clip.number(len(clip) - 1)
    limit = max(10 * last, _SEED)
    return lambda number: first <= number + offset < limit


def _parse(file: Path) -> _Name:
    """The numbers in a name that are in no mark; all of them if there is no other."""
    stem = file.stem
    marks = list(_marks(stem))
    numbers = [
        _Number(
            match[0],
            match.start(),
            match.end(),
            _LABEL.search(stem[: match.start()]) is not None,
        )
        for match in _NUMBER.finditer(stem)
    ]
    if not numbers:
        raise InputError(
            f"{file}: no number in its name, so its frame is unknown; "
            f"rename it to end in its frame's number, such as {stem}_012{file.suffix}"
        )
    plain = _outside(numbers, marks)
    frames = _outside(plain, [match.span() for match in _SHOT_MARK.finditer(stem)])
    if any(number.labelled or number.padded for number in frames):
        return _Name(file, frames)
    if plain and (frames or len(plain) == len(numbers)):
        return _Name(file, plain)
    short = tuple(number for number in numbers if number.value < _IMPROBABLE)
    return _Name(file, short or tuple(numbers), marked=True)


def _outside(numbers: Sequence[_Number], marks: Sequence[tuple[int, int]]) -> tuple[_Number, ...]:
    """The numbers that stand in none of the parts."""
    return tuple(
        number
        for number in numbers
        if not any(start <= number.start and number.stop <= stop for start, stop in marks)
    )


def _marks(stem: str) -> Iterable[tuple[int, int]]:
    """Start and stop of each part of a name whose numbers are not a frame's."""
    while (copy := _COPY_MARK.search(stem)) is not None:
        yield copy.span()
        stem = stem[: copy.start()]
    for pattern in _MARKS:
        yield from (match.span() for match in pattern.finditer(stem))
    for match in _HASH.finditer(stem):
        kinds = [character.isdigit() for character in match[0]]
        if sum(a != b for a, b in itertools.pairwise(kinds)) >= _HASH_CHANGES:
            yield match.span()


def _position(
    names: Sequence[_Name],
    is_probable: Callable[[int], bool],
    clip: NumberedClip | None,
    offset: int,
) -> int:
    """Which of the numbers of names with one structure is the frame's.

    Raises InputError if nothing tells, or if one thing tells this and another that.
    """
    columns = list(zip(*(name.numbers for name in names), strict=True))
    values = [tuple(number.value for number in column) for column in columns]
    # of positions that always hold the same number, the first stands for all
    positions = [p for p, column in enumerate(values) if values.index(column) == p]
    if not any(name.marked for name in names):
        positions = [p for p in positions if all(map(is_probable, values[p]))] or positions
    if len(positions) == 1:
        return positions[0]
    if clip is not None and offset == 0:
        own = [p for p in positions if all(_is_own(name, p, clip) for name in names)]
        if len(own) == 1:
            return own[0]
    signs = [
        [p for p in positions if all(number.labelled for number in columns[p])],
        [p for p in positions if _is_padded(columns[p])],
        [p for p in positions if len(set(values[p])) > 1],
    ]
    if clip is None:
        signs.append([p for p in positions if _is_consecutive(values[p])])
    choice = {sign[0] for sign in signs if len(sign) == 1}
    if len(choice) != 1:
        raise _ambiguous(names[0], positions)
    return choice.pop()


def _is_own(name: _Name, position: int, clip: NumberedClip) -> bool:
    """Whether a name holds that of the clip's own frame, with its number at this position."""
    number = name.numbers[position]
    index = clip.index_of(number.value)
    if index is None:
        return False
    own, stem = clip.name(index), name.file.stem
    if own.isdecimal() and not own.startswith("0"):
        return False  # any number would do
    start = stem.find(own)
    stop = start + len(own)
    return (
        start >= 0
        and start <= number.start
        and number.stop <= stop
        and not (stem[stop : stop + 1].isdecimal() or stem[max(start - 1, 0) : start].isdecimal())
    )


def _is_padded(numbers: Sequence[_Number]) -> bool:
    """Whether numbers have one width that zeros fill up."""
    widths = {len(number.digits) for number in numbers}
    return len(widths) == 1 and any(number.padded for number in numbers)


def _is_consecutive(values: Sequence[int]) -> bool:
    return len(values) > 1 and sorted(values) == list(range(min(values), min(values) + len(values)))


def _ambiguous(name: _Name, positions: Sequence[int]) -> InputError:
    candidates = [name.numbers[position].value for position in positions]
    listed = ", ".join(map(str, candidates[:-1]))
    return InputError(
        f"{name.file}: its name may mean frame {listed} or {candidates[-1]}; rename it so that it "
        f"holds one number, such as frame_{candidates[0]:05d}{name.file.suffix}"
    )
