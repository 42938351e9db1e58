"""Two images in; how near they are as a signal-to-noise ratio out."""

from __future__ import annotations

import numpy as np

from kadr.core.frames import Image

_LARGEST = 99.0
"""PSNR in dB of two equal images, so that means stay finite."""


def peak_signal_to_noise(image: Image, truth: Image) -> float:
    """Peak signal-to-noise ratio of two (H, W, C) uint8 images in dB, at most 99."""
    error = float(np.mean(np.square(image.astype(np.float32) - truth)))
    return _LARGEST if error == 0 else min(_LARGEST, 10 * float(np.log10(255**2 / error)))
