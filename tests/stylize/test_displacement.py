"""Displaced keys: shifts and scales are measured over styles, and mended; good keys are left."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kadr.core.frames import Image
from kadr.stylize.displacement import Displacement, align_key, measure_displacement
from kadr.stylize.paint.stylizer import PaintOptions, paint
from scenes import texture

WIDTH, HEIGHT = 480, 270
Style = Callable[[Image], Image]


def _scene() -> Image:
    """A few hundred bars and discs of many sizes, on a background with detail."""
    rng = np.random.default_rng(4)
    image = cv2.GaussianBlur(texture(HEIGHT, WIDTH, seed=3), (0, 0), 2)
    for _ in range(60):
        x, y = (int(value) for value in rng.uniform((0, 0), (WIDTH, HEIGHT)))
        size = int(rng.uniform(4, 30))
        colour = [int(value) for value in rng.uniform(0, 255, 3)]
        if rng.random() < 0.5:
            cv2.circle(image, (x, y), size, colour, -1, cv2.LINE_AA)
        else:
            cv2.rectangle(image, (x, y), (x + size, y + 2 * size), colour, -1)
    return image


FRAME = _scene()


def _filter(image: Image) -> Image:
    """Smooth and in few tones."""
    return (cv2.bilateralFilter(image, 9, 75, 75) // 32 * 32).astype(np.uint8)


def _negative(image: Image) -> Image:
    return (255 - cv2.medianBlur(image, 7)).astype(np.uint8)


def _painted(image: Image) -> Image:
    return paint(image, PaintOptions(), seed=1)


def _rough(image: Image) -> Image:
    """Painted by hand: outlines lie a few pixels aside, another way in each place."""
    rng = np.random.default_rng(8)
    offsets = rng.normal(0, 2.5, (9, 16, 2)).astype(np.float32)
    field = cv2.resize(offsets, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    moved = cv2.remap(
        _negative(image), x + field[..., 0], y + field[..., 1], cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT_101,
    )  # fmt: skip
    grain = texture(HEIGHT, WIDTH, seed=20).astype(np.float32) - 128
    return np.clip(moved + 0.2 * grain, 0, 255).astype(np.uint8)


STYLES: dict[str, Image] = {
    style.__name__: style(FRAME) for style in (_filter, _negative, _painted, _rough)
}


def _displaced(key: Image, displacement: Displacement) -> Image:
    """The key with what the frame shows at p at the displaced p."""
    size = key.shape[1], key.shape[0]
    return cv2.warpAffine(
        key, displacement.matrix(size), size, flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REFLECT_101,
    ).astype(np.uint8)  # fmt: skip


@pytest.mark.parametrize("style", STYLES)
def test_a_key_that_lies_well_is_left(style: str) -> None:
    assert measure_displacement(STYLES[style], FRAME) is None


@pytest.mark.parametrize("style", ["_filter", "_negative", "_painted"])
@pytest.mark.parametrize(
    ("scale", "x", "y"),
    [
        (1.0, 0.7, 0.0),
        (1.0, -1.0, 1.5),
        (1.0, 12.0, 0.0),
        (1.0, -40.0, 20.0),
        (0.9, 0.0, 0.0),
        (1.1, -6.0, 4.0),
        (1.03, 5.0, -3.0),
    ],
)
def test_a_displacement_is_measured_and_mended(
    style: str, scale: float, x: float, y: float
) -> None:
    key = STYLES[style]
    displaced = _displaced(key, Displacement(scale, x, y))
    measured = measure_displacement(displaced, FRAME)
    assert measured is not None
    assert measured.explained
    assert measured.scale == pytest.approx(scale, abs=0.003)
    assert (measured.x, measured.y) == pytest.approx((x, y), abs=0.5)
    aligned = align_key(displaced, measured)
    inner = slice(60, -60), slice(80, -80)
    difference = np.abs(aligned[inner].astype(np.int32) - key[inner]).mean()
    assert difference < 0.5 * np.abs(displaced[inner].astype(np.int32) - key[inner]).mean()
    assert measure_displacement(aligned, FRAME) is None


@settings(max_examples=12)
@given(
    st.floats(0.9, 1.1),
    st.floats(-40, 40),
    st.floats(-25, 25),
)
def test_any_displacement_is_measured(scale: float, x: float, y: float) -> None:
    truth = Displacement(scale, x, y)
    measured = measure_displacement(_displaced(STYLES["_filter"], truth), FRAME)
    if measured is None:
        assert truth.largest((WIDTH, HEIGHT)) < 1.5
        return
    assert (measured.x, measured.y) == pytest.approx((x, y), abs=0.7)
    assert measured.scale == pytest.approx(scale, abs=0.005)


def test_a_rough_key_that_is_displaced_is_measured() -> None:
    measured = measure_displacement(_displaced(STYLES["_rough"], Displacement(1, 14, -9)), FRAME)
    assert measured is not None
    assert (measured.x, measured.y) == pytest.approx((14, -9), abs=2)


def test_parts_that_move_apart_are_not_explained() -> None:
    """A wave: each part lies elsewhere by many pixels, which no shift and scale undoes."""
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    wave = (7 * np.sin(x / 60)).astype(np.float32), (7 * np.sin(y / 50)).astype(np.float32)
    bent = cv2.remap(STYLES["_filter"], x + wave[1], y + wave[0], cv2.INTER_LINEAR)
    measured = measure_displacement(bent, FRAME)
    assert measured is not None
    assert not measured.explained


def test_what_shows_something_else_tells_nothing() -> None:
    assert measure_displacement(texture(HEIGHT, WIDTH, seed=7), FRAME) is None
    assert measure_displacement(np.full_like(FRAME, 90), FRAME) is None
    assert measure_displacement(FRAME[:16, :16].copy(), FRAME[:16, :16].copy()) is None


def test_alpha_moves_with_the_key_and_what_is_transparent_does_not_count() -> None:
    key = np.dstack([STYLES["_filter"], np.full((HEIGHT, WIDTH), 255, np.uint8)])
    key[:, :160] = (0, 255, 0, 0)
    key[100:110, 60:70, :3] = 255
    measured = measure_displacement(_displaced(key, Displacement(1, 8, 0)), FRAME)
    assert measured is not None
    assert (measured.x, measured.y) == pytest.approx((8, 0), abs=0.5)
    aligned = align_key(_displaced(key, Displacement(1, 8, 0)), measured)
    assert (aligned[:, 10:150, 3] == 0).all()
    assert (aligned[:, 170:-10, 3] == 255).all()


@given(
    st.floats(0.9, 1.1), st.floats(-20, 20), st.floats(-20, 20),
    st.floats(0.95, 1.05), st.floats(-5, 5), st.floats(-5, 5),
)  # fmt: skip
def test_displacements_follow_one_another(
    scale: float, x: float, y: float, other_scale: float, other_x: float, other_y: float
) -> None:
    first = Displacement(scale, x, y)
    size = (WIDTH, HEIGHT)
    both = first.moved(other_scale, other_x, other_y).matrix(size)
    then = Displacement(other_scale, other_x, other_y).matrix(size)
    point = np.array([100.0, 30.0, 1.0])
    assert both @ point == pytest.approx(first.matrix(size) @ [*(then @ point), 1.0], abs=1e-6)
