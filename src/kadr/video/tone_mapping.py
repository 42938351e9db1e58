"""Convert PQ and HLG images (HDR) to SDR BT.709.

The output's white is reference white (203 cd/m², ITU-R BT.2408). What is mastered up to 1000 cd/m²
is compressed into it by the curve of ITU-R BT.2390, by the largest channel so that hues stay: up to
92 cd/m² light is unchanged, reference white comes out at 78 % and only 1000 cd/m² as white. Colours
outside BT.709 are clipped.
"""

from __future__ import annotations

from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kadr.core.frames import Image

_WHITE = 203.0  # cd/m² of paper white, ITU-R BT.2408
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
    light = _compress(light)
    codes: Image = _gamma_table()[(np.sqrt(light) * 4095 + 0.5).astype(np.uint16)]
    if image.shape[2] == 4:
        alpha = ((image[..., 3:].astype(np.uint32) + 128) // 257).astype(np.uint8)
        codes = np.concatenate([codes, alpha], axis=2)
    return codes


def _compress(light: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale each pixel so that its largest channel follows the curve, and hues stay."""
    peak = np.clip(light.max(axis=2, keepdims=True), 1e-6, None)
    curve = _curve_table()
    position = np.sqrt(np.minimum(peak, _PEAK) / np.float32(_PEAK)) * np.float32(len(curve) - 2)
    below = position.astype(np.int32)
    share = position - below
    compressed = curve[below] * (1 - share) + curve[below + 1] * share
    return np.asarray(light * (compressed / peak), np.float32)


@cache
def _curve_table() -> NDArray[np.float32]:
    """The EETF at (i / 4096)² of the mastering peak, in multiples of reference white; one more."""
    light = np.minimum(np.arange(4098) / 4096, 1) ** 2 * _PEAK
    return np.asarray(tone_curve(light), np.float32)


def tone_curve(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """The EETF of ITU-R BT.2390-11, section 5.4.1, for one channel.

    light: in multiples of reference white; more than the mastering peak counts as that. Returns 0–1
    of a display whose peak is reference white: the same light below the knee, 1 at the peak.
    """
    source, target = _to_pq(np.array([_PEAK, 1.0]))
    signal = np.minimum(_to_pq(light) / source, 1)
    most = target / source
    knee = 1.5 * most - 0.5
    t = np.maximum(signal - knee, 0) / (1 - knee)
    spline = (
        (2 * t**3 - 3 * t**2 + 1) * knee
        + (t**3 - 2 * t**2 + t) * (1 - knee)
        + (-2 * t**3 + 3 * t**2) * most
    )
    return _from_pq(np.where(signal < knee, signal, spline) * source)


_M1, _M2 = 2610 / 16384, 2523 / 32
_C1, _C2, _C3 = 3424 / 4096, 2413 / 128, 2392 / 128
"""SMPTE ST 2084."""


def _from_pq(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """PQ signal 0–1 → light in multiples of reference white."""
    root = np.asarray(signal) ** (1 / _M2)
    light: NDArray[np.float64] = np.maximum(root - _C1, 0) / (_C2 - _C3 * root)
    return 10000 * light ** (1 / _M1) / _WHITE


def _to_pq(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """Light in multiples of reference white → PQ signal 0–1."""
    power = np.maximum(np.asarray(light) * _WHITE / 10000, 0) ** _M1
    signal: NDArray[np.float64] = ((_C1 + _C2 * power) / (1 + _C3 * power)) ** _M2
    return signal


@cache
def _light_table(transfer: str) -> NDArray[np.float32]:
    """65536 codes → linear light; 1 is reference white (PQ) or the display's peak (HLG)."""
    code = np.linspace(0, 1, 65536)
    if transfer == "pq":
        light = _from_pq(code)
    else:  # ARIB STD-B67
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        light = np.where(code <= 0.5, code**2 / 3, (np.exp((code - c) / a) + b) / 12)
    return light.astype(np.float32)


@cache
def _gamma_table() -> NDArray[np.uint8]:
    """4096 square roots of linear light → 8-bit codes for a BT.1886 display.

    Steps of the root are fine enough in the dark, where those of light itself skip codes. Rounding
    may reach one step above 1.
    """
    table = 255 * np.minimum(np.arange(4097) / 4095, 1) ** (2 / 2.4) + 0.5
    return table.astype(np.uint8)
