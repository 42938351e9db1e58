"""Draw the sample clip: a head that turns and blinks before a window at dusk, with numpy alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kadr.core.events import CancelToken, Event
from kadr.core.frames import Frame
from kadr.video.clips import create_clip

WIDTH, HEIGHT, COUNT = 640, 360, 72
"""Size in pixels, and frames: three seconds."""

Plane = NDArray[np.float32]

_SKIN = np.array([226, 172, 140], np.float32)
_HAIR = np.array([66, 40, 32], np.float32)
_COAT = np.array([44, 78, 104], np.float32)
_LIGHT = np.array([-0.55, -0.5, 0.67], np.float32)


def draw_sample(
    path: Path, on_event: Callable[[Event], object], cancel: CancelToken, count: int = COUNT
) -> None:
    """Write the clip to ``path``, a video of ``count`` frames at 24 a second. Raises Cancelled."""
    with create_clip(path, like=None, overwrite=True) as writer:
        for index in range(count):
            cancel.check()
            writer.write(Frame(index, sample_frame(index / max(1, count - 1))))
            on_event(Event("draw", index + 1, count))


def sample_frame(time: float) -> NDArray[np.uint8]:
    """The scene at a time, 0–1, as (HEIGHT, WIDTH, 3) uint8."""
    height, width = HEIGHT, WIDTH
    y, x = np.mgrid[:height, :width].astype(np.float32)
    # one unit is half the height; the origin is the middle of the frame
    x, y = (x - width / 2) * 2 / height, (y - height / 2) * 2 / height
    turn = 0.55 * math.sin(2 * math.pi * time)
    nod = 0.05 * math.sin(4 * math.pi * time)
    image = _window(x, y, time)
    _add_coat(image, x, y, turn)
    _add_head(image, x - 0.08 * turn, y + nod + 0.08, turn, time)
    grain = np.random.default_rng(round(time * 1000)).normal(0, 1.2, image.shape)
    frame: NDArray[np.uint8] = np.clip(image + grain, 0, 255).astype(np.uint8)
    return frame


def _smooth(distance: Plane, width: float = 0.012) -> Plane:
    """1 inside (distance below 0), 0 outside, with a soft edge."""
    result: Plane = np.clip(0.5 - distance / width, 0, 1).astype(np.float32)
    return result


def _mix(image: Plane, colour: Plane, cover: Plane) -> None:
    image += cover[..., None] * (colour - image)


def _ellipse(x: Plane, y: Plane, radius_x: float, radius_y: float) -> Plane:
    """About the distance from an ellipse around the origin, negative inside."""
    length = np.sqrt((x / radius_x) ** 2 + (y / radius_y) ** 2)
    result: Plane = ((length - 1) * min(radius_x, radius_y)).astype(np.float32)
    return result


def _window(x: Plane, y: Plane, time: float) -> Plane:
    """A dusk sky with hills and lights behind a cross of wood, and a wall on both sides."""
    share = np.clip((y + 1) / 2, 0, 1)[..., None]
    top, low = np.array([48, 62, 118], np.float32), np.array([246, 158, 96], np.float32)
    image: Plane = top + share**1.4 * (low - top)
    drift = 0.25 * time
    for position, (level, shade) in enumerate(((0.25, 92), (0.42, 58), (0.6, 34))):
        move = x + drift * (position + 1) * 0.4
        ridge = level + 0.08 * np.sin(3.1 * move + 2 * position) + 0.03 * np.sin(9 * move)
        colour = np.array([shade * 0.8, shade * 0.75, shade * 1.25], np.float32)
        _mix(image, colour, _smooth(ridge - y))
    for number in range(9):
        light_x, light_y = -1.5 + 0.38 * number - drift, 0.66 + 0.05 * ((number * 7) % 3)
        glow = np.exp(-((x - light_x) ** 2 + (y - light_y) ** 2) / 0.002)
        image += glow[..., None] * np.array([150, 120, 60], np.float32)
    bars = np.minimum(np.abs(x + 0.62), np.minimum(np.abs(x - 0.95), np.abs(y + 0.35))) - 0.035
    _mix(image, np.array([92, 62, 48], np.float32), _smooth(bars.astype(np.float32)))
    pattern = 8 * np.sin(40 * x) * np.sin(40 * y)
    wall = np.array([150, 120, 110], np.float32) + pattern[..., None]
    _mix(image, wall.astype(np.float32), _smooth((1.4 - np.abs(x)).astype(np.float32)))
    return image


def _add_coat(image: Plane, x: Plane, y: Plane, turn: float) -> None:
    """Shoulders in a coat with buttons, and a scarf."""
    shoulders = _ellipse(x - 0.02 * turn, y - 1.18, 0.95, 0.62)
    folds = 1 + 0.16 * np.sin(16 * x + 3 * np.sin(4 * y)) - 0.25 * np.clip(x, 0, 1)
    _mix(image, (_COAT * folds[..., None]).astype(np.float32), _smooth(shoulders))
    scarf = _ellipse(x - 0.05 * turn, y - 0.62, 0.36, 0.17)
    stripes = np.where(np.sin(34 * (x + 0.6 * y)) > 0.2, 1.0, 0.62)
    red = np.array([196, 60, 52], np.float32) * stripes[..., None]
    _mix(image, red.astype(np.float32), _smooth(scarf))
    for number in range(3):
        button = _ellipse(x - 0.04 * turn - 0.02, y - 0.84 - 0.09 * number, 0.022, 0.022)
        _mix(image, np.array([230, 206, 150], np.float32), _smooth(button))


def _add_head(image: Plane, x: Plane, y: Plane, turn: float, time: float) -> None:
    """A head, lit from the upper left; ``turn``: how far it looks to the side."""
    _mix(image, _HAIR * 0.8, _smooth(_ellipse(x + 0.05 * turn, y - 0.02, 0.47, 0.6)))
    neck = np.maximum(np.abs(x) - 0.15, np.abs(y - 0.52) - 0.22).astype(np.float32)
    _mix(image, _SKIN * 0.72, _smooth(neck))
    face = _ellipse(x, y, 0.37, 0.5)
    depth = np.sqrt(np.clip(1 - (x / 0.4) ** 2 - (y / 0.53) ** 2, 0, 1))
    shade = np.clip(_LIGHT[0] * x / 0.4 + _LIGHT[1] * y / 0.53 + _LIGHT[2] * depth, 0, 1)
    skin = _SKIN * (0.48 + 0.62 * shade[..., None])
    warm = np.exp(-((np.abs(x - 0.3 * turn) - 0.2) ** 2 + (y - 0.14) ** 2) / 0.012)
    skin = skin + warm[..., None] * np.array([14, -16, -16], np.float32)
    _mix(image, skin.astype(np.float32), _smooth(face))
    _add_features(image, x, y, turn, time)
    fringe = np.maximum(_ellipse(x, y, 0.385, 0.515), y + 0.2 + 0.35 * (x - 0.25) ** 2)
    strands = 1 + 0.35 * np.sin(70 * (x + 0.3 * y) + 4 * np.sin(6 * x))
    hair = (_HAIR * strands[..., None]).astype(np.float32)
    _mix(image, hair, _smooth(fringe.astype(np.float32)))


def _add_features(image: Plane, x: Plane, y: Plane, turn: float, time: float) -> None:
    """Eyes that blink, brows, a nose and a mouth that begins to smile."""
    middle = 0.2 * turn
    blink = float(np.clip(np.abs((time * 3) % 1 - 0.5) * 9, 0.2, 1))
    for side in (-1, 1):
        eye_x = middle + side * 0.15 * (1 - 0.25 * abs(turn))
        across = x - eye_x
        eye = _ellipse(across, y + 0.05, 0.068, 0.036 * blink)
        _mix(image, np.array([244, 238, 230], np.float32), _smooth(eye, 0.008))
        iris = np.maximum(_ellipse(across - 0.035 * turn, y + 0.05, 0.03, 0.03), eye)
        _mix(image, np.array([58, 92, 84], np.float32), _smooth(iris, 0.008))
        pupil = np.maximum(_ellipse(across - 0.035 * turn, y + 0.05, 0.013, 0.013), eye)
        _mix(image, np.array([16, 14, 16], np.float32), _smooth(pupil, 0.008))
        brow = np.abs(y + 0.14 + 0.9 * across**2) - 0.014
        brow = np.maximum(brow, np.abs(across) - 0.085).astype(np.float32)
        _mix(image, _HAIR, _smooth(brow))
    nose_x = middle * 1.25
    bridge = np.maximum(np.abs(x - nose_x - 0.028) - 0.01, np.abs(y - 0.06) - 0.1)
    _mix(image, _SKIN * 0.66, 0.7 * _smooth(bridge.astype(np.float32), 0.03))
    _mix(image, _SKIN * 0.6, 0.8 * _smooth(_ellipse(x - nose_x, y - 0.165, 0.05, 0.014), 0.02))
    smile = 0.25 + 0.75 * np.sin(np.pi * time) ** 2
    curve = y - 0.29 + smile * 1.1 * (x - middle) ** 2
    mouth = np.maximum(np.abs(curve) - 0.022, np.abs(x - middle) - 0.115)
    _mix(image, np.array([168, 62, 66], np.float32), _smooth(mouth.astype(np.float32)))
