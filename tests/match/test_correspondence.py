"""Where two key frames show the same surface."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from kadr.core.warp import grid
from kadr.match.correspondence import Link, chain, correspond, link_keys, reduce_frame
from scenes import texture

HEIGHT, WIDTH = 96, 160


def _film(count: int, step: int = 3) -> list[np.ndarray]:
    """A textured wall that moves to the right by ``step`` pixels a frame."""
    wall = cv2.GaussianBlur(texture(HEIGHT, WIDTH + count * step, seed=5), (0, 0), 1.5)
    starts = [(count - index) * step for index in range(count)]
    return [np.ascontiguousarray(wall[:, start : start + WIDTH]) for start in starts]


def test_a_link_follows_the_motion_both_ways() -> None:
    film = _film(7)
    link = link_keys(film)
    inner = np.s_[10:-10, 40:-40]
    moved = 18.0  # six steps of three pixels
    right = np.array([moved, 0])
    assert np.abs(link.forward - (grid(HEIGHT, WIDTH) - right))[inner].mean() < 0.3
    assert np.abs(link.backward - (grid(HEIGHT, WIDTH) + right))[inner].mean() < 0.3


def test_links_are_chained() -> None:
    film = _film(9)
    links = [link_keys(film[:5]), link_keys(film[4:])]
    inner = np.s_[10:-10, 50:-50]
    there = chain(links, 2, 0)
    back = chain(links, 0, 2)
    shift = np.array([24.0, 0])
    assert np.abs(there - (grid(HEIGHT, WIDTH) - shift))[inner].mean() < 0.5
    assert np.abs(back - (grid(HEIGHT, WIDTH) + shift))[inner].mean() < 0.5


def test_what_is_shown_by_both_is_sure_and_what_is_not_is_not() -> None:
    film = _film(5)
    other = film[4].copy()
    other[30:60, 90:130] = texture(30, 40, seed=9)
    correspondence = correspond(other, film[0], link_keys(film).forward)
    assert correspondence.confidence[10:20, 40:120].mean() > 0.9
    assert correspondence.confidence[38:52, 98:122].mean() < 0.2


def test_frames_that_have_nothing_in_common() -> None:
    a, b = (cv2.GaussianBlur(texture(HEIGHT, WIDTH, seed=s), (0, 0), 1.5) for s in (1, 2))
    assert correspond(a, b).coverage < 0.05
    assert correspond(a, a).coverage > 0.95


def test_a_link_is_stored_and_read() -> None:
    link = link_keys(_film(3))
    packed = link.pack()
    again = Link.unpack(packed, (HEIGHT, WIDTH))
    assert np.abs(again.forward - link.forward).max() < 0.01
    np.testing.assert_array_equal(again.pack()["backward"], packed["backward"])
    with pytest.raises(ValueError, match="not the link of frames of 80×96 pixels"):
        Link.unpack(packed, (HEIGHT, 80))


def test_large_frames_are_reduced() -> None:
    assert max(reduce_frame(np.zeros((100, 2000, 3), np.uint8)).shape) == 384
