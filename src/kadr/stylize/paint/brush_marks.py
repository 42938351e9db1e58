"""Generate the marks of bristle brushes from a seed: cover and relief of each mark."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]

LENGTH, WIDTH = 96, 32


def brush_marks(seed: int, count: int = 12) -> Plane:
    """(count, WIDTH, LENGTH, 2) float32: cover 0–1 and relief about -1–1 of each mark.

    Bristles run along the mark: noise that varies quickly across and slowly along. Each bristle
    runs dry at its own length, so ends are ragged, and paint is thicker at the sides.
    """
    rng = np.random.default_rng(seed)
    return np.stack([_mark(rng) for _ in range(count)])


def _mark(rng: np.random.Generator) -> Plane:
    v = np.linspace(-1, 1, WIDTH, dtype=np.float32)[:, None]
    u = np.linspace(-1, 1, LENGTH, dtype=np.float32)[None, :]
    bristles = 0.6 * _streaks(rng, 1.2, 24) + 0.4 * _streaks(rng, 2.6, 40)
    # a bristle's ends: the same for its whole length, so one number a row
    start = 0.86 + 0.14 * _line(rng, 1.5)
    stop = 0.74 + 0.26 * _line(rng, 1.2)
    inside = _ramp(u + start, 0.08) * _ramp(stop - u, 0.16)
    wobble = 0.08 * _streaks(rng, 30.0, 10)
    off_axis: Plane = np.abs(v + wobble)
    sides = _ramp(0.9 - off_axis, 0.16)
    dry = np.clip(1.15 + 0.55 * bristles - 0.5 * np.clip(u, 0, 1) ** 2, 0, 1)
    cover = inside * sides * dry
    ridge = np.exp(-(((np.abs(v) - 0.72) / 0.16) ** 2))
    relief = (0.7 * bristles + 0.55 * ridge) * np.sqrt(cover)
    return np.stack([cover, relief], axis=2).astype(np.float32)


def _ramp(value: Plane, width: float) -> Plane:
    """0 below zero, 1 above ``width``, smooth between."""
    t = np.clip(value / width, 0, 1)
    smooth: Plane = t * t * (3 - 2 * t)
    return smooth


def _streaks(rng: np.random.Generator, across: float, along: float) -> Plane:
    """(WIDTH, LENGTH) noise with these correlation lengths in pixels, mostly in -1–1."""
    noise = rng.standard_normal((WIDTH, LENGTH)).astype(np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), sigmaX=along, sigmaY=across)
    unit: Plane = np.clip(noise / (2 * noise.std() + 1e-6), -1, 1)
    return unit


def _line(rng: np.random.Generator, across: float) -> Plane:
    """(WIDTH, 1) noise in -1–1."""
    noise = rng.standard_normal((WIDTH, 1)).astype(np.float32)
    noise = cv2.GaussianBlur(noise, (1, 0), sigmaX=0.1, sigmaY=across)
    line: Plane = np.clip(noise / (2 * noise.std() + 1e-6), -1, 1)
    return line
