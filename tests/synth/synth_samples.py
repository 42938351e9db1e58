"""Small deterministic images to synthesize from."""

from __future__ import annotations

import numpy as np

from kadr.options import SynthOptions


def noise(height: int, width: int, channels: int, seed: int = 0) -> np.ndarray:
    """(H, W, C) uint8 without structure: every patch matches only itself."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)


def waves(height: int, width: int, channels: int, seed: int = 0) -> np.ndarray:
    """(H, W, C) uint8, smooth: neighbouring patches are similar."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    layers = []
    for _ in range(channels):
        frequency, phase = rng.uniform(0.1, 0.4, 2), rng.uniform(0, 6.28)
        layers.append(127.5 + 127 * np.sin(frequency[0] * x + frequency[1] * y + phase))
    return np.rint(np.stack(layers, axis=-1)).astype(np.uint8)


def identity(height: int, width: int) -> np.ndarray:
    """(H, W, 2) int32: every pixel's own position (x, y)."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x, y], axis=-1).astype(np.int32)


def quick(**changes: object) -> SynthOptions:
    """Options with few passes, enough for small images."""
    values = {"vote_iterations": 2, "search_iterations": 2, **changes}
    return SynthOptions(**values)  # type: ignore[arg-type]
