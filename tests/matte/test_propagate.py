"""Painted masks carried over scenes whose mattes are known."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from matte_scenes import (
    COUNT,
    Scene,
    find,
    overlap,
    read_mattes,
    run,
    scene,
    write_clip,
    write_mask,
)

from kadr.core.events import CancelToken
from kadr.core.frames import FrameRange
from kadr.core.row_bands import limit_threads
from kadr.errors import OutputError
from kadr.matte.base import MatteContext
from kadr.matte.registry import create_method
from kadr.storage.store import MemoryStore
from kadr.video.clips import open_clip
from scenes import texture


def test_one_mask_is_carried_over_the_clip(
    panned: Scene, panned_clip: Path, first_mask: Path, tmp_path: Path
) -> None:
    run(panned_clip, tmp_path / "out", create_method("propagate", painted=first_mask))
    overlaps = list(map(overlap, read_mattes(tmp_path / "out"), panned.mattes))
    assert min(overlaps) > 0.97
    assert overlaps[0] == 1


def test_masks_on_both_ends_are_joined(panned: Scene, panned_clip: Path, tmp_path: Path) -> None:
    for index in (0, COUNT - 1):
        write_mask(tmp_path / "painted" / f"{index}.png", panned.mattes[index])
    mattes, notices = find(create_method("propagate", painted=tmp_path / "painted"), panned_clip)
    assert min(overlap(item.matte, panned.mattes[item.frame.index]) for item in mattes) > 0.97
    assert notices == []


def test_a_mask_in_the_middle_is_carried_both_ways(
    panned: Scene, panned_clip: Path, tmp_path: Path
) -> None:
    write_mask(tmp_path / "3.png", panned.mattes[3])
    mattes, _ = find(create_method("propagate", painted=tmp_path / "3.png"), panned_clip)
    assert min(overlap(item.matte, panned.mattes[item.frame.index]) for item in mattes) > 0.97


def test_a_soft_mask_is_kept_on_its_frame_and_a_hard_one_gets_edges(
    panned: Scene, panned_clip: Path, tmp_path: Path
) -> None:
    soft = cv2.GaussianBlur(panned.mattes[0], (0, 0), 2)
    write_mask(tmp_path / "soft" / "0.png", soft)
    write_mask(tmp_path / "hard" / "0.png", (panned.mattes[0] > 0.5).astype(np.float32))
    frames = FrameRange(0, 2)
    for kind in ("soft", "hard"):
        method = create_method("propagate", painted=tmp_path / kind)
        run(panned_clip, tmp_path / f"{kind}-out", method, frames=frames)
    kept, refined = (read_mattes(tmp_path / f"{kind}-out")[0] for kind in ("soft", "hard"))
    np.testing.assert_array_equal(kept, np.rint(soft * 255).astype(np.uint8))
    assert ((refined > 20) & (refined < 235)).sum() > 50
    assert overlap(refined, panned.mattes[0]) > 0.97


def test_colours_decide_what_comes_into_view(tmp_path: Path) -> None:
    # a red plane behind a slit that opens: new parts of it appear without any motion
    behind = texture(64, 96, seed=1) // 3
    behind[..., 1] += 120
    subject = texture(64, 96, seed=2) // 3
    subject[..., 0] += 150
    images, truths = [], []
    for index in range(5):
        truth = np.zeros((64, 96), bool)
        truth[12:52, 30 : 50 + 4 * index] = True
        images.append(np.where(truth[..., None], subject, behind).astype(np.uint8))
        truths.append(truth)
    clip = write_clip(tmp_path / "clip", images)
    write_mask(tmp_path / "0.png", truths[0].astype(np.float32))
    mattes, _ = find(create_method("propagate", painted=tmp_path / "0.png"), clip)
    assert overlap(mattes[-1].matte, truths[-1].astype(np.float32)) > 0.9


def test_frames_that_show_nothing_of_the_painted_one_are_told(
    panned: Scene, first_mask: Path, tmp_path: Path
) -> None:
    other = [texture(*panned.frames[0].shape[:2], seed=50 + index) for index in range(3)]
    clip = write_clip(tmp_path / "clip", [*panned.frames[:3], *other])
    _, notices = find(create_method("propagate", painted=first_mask), clip)
    (text,) = notices
    assert "3 frames from 3 to 5: little of a painted frame is recognised" in text
    assert "paint a mask on frame 4 too" in text


def test_a_pass_in_the_store_is_not_made_again(
    panned_clip: Path, first_mask: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    method, frames = create_method("propagate", painted=first_mask), FrameRange(0, 4)
    context = MatteContext(MemoryStore(), "clip", CancelToken())
    with open_clip(panned_clip) as clip:
        first = list(method.mattes(clip, frames, frames, context))

        def fail(*arguments: object) -> None:
            raise AssertionError("made again")

        monkeypatch.setattr("kadr.matte.propagate.carry", fail)
        again = list(method.mattes(clip, frames, frames, context))
        for a, b in zip(first[-3:], again[-3:], strict=True):
            np.testing.assert_array_equal(a.matte, b.matte)  # type: ignore[union-attr]
        other = MatteContext(context.store, "another clip", CancelToken())
        with pytest.raises(AssertionError, match="made again"):
            list(method.mattes(clip, frames, frames, other))


class _Forgetful(MemoryStore):
    """Has every entry and can read none."""

    def get(self, fingerprint, only=None):
        return None


def test_a_damaged_work_file_is_told(panned_clip: Path, first_mask: Path) -> None:
    method, frames = create_method("propagate", painted=first_mask), FrameRange(0, 2)
    context = MatteContext(_Forgetful(), "clip", CancelToken())
    with (
        open_clip(panned_clip) as clip,
        pytest.raises(OutputError, match="work files of frame 1 were removed or damaged"),
    ):
        list(method.mattes(clip, frames, frames, context))


def test_the_same_bytes_for_any_number_of_threads(
    panned_clip: Path, first_mask: Path, tmp_path: Path
) -> None:
    method, frames = create_method("propagate", painted=first_mask), FrameRange(0, 3)
    threads = cv2.getNumThreads()
    try:
        for name, count in (("a", 1), ("b", 3)):
            cv2.setNumThreads(count)
            limit_threads(count)
            run(panned_clip, tmp_path / name, method, frames=frames, work=tmp_path / f"{name}.work")
    finally:
        cv2.setNumThreads(threads)
        limit_threads(None)
    for file in sorted((tmp_path / "a").iterdir()):
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()


def test_a_real_animal(real_clips: Path, tmp_path: Path) -> None:
    """The lynx at a third of its size, with the first and the last of eleven masks."""
    lynx = real_clips / "lynx"
    if not (lynx / "masks").is_dir():
        pytest.skip("KADR_TEST_CLIPS has no lynx with masks")
    numbers = range(0, 11)

    def small(path: Path) -> np.ndarray:
        image = cv2.imread(os.fspath(path))[..., ::-1]
        return cv2.resize(image, None, fx=1 / 3, fy=1 / 3, interpolation=cv2.INTER_AREA)

    clip = write_clip(tmp_path / "clip", [small(lynx / "input" / f"{i:03d}.jpg") for i in numbers])
    truths = [small(lynx / "masks" / f"mask_{i:05d}.png")[..., 0] / 255 for i in numbers]
    for index in (0, 10):
        write_mask(tmp_path / "painted" / f"{index}.png", truths[index])
    run(clip, tmp_path / "out", create_method("propagate", painted=tmp_path / "painted"))
    overlaps = list(map(overlap, read_mattes(tmp_path / "out"), truths))[1:-1]
    assert np.mean(overlaps) > 0.98
    assert min(overlaps) > 0.97


def test_the_scene_moves_beyond_a_still_mask() -> None:
    """The overlap of a mask that is not carried at all: what the tests above are measured by."""
    made = scene(pan=1)
    assert overlap(made.mattes[0], made.mattes[-1]) < 0.45
