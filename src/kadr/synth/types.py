"""Inputs and outputs of the synthesis: guides, style sources and a synthesized frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

GuideImage = NDArray[np.uint8] | NDArray[np.float32]
"""(H, W) or (H, W, C) uint8, or float32 on the same scale; values are clipped to 0–255."""


@dataclass(frozen=True, eq=False)
class Guide:
    """One guide: channels of the source, channels of the target, and a weight."""

    source: GuideImage
    target: GuideImage
    weight: float


@dataclass(frozen=True, eq=False)
class StyleSource:
    """A style with its guides, all of the same size.

    style: (H, W, C) uint8, 1 to 8 channels. guides: one image a guide, in the order of the weights.
    mask: (H, W) bool, True where patches may be taken; None: everywhere.
    """

    style: NDArray[np.uint8]
    guides: Sequence[GuideImage]
    mask: NDArray[np.bool_] | None = None


@dataclass(frozen=True, eq=False)
class Synthesis:
    """One synthesized frame.

    image: (H, W, C) uint8. nnf: (H, W, 2) int32, each pixel's source position (x, y).
    source: (H, W) uint8, the index of the source of that position. error: (H, W) float32, the
    patch cost E without the uniformity term, for 8-bit values. Outside the mask: 0, nnf −1.
    """

    image: NDArray[np.uint8]
    nnf: NDArray[np.int32]
    source: NDArray[np.uint8]
    error: NDArray[np.float32]
