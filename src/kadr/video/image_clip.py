"""Read a sequence of numbered image files as a Clip."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kadr.core.formatting import counted
from kadr.core.frames import Frame, to_8_bits, to_16_bits
from kadr.errors import InputError
from kadr.image_files import decode_image, read_image_header
from kadr.unused_files import list_names, unused_file_notices
from kadr.video.base import DEFAULT_FRAME_RATE, ClipInfo
from kadr.video.base_clip import BaseClip
from kadr.video.file_watch import FileWatch
from kadr.video.sequence import NumberedFiles, find_sequence

_log = logging.getLogger(__name__)


class ImageClip(BaseClip):
    """A Clip over an image sequence. Made by ``open_images``.

    kinds: a number for each file, equal for files of one mode, depth and colour profile: what is to
    be told about their images is told once for all of them. deep: images are uint16, else uint8.
    """

    def __init__(
        self,
        info: ClipInfo,
        sequence: NumberedFiles,
        watch: FileWatch,
        kinds: Sequence[int],
        *,
        deep: bool = False,
    ) -> None:
        self._deep = deep
        times = [index / info.frame_rate for index in range(len(sequence.files))]
        super().__init__(info, times, watch, first_number=sequence.first)
        self._files, self._kinds = sequence.files, kinds
        self._messages: set[tuple[int, str]] = set()
        self._lock = threading.Lock()

    def name(self, index: int) -> str:
        """The file's own stem."""
        self._check_index(index)
        return self._files[index].stem

    def _read(self, index: int) -> Frame:
        path = self._files[index]
        kind = self._kinds[index]
        content = decode_image(
            path, self._watch.read(path), warn=lambda text: self._tell(kind, text)
        )
        content = to_16_bits(content) if self._deep else to_8_bits(content)
        image = _to_channels(content, 4 if self._info.has_alpha else 3)
        size = (image.shape[1], image.shape[0])
        if size != (self._info.width, self._info.height):
            raise _size_differs(self._files[0], (self._info.width, self._info.height), path, size)
        return Frame(index, image, self._times[index])

    def _tell(self, kind: int, text: str) -> None:
        with self._lock:
            is_new = (kind, text) not in self._messages
            self._messages.add((kind, text))
        if is_new:
            first, count = self._files[self._kinds.index(kind)], self._kinds.count(kind)
            rest = f"; the same holds for {counted(count - 1, 'more image')} of the sequence"
            _log.warning("%s: %s%s", first, text, rest if count > 1 else "")

    def _read_forward(self, start: int, stop: int) -> Iterator[Frame]:
        return map(self._read, range(start, stop))

    def _read_backward(self, start: int, stop: int) -> Iterator[Frame]:
        return map(self._read, range(stop - 1, start - 1, -1))


def open_images(path: Path, *, frame_rate: Fraction | None = None, deep: bool = False) -> ImageClip:
    """Open a folder, a pattern or a glob of images; 24 frames a second by default.

    deep: keep 16 bits.
    Reads every file's header. Raises InputError for gaps, repeated numbers and different sizes.
    """
    sequence = find_sequence(path)
    watch = FileWatch(path, sequence.files)
    rate = frame_rate or DEFAULT_FRAME_RATE
    headers = [read_image_header(file) for file in sequence.files]
    first = headers[0]
    for file, header in zip(sequence.files, headers, strict=True):
        if header.size != first.size:
            raise _size_differs(sequence.files[0], first.size, file, header.size)
    info = ClipInfo(
        path=path,
        kind="images",
        width=first.size[0],
        height=first.size[1],
        frame_count=len(headers),
        frame_rate=rate,
        duration=len(headers) / rate,
        codec=sequence.files[0].suffix.lower().lstrip("."),
        pixel_format=first.mode,
        container="images",
        has_alpha=any(header.has_alpha for header in headers),
        bits=first.bits,
        time_base=1 / rate,
        rate_is_assumed=frame_rate is None,
        notices=tuple(_unused(path, sequence)),
    )
    numbers: dict[tuple[object, ...], int] = {}
    kinds = [
        numbers.setdefault((header.type, header.mode, header.bits, header.profile), len(numbers))
        for header in headers
    ]
    deep = deep and any(header.bits > 8 for header in headers)
    return ImageClip(info, sequence, watch, kinds, deep=deep)


def _unused(path: Path, sequence: NumberedFiles) -> Iterator[str]:
    """Notices on what lies beside the images of a sequence."""
    if sequence.unused:
        yield (
            f"{path}: {counted(len(sequence.unused), 'image')} beside the longest sequence, "
            f"{sequence.files[0].name} and so on, not used: {list_names(sequence.unused)}"
        )
    if path.is_dir():
        yield from unused_file_notices([path])


def _to_channels(image: NDArray[Any], channels: int) -> NDArray[Any]:
    if image.shape[2] < channels:
        opaque = np.full_like(image[..., :1], np.iinfo(image.dtype).max)
        return np.concatenate([image, opaque], axis=2)
    return np.ascontiguousarray(image[..., :channels])


def _size_differs(
    first: Path, first_size: tuple[int, int], file: Path, size: tuple[int, int]
) -> InputError:
    return InputError(
        f"{file}: is {size[0]}x{size[1]} but {first.name} is {first_size[0]}x{first_size[1]}; "
        f"all images of a sequence must have one size"
    )
