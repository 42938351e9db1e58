"""Interlaced frames: found by flags or by combing, and made whole, one for one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from interlaced_samples import FLAGGED, NOT_FLAGGED, moving, woven, write_video
from video_samples import make_images

from kadr import open_clip
from kadr.errors import OptionsError
from kadr.video.base import Clip
from kadr.video.identity import identify

COUNT = 20
PICTURES = moving(2 * COUNT)
WHOLE = PICTURES[::2]
"""What each frame shows at the time of its earlier field."""


def _psnr(images: list[np.ndarray], truth: list[np.ndarray]) -> float:
    pairs = list(zip(images, truth, strict=True))[1:-1]
    return float(
        np.mean([10 * np.log10(255**2 / np.square(a - b.astype(float)).mean()) for a, b in pairs])
    )


def _images(clip: Clip) -> list[np.ndarray]:
    return [frame.rgb for frame in clip.frames()]


@pytest.fixture(scope="module")
def flagged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Interlaced, the bottom field first, and marked so."""
    path = tmp_path_factory.mktemp("interlaced") / "flagged.mp4"
    return write_video(path, woven(PICTURES, top_first=False), options=FLAGGED)


def _combed(folder: Path, *, top_first: bool = True) -> Path:
    return write_video(
        folder / "combed.mp4", woven(PICTURES, top_first=top_first), options=NOT_FLAGGED
    )


def test_marked_frames_are_made_whole(flagged: Path) -> None:
    with open_clip(flagged) as clip, open_clip(flagged, deinterlace="off") as stored:
        assert clip.info.deinterlaced == "marked frames, bottom field first"
        assert stored.info.deinterlaced == ""
        assert list(clip.times) == list(stored.times)
        assert len(clip) == COUNT
        assert _psnr(_images(clip), WHOLE) > _psnr(_images(stored), WHOLE) + 4
        (notice,) = clip.info.notices
        assert "marked as interlaced" in notice
        assert "--deinterlace off" in notice
        assert not stored.info.notices


@pytest.mark.parametrize("top_first", [True, False])
def test_combing_is_found_without_marks(top_first: bool, tmp_path: Path) -> None:
    path = _combed(tmp_path, top_first=top_first)
    with open_clip(path) as clip, open_clip(path, deinterlace="off") as stored:
        assert clip.info.deinterlaced == (
            f"all frames, {'top' if top_first else 'bottom'} field first"
        )
        assert _psnr(_images(clip), WHOLE) > _psnr(_images(stored), WHOLE) + 4
        assert "not marked as interlaced but are combed" in clip.info.notices[0]


def test_what_is_not_interlaced_stays_as_it_is(tmp_path: Path) -> None:
    stripes = [np.roll(PICTURES[0], 3 * index, axis=0) for index in range(COUNT)]
    stripes = [np.where(np.arange(96)[:, None, None] % 2, image, 40) for image in stripes]
    scenes = {"moves": WHOLE, "still": WHOLE[:1] * COUNT, "rows": stripes}
    for name, images in scenes.items():
        path = write_video(tmp_path / f"{name}.mp4", images, options=NOT_FLAGGED)
        with open_clip(path) as clip, open_clip(path, deinterlace="off") as stored:
            assert clip.info.deinterlaced == ""
            assert not clip.info.notices
            assert np.array_equal(clip.frame(5).image, stored.frame(5).image)


def test_marks_without_combing_are_doubted(tmp_path: Path) -> None:
    path = write_video(tmp_path / "psf.mp4", WHOLE, options=FLAGGED)
    with open_clip(path) as clip:
        assert clip.info.deinterlaced == "marked frames"
        assert "though no combing was seen" in clip.info.notices[0]


def test_film_on_interlaced_video(tmp_path: Path) -> None:
    """Two frames of five hold fields of two pictures."""
    mixed = [
        combed if index % 5 in (2, 3) else whole
        for index, (combed, whole) in enumerate(zip(woven(PICTURES), WHOLE, strict=True))
    ]
    path = write_video(tmp_path / "film.mp4", mixed, options=NOT_FLAGGED)
    with open_clip(path) as clip, open_clip(path, deinterlace="off") as stored:
        assert clip.info.deinterlaced == "all frames, top field first"
        combed = [index for index in range(COUNT) if index % 5 in (2, 3)]
        made, kept = ([each.frame(index).rgb for index in combed] for each in (clip, stored))
        truth = [WHOLE[index] for index in combed]
        assert _psnr(made, truth) > _psnr(kept, truth) + 4


