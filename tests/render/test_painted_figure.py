"""Whole runs with paint beside a figure: a head that moves, turns and grows, its motion exact."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from figure_scene import (
    HEIGHT,
    WIDTH,
    FigureScene,
    hat,
    make_scene,
    overlap,
    parts_and_holes,
    ring,
)
from kadr.core.events import CancelToken, follow
from kadr.core.frames import Frame, FrameRange
from kadr.core.generators import consume
from kadr.errors import Cancelled, InputError, OptionsError
from kadr.image_files import read_image, write_image
from kadr.options import PropagateOptions, RunOptions, detail_options
from kadr.pipeline import RunResult, restyle, restyle_events
from kadr.preview import preview_frames
from kadr.storage.budget import folder_bytes
from kadr.video.clips import create_clip, open_clip

COUNT = 13
DRAFT = detail_options("draft")
"""For what does not depend on how well frames are made."""
HAT = make_scene(COUNT, hat((HEIGHT, WIDTH)))
RING = make_scene(COUNT, ring((HEIGHT, WIDTH)))


def _options(folder: Path, output: str = "out", **changed: object) -> RunOptions:
    values = {"figure": folder / "figure", "background": "transparent", "threads": 1}
    values |= {"work": folder / "work", **changed}
    return RunOptions(folder / "clip", folder / output, (folder / "keys",), **values)


def _run(folder: Path, output: str = "out", **changed: object) -> list[np.ndarray]:
    restyle(_options(folder, output, **changed))
    return _images(folder / output)


def _images(folder: Path) -> list[np.ndarray]:
    return [read_image(path) for path in sorted(folder.iterdir())]


def _overlaps(images: list[np.ndarray], scene: FigureScene) -> list[float]:
    return [
        overlap(image[..., 3], truth[..., 3])
        for image, truth in zip(images, scene.painted, strict=True)
    ]


@pytest.mark.parametrize("scene", [HAT, RING], ids=["hat", "ring"])
@pytest.mark.parametrize("work_size", [960, 112])
def test_paint_beside_the_figure_moves_with_it(
    tmp_path: Path, scene: FigureScene, work_size: int
) -> None:
    folder, propagate = scene.write(tmp_path, (0,)), PropagateOptions(work_size=work_size)
    images = _run(folder, propagate=propagate)
    assert min(_overlaps(images, scene)) > 0.95
    assert [parts_and_holes(image[..., 3]) for image in images] == [(1, 0)] * COUNT
    if work_size == 960:
        without = _run(folder, "without", figure=None, propagate=propagate)
        assert _overlaps(without, scene)[-1] < 0.6


def test_the_background_stays_as_filmed_bit_for_bit(tmp_path: Path) -> None:
    images = _run(HAT.write(tmp_path, (0, COUNT - 1)), background="film")
    for image, filmed, truth in zip(images, HAT.frames, HAT.painted, strict=True):
        away = cv2.dilate(truth[..., 3], np.ones((13, 13), np.uint8)) == 0
        assert np.array_equal(image[away], filmed[away])


def test_the_colours_are_those_that_were_painted(tmp_path: Path) -> None:
    images = _run(HAT.write(tmp_path, (0,)))
    beside = [
        cv2.erode(((truth[..., 3] == 255) & (mask == 0)).astype(np.uint8), np.ones((5, 5))) > 0
        for truth, mask in zip(HAT.painted, HAT.masks, strict=True)
    ]
    for image, truth, part in zip(images, HAT.painted, beside, strict=True):
        assert np.abs(image[part, :3].astype(int) - truth[part, :3]).mean() < 14


def test_a_shape_that_two_keys_place_differently_has_one_outline(tmp_path: Path) -> None:
    scene = make_scene(COUNT, hat((HEIGHT, WIDTH)), offset={COUNT - 1: 4.0})
    images = _run(scene.write(tmp_path, (0, COUNT - 1)))
    for image, truth in zip(images, scene.painted, strict=True):
        soft, expected = (
            int(((alpha > 40) & (alpha < 215)).sum()) for alpha in (image[..., 3], truth[..., 3])
        )
        assert soft < 1.6 * expected + 20
        assert parts_and_holes(image[..., 3]) == (1, 0)


def test_an_interrupted_run_gives_the_same_bytes(tmp_path: Path) -> None:
    folder = HAT.write(tmp_path, (0, COUNT - 1))
    whole = _run(folder, "whole", work=folder / "other", propagate=DRAFT)
    cancel = CancelToken()

    def stop(event: object) -> None:
        if getattr(event, "step", "") == "propagate" and getattr(event, "index", 0) >= 9:
            cancel.cancel()

    with pytest.raises(Cancelled):
        follow(restyle_events(_options(folder, propagate=DRAFT), cancel), stop)
    for image, expected in zip(_run(folder, propagate=DRAFT), whole, strict=True):
        assert np.array_equal(image, expected)


def test_a_work_limit_holds_and_changes_no_frame(tmp_path: Path) -> None:
    folder = HAT.write(tmp_path, (0, 6, COUNT - 1))
    whole = _run(folder, "whole", work=folder / "other", propagate=DRAFT)
    stored = folder_bytes(folder / "other" / "store")
    limit = stored * 3 // 4
    limited = _run(folder, propagate=DRAFT, work_limit=limit)
    assert folder_bytes(folder / "work" / "store") <= limit
    for image, expected in zip(limited, whole, strict=True):
        assert np.array_equal(image, expected)


def test_another_mask_of_the_figure_makes_the_passes_again(tmp_path: Path) -> None:
    folder = HAT.write(tmp_path, (0,))
    assert _result(folder, "a").computed > 0
    assert _result(folder, "b").computed == 0
    mask = HAT.masks[5].copy()
    mask[:, :90] = 0
    write_image(folder / "figure" / "00005.png", mask)
    assert _result(folder, "c").computed > 0


def _result(folder: Path, output: str) -> RunResult:
    return restyle(_options(folder, output, propagate=DRAFT))


def test_a_preview_shows_the_frame_of_the_run(tmp_path: Path) -> None:
    folder, shown = HAT.write(tmp_path, (0, COUNT - 1)), []
    items = preview_frames(_options(folder, propagate=DRAFT), FrameRange(5, 6))
    consume(items, lambda item: shown.append(item) if isinstance(item, Frame) else None)
    assert np.array_equal(shown[0].image, _run(folder, propagate=DRAFT)[5])


def test_masks_of_the_figure_may_be_a_video(tmp_path: Path) -> None:
    folder = HAT.write(tmp_path, (0, COUNT - 1))
    with open_clip(folder / "clip") as clip, create_clip(folder / "figure.mp4", like=clip) as out:
        for frame, mask in zip(clip.frames(), HAT.masks, strict=True):
            out.write(Frame(frame.index, np.repeat(mask[..., None], 3, axis=2), frame.time))
    images = _run(folder, figure=folder / "figure.mp4", fit_mask=True)
    assert min(_overlaps(images, HAT)) > 0.95


def test_a_mask_says_what_of_opaque_keys_belongs_to_the_figure(tmp_path: Path) -> None:
    folder = HAT.write(tmp_path, (0,))
    cover = HAT.painted[0][..., 3:] / 255.0
    opaque = HAT.painted[0][..., :3] * cover + HAT.frames[0] * (1 - cover)
    write_image(folder / "keys" / "00000.png", np.rint(opaque).astype(np.uint8))
    for index, truth in enumerate(HAT.painted):
        write_image(folder / "masks" / f"{index}.png", truth[..., 3])
    images = _run(folder, mask=folder / "masks")
    inner = cv2.erode(HAT.painted[-1][..., 3], np.ones((9, 9), np.uint8)) == 255
    difference = np.abs(images[-1][inner, :3].astype(int) - HAT.painted[-1][inner, :3])
    assert difference.mean() < 16


def test_what_cannot_be_done_is_refused(tmp_path: Path) -> None:
    folder = HAT.write(tmp_path, (0,))
    write_image(folder / "figure" / "00000.png", HAT.masks[0] * 0)
    with pytest.raises(
        InputError, match=r"the mask of frame 0 shows no figure, but .*00000\.png is"
    ):
        _run(folder)
    write_image(folder / "keys" / "00000.png", HAT.painted[0][..., :3])
    with pytest.raises(InputError, match=r"00000\.png: is opaque, so all of it would move"):
        _run(folder)
    with pytest.raises(OptionsError, match="is for painted keys; paint makes its own"):
        RunOptions(folder / "clip", "out", stylizer="paint", figure=folder / "figure")


def test_paint_within_the_figure_is_noticed(tmp_path: Path) -> None:
    scene = make_scene(3, np.zeros((HEIGHT, WIDTH), np.uint8))
    folder, texts = scene.write(tmp_path, (0,)), []
    follow(restyle_events(_options(folder)), lambda event: texts.append(event.message))
    assert any("no key is painted beside the figure" in text for text in texts)


def test_the_frames_of_each_key_follow_the_figure_too(tmp_path: Path) -> None:
    folder = HAT.write(tmp_path, (0, COUNT - 1))
    _run(folder, per_key=folder / "apart")
    first, last = (_images(folder / "apart" / f"key_{key:05d}") for key in (0, COUNT - 1))
    weights = [_images(folder / "apart" / f"weights_{key:05d}") for key in (0, COUNT - 1)]
    assert min(_overlaps(first, replace(HAT, painted=HAT.painted[:-1]))) > 0.95
    assert min(_overlaps(last, replace(HAT, painted=HAT.painted[1:]))) > 0.95
    for one, other in zip(weights[0][1:], weights[1][:-1], strict=True):
        assert set(np.unique(one.astype(int) + other)) <= {65534, 65535, 65536}
