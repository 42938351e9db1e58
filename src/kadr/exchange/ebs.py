"""Read and write EbSynth's project file ``.ebs``, version 05; writing restores the same bytes.

Little-endian. A text is an int32 number of bytes and the bytes. After the header follow the
patterns of video, mask and keys, the switch of the mask, six weights, and the ranges, one for each
key. Some files have no tail at the end.
"""

from __future__ import annotations

import math
import re
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

_SEPARATOR = re.compile(rb"[/\\]")
_LONGEST_NAME = 255
"""Bytes of a name of a file or folder."""

_ENCODING = ("utf-8", "surrogateescape")
"""Old files may contain names in a local encoding; their bytes are preserved."""


@dataclass(frozen=True)
class EbsWeights:
    """The weights Keyframes, Video, Mask, Mapping, De-flicker and Diversity."""

    key: float = 1.0
    video: float = 4.0
    mask: float = 1.0
    mapping: float = 10.0
    deflicker: float = 1.0
    diversity: float = 3500.0


@dataclass(frozen=True)
class EbsRange:
    """One key and the frames that it styles, as frame numbers, both ends included.

    first_used, last_used: 1 if the range extends to ``first`` or ``last``, 0 if it ends at the key.
    output: pattern of the output images.
    """

    key: int
    first: int
    last: int
    output: str
    first_used: int = 1
    last_used: int = 1


@dataclass(frozen=True)
class EbsTail:
    """detail: 1 high, 2 medium, 3 low, 4 garbage. gpu: 1 on. unknown: preserved."""

    detail: int = 2
    gpu: int = 1
    fps: float = 30.0
    unknown: int = 704


@dataclass(frozen=True)
class EbsProject:
    """The values of a file. Patterns are ``folder/[#####].png``, absolute or relative to it."""

    video: str
    keys: str
    ranges: tuple[EbsRange, ...] = ()
    mask: str = ""
    mask_on: int = 0
    weights: EbsWeights = field(default_factory=EbsWeights)
    tail: EbsTail | None = field(default_factory=EbsTail)


def read_ebs(path: Path) -> EbsProject:
    """Read a file. Raises InputError that names the problem and its position."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    return parse_ebs(data, str(path))


def write_ebs(path: Path, project: EbsProject) -> None:
    """Write a file atomically. Raises OutputError if it cannot be written."""
    data = pack_ebs(project)
    with atomic_file(path) as temporary:
        temporary.write_bytes(data)


def pack_ebs(project: EbsProject) -> bytes:
    """The bytes of a file; the same as it was read from if its text lengths were correct."""
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
    data = text.encode(*_ENCODING)
    return _LENGTH.pack(len(data)) + data


def parse_ebs(data: bytes, name: str) -> EbsProject:
    """Parse the bytes of a file. ``name`` is used in errors.

    Some writers count the characters of a text instead of its bytes; a file that is valid only
    that way is read that way. Raises InputError for any other problem.
    """
    if not data.startswith(_MAGIC):
        raise InputError(f"{name}: {_header_problem(data)}")
    try:
        return _Reader(data, name, _by_bytes).project()
    except InputError:
        try:
            return _Reader(data, name, _by_characters).project()
        except InputError:
            pass
        raise


def _header_problem(data: bytes) -> str:
    if not data:
        return "the file is empty (0 bytes); save it again in EbSynth"
    if data.startswith(b"EBS"):
        version = data[3:5].decode("ascii", "replace")
        return f"is of version {version!r}; expected '05', save it again in EbSynth beta"
    return "not an EbSynth project; expected a file that begins with EBS05"


_TextEnd = Callable[[bytes, int, int], int]


def _by_bytes(data: bytes, offset: int, length: int) -> int:
    return offset + length


def _by_characters(data: bytes, offset: int, length: int) -> int:
    """The end of a text of ``length`` characters; beyond the data if there are fewer."""
    while length and offset < len(data):
        lead = data[offset]
        offset += 1 if lead < 0x80 else 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
        length -= 1
    return offset + length


class _Reader:
    """Reads one value after the other and keeps the current offset."""

    def __init__(self, data: bytes, name: str, text_end: _TextEnd) -> None:
        self._data, self._name, self._text_end, self._offset = data, name, text_end, len(_MAGIC)

    def project(self) -> EbsProject:
        """Read the whole file; no bytes may remain."""
        video, mask, keys = (self._text(f"the {part}'s pattern") for part in _PARTS)
        mask_on = self._read(struct.Struct("<B"), "the mask's switch")[0]
        weights = EbsWeights(*self._read(_WEIGHTS, "the weights"))
        for part, value in vars(weights).items():
            if not math.isfinite(value) or value < 0:
                raise self._damaged(f"its weight {part} is {value}; expected 0 or more")
        ranges = tuple(self._range(number) for number in range(self._range_count()))
        tail = self._tail()
        remaining = len(self._data) - self._offset
        if remaining:
            raise self._damaged(f"{remaining} bytes follow after its end")
        return EbsProject(video, keys, ranges, mask, mask_on, weights, tail)

    def _range_count(self) -> int:
        count: int = self._read(_LENGTH, "the number of ranges")[0]
        max_count = (len(self._data) - self._offset) // (_RANGE.size + _LENGTH.size)
        if not 0 <= count <= max_count:
            raise self._damaged(f"it has {count} ranges, but room for {max_count}")
        return count

    def _range(self, number: int) -> EbsRange:
        description = f"range {number + 1}"
        key, first_used, last_used, first, last = self._read(_RANGE, description)
        output = self._text(f"the output pattern of {description}")
        return EbsRange(key, first, last, output, first_used, last_used)

    def _tail(self) -> EbsTail | None:
        if self._offset == len(self._data):
            return None
        magic = self._read(struct.Struct("<4s"), "the tail")[0]
        if magic != _TAIL_MAGIC:
            raise self._damaged(f"its tail begins with {magic!r}; expected {_TAIL_MAGIC!r}")
        tail = EbsTail(*self._read(_TAIL, "the tail"))
        if not math.isfinite(tail.fps):
            raise self._damaged(f"its frame rate is {tail.fps}")
        return tail

    def _text(self, description: str) -> str:
        length: int = self._read(_LENGTH, f"the length of {description}")[0]
        end = self._text_end(self._data, self._offset, length)
        if length < 0 or end > len(self._data):
            remaining = len(self._data) - self._offset
            raise self._damaged(f"{description} has length {length}, but {remaining} bytes remain")
        text = self._data[self._offset : end]
        if b"\0" in text:
            raise self._damaged(
                f"{description} is not a text, {text[:40]!r}; its length may be wrong"
            )
        longest = max(map(len, _SEPARATOR.split(text)))
        if longest > _LONGEST_NAME:
            raise self._damaged(
                f"{description} has a name of {longest} bytes, more than a disk allows; its length "
                "may be wrong"
            )
        self._offset = end
        return text.decode(*_ENCODING)

    def _read(self, form: struct.Struct, description: str) -> tuple[Any, ...]:
        if self._offset + form.size > len(self._data):
            raise self._damaged(f"it ends within {description}")
        values = form.unpack_from(self._data, self._offset)
        self._offset += form.size
        return values

    def _damaged(self, problem: str) -> InputError:
        return InputError(
            f"{self._name}: damaged at byte {self._offset}: {problem}; save it again in EbSynth"
        )


_PARTS = ("video", "mask", "keys")
