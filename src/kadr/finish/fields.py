"""The fields of a pass frame: where in the key each pixel is taken from; packed to be stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from kadr.core.warp import Field

CONFIDENT = 0.97
"""Confidence above which a pixel is not synthesized."""

_LARGEST = 65535


@dataclass(frozen=True, eq=False)
class PassFields:
    """Where in the key, at the work size, each pixel of a frame is taken from.

    transport: (h, w, 2) float32, the key position that optical flow leads to. nnf: (h, w, 2)
    float32, the key position of the best matching patch; where the confidence is above
    ``CONFIDENT`` it is the transport. confidence: (h, w) float32 0–1, in the transport.
    """

    transport: Field
    nnf: Field
    confidence: NDArray[np.float32]

    @property
    def is_voted(self) -> NDArray[np.bool_]:
        """(h, w) bool, where patches are voted."""
        voted: NDArray[np.bool_] = self.confidence <= CONFIDENT
        return voted

    def pack(self) -> dict[str, NDArray[Any]]:
        """Two (2h, w) uint16 arrays, x above y, and one (h, w) uint8.

        The transport is rounded to a fraction of a pixel: 1/68 at 960 pixels a side. The nnf is
        kept where patches are voted only; elsewhere it is 0, which compresses well.
        """
        scale = position_scale(self.confidence.shape)
        confidence = np.rint(self.confidence * 255).astype(np.uint8)
        voted = _voted(confidence)
        nnf = np.where(voted[..., None], self.nnf, np.float32(0))
        return {
            "transport": pack_positions(self.transport, scale),
            "nnf": pack_positions(nnf, scale),
            "confidence": confidence,
        }

    @classmethod
    def unpack(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """The fields from the arrays of ``pack``; packing them again gives the same arrays.

        Raises ValueError if the arrays do not belong together.
        """
        packed = arrays["confidence"]
        height, width = packed.shape
        shapes = {arrays[name].shape for name in ("transport", "nnf")}
        if packed.dtype != np.uint8 or shapes != {(2 * height, width)}:
            raise ValueError(f"not the fields of a pass of {width}×{height} pixels")
        scale = position_scale(packed.shape)
        transport = unpack_positions(arrays["transport"], scale)
        nnf = unpack_positions(arrays["nnf"], scale)
        nnf = np.where(_voted(packed)[..., None], nnf, transport)
        return cls(transport, nnf, packed.astype(np.float32) / np.float32(255))


def _voted(confidence: NDArray[np.uint8]) -> NDArray[np.bool_]:
    voted: NDArray[np.bool_] = confidence <= int(CONFIDENT * 255)
    return voted


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
