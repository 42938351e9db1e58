"""Read the masks of a run: where each frame is to be stylized."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.formatting import counted
from kadr.errors import InputError
from kadr.files import file_digest
from kadr.image_files import read_image
from kadr.stylize.external import find_keys
from kadr.unused_files import list_names, unused_file_notices
from kadr.video.base import Clip

VERSION = 2
"""Raised when the same file gives another mask."""

_WHITE = 128
"""The level of 255 from which a mask counts as white."""
_FAINT = 32
"""Below this a mask of two levels, 0 and another, is one of numbers: 0 and 1, or 0 and 255 in a
16-bit file. The other level is its white."""
_NOISE = 16
"""A largest level below this is the noise of a black image."""
_SOFT = 0.0005
"""The share of a mask from which grey areas wider than an edge make it a soft one."""

_VIDEOS = frozenset({".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".mpg", ".mpeg", ".gif"})

_ASPECT_TOLERANCE = 0.02
"""How much a mask's aspect ratio may differ: sizes are rounded when images are reduced."""


_PLAIN, _BLACK = "", " "
_NUMBERS = "the level above 0 counts as white"
_NO_WHITE = "no white, only darker grey, which is not stylized"
_SOFTNESS = "soft; grey is cut at one half, so that edges become hard"
_KINDS = (_NUMBERS, _NO_WHITE, _SOFTNESS)
"""How a mask was understood: the text of a notice, or nothing that needs one."""


class FrameMasks:
    """Masks of frames: white is stylized, black stays as filmed.

    path: a folder of masks named by frame number, or one file for all frames.
    Raises InputError if it cannot be found or one of ``indices`` has no mask.
    """

    def __init__(self, path: Path | None, clip: Clip, indices: Sequence[int]) -> None:
        self._size = (clip.info.width, clip.info.height)
        self._files: Mapping[int, Path] = {}
        self._path = path
        self._read: dict[Path, str] = {}
        if path is None:
            return
        if path.suffix.lower() in _VIDEOS and not path.is_dir():
            raise InputError(
                f"{path}: a video cannot be a mask yet; save its frames with kadr frames {path} "
                f"{path.stem}/ and give that folder"
            )
        if path.is_dir():
            self._files = {file.index: file.path for file in find_keys(path, clip, kind="mask")}
        else:
            self._files = dict.fromkeys(indices, path)
        for index in indices:
            if index not in self._files:
                raise InputError(
                    f"{path}: no mask for frame {clip.number(index)}; add one named by that "
                    "number, or give one file for all frames"
                )
        self._used = {self._files[index] for index in indices}
        self._digests = {file: file_digest(file) for file in set(self._files.values())}
        self._input_notices = list(self._unused(path, clip, indices))

    def _unused(self, path: Path, clip: Clip, indices: Sequence[int]) -> Iterator[str]:
        if not path.is_dir():
            return
        yield from unused_file_notices([path])
        if len(self._files) < len(clip) and self._files.keys() != set(indices):
            first, last = clip.number(min(self._files)), clip.number(max(self._files))
            yield (
                f"{path}: {counted(len(self._files), 'mask')} for a clip of "
                f"{counted(len(clip), 'frame')}; each is for the frame of its number, {first} to "
                f"{last}"
            )

    def notices(self) -> list[str]:
        """What is not used, and how the masks that were read so far were understood."""
        notices = list(self._input_notices) if self._path is not None else []
        for text in _KINDS:
            files = sorted(path for path, kind in self._read.items() if kind == text)
            if files:
                notices.append(f"{list_names(files, whole=True)}: {text}")
        read_all = bool(self._read) and self._read.keys() >= self._used
        if read_all and set(self._read.values()) <= {_BLACK, _NO_WHITE}:
            notices.append(f"{self._path}: no mask is white anywhere; nothing is stylized")
        return notices

    def digest(self, index: int) -> str | None:
        """A hash of a frame's mask file; None if it has none."""
        path = self._files.get(index)
        return None if path is None else f"{VERSION}:{self._digests[path]}"

    def mask(self, index: int) -> NDArray[np.bool_] | None:
        """(H, W) bool, True where frame ``index`` is to be stylized; None: everywhere.

        Of a mask with alpha only opaque white counts; of one with the levels 0 and 1 the 1 does. A
        mask of another size is resized.
        """
        path = self._files.get(index)
        if path is None:
            return None
        image = read_image(path)
        mask, kind = _white(image.min(axis=2), 257 if image.dtype == np.uint16 else 1, path)
        self._read[path] = kind
        if (mask.shape[1], mask.shape[0]) != self._size:
            self._check_shape(path, mask.shape[1], mask.shape[0])
            mask = cv2.resize(
                mask.astype(np.uint8), self._size, interpolation=cv2.INTER_NEAREST
            ).astype(np.bool_)
        return mask

    def _check_shape(self, path: Path, width: int, height: int) -> None:
        """Raise InputError for a mask with another aspect ratio."""
        if abs(width * self._size[1] / (height * self._size[0]) - 1) > _ASPECT_TOLERANCE:
            raise InputError(
                f"{path}: is a mask of {width}×{height}, the clip is {self._size[0]}×"
                f"{self._size[1]}; give a mask of that shape"
            )


def _white(
    levels: NDArray[np.uint8] | NDArray[np.uint16], unit: int, path: Path
) -> tuple[NDArray[np.bool_], str]:
    """Where a mask is white, and how it was understood.

    levels: (H, W), the least of a pixel's channels. unit: 1 of 255 levels in them.
    """
    largest = int(levels.max())
    white: NDArray[np.bool_] = levels >= _WHITE * unit
    if 0 < largest < _FAINT * unit and path.suffix.lower() not in (".jpg", ".jpeg"):
        numbers: NDArray[np.bool_] = levels == largest
        if np.all(numbers | (levels == 0)):
            return numbers, _NUMBERS
    if largest < _WHITE * unit:
        return white, _BLACK if largest < _NOISE * unit else _NO_WHITE
    grey = (levels > 25 * unit) & (levels < 230 * unit)
    wide = cv2.erode(grey.astype(np.uint8), np.ones((3, 3), np.uint8))
    return white, _SOFTNESS if wide.mean() > _SOFT else _PLAIN
