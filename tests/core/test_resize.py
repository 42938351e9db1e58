"""Sizes that fit, and images reduced to a longest side."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from kadr.core.resize import fit_in_box, fit_width, shrink_to_side


@pytest.mark.parametrize(
    ("size", "box", "expected"),
    [
        ((1920, 1080), (480, 480), (480, 270)),
        ((1080, 1920), (480, 480), (270, 480)),
        ((1920, 1080), (100, 20), (36, 20)),
        ((400, 300), (480, 480), (400, 300)),
        ((3000, 2), (256, 256), (256, 1)),
    ],
)
def test_sizes_keep_their_aspect_within_the_box(
    size: tuple[int, int], box: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert fit_in_box(size, box) == expected


def test_small_sizes_grow_only_when_allowed() -> None:
    assert fit_in_box((40, 30), (80, 90)) == (40, 30)
    assert fit_in_box((40, 30), (80, 90), enlarge=True) == (80, 60)


def test_height_follows_from_the_width() -> None:
    assert fit_width((1920, 1080), 320) == (320, 180)
    assert fit_width((1000, 1), 320) == (320, 1)


@pytest.mark.parametrize("side", [30, 200])
def test_small_images_are_returned_as_they_are(side: int) -> None:
    image = np.zeros((20, 30, 3), np.uint8)
    assert shrink_to_side(image, side) is image


@pytest.mark.parametrize("shape", [(90, 160, 3), (160, 90, 3), (90, 161)])
def test_the_longest_side_is_reduced_by_area(shape: tuple[int, ...]) -> None:
    image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    reduced = shrink_to_side(image, 40)
    assert max(reduced.shape[:2]) == 40
    assert reduced.ndim == image.ndim
    size = (reduced.shape[1], reduced.shape[0])
    expected = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(reduced, expected)
