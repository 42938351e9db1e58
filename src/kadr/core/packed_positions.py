"""Positions in an image, packed into 16 bits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kadr.core.warp import Field

_LARGEST = 65535


def position_scale(shape: tuple[int, ...]) -> int:
    """Units in a pixel in which positions in an image of ``shape`` are packed into 16 bits."""
    return max(1, _LARGEST // max(shape))


def pack_positions(field: Field, scale: int) -> NDArray[np.uint16]:
    """(H, W, 2) as (2H, W): x above y, which image formats compress well."""
    scaled = np.rint(np.clip(field * np.float32(scale), 0, _LARGEST)).astype(np.uint16)
    return np.concatenate([scaled[..., 0], scaled[..., 1]])


def unpack_positions(packed: NDArray[np.uint16], scale: int) -> Field:
    """The positions, (H, W, 2) float32, of ``pack_positions``."""
    height = packed.shape[0] // 2
    field = np.stack([packed[:height], packed[height:]], axis=2).astype(np.float32)
    field /= np.float32(scale)
    return field
