"""Curves and steps of tone that change smoothly, so that frames do not flicker."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.stylize.looks.blur import blur, enlarge_to

Plane = NDArray[np.float32]

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""Weights of R, G and B."""

_WIDE = 200.0
"""Pixels of a frame 540 high around a pixel that decide what counts as dark there."""

_MEAN = 0.6
"""Mean tone of a drawing."""


def smooth_step(values: Plane, low: float, high: float) -> Plane:
    """0 below ``low``, 1 above ``high``, smooth between."""
    t = np.clip((values - np.float32(low)) / np.float32(high - low), 0, 1)
    smooth: Plane = t * t * (3 - 2 * t)
    return smooth


def soft_levels(values: Plane, count: int, hardness: float) -> Plane:
    """Values of 0–1 drawn towards the multiples of ``1 / count``, with smooth changes between them.

    hardness: how steep the changes are, more than 0. They should not be steep, or grain would
    flicker between two steps (Winnemöller, Olsen & Gooch 2006, equation 5, here continuous).
    """
    position = values * np.float32(count)
    middle = np.minimum(np.floor(position), np.float32(count - 1)) + np.float32(0.5)
    change = np.tanh(np.float32(hardness) * (position - middle))
    levels: Plane = middle + np.float32(0.5 / np.tanh(0.5 * hardness)) * change
    levels *= np.float32(1 / count)
    return levels


def even_tone(luma: Plane, scale: float, strength: float) -> Plane:
    """Luma 0–1 with dark surroundings lifted, (H, W) float32 0–1: dark films become drawings too.

    strength: 0: as it is, 1: every surrounding is at least as bright as a drawing is in the mean.
    It depends on wide means alone, not on the extremes of a frame, and so changes slowly from frame
    to frame.
    """
    wide = blur(_shrunk(luma), max(1.0, _WIDE * scale / _factor(luma)))
    wide = enlarge_to(wide, luma.shape)
    # a power that takes the wide mean to the mean tone keeps 0 and 1
    power = np.log(np.float32(_MEAN)) / np.log(np.clip(wide, 0.04, _MEAN))
    evened: Plane = np.clip(luma, 1e-4, 1) ** (1 + np.float32(strength) * (power - 1))
    return evened


def _factor(luma: Plane) -> int:
    shorter: int = min(luma.shape)
    return max(1, shorter // 135)


def _shrunk(luma: Plane) -> Plane:
    factor = _factor(luma)
    size = (max(1, luma.shape[1] // factor), max(1, luma.shape[0] // factor))
    shrunk: Plane = cv2.resize(luma, size, interpolation=cv2.INTER_AREA)
    return shrunk
