"""Painted keys that show another frame than their number says, or lie beside their frame."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from kadr.core.events import CancelToken, Event, follow
from kadr.image_files import write_image
from kadr.options import RunOptions
from kadr.render import key_fit
from kadr.render.run_context import open_run
from kadr.render.run_plan import plan_run
from kadr.stylize.displacement import Displacement
from scenes import texture, write_sequence

COUNT = 14
Notices = Callable[..., list[str]]


def _film(still: bool = False) -> list[np.ndarray]:
    """A ball and a bar that move in front of a background with detail."""
    background = cv2.GaussianBlur(texture(90, 160, seed=3), (0, 0), 2)
    images = []
    for index in range(COUNT):
        image = background.copy()
        step = 0 if still else index
        cv2.circle(image, (40 + 4 * step, 45), 18, (230, 60, 40), -1, cv2.LINE_AA)
        cv2.rectangle(image, (120 - 3 * step, 10), (135 - 3 * step, 80), (20, 40, 200), -1)
        images.append(image)
    return images


def _painted(image: np.ndarray, seed: int = 0) -> np.ndarray:
    """A key in other colours, without detail, with a texture of its own."""
    flat = 255 - cv2.medianBlur(image, 7)
    grain = texture(90, 160, seed=20 + seed).astype(np.float32) - 128
    return np.clip(flat + 0.15 * grain, 0, 255).astype(np.uint8)


@pytest.fixture
def notices(tmp_path: Path) -> Notices:
    """Plans a run of the film with keys by frame number; returns its messages."""

    def plan(
        images: Sequence[np.ndarray], keys: dict[int, np.ndarray], **options: Any
    ) -> list[str]:
        clip = write_sequence(tmp_path / "clip", images)
        for number, key in keys.items():
            write_image(tmp_path / "keys" / f"{number}.png", key)
        events: list[Event] = []
        values = {"work": tmp_path / "work", "ignore_cuts": True, **options}
        run_options = RunOptions(clip, tmp_path / "out", (tmp_path / "keys",), **values)
        with open_run(run_options) as run:
            follow(plan_run(run, CancelToken()), events.append)
        return [event.message for event in events if event.message]

    return plan


FILM = _film()


def test_good_keys_say_nothing(notices: Notices) -> None:
    assert notices(FILM, {n: _painted(FILM[n], n) for n in (0, 5, 9, 13)}) == []


def test_keys_numbered_from_one_name_the_offset(notices: Notices) -> None:
    (message,) = notices(FILM, {n + 1: _painted(FILM[n], n) for n in (0, 5, 9)})
    assert "1.png: fits frame 0 better than its own, 1, as 2 more keys would; " in message
    assert message.endswith("give --key-offset -1")


def test_the_offset_that_is_set_counts(notices: Notices) -> None:
    keys = {n + 1: _painted(FILM[n], n) for n in (1, 5, 9)}
    assert notices(FILM, keys, key_offset=-1) == []
    (message,) = notices(FILM, keys, key_offset=1)
    assert message.endswith("give --key-offset -1")
    (message,) = notices(FILM, keys, key_offset=-2)
    assert message.endswith("give --key-offset -1")


def test_an_offset_that_is_not_needed_is_to_be_left_out(notices: Notices) -> None:
    keys = {n: _painted(FILM[n], n) for n in (1, 5, 9)}
    (message,) = notices(FILM, keys, key_offset=1)
    assert message.endswith("leave out --key-offset")


def test_one_key_among_good_ones_is_named(notices: Notices) -> None:
    keys = {n: _painted(FILM[n], n) for n in (0, 9)}
    (message,) = notices(FILM, keys | {6: _painted(FILM[4])})
    assert "6.png: fits frame 4 better than its own, 6; rename it if" in message


def test_frames_that_look_alike_tell_nothing(notices: Notices) -> None:
    still = _film(still=True)
    for index, image in enumerate(still):  # the grain of a camera
        grain = np.random.default_rng(index).normal(0, 6, image.shape)
        still[index] = np.clip(image + grain, 0, 255).astype(np.uint8)
    assert notices(still, {n: _painted(still[n], n) for n in (1, 6)}) == []


def test_keys_of_something_else_tell_nothing(notices: Notices) -> None:
    keys = {n: texture(90, 160, seed=n, fine=fine) for n, fine in ((0, 3), (3, 6), (6, 6), (9, 1))}
    assert notices(FILM, keys) == []


@pytest.mark.parametrize(
    ("x", "y", "text"),
    [
        (12, 0, "about 12 pixels to the right; give --align-keys to move it back"),
        (-9, 6, "about 9 pixels to the left and 6 pixels down; give --align-keys to move it back"),
    ],
)
def test_a_shifted_key_is_measured(notices: Notices, x: int, y: int, text: str) -> None:
    moved = np.roll(_painted(FILM[5]), (y, x), (0, 1))
    (message,) = notices(FILM, {0: _painted(FILM[0]), 5: moved})
    assert f"5.png: lies beside its frame 5, {text}" in message


def test_a_scaled_key_is_measured(notices: Notices) -> None:
    size = FILM[5].shape[1], FILM[5].shape[0]
    matrix = Displacement(1.08, 0, 0).matrix(size)
    scaled = cv2.warpAffine(_painted(FILM[5]), matrix, size, borderMode=cv2.BORDER_REFLECT_101)
    (message,) = notices(FILM, {0: _painted(FILM[0]), 5: scaled})
    assert re.search(r"5.png: lies beside its frame 5, about .*(7.\d|8|8.\d) % larger; ", message)


def test_a_key_that_is_aligned_says_so(notices: Notices) -> None:
    moved = np.roll(_painted(FILM[5]), 12, axis=1)
    (message,) = notices(FILM, {5: moved}, align_keys=True)
    assert message.endswith("about 12 pixels to the right; it is moved back")


def test_a_bent_key_is_said_and_left(notices: Notices, monkeypatch: pytest.MonkeyPatch) -> None:
    bent = Displacement(1.0, 9.0, 0.0, explained=False)
    monkeypatch.setattr(key_fit, "measure_displacement", lambda key, frame: bent)
    (message,) = notices(FILM, {5: _painted(FILM[5])}, align_keys=True)
    assert "no single shift and scale explains it; it is used as it is" in message


def test_what_moves_in_the_film_is_no_shift(notices: Notices) -> None:
    pan = [np.roll(FILM[0], 7 * index, axis=1) for index in range(COUNT)]
    (message,) = notices(pan, {n + 1: _painted(pan[n], n) for n in (2, 7)})
    assert message.endswith("give --key-offset -1")


def test_only_the_painted_part_of_a_key_counts(notices: Notices) -> None:
    key = np.dstack([_painted(FILM[2]), np.zeros((90, 160), np.uint8)])
    part = slice(20, 75), slice(35, 90)
    key[part] = np.dstack([_painted(FILM[5])[part], np.full((55, 55), 255, np.uint8)])
    (message,) = notices(FILM, {5: key})  # of the square that was cut out, no other frame
    assert "has an outline that frame 5 has not" in message
    key[..., 3] = 255
    assert "fits frame 2 better" in notices(FILM, {5: key})[0]


def test_a_size_that_is_fitted(notices: Notices) -> None:
    keys = {n + 1: cv2.resize(_painted(FILM[n], n), (320, 180)) for n in (0, 5)}
    (message,) = notices(FILM, keys, fit_keys=True)
    assert message.endswith("give --key-offset -1")


def test_measured_once(notices: Notices, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {n + 1: _painted(FILM[n], n) for n in (0, 5)}
    first = notices(FILM, keys)
    monkeypatch.setattr(key_fit, "_measure", lambda *_: pytest.fail("measured again"))
    assert notices(FILM, {}) == first
    monkeypatch.undo()
    (file,) = (Path(first[0].split(": ")[1]).parents[1] / "work").glob("key-fit-*.json")
    file.write_text('{"fits": [{"index": 3}]}')
    assert notices(FILM, {}) == first
