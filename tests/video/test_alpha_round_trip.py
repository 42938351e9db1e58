"""Every output that stores alpha gives it back, and the colours of what is opaque."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image as PillowImage

from kadr.core.frames import Frame
from kadr.video.clips import create_clip, keeps_alpha, open_clip
from scenes import texture

HEIGHT, WIDTH, COUNT = 64, 96, 3
COLOURS = [cv2.GaussianBlur(texture(HEIGHT, WIDTH, seed=seed), (0, 0), 2) for seed in range(COUNT)]


def _matte(index: int) -> np.ndarray:
    """A soft disc that moves, all levels from 0 to 255 in it."""
    down, across = np.mgrid[:HEIGHT, :WIDTH]
    distance = np.hypot(down - 32, across - 40 - 4 * index)
    return np.clip(255 - (distance - 12) * 16, 0, 255).astype(np.uint8)


MATTES = [_matte(index) for index in range(COUNT)]

# WebM's alpha is coded like its picture: without loss only at the lowest crf
EXACT = {"a.mov": {}, "a.webm": {"crf": 0}, "a.webp": {}, "a.apng": {}, "f_%03d.png": {},
         "f_%03d.tif": {}, "f_%03d.webp": {}, "folder": {}}  # fmt: skip


def _write(path: Path, **options: object) -> Path:
    with create_clip(path, like=None, frame_rate=Fraction(25), **options) as writer:  # type: ignore[arg-type]
        for index, (colours, matte) in enumerate(zip(COLOURS, MATTES, strict=True)):
            writer.write(Frame(index, np.dstack([colours, matte])))
    return path


@pytest.mark.parametrize("name", EXACT)
def test_alpha_comes_back_to_one_level(tmp_path: Path, name: str) -> None:
    assert keeps_alpha(name)
    with open_clip(_write(tmp_path / name, **EXACT[name])) as clip:
        assert clip.info.has_alpha
        assert len(clip) == COUNT
        for frame, colours, matte in zip(clip.frames(), COLOURS, MATTES, strict=True):
            assert np.abs(frame.image[..., 3].astype(int) - matte).max() <= 1
            opaque = matte == 255
            assert np.abs(frame.image[opaque][:, :3].astype(int) - colours[opaque]).mean() < 6


def test_webm_at_its_default_quality(tmp_path: Path) -> None:
    with open_clip(_write(tmp_path / "a.webm")) as clip:
        for frame, matte in zip(clip.frames(), MATTES, strict=True):
            assert np.abs(frame.image[..., 3].astype(int) - matte).max() <= 8
            near = cv2.dilate(matte, np.ones((17, 17), np.uint8))
            assert not frame.image[near == 0][:, 3].any()


def test_other_programs_are_told_of_the_alpha(tmp_path: Path) -> None:
    with av.open(str(_write(tmp_path / "a.mov"))) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == (
            "prores",
            "yuva444p12le",
        )
    with av.open(str(_write(tmp_path / "a.webm"))) as container:
        assert container.streams.video[0].metadata["alpha_mode"] == "1"
    path = _write(tmp_path / "f_%03d.tif").parent / "f_000.tif"
    with PillowImage.open(path) as image:
        assert image.tag_v2[338] == (2,), "unassociated alpha"  # type: ignore[attr-defined]
    with PillowImage.open(_write(tmp_path / "a.apng")) as image:
        assert (image.n_frames, image.info["loop"]) == (COUNT, 0)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["a.mp4", "f_%03d.bmp", "f_%03d.jpg"])
def test_what_cannot_store_alpha_is_laid_over_black(tmp_path: Path, name: str) -> None:
    assert not keeps_alpha(name)
    with open_clip(_write(tmp_path / name)) as clip:
        image = clip.frame(0).image
    assert image.shape[2] == 3
    assert image[MATTES[0] == 0].max() < 12
