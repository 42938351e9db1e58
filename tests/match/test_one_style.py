"""Where a key keeps its own paint, and the picture of both."""

from __future__ import annotations

import cv2
import numpy as np

from kadr.core.warp import grid
from kadr.match.one_style import compose, own_paint
from scenes import texture

HEIGHT, WIDTH = 90, 140
FILMED = cv2.GaussianBlur(texture(HEIGHT, WIDTH, seed=6), (0, 0), 1.5)


def test_what_the_reference_shows_is_not_own_paint() -> None:
    assert own_paint(FILMED, FILMED, grid(HEIGHT, WIDTH).copy()).max() == 0


def test_what_only_this_key_shows_is() -> None:
    filmed = FILMED.copy()
    cv2.circle(filmed, (90, 45), 14, (250, 30, 30), -1)
    share = own_paint(FILMED, filmed, grid(HEIGHT, WIDTH).copy())
    assert share[40:50, 85:95].min() > 0.99
    assert share[:, :60].max() < 0.01
    assert 0.04 < share.mean() < 0.15


def test_what_is_not_painted_at_all_stays() -> None:
    painted = np.ones((HEIGHT, WIDTH), np.float32)
    painted[:, 100:] = 0
    share = own_paint(FILMED, FILMED, grid(HEIGHT, WIDTH).copy(), painted)
    assert share[:, 110:].min() > 0.99
    assert share[:, :90].max() < 0.01


def test_the_picture_is_one_or_the_other_away_from_the_seam() -> None:
    carried, own = (texture(HEIGHT, WIDTH, seed=seed) for seed in (1, 2))
    share = np.zeros((HEIGHT, WIDTH), np.float32)
    np.testing.assert_array_equal(compose(carried, own, share), carried)
    share[:, 70:] = 1
    image = compose(carried, own, share)
    assert np.abs(image[:, -8:].astype(int) - own[:, -8:]).mean() < 3
    assert np.abs(image[:, :8].astype(int) - carried[:, :8]).mean() < 3
