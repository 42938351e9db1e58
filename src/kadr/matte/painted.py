"""Read painted masks: files of many kinds in, one matte for each painted frame out."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.formatting import counted
from kadr.core.frames import FrameRange
from kadr.errors import InputError
from kadr.image_files import decode_image, read_image_bytes
from kadr.matte.base import Matte
from kadr.stylize.external import find_keys
from kadr.unused_files import list_names, unused_file_notices
from kadr.video.base import Clip

_NOISE = 16
"""Levels of 255 below which a JPEG is black."""
_NUMBERS = 32
"""A mask whose largest level of 255 is below this holds numbers of classes, not grey."""
_COLOURFUL = 24
"""Difference of channels from which a mask is coloured, as those with a palette are."""
_SOFT = 0.0002
"""The share of a mask from which its grey pixels are soft edges."""
_ASPECT_TOLERANCE = 0.02


@dataclass(frozen=True, eq=False)
class PaintedMask:
    """A painted mask in the clip's size. soft: it has grey edges, which are to be kept."""

    matte: Matte
    soft: bool


class PaintedMasks:
    """The painted masks of some frames of a clip; each is read when it is needed.

    path: one image, or a folder of images named by frame number as painted keys are. Every file is
    read once here, and checked. Raises InputError naming a file that cannot be a mask of the clip,
    or ``path`` if there is none for ``frames`` or nothing is set in any of them.
    """

    def __init__(self, path: Path, clip: Clip, frames: FrameRange) -> None:
        self._size = (clip.info.width, clip.info.height)
        keys = find_keys(path, clip, kind="mask")
        files = {key.index: key.path for key in keys if key.index in frames}
        if not files:
            raise InputError(
                f"{path}: no mask of a frame from {clip.number(frames.start)} to "
                f"{clip.number(frames.stop - 1)}; paint one of these, or give other --frames"
            )
        self._files = files
        self._digests: dict[int, str] = {}
        empty, resized = [], []
        for index, file in files.items():
            content = read_image_bytes(file)
            self._digests[index] = hashlib.sha256(content).hexdigest()
            levels, _ = _decode(file, content)
            if not levels.any():
                empty.append(file)
            if self._needs_resize(file, levels):
                resized.append(file)
        if len(empty) == len(files):
            raise InputError(
                f"{list_names(empty, whole=True)}: nothing is set; paint the subject white on black"
            )
        self.notices = self._notices(path, len(keys) - len(files), empty, resized)

    def _notices(
        self, path: Path, unused: int, empty: Sequence[Path], resized: Sequence[Path]
    ) -> list[str]:
        notices = unused_file_notices([path]) if path.is_dir() else []
        if unused:
            notices.append(f"{path}: {counted(unused, 'mask')} outside of the frames not used")
        if empty:
            notices.append(
                f"{list_names(empty, whole=True)}: nothing is set; taken as a frame without the "
                "subject"
            )
        if resized:
            notices.append(
                f"{list_names(resized, whole=True)}: resized to the {self._size[0]}×"
                f"{self._size[1]} pixels of the clip"
            )
        return notices

    @property
    def indices(self) -> list[int]:
        """The painted frames, in order."""
        return sorted(self._files)

    def digest(self, index: int) -> str:
        """A hash of the file of a painted frame."""
        return self._digests[index]

    def load(self, index: int) -> PaintedMask:
        """The mask of a painted frame. Raises InputError if its file was changed since."""
        file = self._files[index]
        content = read_image_bytes(file)
        if hashlib.sha256(content).hexdigest() != self._digests[index]:
            raise InputError(
                f"{file}: was changed while it is used; start again to use the new one"
            )
        matte, soft = _decode(file, content)
        if (matte.shape[1], matte.shape[0]) != self._size:
            matte = cv2.resize(matte, self._size, interpolation=cv2.INTER_LINEAR)
        return PaintedMask(matte, soft)

    def _needs_resize(self, file: Path, levels: Matte) -> bool:
        height, width = levels.shape
        if (width, height) == self._size:
            return False
        if abs(width * self._size[1] / (height * self._size[0]) - 1) > _ASPECT_TOLERANCE:
            raise InputError(
                f"{file}: a mask of {width}×{height}, the clip is {self._size[0]}×{self._size[1]}; "
                "paint it on a frame of the clip"
            )
        return True


def _decode(file: Path, content: bytes) -> tuple[Matte, bool]:
    """A mask in its own size, and whether it is soft.

    Grey counts by its level; where a mask has only two levels, or colours, as a palette gives it,
    all that is not black counts in full. Transparent counts as black; in a picture that is cut out
    by its alpha, the alpha is the mask.
    """
    image = decode_image(file, content, as_stored=True)
    levels = image.astype(np.float32) / np.float32(257 if image.dtype == np.uint16 else 1)
    colours, alpha = levels[..., :3], levels[..., 3] if levels.shape[2] == 4 else None
    floor = _NOISE if file.suffix.lower() in (".jpg", ".jpeg") else 0
    coloured = float(np.ptp(colours, axis=2).max()) > _COLOURFUL
    grey = colours.max(axis=2)
    if alpha is not None and alpha.min() < 255:
        cut_out = coloured or not (grey * (alpha > 0)).any()
        grey = alpha if cut_out else np.minimum(grey, alpha)
        coloured = False
    grey = np.where(grey <= floor, np.float32(0), grey)
    if coloured or _is_numbers(grey):
        return (grey > 0).astype(np.float32), False
    soft = float(np.mean((grey > 25) & (grey < 230))) > _SOFT
    matte: Matte = grey.astype(np.float32) / np.float32(255)
    return matte, soft


def _is_numbers(grey: NDArray[np.float32]) -> bool:
    """Whether a mask holds numbers: 0 and one other level, or small ones only."""
    largest = float(grey.max())
    return 0 < largest < _NUMBERS or bool(np.all((grey == 0) | (grey == largest)))
