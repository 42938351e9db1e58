"""Strokes stay in their form, cover what they should, and follow the seed alone."""

from __future__ import annotations

import numpy as np

from kadr.stylize.looks.structure_tensor import local_directions
from kadr.stylize.paint.brush_marks import LENGTH, WIDTH, brush_marks
from kadr.stylize.paint.strokes import paint_strokes


def _painted(image: np.ndarray, **options: float) -> tuple[np.ndarray, np.ndarray]:
    settings = {"strength": 0.7, "seed": 3, **options}
    directions = local_directions(image, 2.0)
    return paint_strokes(image.astype(np.float32), directions, 6.0, **settings)


def test_marks_are_within_bounds_and_differ() -> None:
    marks = brush_marks(1)
    assert marks.shape == (12, WIDTH, LENGTH, 2)
    assert marks[..., 0].min() >= 0
    assert marks[..., 0].max() <= 1
    assert marks[..., 0].mean() > 0.3
    assert np.abs(marks[..., 1]).max() < 2
    assert not np.array_equal(marks[0], marks[1])
    np.testing.assert_array_equal(marks, brush_marks(1))


def test_marks_end_before_their_border() -> None:
    cover = brush_marks(2)[..., 0]
    # what is cut off at the border would show as a straight line
    assert max(cover[:, 0].max(), cover[:, -1].max()) < 0.35
    assert max(cover[:, :, 0].max(), cover[:, :, -1].max()) < 0.35


def test_no_variety_keeps_one_colour_and_still_has_relief() -> None:
    image = np.full((60, 80, 3), 120, np.uint8)
    canvas, relief = _painted(image, strength=0.0)
    np.testing.assert_allclose(canvas, 120, atol=0.01)
    assert relief.std() > 0.05


def test_strokes_do_not_cross_a_strong_edge() -> None:
    image = np.full((60, 80, 3), 30, np.uint8)
    image[:, 40:] = 220
    canvas, _ = _painted(image)
    assert canvas[:, :40].max() < 100
    assert canvas[:, 40:].min() > 150


def test_colours_hold_on_average() -> None:
    image = np.full((120, 160, 3), (150, 110, 90), np.uint8)
    canvas, _ = _painted(image)
    assert np.abs(canvas.mean(axis=(0, 1)) - (150, 110, 90)).max() < 3


def test_texture_lives_between_pixel_noise_and_flats() -> None:
    """Neighbours are alike, pixels a stroke apart are not: texture that patches can carry."""
    image = np.full((160, 160, 3), 128, np.uint8)
    canvas, _ = _painted(image)
    grey = canvas.mean(axis=2) - canvas.mean()
    neighbours = (grey[:, 1:] * grey[:, :-1]).mean() / grey.var()
    distant = (grey[:, 40:] * grey[:, :-40]).mean() / grey.var()
    assert grey.std() > 1.5
    assert neighbours > 0.7
    assert abs(distant) < 0.3


def test_seed_decides_and_threads_do_not() -> None:
    image = np.random.default_rng(0).integers(0, 256, (80, 70, 3)).astype(np.uint8)
    canvas, relief = _painted(image, threads=1)
    other, same = _painted(image, threads=4)
    np.testing.assert_array_equal(canvas, other)
    np.testing.assert_array_equal(relief, same)
    assert not np.array_equal(canvas, _painted(image, seed=4)[0])
