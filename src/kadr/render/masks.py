"""Read the masks of a run: where each frame is to be stylized."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.formatting import counted
from kadr.errors import InputError
from kadr.files import file_digest
from kadr.image_files import decode_image, read_image_bytes
from kadr.render.run_inputs import check_planned
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

_TOUCHED = 2
"""Up to this level a soft mask counts as black."""

_VIDEOS = frozenset({".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".mpg", ".mpeg", ".gif"})

_ASPECT_TOLERANCE = 0.02
"""How much a mask's aspect ratio may differ: sizes are rounded when images are reduced."""


class _Kind(Enum):
    """How a mask was understood."""

    PLAIN, BLACK, SOFT = auto(), auto(), auto()
    NUMBERS, NO_WHITE, DARK = auto(), auto(), auto()


_CACHED_BYTES = 1 << 27
"""Masks that are kept, so that each is read once for a batch of frames; the newest always is."""


@dataclass(frozen=True, eq=False)
class _Mask:
    """A mask file in the clip's size. white: (H, W) bool. matte: (H, W) float32 if it is soft."""

    kind: _Kind
    white: NDArray[np.bool_]
    matte: NDArray[np.float32] | None

    @property
    def nbytes(self) -> int:
        return self.white.nbytes + (0 if self.matte is None else self.matte.nbytes)


_NOTICES = {
    _Kind.NUMBERS: "the level above 0 counts as white",
    _Kind.NO_WHITE: "no white, only darker grey, which is not stylized",
    _Kind.DARK: "soft without white: the film shows through everywhere",
}


class FrameMasks:
    """Masks of frames: white is stylized, black stays as filmed; safe to use from several threads.

    path: a folder of masks named by frame number, or one file for all frames.
    Raises InputError if it cannot be found or one of ``indices`` has no mask.
    """

    def __init__(self, path: Path | None, clip: Clip, indices: Sequence[int]) -> None:
        self._size = (clip.info.width, clip.info.height)
        self._files: Mapping[int, Path] = {}
        self._path = path
        self._kinds: dict[Path, _Kind] = {}
        self._cached: OrderedDict[Path, _Mask] = OrderedDict()
        self._lock = threading.Lock()
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
        for kind, text in _NOTICES.items():
            files = sorted(path for path, is_kind in self._kinds.items() if is_kind is kind)
            if files:
                notices.append(f"{list_names(files, whole=True)}: {text}")
        read_all = bool(self._kinds) and self._kinds.keys() >= self._used
        if read_all and set(self._kinds.values()) <= {_Kind.BLACK, _Kind.NO_WHITE}:
            notices.append(f"{self._path}: no mask is white anywhere; nothing is stylized")
        return notices

    def digest(self, index: int) -> str | None:
        """A hash of a frame's mask file; None if it has none."""
        path = self._files.get(index)
        return None if path is None else f"{VERSION}:{self._digests[path]}"

    def mask(self, index: int) -> NDArray[np.bool_] | None:
        """(H, W) bool, True where frame ``index`` is to be stylized; None: everywhere.

        Of a mask with alpha only opaque white counts; of one with the levels 0 and 1 the 1 does; of
        a soft one all that is not black. A mask of another size is resized.
        """
        path = self._files.get(index)
        return None if path is None else self._read(path).white.copy()

    def matte(self, index: int) -> NDArray[np.float32] | None:
        """(H, W) float32, 0–1, of a soft mask that ``mask`` has read; None for other masks."""
        path = self._files.get(index)
        if path is None or path not in self._kinds:
            return None
        matte = self._read(path).matte
        return None if matte is None else matte.copy()

    def _read(self, path: Path) -> _Mask:
        """A mask from its file, or from the last that were read."""
        with self._lock:
            mask = self._cached.pop(path, None) or self._decode(path)
            self._cached[path], self._kinds[path] = mask, mask.kind
            total = sum(cached.nbytes for cached in self._cached.values())
            while total > _CACHED_BYTES and len(self._cached) > 1:
                total -= self._cached.popitem(last=False)[1].nbytes
            return mask

    def _decode(self, path: Path) -> _Mask:
        levels, unit = self._levels(path)
        white, kind = _white(levels, unit, path)
        matte = None
        if kind in (_Kind.SOFT, _Kind.DARK):
            matte = levels.astype(np.float32) / np.float32(255 * unit)
        if (white.shape[1], white.shape[0]) != self._size:
            self._check_shape(path, white.shape[1], white.shape[0])
            numbers = white.astype(np.uint8)
            white = cv2.resize(numbers, self._size, interpolation=cv2.INTER_NEAREST).astype(bool)
            if matte is not None:
                matte = cv2.resize(matte, self._size, interpolation=cv2.INTER_LINEAR)
        return _Mask(kind, white, matte)

    def _levels(self, path: Path) -> tuple[NDArray[np.uint8] | NDArray[np.uint16], int]:
        """(H, W), the least of a pixel's channels; and how much of it is 1 of 255 levels.

        Raises InputError if the file is not the one that the run was planned with.
        """
        content = read_image_bytes(path)
        digest = hashlib.sha256(content).hexdigest()
        check_planned(path, digest, self._digests[path])
        image = decode_image(path, content, as_stored=True)
        return image.min(axis=2), 257 if image.dtype == np.uint16 else 1

    def _check_shape(self, path: Path, width: int, height: int) -> None:
        """Raise InputError for a mask with another aspect ratio."""
        if abs(width * self._size[1] / (height * self._size[0]) - 1) > _ASPECT_TOLERANCE:
            raise InputError(
                f"{path}: is a mask of {width}×{height}, the clip is {self._size[0]}×"
                f"{self._size[1]}; give a mask of that shape"
            )


def _white(
    levels: NDArray[np.uint8] | NDArray[np.uint16], unit: int, path: Path
) -> tuple[NDArray[np.bool_], _Kind]:
    """Where a mask is white, or not black if it is soft, and how it was understood."""
    largest = int(levels.max())
    white: NDArray[np.bool_] = levels >= _WHITE * unit
    if 0 < largest < _FAINT * unit and path.suffix.lower() not in (".jpg", ".jpeg"):
        numbers: NDArray[np.bool_] = levels == largest
        if np.all(numbers | (levels == 0)):
            return numbers, _Kind.NUMBERS
    grey = (levels > 25 * unit) & (levels < 230 * unit)
    if cv2.erode(grey.astype(np.uint8), np.ones((3, 3), np.uint8)).mean() > _SOFT:
        return levels > _TOUCHED * unit, _Kind.SOFT if white.any() else _Kind.DARK
    if largest < _WHITE * unit:
        return white, _Kind.BLACK if largest < _NOISE * unit else _Kind.NO_WHITE
    return white, _Kind.PLAIN
