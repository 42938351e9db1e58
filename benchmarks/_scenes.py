"""Pictures and known motions in, filmed frames with the exact painted truth of each out.

Every frame is rendered straight from a larger original: each pixel averages a grid of points that
are taken through the exact inverse motion and sampled cubically. No frame is made from another,
so no method that resamples frames comes close to the truth for free.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from _pictures import Pair, background, layer

Image = NDArray[np.uint8]
Points = NDArray[np.float32]
"""(H, W, 2) float32, (x, y) in frame pixels from the frame's center."""
Motion = Callable[[Points, float], Points]
"""(points of the frame at a time, the time in frames) → the same points of the still picture."""

WIDTH, HEIGHT = 480, 270
FRAME_COUNT = 28
_SPREAD = 1.8
"""Pixels of the original to one of the frame; the rest of the original is margin to move in."""
_LAYER_SPREAD = 2.4
_GRID = 3
"""Points a pixel and axis, averaged."""
_NOISE = 1.5
"""Standard deviation of the noise on filmed frames, 8-bit levels."""
_SHUTTER = 0.5
"""Share of the time between two frames that the shutter is open: a film camera's 180°."""
_EXPOSURES = 13
"""Moments averaged into one blurred frame."""


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
    spread: float


def translation(points: Points, time: float) -> Points:
    """A steady pan by fractions of a pixel, 34 pixels across and 12 down in all."""
    middle = (FRAME_COUNT - 1) / 2
    return points + _vector(1.27, 0.43) * np.float32(time - middle)


def turn_and_zoom(points: Points, time: float) -> Points:
    """22° and 1.25 times nearer, eased in and out."""
    share = _ease(time / (FRAME_COUNT - 1))
    turned = _turn(points, np.radians(22) * share)
    turned /= np.float32(1 + 0.25 * share)
    return turned


def wobble(points: Points, time: float) -> Points:
    """Smooth waves that bend the picture in both directions and travel through it."""
    x, y = points[..., 0], points[..., 1]
    phase = 2 * np.pi * time / 24
    moved = np.empty_like(points)
    moved[..., 0] = x + 5 * np.sin(y / 28 + phase) + 2 * np.sin(x / 40 - phase)
    moved[..., 1] = y + 4 * np.sin(x / 34 - 0.8 * phase) + 1.5 * np.cos(y / 22 + 1.3 * phase)
    return moved


def crossing(points: Points, time: float) -> Points:
    """A layer's way from left to right with a slight swing."""
    share = time / (FRAME_COUNT - 1)
    place = _vector(-150 + 290 * share, 12 * np.sin(3 * np.pi * share) + 6)
    return _turn(points - place, np.radians(10) * np.sin(2 * np.pi * share))


def drift(points: Points, time: float) -> Points:
    """A background's slow pan against the layer."""
    return points + _vector(-0.35, 0.1) * np.float32(time - FRAME_COUNT / 2)


def jerk(points: Points, time: float) -> Points:
    """Nearly at rest, a whip of 52 pixels and 9° within five frames, at rest, half-way back."""
    share = _ease((time - 8) / 5) - 0.5 * _ease((time - 18) / 4)
    moved = _turn(points, np.radians(9) * share)
    moved += _vector(52, -14) * np.float32(share - 0.5) + np.float32(0.05 * time)
    return moved


def _layer_scene(clips: Path | None) -> list[_Layer]:
    return [
        _Layer(background(clips), drift, _SPREAD),
        _Layer(layer(clips), crossing, _LAYER_SPREAD),
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
        layers = [_Layer(background(clips), motion, _SPREAD)]
    rng = np.random.default_rng(11)
    filmed, truth = [], []
    for time in range(frame_count):
        # The painted truth of a blurred frame is the style at mid exposure, unblurred: a painter
        # paints the thing where it is, and a blurred stroke is what nobody wants to see.
        truth.append(_quantise(_render(layers, float(time), painted=True)))
        moments = _exposure(time) if blurred else [float(time)]
        shot = np.mean([_render(layers, moment, painted=False) for moment in moments], axis=0)
        filmed.append(_quantise(shot + rng.normal(0, _NOISE, shot.shape)))
    return Scene(name, filmed, truth)


def _exposure(time: int) -> list[float]:
    offsets = (np.arange(_EXPOSURES) - (_EXPOSURES - 1) / 2) / _EXPOSURES
    return [float(time + _SHUTTER * offset) for offset in offsets]


def _render(layers: list[_Layer], time: float, *, painted: bool) -> NDArray[np.float32]:
    """One moment, (HEIGHT, WIDTH, 3) float32: layers over one another, then averaged to pixels."""
    points = _points()
    picture: NDArray[np.float32] | None = None
    for item in layers:
        pair = item.pair
        source = (pair.painted if painted else pair.filmed).astype(np.float32)
        height, width = source.shape[:2]
        center = _vector((width - 1) / 2, (height - 1) / 2)
        positions = item.motion(points, time) * np.float32(item.spread) + center
        shown = cv2.remap(
            source, positions, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
        )
        if picture is None or pair.matte is None:
            picture = shown
            continue
        matte = cv2.remap(pair.matte, positions, None, cv2.INTER_LINEAR)[..., None]
        picture = picture + matte * (shown - picture)
    assert picture is not None, "a scene has a layer"
    pixels: NDArray[np.float32] = cv2.resize(picture, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    return pixels


def _points() -> Points:
    """The points to sample, (HEIGHT · _GRID, WIDTH · _GRID, 2), in pixels from the center."""
    rows = (np.arange(HEIGHT * _GRID, dtype=np.float32) + 0.5) / _GRID - HEIGHT / 2
    columns = (np.arange(WIDTH * _GRID, dtype=np.float32) + 0.5) / _GRID - WIDTH / 2
    x, y = np.meshgrid(columns, rows)
    return np.stack([x, y], axis=2)


def _turn(points: Points, angle: float) -> Points:
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
