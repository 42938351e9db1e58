"""Folders of mattes: names, resuming, files of somebody else, inputs that are kept apart."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from matte_scenes import COUNT, HEIGHT, WIDTH, read_mattes, run, write_clip, write_mask

import kadr.matte
from kadr.core.events import CancelToken, Event, follow
from kadr.core.frames import FrameRange
from kadr.errors import Cancelled, FolderInUseError, InputError, OptionsError, OutputError
from kadr.image_files import write_image
from kadr.matte import EdgeOptions, create_method, make_mattes
from kadr.matte.base import MatteMethod
from kadr.storage.lock import lock_folder
from kadr.video.clip_source import ClipSource
from scenes import texture


@pytest.fixture
def method(locked, tmp_path: Path) -> MatteMethod:
    """The cheapest one."""
    write_image(tmp_path / "empty.png", locked.plate_image)
    return create_method("difference", clean_plate=tmp_path / "empty.png")


def test_mattes_are_gray_images_named_as_the_frames(
    method: MatteMethod, locked, locked_clip: Path, tmp_path: Path
) -> None:
    result, notices = run(locked_clip, tmp_path / "out", method)
    assert (result.frames, result.computed, notices) == (COUNT, COUNT, [])
    names = [path.name for path in sorted((tmp_path / "out").iterdir())]
    assert names == [f"frame_{index:05d}.png" for index in range(COUNT)]
    for name in names:
        image = cv2.imread(str(tmp_path / "out" / name), cv2.IMREAD_UNCHANGED)
        assert image.shape == (HEIGHT, WIDTH)
        assert image.dtype == np.uint8


def test_a_part_keeps_the_numbers_of_the_clip(locked, tmp_path: Path, method: MatteMethod) -> None:
    clip = tmp_path / "clip"
    for index, image in enumerate(locked.frames):
        write_image(clip / f"shot.{1001 + index}.png", image)
    run(clip, tmp_path / "out", method, frames=FrameRange(2, 4))
    names = [path.name for path in sorted((tmp_path / "out").iterdir())]
    assert names == ["shot.1003.png", "shot.1004.png"]


def test_an_interrupted_job_goes_on(method: MatteMethod, locked_clip: Path, tmp_path: Path) -> None:
    run(locked_clip, tmp_path / "whole", method)
    cancel = CancelToken()

    def stop(event: Event) -> None:
        if event.step == "mattes" and event.index == 3:
            cancel.cancel()

    source = ClipSource(str(locked_clip))
    with pytest.raises(Cancelled):
        follow(make_mattes(source, tmp_path / "out", method, cancel=cancel), stop)
    assert len(list((tmp_path / "out").iterdir())) == 3
    result, _ = run(locked_clip, tmp_path / "out", method)
    assert (result.frames, result.computed) == (COUNT, COUNT - 3)
    for file in (tmp_path / "whole").iterdir():
        assert file.read_bytes() == (tmp_path / "out" / file.name).read_bytes()
    again, _ = run(locked_clip, tmp_path / "out", method)
    assert again.computed == 0


def test_other_options_make_new_mattes(
    method: MatteMethod, locked_clip: Path, tmp_path: Path
) -> None:
    run(locked_clip, tmp_path / "out", method)
    before = read_mattes(tmp_path / "out")
    result, _ = run(locked_clip, tmp_path / "out", method, edges=EdgeOptions(invert=True))
    assert result.computed == COUNT
    for a, b in zip(before, read_mattes(tmp_path / "out"), strict=True):
        np.testing.assert_array_equal(a, 255 - b)


def test_another_plate_under_the_same_name_counts(
    method: MatteMethod, locked_clip: Path, tmp_path: Path
) -> None:
    run(locked_clip, tmp_path / "out", method)
    write_image(tmp_path / "empty.png", texture(HEIGHT, WIDTH, seed=9))
    assert run(locked_clip, tmp_path / "out", method)[0].computed == COUNT


def test_mattes_of_other_frames_are_kept_and_told(
    method: MatteMethod, locked_clip: Path, tmp_path: Path
) -> None:
    run(locked_clip, tmp_path / "out", method, frames=FrameRange(0, 3))
    result, notices = run(locked_clip, tmp_path / "out", method, frames=FrameRange(3, 5))
    assert result.computed == 2
    assert notices == [f"note: {tmp_path / 'out'}: also holds 3 mattes of other frames"]
    assert len(read_mattes(tmp_path / "out")) == 5


def test_images_of_somebody_else_are_not_replaced(
    method: MatteMethod, locked_clip: Path, tmp_path: Path
) -> None:
    own = np.full((HEIGHT, WIDTH, 3), 7, np.uint8)
    for name in ("mask_1.png", "frame_00002.png"):
        out = tmp_path / name.partition(".")[0]
        write_image(out / name, own)
        with pytest.raises(OutputError, match=rf"{name}: was not made by kadr, or was edited"):
            run(locked_clip, out, method)
        assert len(list(out.iterdir())) == 1
    run(locked_clip, tmp_path / "mask_1", method, overwrite=True)
    kept = cv2.imread(str(tmp_path / "mask_1" / "mask_1.png"))
    assert (kept == 7).all()


def test_a_matte_that_was_edited_is_not_replaced(
    method: MatteMethod, locked_clip: Path, tmp_path: Path
) -> None:
    run(locked_clip, tmp_path / "out", method)
    edited = tmp_path / "out" / "frame_00003.png"
    write_mask(edited, np.zeros((HEIGHT, WIDTH)))
    with pytest.raises(OutputError, match=r"frame_00003\.png: was not made by kadr, or was edited"):
        run(locked_clip, tmp_path / "out", method)
    result, _ = run(locked_clip, tmp_path / "out", method, overwrite=True)
    assert result.computed == 1
    assert read_mattes(tmp_path / "out")[3].any()


def test_mattes_do_not_go_among_the_inputs(
    method: MatteMethod, locked_clip: Path, first_mask: Path, tmp_path: Path
) -> None:
    painted = create_method("propagate", painted=first_mask.parent)
    for folder, way in ((locked_clip, method), (first_mask.parent, painted)):
        with pytest.raises(OutputError, match="is the input folder"):
            run(locked_clip, folder, way, overwrite=True)
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="file: is a file; give a folder for the mattes"):
        run(locked_clip, tmp_path / "file", method)


def test_nothing_is_written_for_inputs_that_do_not_fit(
    locked_clip: Path, method: MatteMethod, tmp_path: Path
) -> None:
    write_mask(tmp_path / "99.png", np.ones((HEIGHT, WIDTH)))
    with pytest.raises(InputError, match="the clip has no frame 99"):
        run(locked_clip, tmp_path / "out", create_method("propagate", painted=tmp_path / "99.png"))
    with pytest.raises(OptionsError, match="frames 5 to 9: the clip has 7 frames, 0 to 6"):
        run(locked_clip, tmp_path / "out", method, frames=FrameRange(5, 10))
    assert not (tmp_path / "out").exists()


def test_two_jobs_for_one_folder_do_not_mix(
    locked_clip: Path, method: MatteMethod, tmp_path: Path
) -> None:
    with (
        lock_folder(tmp_path / "work"),
        pytest.raises(FolderInUseError, match="another kadr works here"),
    ):
        run(locked_clip, tmp_path / "out", method, work=tmp_path / "work")


def test_a_clip_of_one_frame(locked, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip", locked.frames[:1])
    write_mask(tmp_path / "0.png", locked.mattes[0])
    result, _ = run(clip, tmp_path / "out", create_method("propagate", painted=tmp_path / "0.png"))
    assert result.computed == 1


def test_public_names() -> None:
    for name in kadr.matte.__all__:
        assert getattr(kadr.matte, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        kadr.matte.nonsense  # noqa: B018 - the access is the test
