"""Whole runs with a guide of the user's: what it holds, and what a change of it makes again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from guide_scene import GuideScene, make_guide_scene, right_share
from kadr.core.events import follow
from kadr.core.frames import Frame, FrameRange
from kadr.dry_run import make_dry_run
from kadr.image_files import read_image, write_image
from kadr.options import PropagateOptions, RunOptions, detail_options
from kadr.pipeline import RunResult, restyle
from kadr.preview import preview_frames

COUNT = 17
SCENE = make_guide_scene(COUNT)
LONG = make_guide_scene(36)
DRAFT = detail_options("draft")


def _options(folder: Path, output: str = "out", **changed: Any) -> RunOptions:
    values = {"guide": {"ids": folder / "ids"}, "threads": 1, "work": folder / "work", **changed}
    return RunOptions(folder / "clip", folder / output, (folder / "keys",), **values)


def _run(folder: Path, output: str = "out", **changed: Any) -> RunResult:
    return restyle(_options(folder, output, **changed))


def _images(folder: Path) -> list[np.ndarray]:
    return [read_image(path) for path in sorted(folder.iterdir())]


def _shares(folder: Path, scene: GuideScene) -> list[float]:
    return [right_share(*pair) for pair in zip(_images(folder), scene.shown, strict=True)]


@pytest.mark.parametrize("work_size", [960, 108])
def test_ids_hold_the_borders_that_the_film_does_not_show(tmp_path: Path, work_size: int) -> None:
    folder, propagate = SCENE.write(tmp_path), PropagateOptions(work_size=work_size)
    _run(folder, "with", propagate=propagate)
    _run(folder, "without", propagate=propagate, guide={})
    held, lost = _shares(folder / "with", SCENE), _shares(folder / "without", SCENE)
    assert min(held) > (0.95 if work_size == 960 else 0.92)
    assert lost[-1] < 0.65
    assert np.mean(held) - np.mean(lost) > 0.2


def test_without_weight_or_where_it_does_not_count_it_changes_nothing(tmp_path: Path) -> None:
    folder = SCENE.write(tmp_path)
    write_image(folder / "black.png", np.zeros_like(SCENE.ids[0]))
    write_image(folder / "white.png", np.full_like(SCENE.ids[0], 255))
    for output, changed in {
        "none": {"guide": {}},
        "black": {"modulation": {"ids": folder / "black.png"}},
        "full": {},
        "white": {"modulation": {"ids": folder / "white.png"}},
    }.items():
        _run(folder, output, propagate=DRAFT, **changed)
    shares = {name: np.mean(_shares(folder / name, SCENE)) for name in ("none", "black", "full")}
    assert shares["black"] - shares["none"] < 0.02
    assert shares["full"] - shares["none"] > 0.2
    for image, expected in zip(_images(folder / "white"), _images(folder / "full"), strict=True):
        assert np.array_equal(image, expected)


def test_processes_give_the_same_bytes(tmp_path: Path) -> None:
    folder = SCENE.write(tmp_path, (0, COUNT - 1))
    _run(folder, "one", propagate=DRAFT, guide={"b": folder / "ids", "a": folder / "clip"})
    _run(folder, "two", propagate=DRAFT, guide={"a": folder / "clip", "b": folder / "ids"},
         work=folder / "other", workers=2, threads=2)  # fmt: skip
    for image, expected in zip(_images(folder / "one"), _images(folder / "two"), strict=True):
        assert np.array_equal(image, expected)


def test_a_changed_guide_makes_the_frames_from_there_on_again(tmp_path: Path) -> None:
    folder = LONG.write(tmp_path)
    assert _run(folder, "a", propagate=DRAFT).computed == 35
    assert _run(folder, "b", propagate=DRAFT).computed == 0
    write_image(folder / "ids" / "id_00020.png", LONG.ids[19])
    options = _options(folder, "c", propagate=DRAFT)
    dry_run = follow(make_dry_run(options), None)
    assert [(item.frames, item.reason) for item in dry_run.passes] == [(19, "guides changed")]
    assert restyle(options).computed == 19  # states lie 16 frames apart
    write_image(folder / "ids" / "id_00000.png", LONG.ids[1])
    for guide_weight in ({}, {"ids": 3.0}):
        options = _options(folder, "d", propagate=DRAFT, guide_weight=guide_weight)
        dry_run = follow(make_dry_run(options), None)
        reasons = [(item.frames, item.reason) for item in dry_run.passes]
        assert reasons == [(35, "other guides, or other weights of them")]


def test_a_preview_is_what_a_run_makes(tmp_path: Path) -> None:
    folder = SCENE.write(tmp_path)
    items = list(preview_frames(_options(folder, propagate=DRAFT), FrameRange(12, 14)))
    frames = [item for item in items if isinstance(item, Frame)]
    _run(folder, propagate=DRAFT)
    for frame in frames:
        assert np.array_equal(frame.image, _images(folder / "out")[frame.index])


def test_within_the_window_of_a_mask(tmp_path: Path) -> None:
    folder = SCENE.write(tmp_path)
    mask = np.zeros(SCENE.shown[0].shape, np.uint8)
    mask[:, 40:110] = 255
    write_image(folder / "mask.png", mask)
    _run(folder, "masked", mask=folder / "mask.png")
    inner = slice(48, 102)
    shares = [
        right_share(image[:, inner], shown[:, inner])
        for image, shown in zip(_images(folder / "masked"), SCENE.shown, strict=True)
    ]
    assert min(shares) > 0.93
