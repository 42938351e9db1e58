"""Clips beyond the limits are refused from their headers, before a decoder is called."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image as PillowImage

from core.image_samples import gif, png
from kadr.errors import InputError
from kadr.video import animated_clip, image_clip
from kadr.video.clips import open_clip
from kadr.video.sequence import sequence_pattern
from video.video_samples import make_images


@pytest.fixture
def no_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object, **_options: object) -> None:
        raise AssertionError("a decoder was called")

    monkeypatch.setattr(animated_clip, "_decode", fail)
    monkeypatch.setattr(image_clip, "decode_image", fail)


@pytest.mark.usefixtures("no_decoder")
def test_a_small_gif_of_many_huge_frames_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.gif"
    path.write_bytes(gif(13_000, 13_000, 200))
    with pytest.raises(InputError, match=r"a\.gif: 200 frames of 13000×13000 .*KADR_MAX_PIXELS"):
        open_clip(path)


@pytest.mark.usefixtures("no_decoder")
def test_a_gif_of_too_many_frames_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.gif"
    path.write_bytes(gif(4, 4, 10_001))
    with pytest.raises(InputError, match="10,001 frames are more than the limit of 10,000"):
        open_clip(path)


@pytest.mark.usefixtures("no_decoder")
def test_a_huge_animated_webp_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.webp"
    frames = [PillowImage.new("RGB", (40, 40), (shade, 0, 0)) for shade in (0, 200)]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    monkeypatch.setenv("KADR_MAX_PIXELS", "1500")
    with pytest.raises(InputError, match="40×40 pixels are more than"):
        open_clip(path)


@pytest.mark.usefixtures("no_decoder")
def test_a_huge_image_of_a_sequence_is_refused(tmp_path: Path) -> None:
    make_images(tmp_path, count=2, name="f_{:d}.png", first=1)
    (tmp_path / "f_3.png").write_bytes(png(60_000, 60_000))
    with pytest.raises(InputError, match=r"f_3\.png: 60000×60000 pixels"):
        open_clip(tmp_path)


def test_a_video_beyond_the_limit_is_refused(video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KADR_MAX_PIXELS", "100")
    with pytest.raises(InputError, match="more than the limit of 100 pixels"):
        open_clip(video)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
@pytest.mark.parametrize("name", ["a.gif", "a.png", "a.mp4"])
def test_a_pipe_is_refused_at_once(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(InputError, match="not a regular file"):
        open_clip(tmp_path / name)


@pytest.mark.parametrize("name", ["f_%09999999999d.png", "f_%0201d.png", f"f_{'#' * 201}.png"])
def test_a_pattern_of_too_many_digits_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="more than 200 digits"):
        sequence_pattern(name)


def test_a_pattern_may_be_wide() -> None:
    pattern = sequence_pattern("f_%0200d.png")
    assert pattern is not None
    assert len(pattern.name(7)) == 206
