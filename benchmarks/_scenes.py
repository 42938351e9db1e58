"""Render scenes with known motion: filmed frames and the exact painted truth of each.

Every frame is rendered directly from a larger original: each pixel averages a grid of points that
are mapped by the exact inverse motion and sampled cubically. No frame is rendered from another one,
so that methods that resample frames have no advantage.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from _image_pairs import Pair, background, layer

Image = NDArray[np.uint8]
Points = NDArray[np.float32]
"""(H, W, 2) float32, (x, y) in frame pixels from the frame's center."""
Motion = Callable[[Points, float], Points]
"""(points of the frame at a time, the time in frames) → the same points of the still image."""

WIDTH, HEIGHT = 480, 270
FRAME_COUNT = 28
_SCALE = 1.8
"""Pixels of the original for one of the frame; the rest of the original is a margin."""
_LAYER_SCALE = 2.4
_GRID = 3
"""Averaged points for each pixel along each axis."""
_NOISE = 1.5
"""Standard deviation of the noise on filmed frames, 8-bit levels."""
_SHUTTER = 0.5
"""Fraction of a frame interval that the shutter is open: the 180° of a film camera."""
_EXPOSURES = 13
"""Number of moments averaged for one blurred frame."""


@dataclass(frozen=True, eq=False)
class Scene:
    """A finished scene: filmed frames and, for each, the painted truth; (H, W, 3) uint8."""

    name: str
    filmed: list[Image]
    truth: list[Image]


@dataclass(frozen=True)
class _Layer:
    pair: Pair
    motion: Motion
    scale: float


def translation(points: Points, time: float) -> Points:
    """A steady pan by fractions of a pixel, 34 pixels across and 12 down in total."""
    middle = (FRAME_COUNT - 1) / 2
    return points + _vector(1.27, 0.43) * np.float32(time - middle)


def turn_and_zoom(points: Points, time: float) -> Points:
    """Rotation by 22° and zoom by 1.25, eased in and out."""
    share = _ease(time / (FRAME_COUNT - 1))
    turned = _rotate(points, np.radians(22) * share)
    turned /= np.float32(1 + 0.25 * share)
    return turned


def wobble(points: Points, time: float) -> Points:
    """Smooth waves that bend the image in both directions and move through it."""
    x, y = points[..., 0], points[..., 1]
    phase = 2 * np.pi * time / 24
    moved = np.empty_like(points)
    moved[..., 0] = x + 5 * np.sin(y / 28 + phase) + 2 * np.sin(x / 40 - phase)
    moved[..., 1] = y + 4 * np.sin(x / 34 - 0.8 * phase) + 1.5 * np.cos(y / 22 + 1.3 * phase)
    return moved


def crossing(points: Points, time: float) -> Points:
    """The path of a layer from left to right with a slight swing."""
    share = time / (FRAME_COUNT - 1)
    center = _vector(-150 + 290 * share, 12 * np.sin(3 * np.pi * share) + 6)
    return _rotate(points - center, np.radians(10) * np.sin(2 * np.pi * share))


def drift(points: Points, time: float) -> Points:
    """The slow pan of a background against the layer."""
    return points + _vector(-0.35, 0.1) * np.float32(time - FRAME_COUNT / 2)


def jerk(points: Points, time: float) -> Points:
    """Nearly still, a whip of 52 pixels and 9° within five frames, still, then halfway back."""
    share = _ease((time - 8) / 5) - 0.5 * _ease((time - 18) / 4)
    moved = _rotate(points, np.radians(9) * share)
    moved += _vector(52, -14) * np.float32(share - 0.5) + np.float32(0.05 * time)
    return moved


def _layer_scene(clips: Path | None) -> list[_Layer]:
    return [
        _Layer(background(clips), drift, _SCALE),
        _Layer(layer(clips), crossing, _LAYER_SCALE),
    ]


_MOTIONS: dict[str, tuple[Motion, bool]] = {
    "translation": (translation, False),
    "rotation-zoom": (turn_and_zoom, False),
    "wobble": (wobble, False),
    "jerk-blur": (jerk, True),
}
NAMES = ("translation", "rotation-zoom", "wobble", "layer", "jerk-blur")


def make_scene(name: str, clips: Path | None, *, frame_count: int = FRAME_COUNT) -> Scene:
    """Render the scene called ``name`` (one of NAMES), its first ``frame_count`` frames."""
    if name == "layer":
        layers, blurred = _layer_scene(clips), False
    else:
        motion, blurred = _MOTIONS[name]
        layers = [_Layer(background(clips), motion, _SCALE)]
    rng = np.random.default_rng(11)
    filmed, truth = [], []
    for time in range(frame_count):
        # The painted truth of a blurred frame is the style at mid exposure, not blurred: a painter
        # paints objects at their position, and nobody wants blurred strokes.
        truth.append(_quantise(_render(layers, float(time), painted=True)))
        moments = _exposure(time) if blurred else [float(time)]
        exposure = np.mean([_render(layers, moment, painted=False) for moment in moments], axis=0)
        filmed.append(_quantise(exposure + rng.normal(0, _NOISE, exposure.shape)))
    return Scene(name, filmed, truth)


def _exposure(time: int) -> list[float]:
    offsets = (np.arange(_EXPOSURES) - (_EXPOSURES - 1) / 2) / _EXPOSURES
    return [float(time + _SHUTTER * offset) for offset in offsets]


def _render(layers: list[_Layer], time: float, *, painted: bool) -> NDArray[np.float32]:
    """One moment, (HEIGHT, WIDTH, 3) float32: layers composited, then averaged to pixels."""
    points = _points()
    composite: NDArray[np.float32] | None = None
    for item in layers:
        pair = item.pair
        source = (pair.painted if painted else pair.filmed).astype(np.float32)
        height, width = source.shape[:2]
        center = _vector((width - 1) / 2, (height - 1) / 2)
        positions = item.motion(points, time) * np.float32(item.scale) + center
        warped = cv2.remap(
            source, positions, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
        )
        if composite is None or pair.matte is None:
            composite = warped
            continue
        matte = cv2.remap(pair.matte, positions, None, cv2.INTER_LINEAR)[..., None]
        composite = composite + matte * (warped - composite)
    assert composite is not None, "a scene has a layer"
    pixels: NDArray[np.float32] = cv2.resize(
        composite, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA
    )
    return pixels


def _points() -> Points:
    """The points to sample, (HEIGHT · _GRID, WIDTH · _GRID, 2), in pixels from the center."""
    rows = (np.arange(HEIGHT * _GRID, dtype=np.float32) + 0.5) / _GRID - HEIGHT / 2
    columns = (np.arange(WIDTH * _GRID, dtype=np.float32) + 0.5) / _GRID - WIDTH / 2
    x, y = np.meshgrid(columns, rows)
    return np.stack([x, y], axis=2)


def _rotate(points: Points, angle: float) -> Points:
    cos, sin = np.cos(angle), np.sin(angle)
    turned: Points = points @ np.array([[cos, sin], [-sin, cos]], np.float32)
    return turned


def _vector(x: float, y: float) -> NDArray[np.float32]:
    return np.array([x, y], np.float32)


def _ease(share: float) -> float:
    share = min(max(share, 0.0), 1.0)
    return share * share * (3 - 2 * share)


def _quantise(image: NDArray[np.floating]) -> Image:
    rounded: Image = np.clip(np.rint(image), 0, 255).astype(np.uint8)
    return rounded
