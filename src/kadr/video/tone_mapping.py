"""Convert PQ and HLG images (HDR) to SDR BT.709.

Light up to reference white (203 cd/m², ITU-R BT.2408) stays unchanged; brighter light is compressed
smoothly, by the largest channel so that hues stay. Colours outside BT.709 are clipped.
"""

from __future__ import annotations

from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kadr.core.frames import Image

_WHITE = 203.0  # cd/m² of paper white, ITU-R BT.2408
_KNEE = 0.75  # linear light above which highlights are compressed
_PEAK = 1000.0 / _WHITE

# linear BT.2020 to BT.709 primaries, ITU-R BT.2087
_TO_709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]],
    np.float32,
)


def to_sdr(image: NDArray[np.uint16], transfer: Literal["pq", "hlg"]) -> Image:
    """(H, W, 3 or 4) uint16 BT.2020 → uint8 BT.709 of the same shape; alpha is only rounded."""
    light = _light_table(transfer)[image[..., :3]]
    if transfer == "hlg":
        luma = light @ np.array([0.2627, 0.678, 0.0593], np.float32)
        light *= np.maximum(luma, 1e-6)[..., None] ** 0.2  # system gamma of a 1000 cd/m² display
        light *= np.float32(_PEAK)
    light = np.maximum(light @ _TO_709.T, 0)
    light = _roll_off(light)
    codes: Image = _gamma_table()[np.minimum(light * 4095 + 0.5, 4095).astype(np.uint16)]
    if image.shape[2] == 4:
        alpha = ((image[..., 3:].astype(np.uint32) + 128) // 257).astype(np.uint8)
        codes = np.concatenate([codes, alpha], axis=2)
    return codes


def _roll_off(light: NDArray[np.float32]) -> NDArray[np.float32]:
    peak = light.max(axis=2, keepdims=True)
    over = np.maximum(peak - _KNEE, 0)
    room = 1 - _KNEE
    # rises with slope 1 at the knee and reaches 1 at the mastering peak
    span = _PEAK - _KNEE
    bent = _KNEE + over * room * (1 + over * (1 / room - 1 / span) / span) / (room + over)
    scale = np.where(over > 0, np.minimum(bent, 1) / np.maximum(peak, 1e-6), 1)
    return (light * scale).astype(np.float32)


@cache
def _light_table(transfer: str) -> NDArray[np.float32]:
    """65536 codes → linear light; 1 is reference white (PQ) or the display's peak (HLG)."""
    code = np.linspace(0, 1, 65536)
    if transfer == "pq":  # SMPTE ST 2084
        m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
        root = code ** (1 / m2)
        light = 10000 * (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1) / _WHITE
    else:  # ARIB STD-B67
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        light = np.where(code <= 0.5, code**2 / 3, (np.exp((code - c) / a) + b) / 12)
    return light.astype(np.float32)


@cache
def _gamma_table() -> NDArray[np.uint8]:
    """4096 steps of linear light → 8-bit codes for a BT.1886 display."""
    table = 255 * np.linspace(0, 1, 4096) ** (1 / 2.4) + 0.5
    return table.astype(np.uint8)
