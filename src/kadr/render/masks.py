"""Read the masks of a run: where each frame is to be stylized."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.errors import InputError
from kadr.files import file_digest
from kadr.image_files import read_image
from kadr.stylize.external import find_keys
from kadr.video.base import Clip

_WHITE = 128
"""The level of 255 from which a mask counts as white."""

_ASPECT_TOLERANCE = 0.02
"""How much a mask's aspect ratio may differ: sizes are rounded when images are reduced."""


class FrameMasks:
    """Masks of frames: white is stylized, black stays as filmed.

    path: a folder of masks named by frame number, or one file for all frames.
    Raises InputError if it cannot be found or one of ``indices`` has no mask.
    """

    def __init__(self, path: Path | None, clip: Clip, indices: Sequence[int]) -> None:
        self._size = (clip.info.width, clip.info.height)
        self._files: Mapping[int, Path] = {}
        if path is None:
            return
        if path.is_dir():
            self._files = {file.index: file.path for file in find_keys(path, clip)}
        else:
            self._files = dict.fromkeys(indices, path)
        for index in indices:
            if index not in self._files:
                raise InputError(
                    f"{path}: no mask for frame {clip.number(index)}; add one named by that "
                    "number, or give one file for all frames"
                )
        self._digests = {file: file_digest(file) for file in set(self._files.values())}

    def digest(self, index: int) -> str | None:
        """A hash of a frame's mask file; None if it has none."""
        path = self._files.get(index)
        return None if path is None else self._digests[path]

    def mask(self, index: int) -> NDArray[np.bool_] | None:
        """(H, W) bool, True where frame ``index`` is to be stylized; None: everywhere.

        Of a mask with alpha only opaque white counts; a mask of another size is resized.
        """
        path = self._files.get(index)
        if path is None:
            return None
        image = read_image(path, as_stored=True)
        threshold = _WHITE * (257 if image.dtype == np.uint16 else 1)
        mask: NDArray[np.bool_] = np.all(image >= threshold, axis=2)
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
