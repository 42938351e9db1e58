"""The fields of a pass frame: where in the key each pixel is taken from; packed to be stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.packed_positions import pack_positions, position_scale, unpack_positions
from kadr.core.warp import Field, grid

SURE = 0.97
"""Sureness above which a pixel is sampled alone, without votes of the patches around it."""

_LAST_VOTED = int(SURE * 255)

_SWITCH = (0.4, 0.6)
"""Confidence at which positions change from those of matches to those of the transport."""
_SPREAD = (0.5, 1.0)
"""Variance in pixels squared of the motion of neighbouring matches: below they move as one."""


@dataclass(frozen=True, eq=False)
class FrameFields:
    """Where in the key, in pixels of the work size, each pixel of a frame is taken from.

    positions: (h, w, 2) float32, smooth where the key is sampled between pixels. matches: (h, w, 2)
    float32, the key position of the best patch. sure: (h, w) float32 0–1, how far the positions
    hold; the rest is voted by patches at the matches.
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
        near_votes = cv2.dilate((sure <= _LAST_VOTED).astype(np.uint8), np.ones((3, 3), np.uint8))
        matches = np.where(near_votes[..., None] > 0, self.matches, np.float32(0))
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


def join_fields(transport: Field, matches: Field, confidence: NDArray[np.float32]) -> FrameFields:
    """The fields of a frame from what its pass found, all (h, w, …) of the work size.

    The key is sampled along the transport where the confidence in it is high, and along the mean of
    the matches where neighbouring ones move as one. Elsewhere patches vote.
    """
    offsets = matches - grid(*confidence.shape)
    mean = cv2.blur(offsets, (3, 3))
    spread = (cv2.blur(offsets * offsets, (3, 3)) - mean * mean).sum(axis=2)
    low, high = _SPREAD
    together = cv2.erode(np.clip((high - spread) / (high - low), 0, 1), np.ones((3, 3), np.uint8))
    low, high = _SWITCH
    share = np.clip((confidence - low) / (high - low), 0, 1)[..., None]
    smooth = np.where(together[..., None] > 0, mean + grid(*confidence.shape), transport)
    positions = (smooth + share * (transport - smooth)).astype(np.float32)
    sure = np.maximum(confidence, cv2.blur(together, (3, 3))).astype(np.float32)
    return FrameFields(positions, matches, sure)
