"""Decode one image of a mask: its levels, and its alpha if it has any."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL.PngImagePlugin import PngImageFile

from kadr.core.frames import to_8_bits
from kadr.core.image_header.read import read_header
from kadr.errors import InputError
from kadr.image_files import decode_image

_LOSSY_TYPES = ("JPEG", "WebP", "AVIF")


@dataclass(frozen=True, eq=False)
class MaskImage:
    """What an image says as a mask.

    levels: (H, W) uint8, its grey; of colours the lowest channel, and of a palette of colours 255
    wherever the index is not 0. alpha: (H, W) uint8, if the image has any. exact: whether levels
    are those that were drawn, and not those of a lossy file.
    """

    levels: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None = None
    exact: bool = True


def decode_mask(name: object, data: bytes) -> MaskImage:
    """Decode the bytes of an image file; ``name`` begins the messages. Raises InputError."""
    image = decode_image(name, data, as_stored=True)
    header = read_header(name, io.BytesIO(data))
    if header.type == "PNG" and header.mode == "P":
        indices = _coloured_indices(name, data)
        if indices is not None:
            return MaskImage(np.where(indices > 0, 255, 0).astype(np.uint8))
    values = image
    if image.dtype == np.uint16 and image[..., :3].max() <= 255:
        values = image.astype(np.uint8)  # numbers in a deep file: 0 and 1, or 0 and 255
    levels = to_8_bits(lowest_channel(values))
    alpha = to_8_bits(image[..., 3]) if image.shape[2] == 4 else None
    return MaskImage(levels, alpha, header.type not in _LOSSY_TYPES)


def lowest_channel(image: NDArray[Any]) -> NDArray[Any]:
    """(H, W) the lowest of the three colours of (H, W, 3 or 4)."""
    lowest: NDArray[Any] = np.minimum(image[..., 0], image[..., 1])  # ten times as fast as min
    np.minimum(lowest, image[..., 2], out=lowest)
    return lowest


def _coloured_indices(name: object, data: bytes) -> NDArray[np.uint8] | None:
    """(H, W) the indices of a palette of colours; None for a palette of greys, which are levels."""
    try:
        image = PngImageFile(io.BytesIO(data))
        image.load()
    except Exception as error:  # on damaged data the plugin raises more than OSError
        raise InputError(f"{name}: cannot be decoded ({error}); save it again") from error
    indices: NDArray[np.uint8] = np.asarray(image)
    colours = np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)
    used = colours[np.unique(indices)]
    return None if (used == used[:, :1]).all() else indices
