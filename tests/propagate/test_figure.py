"""What belongs to a figure in one frame: known motions, figures that are hidden or absent."""

from __future__ import annotations

import cv2
import numpy as np

from figure_scene import HEIGHT, MIDDLE, RADIUS, WIDTH, hat
from kadr.core.warp import grid, sample
from kadr.propagate import PaintedFigure
from kadr.propagate.figure import continue_error, paint_beside

HEAD = np.zeros((HEIGHT, WIDTH), np.uint8)
cv2.circle(HEAD, (round(MIDDLE[0]), round(MIDDLE[1])), RADIUS, 1, -1)
HEAD = HEAD > 0
HAT = hat((HEIGHT, WIDTH)) > 0
SURE = np.ones((HEIGHT, WIDTH), np.float32)


def _moved(mask: np.ndarray, dx: int) -> np.ndarray:
    return np.roll(mask, dx, axis=1)


def _figure(mask: np.ndarray, *, painted: np.ndarray = HEAD | HAT) -> PaintedFigure:
    return PaintedFigure(HEAD, painted, lambda index: mask, is_cut_out=True)


def _film(dx: int) -> np.ndarray:
    """Key positions: the head moved by dx, the background stands still."""
    own = grid(HEIGHT, WIDTH)
    return np.where(_moved(HEAD, dx)[..., None], own - np.float32([dx, 0]), own)


def test_a_hat_moves_with_the_head_and_leaves_nothing_behind() -> None:
    followed = _figure(_moved(HEAD, 14)).follow(3, _film(14), SURE)
    alpha = sample((HEAD | HAT).astype(np.uint8) * 255, followed.transport) * followed.visible
    truth = _moved(HEAD | HAT, 14)
    assert ((alpha > 127) & truth).sum() / ((alpha > 127) | truth).sum() > 0.97
    assert (followed.beside[_moved(HAT & ~HEAD, 14)] == 1).all()


def test_where_something_hides_the_head_no_paint_of_it_shows() -> None:
    hidden = HEAD.copy()
    hidden[round(MIDDLE[1]) + 5 :] = False  # something stands before the lower half
    followed = _figure(hidden).follow(3, _film(0), SURE)
    below = np.zeros_like(HEAD)
    below[round(MIDDLE[1]) + 14 :] = True
    assert followed.visible[below & HEAD].max() == 0
    assert followed.visible[HAT].min() > 0.9


def test_without_the_figure_nothing_of_it_shows() -> None:
    followed = _figure(np.zeros_like(HEAD)).follow(3, _film(0), SURE)
    assert not followed.visible.any()
    assert np.array_equal(followed.transport, _film(0))


def test_paint_within_the_silhouette_changes_nothing() -> None:
    followed = _figure(HEAD, painted=HEAD).follow(3, _film(0), SURE)
    assert np.array_equal(followed.transport, _film(0))
    assert followed.visible[HEAD].min() == 1


def test_a_soft_edge_is_no_paint_beside_the_figure() -> None:
    grown = cv2.dilate(HEAD.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    assert not paint_beside(HEAD, grown).any()
    beside = paint_beside(HEAD, grown | HAT)
    assert beside[HAT & ~grown].all()
    assert not beside[round(MIDDLE[1]) + 10 :].any()


def test_an_error_goes_on_beside_the_figure() -> None:
    error = np.where(HEAD, 90, 255).astype(np.uint8)
    assert (continue_error(error, HEAD) == 90).all()
    assert not continue_error(error, np.zeros_like(HEAD)).any()
