"""Two versions of a painted shape moved onto one shape between them."""

from __future__ import annotations

import numpy as np

from figure_scene import HEIGHT, WIDTH, hat, overlap
from kadr.render.align_paint import align_paint

COLOURS = np.full((HEIGHT, WIDTH, 3), (150, 60, 40), np.uint8)


def _at(dx: int) -> np.ndarray:
    return np.dstack([COLOURS, np.roll(hat((HEIGHT, WIDTH)), dx, axis=1)])


def _weights(second: float) -> list[np.ndarray]:
    return [np.full((20, 28), share, np.float32) for share in (1 - second, second)]


def test_both_move_onto_the_shape_between_them() -> None:
    for second in (0.0, 0.25, 0.5, 1.0):
        moved = align_paint([_at(0), _at(6)], _weights(second))
        between = 0.5 * (
            _at(int(6 * second))[..., 3].astype(float) + _at(int(np.ceil(6 * second)))[..., 3]
        )
        for image in moved:
            assert overlap(image[..., 3], between) > 0.93
        assert overlap(moved[0][..., 3], moved[1][..., 3]) > 0.95


def test_an_image_of_full_weight_stays() -> None:
    first, second = _at(0), _at(6)
    assert np.array_equal(align_paint([first, second], _weights(0))[0], first)
    assert np.array_equal(align_paint([first, second], _weights(1))[1], second)


def test_shapes_that_are_far_apart_stay_where_they_are() -> None:
    moved = align_paint([_at(0), _at(90)], _weights(0.5))
    assert overlap(moved[0][..., 3], _at(0)[..., 3]) > 0.85


def test_single_images_and_images_without_alpha_stay() -> None:
    (only,) = align_paint([_at(0)], _weights(0)[:1])
    assert np.array_equal(only, _at(0))
    opaque = [_at(0)[..., :3], _at(6)[..., :3]]
    assert all(map(np.array_equal, align_paint(opaque, _weights(0.5)), opaque))
