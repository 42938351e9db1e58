"""Extending colours beyond the edge of what is visible."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from kadr.composite import extend_colours
from scenes import texture


def _cutout(garbage: int) -> np.ndarray:
    image = np.dstack([texture(50, 70), np.zeros((50, 70), np.uint8)])
    cv2.circle(image[..., 3].copy(), (0, 0), 1, 0)
    alpha = np.zeros((50, 70), np.uint8)
    cv2.circle(alpha, (35, 25), 14, 255, -1, cv2.LINE_AA)
    image[..., 3] = alpha
    image[alpha == 0, :3] = garbage
    return image


def test_visible_colours_stay_and_hidden_ones_do_not_matter() -> None:
    image = _cutout(0)
    extended = extend_colours(image)
    visible = image[..., 3] > 0
    assert np.array_equal(extended[visible], image[visible][:, :3])
    assert np.array_equal(extended, extend_colours(_cutout(255)))


def test_hidden_colours_are_those_around() -> None:
    image = np.zeros((40, 60, 4), np.uint8)
    image[:, :25] = (200, 30, 60, 255)
    image[:, 35:] = (20, 180, 90, 255)
    extended = extend_colours(image)
    assert np.abs(extended[:, 26].astype(int) - (200, 30, 60)).max() < 40
    assert np.abs(extended[:, 33].astype(int) - (20, 180, 90)).max() < 40
    between = extended[20, 25:35].astype(int)
    assert (np.diff(between[:, 0]) <= 0).all()


def test_resampling_extended_colours_is_resampling_premultiplied_ones() -> None:
    image = _cutout(0)
    shift = np.float32([[1, 0, 0.37], [0, 1, 0.61]])

    def move(plane: np.ndarray) -> np.ndarray:
        return cv2.warpAffine(plane.astype(np.float32), shift, (70, 50), flags=cv2.INTER_LINEAR)

    alpha = move(image[..., 3])[..., None] / 255
    ours = move(extend_colours(image)) * alpha
    premultiplied = move(image[..., :3] * (image[..., 3:].astype(np.float32) / 255))
    naive = move(image[..., :3]) * alpha
    edge = (alpha[..., 0] > 0.05) & (alpha[..., 0] < 0.95)
    assert np.abs(ours - premultiplied)[edge].mean() < 3
    assert (
        np.abs(naive - premultiplied)[edge].mean() > 2 * np.abs(ours - premultiplied)[edge].mean()
    )


@pytest.mark.parametrize("alpha", [0, 255])
def test_all_hidden_or_all_visible(alpha: int) -> None:
    image = np.dstack([texture(20, 30), np.full((20, 30), alpha, np.uint8)])
    assert np.array_equal(extend_colours(image), image[..., :3])