def test_a_wrong_mark_of_the_order_is_corrected(tmp_path: Path) -> None:
    path = write_video(tmp_path / "wrong.mp4", woven(PICTURES), options=FLAGGED)
    with open_clip(path) as clip, open_clip(path, deinterlace="off") as stored:
        assert clip.info.deinterlaced == "marked frames, top field first"
        assert _psnr(_images(clip), WHOLE) > _psnr(_images(stored), WHOLE) + 4


def test_all_frames_are_deinterlaced_on_demand(tmp_path: Path) -> None:
    path = write_video(tmp_path / "whole.mp4", WHOLE, options=NOT_FLAGGED)
    with open_clip(path, deinterlace="on") as clip, open_clip(path) as stored:
        assert clip.info.deinterlaced == "all frames, top field first"
        assert not clip.info.notices
        assert not np.array_equal(clip.frame(5).image, stored.frame(5).image)


def test_a_frame_is_the_same_wherever_reading_begins(flagged: Path) -> None:
    with open_clip(flagged) as clip:
        images = _images(clip)
        for start, stop in ((0, 1), (0, 3), (4, 9), (COUNT - 1, COUNT), (7, 7)):
            part = [frame.rgb for frame in clip.frames(start, stop)]
            assert all(map(np.array_equal, part, images[start:stop]))
            assert len(part) == stop - start
        backward = [frame.rgb for frame in clip.frames_backward(2, COUNT)]
        assert all(map(np.array_equal, backward[::-1], images[2:]))
        for index in (11, 3, 4, 0, COUNT - 1):
            assert np.array_equal(clip.frame(index).rgb, images[index])


def test_a_clip_of_one_frame(tmp_path: Path) -> None:
    path = write_video(tmp_path / "one.mp4", woven(PICTURES)[:1], options=FLAGGED)
    with open_clip(path, deinterlace="on") as clip:
        assert [frame.index for frame in clip.frames()] == [0]


@pytest.mark.parametrize(
    ("codec", "pixel_format", "suffix"),
    [
        ("ffv1", "yuv420p10le", "mkv"),
        ("ffv1", "gray", "mkv"),
        ("ffv1", "bgr0", "mkv"),
        ("rawvideo", "uyvy422", "mkv"),
        ("prores_ks", "yuva444p10le", "mov"),
    ],
)
def test_formats(codec: str, pixel_format: str, suffix: str, tmp_path: Path) -> None:
    """The filter takes few formats itself; colours and alpha stay."""
    path = write_video(
        tmp_path / f"a.{suffix}", woven(PICTURES), codec=codec, pixel_format=pixel_format
    )
    with open_clip(path) as clip, open_clip(path, deinterlace="off") as stored:
        assert clip.info.deinterlaced
        made, kept = clip.frame(5).image, stored.frame(5).image
        assert made.shape == kept.shape
        # every second row is of the earlier field and stays; colours of 4:2:0 lie between rows
        assert np.abs(made[10:80:2].astype(int) - kept[10:80:2]).mean() <= 1


def test_identities_differ_where_frames_do(flagged: Path) -> None:
    with open_clip(flagged) as clip, open_clip(flagged, deinterlace="off") as stored:
        assert identify(clip) != identify(stored)
        assert identify(clip) == identify(clip)
        assert clip.watch.identity == stored.watch.identity == identify(stored)


def test_images_cannot_be_deinterlaced(tmp_path: Path) -> None:
    folder = make_images(tmp_path / "images", count=3)
    with pytest.raises(OptionsError, match=r"deinterlace on: is for video files, .*images"):
        open_clip(folder, deinterlace="on")
    with open_clip(folder, deinterlace="off") as clip:
        assert len(clip) == 3


def test_an_unknown_choice_is_refused(flagged: Path) -> None:
    with pytest.raises(OptionsError, match="deinterlace 'yes': expected one of auto, on, off"):
        open_clip(flagged, deinterlace="yes")
