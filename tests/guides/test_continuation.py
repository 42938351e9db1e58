"""Positions of a figure continued beyond its outline, against motions that are exactly known."""

from __future__ import annotations

import cv2
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from kadr.core.warp import grid
from kadr.guides.continuation import continue_positions, fill_positions
from scenes import positions, rotation, translation

HEIGHT, WIDTH = 120, 160
MIDDLE = (70.0, 80.0)


def _disc(x: float = MIDDLE[0], y: float = MIDDLE[1], radius: int = 26) -> np.ndarray:
    """Weights (H, W) float32: 1 in a disc, soft at its edge."""
    image = np.zeros((HEIGHT, WIDTH), np.float32)
    cv2.circle(image, (round(x), round(y)), radius, 1.0, -1)
    return cv2.blur(image, (5, 5)) * image


@settings(max_examples=20)
@given(
    st.floats(-35, 35), st.floats(0.8, 1.25), st.floats(-20, 20), st.floats(-20, 20),
    st.floats(8, 60),
)  # fmt: skip
def test_a_figure_that_turns_and_grows_is_continued_exactly(
    degrees: float, zoom: float, dx: float, dy: float, reach: float
) -> None:
    matrix = rotation(degrees, MIDDLE, zoom)
    matrix[:, 2] += (dx, dy)
    truth = positions(matrix, HEIGHT, WIDTH)
    weight = _disc()
    film = np.where(weight[..., None] > 0, truth, grid(HEIGHT, WIDTH))
    continued = continue_positions(film, weight, reach)
    assert continued is not None
    near = np.hypot(*(grid(HEIGHT, WIDTH) - np.array(MIDDLE)).transpose(2, 0, 1)) < 60
    assert np.abs(continued - truth)[near].max() < 0.6
    assert np.abs(continued - truth)[weight == 1].max() < 0.1


def test_a_part_that_moves_by_itself_does_not_bend_the_rest() -> None:
    truth = positions(rotation(12, MIDDLE), HEIGHT, WIDTH)
    weight = _disc()
    film = truth.copy()
    hand = _disc(92, 90, 9) > 0
    film[hand] += (9, -4)
    continued = continue_positions(film, weight, 40)
    assert continued is not None
    above = slice(20, 50), slice(50, 90)
    assert np.abs(continued - truth)[above].max() < 0.6


def test_two_parts_are_each_continued_by_their_own_motion() -> None:
    left, right = _disc(30, 60, 18), _disc(130, 60, 18)
    motions = [positions(translation(dx, 0), HEIGHT, WIDTH) for dx in (-6, 6)]
    film = np.where(left[..., None] > 0, motions[0], motions[1])
    continued = continue_positions(film, left + right, 10)
    assert continued is not None
    assert np.abs(continued[30:36, 20:40] - motions[0][30:36, 20:40]).max() < 1.5
    assert np.abs(continued[30:36, 120:140] - motions[1][30:36, 120:140]).max() < 1.5


def test_nothing_to_continue() -> None:
    assert continue_positions(grid(HEIGHT, WIDTH), np.zeros((HEIGHT, WIDTH), np.float32), 9) is None


def test_what_departs_from_the_base_is_kept_where_it_holds_and_smooth_beyond() -> None:
    base, weight = grid(HEIGHT, WIDTH), _disc()
    field = base + np.float32(3) * weight[..., None]
    filled = fill_positions(field, base, weight)
    assert np.allclose(filled[weight == 1], field[weight == 1], atol=1e-3)
    steps = np.abs(np.diff(filled - base, axis=1)).max()
    assert steps < 1.5
