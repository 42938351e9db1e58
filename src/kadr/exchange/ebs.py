"""EbSynth's project file ``.ebs``, version 05: bytes in, values out, and the same bytes again.

Little-endian. A text is an int32 number of bytes and the bytes. Behind the header come the patterns
of video, mask and keys, whether the mask is on, six weights and the ranges, one for each key; the
tail that ends the file is missing in some.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Any

from kadr.errors import InputError
from kadr.files import atomic_file

_MAGIC = b"EBS05\0"
_TAIL_MAGIC = b"V02\0"
_WEIGHTS = struct.Struct("<6f")
_RANGE = struct.Struct("<iBBii")
_TAIL = struct.Struct("<iBfi")
_LENGTH = struct.Struct("<i")

_CODING = ("utf-8", "surrogateescape")
"""Old files may hold names in the alphabet of one computer; their bytes are kept."""


@dataclass(frozen=True)
class EbsWeights:
    """What the program calls Keyframes, Video, Mask, Mapping, De-flicker and Diversity."""

    key: float = 1.0
    video: float = 4.0
    mask: float = 1.0
    mapping: float = 10.0
    deflicker: float = 1.0
    diversity: float = 3500.0


@dataclass(frozen=True)
class EbsRange:
    """One key and the frames that it styles, by their numbers, both ends included.

    first_used, last_used: 1 where the key reaches to ``first`` and to ``last``, 0 where it stays.
    output: pattern of the images that it makes.
    """

    key: int
    first: int
    last: int
    output: str
    first_used: int = 1
    last_used: int = 1


@dataclass(frozen=True)
class EbsTail:
    """detail: 1 high, 2 medium, 3 low, 4 garbage. gpu: 1 on. unknown: kept as it is found."""

    detail: int = 2
    gpu: int = 1
    fps: float = 30.0
    unknown: int = 704


@dataclass(frozen=True)
class EbsProject:
    """All that a file says. Patterns are ``folder/[#####].png``, relative to the file, or full."""

    video: str
    keys: str
    ranges: tuple[EbsRange, ...] = ()
    mask: str = ""
    mask_on: int = 0
    weights: EbsWeights = field(default_factory=EbsWeights)
    tail: EbsTail | None = field(default_factory=EbsTail)


def read_ebs(path: Path) -> EbsProject:
    """Read a file. Raises InputError that says what is wrong in it and where."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    return parse_ebs(data, str(path))


def write_ebs(path: Path, project: EbsProject) -> None:
    """Write a file, whole or not at all. Raises OutputError if it cannot be written."""
    data = pack_ebs(project)
    with atomic_file(path) as temporary:
        temporary.write_bytes(data)


def pack_ebs(project: EbsProject) -> bytes:
    """The bytes of a file; those that it was read from, if its texts were counted rightly."""
    parts = [_MAGIC, *map(_text_bytes, (project.video, project.mask, project.keys))]
    parts += [bytes([project.mask_on]), _WEIGHTS.pack(*astuple(project.weights))]
    parts.append(_LENGTH.pack(len(project.ranges)))
    for item in project.ranges:
        flags = item.first_used, item.last_used
        parts += [_RANGE.pack(item.key, *flags, item.first, item.last), _text_bytes(item.output)]
    if project.tail is not None:
        parts += [_TAIL_MAGIC, _TAIL.pack(*astuple(project.tail))]
    return b"".join(parts)


def _text_bytes(text: str) -> bytes:
    data = text.encode(*_CODING)
    return _LENGTH.pack(len(data)) + data


def parse_ebs(data: bytes, name: str) -> EbsProject:
    """Values of a file's bytes. ``name`` is said in errors.

    Some writers count the characters of a text where its bytes are more; a file that makes sense
    only so is read so. Raises InputError for anything else that is wrong.
    """
    if not data.startswith(_MAGIC):
        raise InputError(f"{name}: {_wrong_start(data)}")
    try:
        return _Reader(data, name, _by_bytes).project()
    except InputError:
        try:
            return _Reader(data, name, _by_characters).project()
        except InputError:
            pass
        raise


def _wrong_start(data: bytes) -> str:
    if not data:
        return "the file is empty (0 bytes); save it again in EbSynth"
    if data.startswith(b"EBS"):
        version = data[3:5].decode("ascii", "replace")
        return f"is of version {version!r}; expected '05', save it again in EbSynth beta"
    return "not an EbSynth project; expected a file that begins with EBS05"


_Count = Callable[[bytes, int, int], int]


def _by_bytes(data: bytes, at: int, length: int) -> int:
    return at + length


def _by_characters(data: bytes, at: int, length: int) -> int:
    """Where a text of ``length`` characters ends; behind the data, if it does not hold so many."""
    while length and at < len(data):
        lead = data[at]
        at += 1 if lead < 0x80 else 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
        length -= 1
    return at + length


class _Reader:
    """Takes one value after the other, and knows where it is."""

    def __init__(self, data: bytes, name: str, count: _Count) -> None:
        self._data, self._name, self._count, self._at = data, name, count, len(_MAGIC)

    def project(self) -> EbsProject:
        """The whole file; nothing may be left over."""
        video, mask, keys = (self._text(f"the {part}'s pattern") for part in _PARTS)
        mask_on = self._take(struct.Struct("<B"), "the mask's switch")[0]
        weights = EbsWeights(*self._take(_WEIGHTS, "the weights"))
        for part, value in vars(weights).items():
            if not math.isfinite(value) or value < 0:
                raise self._wrong(f"its weight {part} is {value}; expected 0 or more")
        ranges = tuple(self._range(number) for number in range(self._range_count()))
        tail = self._tail()
        left = len(self._data) - self._at
        if left:
            raise self._wrong(f"{left} bytes are left over behind its end")
        return EbsProject(video, keys, ranges, mask, mask_on, weights, tail)

    def _range_count(self) -> int:
        count: int = self._take(_LENGTH, "the number of ranges")[0]
        most = (len(self._data) - self._at) // (_RANGE.size + _LENGTH.size)
        if not 0 <= count <= most:
            raise self._wrong(f"it says {count} ranges, and has room for {most}")
        return count

    def _range(self, number: int) -> EbsRange:
        what = f"range {number + 1}"
        key, first_used, last_used, first, last = self._take(_RANGE, what)
        output = self._text(f"the output pattern of {what}")
        return EbsRange(key, first, last, output, first_used, last_used)

    def _tail(self) -> EbsTail | None:
        if self._at == len(self._data):
            return None
        magic = self._take(struct.Struct("<4s"), "the tail")[0]
        if magic != _TAIL_MAGIC:
            raise self._wrong(f"its tail begins with {magic!r}; expected {_TAIL_MAGIC!r}")
        tail = EbsTail(*self._take(_TAIL, "the tail"))
        if not math.isfinite(tail.fps):
            raise self._wrong(f"its frame rate is {tail.fps}")
        return tail

    def _text(self, what: str) -> str:
        length: int = self._take(_LENGTH, f"the length of {what}")[0]
        end = self._count(self._data, self._at, length)
        if length < 0 or end > len(self._data):
            left = len(self._data) - self._at
            raise self._wrong(f"{what} is said to have {length} bytes, and {left} are left")
        text = self._data[self._at : end]
        if b"\0" in text:
            raise self._wrong(f"{what} is no text, {text[:40]!r}; its length may be wrong")
        self._at = end
        return text.decode(*_CODING)

    def _take(self, form: struct.Struct, what: str) -> tuple[Any, ...]:
        if self._at + form.size > len(self._data):
            raise self._wrong(f"it ends within {what}")
        values = form.unpack_from(self._data, self._at)
        self._at += form.size
        return values

    def _wrong(self, fault: str) -> InputError:
        return InputError(
            f"{self._name}: damaged at byte {self._at}: {fault}; save it again in EbSynth"
        )


_PARTS = ("video", "mask", "keys")
