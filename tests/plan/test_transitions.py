"""Transitions: dissolves and fades end a shot in their middle; motion, light and objects do not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import cv2
import numpy as np
import pytest

from kadr.plan.shots import BoundaryFinder, find_shots
from kadr.plan.transitions import DELAY, TransitionFinder
from scenes import as_frames, rotation, show, texture

_Scene = list[np.ndarray]


def _middles(images: Sequence[np.ndarray], first: int = 0) -> list[int]:
    finder, middles = TransitionFinder(), []
    for index, image in enumerate(images, first):
        middles += finder.add(index, image)
    return middles + finder.finish()


@lru_cache
def _wide_picture(seed: int) -> np.ndarray:
    return texture(72, 696, seed=seed, fine=3)


def _scene(seed: int, count: int, dx: float = 0.3) -> _Scene:
    """A picture that slides by ``dx`` pixels of 96 a frame."""
    picture = _wide_picture(seed)
    centers = ((348 - dx * (t - count / 2), 35.5) for t in range(count))
    return [cv2.getRectSubPix(picture, (96, 72), center) for center in centers]


def _mixed(weights: Sequence[float], before: _Scene, after: _Scene) -> _Scene:
    return [
        cv2.addWeighted(b, 1 - weight, a, weight, 0)
        for weight, b, a in zip(weights, before, after, strict=True)
    ]


def _dissolve(length: int, before: int = 40, after: int = 40, dx: float = 0.3) -> _Scene:
    count = before + length + after
    weights = np.clip((np.arange(count) - before + 1) / (length + 1), 0, 1)
    return _mixed(weights, _scene(1, count, dx), _scene(2, count, -dx))


def _fade(colour: int, length: int = 24) -> _Scene:
    count = 80 + length
    brightness = np.clip(np.abs(np.arange(count) - (count - 1) / 2) / (length / 2), 0, 1)
    images = [*_scene(1, count)[: count // 2], *_scene(2, count)[count // 2 :]]
    plain = [np.full_like(images[0], colour)] * count
    return _mixed(brightness, plain, images)


@pytest.mark.parametrize("length", [8, 12, 20, 30, 40])
@pytest.mark.parametrize("dx", [0.0, 0.3, 1.0])
def test_a_dissolve_ends_a_shot_in_its_middle(length: int, dx: float) -> None:
    [middle] = _middles(_dissolve(length, dx=dx), first=100)
    assert abs(middle - (140 + length / 2)) <= 4


@pytest.mark.parametrize("colour", [0, 255])
def test_a_fade_into_another_picture_ends_a_shot(colour: int) -> None:
    [middle] = _middles(_fade(colour))
    assert abs(middle - 52) <= 3


def test_a_dissolve_near_the_start_and_the_end_is_found() -> None:
    [middle] = _middles(_dissolve(12, before=8, after=8))
    assert abs(middle - 14) <= 3


def test_two_dissolves_are_two() -> None:
    count = 150
    first, second = (np.clip((np.arange(count) - start) / 16, 0, 1) for start in (40, 90))
    images = _mixed(first, _scene(1, count), _scene(2, count))
    middles = _middles(_mixed(second, images, _scene(3, count)))
    assert np.abs(np.array(middles) - (48, 98)).max() <= 3


def test_a_middle_is_reported_after_the_delay() -> None:
    finder = TransitionFinder()
    images = _dissolve(12, before=40, after=80)
    reported = [(m, index) for index, image in enumerate(images) for m in finder.add(index, image)]
    [(middle, index)] = reported
    assert index - middle == DELAY
    assert finder.finish() == []


def _zoom() -> _Scene:
    image = texture(144, 192, seed=5, fine=4)
    return [
        np.ascontiguousarray(show(image, rotation(0, (96, 72), 1.02**t))[36:108, 48:144])
        for t in range(80)
    ]


def _passing(size: int, speed: float, *, plain: bool = False, pan: float = 0.0) -> _Scene:
    """A square passes before the scene."""
    images = _scene(7, 90, pan)
    square = (
        np.full((size, size, 3), 90, np.uint8) if plain else texture(size, size, seed=8, fine=4)
    )
    for t, image in enumerate(images):
        left, top = round(48 + speed * (t - 45) - size / 2), 36 - size // 2
        rows = slice(max(top, 0), min(top + size, 72))
        columns = slice(max(left, 0), min(left + size, 96))
        if columns.stop > columns.start:
            image[rows, columns] = square[
                rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
            ]
    return images


def _hand() -> _Scene:
    """A dark soft shape covers the lens and leaves it."""
    cover = np.clip(1.5 - np.abs(np.arange(90) - 45) / 12, 0, 1)
    x = np.linspace(0, 1, 96)[None, :, None]
    masks = [np.clip((2 * c - x) / 0.3, 0, 1) for c in cover]
    images = zip(_scene(9, 90), masks, strict=True)
    return [(image * (1 - mask) + 25 * mask).astype(np.uint8) for image, mask in images]


def _light(gains: np.ndarray, offsets: np.ndarray) -> _Scene:
    images = zip(_scene(10, len(gains)), gains, offsets, strict=True)
    return [np.clip(i * gain + offset, 0, 255).astype(np.uint8) for i, gain, offset in images]


_TIME = np.arange(90)
_NO_TRANSITION: dict[str, Callable[[], _Scene]] = {
    "slow pan": lambda: _scene(1, 90, 0.5),
    "pan": lambda: _scene(2, 90, 2),
    "fast pan": lambda: _scene(3, 90, 6),
    "zoom": lambda: _zoom(),
    "object": lambda: _passing(48, 2),
    "object before a pan": lambda: _passing(60, 1.5, pan=1.5),
    "object that fills the frame": lambda: _passing(130, 3),
    "plain object that fills the frame": lambda: _passing(130, 3, plain=True),
    "hand": lambda: _hand(),
    "exposure": lambda: _light(1 + 0.5 * np.tanh((_TIME - 45) / 8), 0 * _TIME),
    "long flash": lambda: _light(1 + 0 * _TIME, 180 * np.exp(-(((_TIME - 45) / 5) ** 2))),
    "fade out and in of one picture": lambda: _light(
        np.clip(np.abs(_TIME - 45) / 12, 0, 1), 0 * _TIME
    ),
    "cut": lambda: [*_scene(1, 45), *_scene(2, 45)],
    "plain": lambda: [np.full((72, 96, 3), 80, np.uint8)] * 90,
    "noise": lambda: list(
        np.random.default_rng(3).integers(0, 255, (60, 72, 96, 3), dtype=np.uint8)
    ),
}


@pytest.mark.parametrize("name", _NO_TRANSITION)
def test_other_changes_are_no_transition(name: str) -> None:
    assert _middles(_NO_TRANSITION[name]()) == []


def test_shots_end_at_cuts_and_dissolves() -> None:
    images = [*_scene(5, 30), *_dissolve(16, before=30, after=30)]
    shots = find_shots(as_frames(images, first=10))
    assert [shots[0].start, shots[1].start, shots[-1].stop] == [10, 40, 116]
    assert len(shots) == 3
    assert abs(shots[2].start - 78) <= 3


def test_a_dissolve_interrupted_by_a_cut_is_one_boundary() -> None:
    images = _dissolve(20)
    shots = find_shots(as_frames([*images[:51], *_scene(6, 40)]))
    assert [shot.start for shot in shots] == [0, 51]


def test_no_frame_has_no_boundary() -> None:
    assert TransitionFinder().finish() == []
    assert BoundaryFinder().finish() == []
