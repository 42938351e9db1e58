"""Mattes averaged along the motion of their frames."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kadr.core.events import Event
from kadr.core.frames import Frame
from kadr.matte.base import FrameMatte
from kadr.matte.steady import steady
from scenes import sliding

FILM = sliding(6, 2.0, height=64, width=96)


def _mattes(noise: float) -> list[np.ndarray]:
    """A stripe that slides as the film does, and noise of its own in each frame."""
    x = np.arange(96)
    mattes = []
    for index in range(len(FILM)):
        stripe = np.clip(8 - np.abs(x - 40 - 2 * index), 0, 1)
        rng = np.random.default_rng(index)
        mattes.append(np.float32(np.tile(stripe, (64, 1)) + rng.normal(0, noise, (64, 96))))
    return mattes


def _items(mattes: Sequence[np.ndarray], first: int = 0) -> list[FrameMatte]:
    return [
        FrameMatte(Frame(first + index, FILM[first + index]), FILM[first + index], matte)
        for index, matte in enumerate(mattes)
    ]


def _steadied(items: Sequence[Event | FrameMatte]) -> list[np.ndarray]:
    return [item.matte for item in steady(items) if isinstance(item, FrameMatte)]


def test_what_moves_with_the_film_stays_and_noise_is_averaged() -> None:
    clean, noisy = _mattes(0), _mattes(0.2)
    inner = np.s_[8:-8, 16:-16]
    for truth, before, after in list(zip(clean, noisy, _steadied(_items(noisy)), strict=True))[
        1:-1
    ]:
        assert np.std((after - truth)[inner]) < 0.72 * np.std((before - truth)[inner])
    for truth, after in zip(clean, _steadied(_items(clean)), strict=True):
        assert np.abs((after - truth)[inner]).mean() < 0.01


def test_a_neighbour_that_shows_something_else_does_not_count() -> None:
    mattes = [np.zeros((64, 96), np.float32), np.ones((64, 96), np.float32)]
    other = np.ascontiguousarray(255 - FILM[0][::-1])
    items = [
        FrameMatte(Frame(0, FILM[0]), FILM[0], mattes[0]),
        FrameMatte(Frame(1, other), other, mattes[1]),
    ]
    first, second = _steadied(items)
    assert first.mean() < 0.05
    assert second.mean() > 0.95


def test_a_part_gets_the_mattes_of_the_whole() -> None:
    mattes = _mattes(0.1)
    whole = _steadied(_items(mattes))
    part = _steadied(_items(mattes[1:5], 1))
    for index in (2, 3):
        np.testing.assert_array_equal(whole[index], part[index - 1])


def test_painted_mattes_stay_and_events_pass() -> None:
    mattes = _mattes(0.1)
    items: list[Event | FrameMatte] = list(_items(mattes))
    painted = FrameMatte(Frame(2, FILM[2]), FILM[2], mattes[2], mattes[2])
    items[2] = painted
    event = Event("mattes", 1, 2)
    items.insert(3, event)
    results = list(steady(items))
    assert event in results
    assert painted in results
    assert [item.frame.index for item in results if isinstance(item, FrameMatte)] == list(range(6))


def test_frames_that_do_not_follow_one_another_are_kept_apart() -> None:
    mattes = _mattes(0.1)
    items = [_items(mattes)[index] for index in (0, 3)]
    for before, after in zip((mattes[0], mattes[3]), _steadied(items), strict=True):
        np.testing.assert_array_equal(before, after)
