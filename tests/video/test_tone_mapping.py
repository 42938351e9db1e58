"""The tone curve against the published formula, and gray ramps through the whole conversion."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest

from kadr.video.tone_mapping import to_sdr, tone_curve

WHITE, MASTERED = 203.0, 1000.0


def _pq(nits: float) -> float:
    """SMPTE ST 2084: light in cd/m² → signal."""
    y = (nits / 10000) ** 0.1593017578125
    return float(((0.8359375 + 18.8515625 * y) / (1 + 18.6875 * y)) ** 78.84375)


def _nits(signal: float) -> float:
    """SMPTE ST 2084: signal → light in cd/m²."""
    root = signal ** (1 / 78.84375)
    return float(10000 * (max(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)) ** 6.277394636)


def _eetf(nits: float) -> float:
    """ITU-R BT.2390, steps of section 5.4.1, written down one by one; black is 0 on both sides."""
    e1 = _pq(nits) / _pq(MASTERED)
    most = _pq(WHITE) / _pq(MASTERED)
    ks = 1.5 * most - 0.5
    if e1 < ks:
        return nits
    t = (e1 - ks) / (1 - ks)
    p = (2 * t**3 - 3 * t**2 + 1) * ks + (t**3 - 2 * t**2 + t) * (1 - ks)
    return _nits((p + (-2 * t**3 + 3 * t**2) * most) * _pq(MASTERED))


@pytest.mark.parametrize("nits", [0.1, 5, 60, 92, 120, 203, 256, 400, 700, 950, 1000])
def test_the_curve_is_the_published_one(nits: float) -> None:
    assert tone_curve(np.array([nits / WHITE]))[0] * WHITE == pytest.approx(_eetf(nits), rel=1e-6)


def test_white_is_reached_at_the_mastering_peak_and_not_before() -> None:
    curve = tone_curve(np.linspace(0, MASTERED, 1001) / WHITE)
    assert (np.diff(curve) > 0).all()
    assert curve[-1] == pytest.approx(1)
    assert curve[256] < 0.9  # above 256 cd/m² all was white once
    assert tone_curve(np.array([20.0]))[0] == pytest.approx(1)


def _gray(code: np.ndarray, transfer: Literal["pq", "hlg"]) -> np.ndarray:
    """Gray codes 0–65535 → levels of one channel; all three must be alike."""
    image = np.repeat(code.astype(np.uint16)[None, :, None], 3, axis=2)
    levels = to_sdr(image, transfer)[0].astype(int)
    assert np.ptp(levels, axis=1).max() <= 1
    return levels[:, 1]


@pytest.mark.parametrize("transfer", ["pq", "hlg"])
def test_a_gray_ramp_rises_without_steps(transfer: Literal["pq", "hlg"]) -> None:
    levels = _gray(np.arange(0, 65536, 8), transfer)
    assert (np.diff(levels) >= 0).all()
    assert np.diff(levels).max() <= 2  # nor are levels skipped in the dark
    assert levels[0] == 0
    assert levels[-1] == 255


@pytest.mark.parametrize("nits", [1, 30, 92, 203, 300, 600, 900])
def test_gray_of_known_light_comes_out_as_the_curve_says(nits: float) -> None:
    expected = 255 * (_eetf(nits) / WHITE) ** (1 / 2.4)
    pq = _gray(np.array([round(_pq(nits) * 65535)]), "pq")[0]
    assert pq == pytest.approx(expected, abs=1)
    # BT.2100: a gray HLG signal shows as 1000 · scene ** 1.2 cd/m² on a display of 1000
    scene = (nits / MASTERED) ** (1 / 1.2)
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    signal = np.sqrt(3 * scene) if scene <= 1 / 12 else a * np.log(12 * scene - b) + c
    assert _gray(np.array([round(signal * 65535)]), "hlg")[0] == pytest.approx(expected, abs=1)
