"""The fields of a pass frame: where in the key each pixel is taken from; packed to be stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.packed_positions import pack_positions, position_scale, unpack_positions
from kadr.core.warp import Field

SURE = 0.97
"""Sureness above which a pixel is sampled alone, without votes of the patches around it."""


@dataclass(frozen=True, eq=False)
class FrameFields:
    """Where in the key, in pixels of the work size, each pixel of a frame is taken from.

    positions: (h, w, 2) float32, where the key is sampled between pixels: the transport. matches:
    (h, w, 2) float32, the key position of the best patch. sure: (h, w) float32 0–1, the confidence
    in the positions; the rest is voted by patches at the matches.
    """

    positions: Field
    matches: Field
    sure: NDArray[np.float32]

    def pack(self) -> dict[str, NDArray[Any]]:
        """ "positions" and "matches", (2h, w) uint16, x above y, and "sure", (h, w) uint8.

        Positions are rounded to a fraction of a pixel: 1/68 at 960 pixels a side. Matches are kept
        where they vote; elsewhere they are 0, which compresses well.
        """
        scale = position_scale(self.sure.shape)
        sure = np.rint(self.sure * 255).astype(np.uint8)
        matches = np.where(near_votes(self.sure)[..., None], self.matches, np.float32(0))
        return {
            "positions": pack_positions(self.positions, scale),
            "matches": pack_positions(matches, scale),
            "sure": sure,
        }

    @classmethod
    def unpack(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """The fields from the arrays of ``pack``. Raises ValueError if they do not fit together."""
        packed = arrays["sure"]
        height, width = packed.shape
        if any(arrays[name].shape != (2 * height, width) for name in ("positions", "matches")):
            raise ValueError(f"not the fields of a frame of {width}×{height} pixels")
        scale = position_scale(packed.shape)
        return cls(
            unpack_positions(arrays["positions"], scale),
            unpack_positions(arrays["matches"], scale),
            packed.astype(np.float32) / np.float32(255),
        )


def near_votes(sure: NDArray[np.float32], last: float = SURE) -> NDArray[np.bool_]:
    """(h, w) bool: the pixels whose patches vote for a pixel of a sureness up to ``last``."""
    unsure = (np.rint(sure * 255) <= int(last * 255)).astype(np.uint8)
    near: NDArray[np.bool_] = cv2.dilate(unsure, np.ones((3, 3), np.uint8)).view(np.bool_)
    return near
