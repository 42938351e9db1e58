"""Outlines of keys that the film has not, such as a hat's; and ordinary keys, which have none."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from figure_scene import HEIGHT, MIDDLE, RADIUS, WIDTH, hat, ring
from kadr.core.events import CancelToken, follow
from kadr.core.resize import shrink_to_side
from kadr.image_files import read_image, write_image
from kadr.options import RunOptions
from kadr.render.departure import outline_departs
from kadr.render.run_context import open_run
from kadr.render.run_plan import plan_run
from kadr.stylize.paint.stylizer import PaintOptions, paint
from kadr.video.clips import open_clip
from scenes import texture, write_sequence

CALM = cv2.GaussianBlur(texture(HEIGHT, WIDTH, seed=5), (0, 0), 9)
HEAD = np.zeros((HEIGHT, WIDTH), np.uint8)
cv2.circle(HEAD, (round(MIDDLE[0]), round(MIDDLE[1])), RADIUS, 255, -1, cv2.LINE_AA)
FILMED = np.where(HEAD[..., None] > 127, texture(HEIGHT, WIDTH, seed=2) // 3, CALM // 2 + 120)
FILMED = FILMED.astype(np.uint8)


def _key(alpha: np.ndarray) -> np.ndarray:
    flat = np.full((HEIGHT, WIDTH, 3), (150, 60, 40), np.uint8)
    return np.dstack([flat, np.maximum(HEAD, alpha)])


def _over_film(key: np.ndarray) -> np.ndarray:
    share = key[..., 3:] / 255.0
    return np.rint(key[..., :3] * share + FILMED * (1 - share)).astype(np.uint8)


@pytest.mark.parametrize(
    "alpha", [hat((HEIGHT, WIDTH)), ring((HEIGHT, WIDTH))], ids=["hat", "ring"]
)
def test_an_alpha_that_departs_from_what_was_filmed(alpha: np.ndarray) -> None:
    assert outline_departs(_key(alpha), FILMED)


def test_an_opaque_key_with_a_shape_that_was_not_filmed() -> None:
    assert outline_departs(_over_film(_key(ring((HEIGHT, WIDTH)))), FILMED)


def test_the_alpha_of_the_silhouette_itself() -> None:
    assert not outline_departs(_key(HEAD * 0), FILMED)
    shifted = np.roll(_key(HEAD * 0), 2, axis=1)
    assert not outline_departs(shifted, FILMED), "painters are not more exact"


def test_a_key_in_other_colours_has_the_outlines_of_the_film() -> None:
    assert not outline_departs(255 - cv2.medianBlur(FILMED, 7), FILMED)
    assert not outline_departs(np.full_like(FILMED, 90), FILMED)


REAL = {"lynx/input": "lynx/keys", "faceblit_man/src.mp4": "faceblit_man/keys_oilman"}


@pytest.mark.parametrize("clip", REAL)
def test_real_keys(real_clips: Path, clip: str) -> None:
    with open_clip(real_clips / clip) as frames:
        for path in sorted((real_clips / REAL[clip]).iterdir()):
            filmed = frames.frame(int(path.stem)).rgb
            assert not outline_departs(read_image(path)[..., :3], filmed), path


@pytest.mark.parametrize("clip", REAL)
def test_keys_that_a_filter_painted(real_clips: Path, clip: str) -> None:
    with open_clip(real_clips / clip) as frames:
        for index in (0, 60):
            filmed = shrink_to_side(frames.frame(index).rgb, 480)
            assert not outline_departs(paint(filmed, PaintOptions(), seed=0), filmed)


def _notices(folder: Path, key: np.ndarray, **options: object) -> list[str]:
    write_image(folder / "keys" / "0.png", key)
    clip = write_sequence(folder / "clip", [FILMED] * 3)
    values = {"work": folder / "work", "ignore_cuts": True, **options}
    messages = []
    with open_run(RunOptions(clip, folder / "out", (folder / "keys",), **values)) as run:
        follow(plan_run(run, CancelToken()), lambda event: messages.append(event.message))
    return [message for message in messages if message]


def test_it_is_offered_to_let_paint_follow_a_figure(tmp_path: Path) -> None:
    (message,) = _notices(tmp_path, _key(hat((HEIGHT, WIDTH))))
    assert "0.png: has an outline that frame 0 has not; if it belongs to a figure" in message
    assert "does, give --figure MASKS of the filmed figure, which kadr mask makes" in message
    write_image(tmp_path / "head.png", HEAD)
    assert not _notices(tmp_path, _key(hat((HEIGHT, WIDTH))), figure=tmp_path / "head.png")
    drawn = cv2.ellipse(FILMED.copy(), (112, 80), (92, 66), 0, 0, 360, (20, 10, 10), 5, cv2.LINE_AA)
    (message,) = _notices(tmp_path, drawn)
    assert "cut both out of the key, with alpha, and give --figure" in message
    assert _notices(tmp_path, _key(HEAD * 0)) == []
