"""Masks as mattes: inverted, grown, shrunk and feathered."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from kadr.composite import MatteOptions, make_matte

HEIGHT, WIDTH = 60, 80
DISC = np.zeros((HEIGHT, WIDTH), np.uint8)
cv2.circle(DISC, (40, 30), 15, 255, -1)


def _distance_outside(mask: np.ndarray) -> np.ndarray:
    """Pixels to the nearest set one."""
    return cv2.distanceTransform((mask == 0).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)


def test_levels_are_shares() -> None:
    ramp = np.arange(256, dtype=np.uint8)[None]
    assert np.array_equal(make_matte(ramp, MatteOptions()), ramp.astype(np.float32) / 255)
    inverted = make_matte(ramp, MatteOptions(invert=True))
    assert np.array_equal(inverted[0], inverted[0, ::-1][::-1])
    assert np.array_equal(inverted, (255 - ramp).astype(np.float32) / 255)


@pytest.mark.parametrize("pixels", [1, 3, 4, 11])
def test_growing_moves_the_edge_of_a_disc_by_so_many_pixels(pixels: int) -> None:
    grown = make_matte(DISC, MatteOptions(grow=pixels)) > 0
    distance = _distance_outside(DISC)
    assert grown[distance < 0.85 * pixels].all()
    assert not grown[distance > pixels + 1].any()
    shrunk = make_matte(255 - DISC, MatteOptions(grow=-pixels)) > 0
    assert np.array_equal(shrunk, ~grown), "shrinking is growing what is not set"


def test_growing_keeps_soft_levels() -> None:
    soft = np.zeros((HEIGHT, WIDTH), np.uint8)
    soft[20:40, 30:50] = 100
    grown = make_matte(soft, MatteOptions(grow=3))
    assert set(np.unique(grown)) == {np.float32(0), np.float32(100 / 255)}


def test_what_touches_the_border_does_not_shrink_from_it() -> None:
    left = np.zeros((HEIGHT, WIDTH), np.uint8)
    left[:, :20] = 255
    shrunk = make_matte(left, MatteOptions(grow=-4))
    assert (shrunk[:, :16] == 1).all()
    assert (shrunk[:, 16:] == 0).all()


@pytest.mark.parametrize("feather", [1.0, 2.0, 5.0, 12.0])
def test_a_feather_is_as_wide_as_asked_and_exact_beyond(feather: float) -> None:
    options = MatteOptions(feather=feather)
    matte = make_matte(DISC, options)
    outside, inside = _distance_outside(DISC), _distance_outside(255 - DISC)
    reach = math.ceil(feather / 2)
    assert options.reach == reach
    assert (matte[outside > reach * math.sqrt(2) + 1] == 0).all()
    assert (np.rint(matte * 65535)[inside > reach * math.sqrt(2) + 1] == 65535).all()
    row = matte[30, 40:]
    assert (np.diff(row[15 - reach : 16 + reach]) <= 0).all()
    assert 0.2 < row[15] < 0.8


def test_reach_is_growth_and_half_the_feather() -> None:
    assert MatteOptions(grow=5, feather=7).reach == 9
    assert MatteOptions(grow=-5, feather=4).reach == 0
