"""Mattes from a locked camera: against the median of the clip, or a plate."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from matte_scenes import (
    COUNT,
    HEIGHT,
    WIDTH,
    Scene,
    find,
    overlap,
    read_mattes,
    run,
    scene,
    write_clip,
)

from kadr.errors import InputError, OptionsError
from kadr.image_files import write_image
from kadr.matte.registry import create_method
from scenes import texture


@pytest.fixture
def plate_file(locked: Scene, tmp_path: Path) -> Path:
    write_image(tmp_path / "empty.png", locked.plate_image)
    return tmp_path / "empty.png"


def _overlaps(mattes, truths) -> list[float]:
    return [overlap(item.matte, truths[item.frame.index]) for item in mattes]


def test_a_plate_shows_the_subject(
    locked: Scene, locked_clip: Path, plate_file: Path, tmp_path: Path
) -> None:
    run(locked_clip, tmp_path / "out", create_method("difference", clean_plate=plate_file))
    assert min(map(overlap, read_mattes(tmp_path / "out"), locked.mattes)) > 0.97


def test_the_median_of_the_clip_is_the_empty_scene(tmp_path: Path) -> None:
    # over so many frames the ellipse covers no pixel half of the time; it leaves at the end
    long = scene(36)
    mattes, notices = find(create_method("difference"), write_clip(tmp_path / "clip", long.frames))
    assert min(_overlaps(mattes[:20], long.mattes)) > 0.95
    assert mattes[-1].matte.max() == 0
    assert notices == []


def test_a_change_of_light_is_no_subject(plate_file: Path, tmp_path: Path) -> None:
    flicker = scene(light=lambda index: 1 + 0.08 * (-1) ** index)
    clip = write_clip(tmp_path / "clip", flicker.frames)
    mattes, _ = find(create_method("difference", clean_plate=plate_file), clip)
    assert min(_overlaps(mattes, flicker.mattes)) > 0.95


def test_a_shadow_belongs_to_the_subject_only_if_wanted(locked: Scene, tmp_path: Path) -> None:
    empty = np.full((HEIGHT, WIDTH, 3), (150, 140, 120), np.uint8)
    empty = np.uint8(np.clip(empty + (texture(HEIGHT, WIDTH).astype(int) - 128) // 12, 0, 255))
    shadow = np.zeros((HEIGHT, WIDTH), np.float32)
    cv2.ellipse(shadow, (110, 80), (35, 15), 0, 0, 360, 1.0, -1)
    shadow = cv2.GaussianBlur(shadow, (0, 0), 4)
    frame = np.uint8(empty * (1 - 0.4 * shadow[..., None]))
    truth = np.zeros((HEIGHT, WIDTH), np.float32)
    truth[20:70, 30:70] = 1
    frame[truth > 0] = (40, 60, 150)
    write_image(tmp_path / "empty.png", empty)
    clip = write_clip(tmp_path / "clip", [frame, frame])
    for keep, covered in ((False, 0.02), (True, 0.9)):
        method = create_method("difference", clean_plate=tmp_path / "empty.png", keep_shadows=keep)
        (matte, _), _ = find(method, clip)
        assert overlap(matte.matte * (truth > 0), truth) > 0.97
        middle = matte.matte[76:84, 95:125].mean()
        assert (middle > covered) if keep else (middle < covered)


def test_holes_are_closed_and_specks_dropped(tmp_path: Path) -> None:
    empty = np.full((HEIGHT, WIDTH, 3), 120, np.uint8)
    frame = empty.copy()
    frame[20:80, 40:110] = (220, 60, 60)
    frame[45:50, 70:76] = 120  # a part of the subject that looks as the scene does
    frame[95, 10] = 255
    write_image(tmp_path / "empty.png", empty)
    clip = write_clip(tmp_path / "clip", [frame, frame])
    method = create_method("difference", clean_plate=tmp_path / "empty.png")
    (matte, _), _ = find(method, clip)
    assert matte.matte[25:75, 45:105].min() == 1
    assert matte.matte[85:, :].max() == 0


def test_the_threshold_can_be_set(locked_clip: Path, plate_file: Path) -> None:
    areas = []
    for threshold in (5.0, 40.0, 250.0):
        method = create_method("difference", clean_plate=plate_file, threshold=threshold)
        areas.append(np.mean([item.matte.mean() for item in find(method, locked_clip)[0]]))
    assert areas == sorted(areas, reverse=True)
    assert areas[-1] == 0
    with pytest.raises(OptionsError, match="threshold 0: expected 1 to 255"):
        create_method("difference", threshold=0)


def test_a_moving_camera_is_told(tmp_path: Path) -> None:
    moving = scene(pan=6)
    clip = write_clip(tmp_path / "clip", moving.frames)
    write_image(tmp_path / "empty.png", moving.plate_image)
    _, notices = find(create_method("difference", clean_plate=tmp_path / "empty.png"), clip)
    (text,) = notices
    assert f"{COUNT - 1} frames, the first 1: more than half of the picture differs" in text
    assert "give --from" in text


def test_a_plate_of_another_size_is_refused(locked_clip: Path, tmp_path: Path) -> None:
    write_image(tmp_path / "empty.png", texture(20, 30))
    with pytest.raises(InputError, match=r"empty\.png: a plate of 30×20, the clip is 160×108"):
        find(create_method("difference", clean_plate=tmp_path / "empty.png"), locked_clip)
