"""Generate paper and other noise that stays where it is from frame to frame."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.seeds import derive_seed

Plane = NDArray[np.float32]
Size = tuple[int, int]
"""(H, W)."""

_FINEST = 1.1
"""Pixels below which a grain is finer than the frame can show."""


@lru_cache(maxsize=4)
def paper_grain(size: Size, scale: float, seed: int) -> Plane:
    """(H, W) float32 of mean 0 and standard deviation 1: the heights of rough paper, read-only.

    scale: pixels of this frame for a pixel of a frame 540 high; the grain looks the same.
    """
    grain = np.zeros(size, np.float32)
    for octave, (cell, share) in enumerate(
        ((8.0, 0.5), (4.0, 1.0), (2.2, 0.8), (1.3, 0.45), (0.7, 0.3), (0.4, 0.2))
    ):
        if cell * scale >= _FINEST or octave == 0:
            grain += share * smooth_noise(size, cell * scale, derive_seed(seed, "grain", octave))
    grain /= max(float(grain.std()), 1e-3)
    grain.flags.writeable = False
    return grain


def smooth_noise(size: Size, cell: float, seed: int) -> Plane:
    """(H, W) float32 of mean 0 and standard deviation about 1 whose hills are ``cell`` pixels wide.

    A lattice of random numbers, enlarged (value noise). It depends on size, cell and seed only.
    """
    cell = max(1.0, cell)
    height, width = (int(side / cell) + 3 for side in size)
    lattice = np.random.default_rng(seed).standard_normal((height, width)).astype(np.float32)
    enlarged = (round(width * cell), round(height * cell))
    noise = cv2.resize(lattice, enlarged, interpolation=cv2.INTER_CUBIC)[: size[0], : size[1]]
    # a smooth surface through random numbers varies less than they do
    unit: Plane = np.float32(1.0 if cell < 1.5 else 1.35) * noise
    return unit
