"""Clips shared by the tests of reading and writing."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from video_samples import make_images, make_video

from kadr.video.clips import create_clip, open_clip

LONG_GOP = {"g": "400", "bf": "3", "preset": "veryfast", "crf": "12"}


def _vfr(count: int) -> list[Fraction]:
    gaps = [Fraction(1 + index % 3, 30) for index in range(count)]
    return [sum(gaps[:index], Fraction(0)) for index in range(count)]


MAKERS = {
    "h264_b_frames": lambda d: make_video(d / "b.mp4", options={**LONG_GOP, "g": "12"}),
    "h264_one_gop": lambda d: make_video(d / "one.mp4", options=LONG_GOP),
    "h264_open_gop": lambda d: make_video(
        d / "open.mp4", options={"x264-params": "open-gop=1:keyint=10:bframes=3", "crf": "12"}
    ),
    "late_start": lambda d: make_video(d / "late.mkv", start=Fraction(7, 2)),
    "transport_stream": lambda d: make_video(d / "t.ts", options={"g": "10", "bf": "2"}),
    "program_stream": lambda d: make_video(d / "p.mpg", codec="mpeg2video"),
    "avi_without_pts": lambda d: make_video(d / "x.avi", codec="mpeg4", options={"bf": "2"}),
    "vfr": lambda d: make_video(d / "vfr.mp4", times=_vfr(40)),
    "webm": lambda d: make_video(
        d / "v.webm", codec="libvpx-vp9", options={"cpu-used": "8", "deadline": "realtime"}
    ),
    "interlaced": lambda d: make_video(
        d / "i.mp4", options={"flags": "+ilme+ildct", "g": "12", "bf": "2", "crf": "12"}
    ),
    "intra_only": lambda d: make_video(d / "p.mov", codec="prores_ks", pixel_format="yuv422p10le"),
    "hevc": lambda d: make_video(
        d / "h.mp4", codec="libx265", options={"x265-params": "log-level=none:keyint=12"}
    ),
    "ten_bits": lambda d: make_video(d / "ten.mp4", pixel_format="yuv420p10le"),
    "animated_webp": lambda d: _animated(d / "w.webp"),
    "gif": lambda d: _animated(d / "g.gif"),
    "images": lambda d: make_images(d / "a folder"),
    "pattern": lambda d: make_images(d / "p", name="f.{:04d}.png") / "f.[####].png",
}


def _animated(path: Path) -> Path:
    with open_clip(make_images(path.parent / "from")) as clip, create_clip(path, like=clip) as out:
        for frame in clip.frames():
            out.write(frame)
    return path


@pytest.fixture(scope="session", params=sorted(MAKERS))
def any_clip(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each kind of input in turn: 40 frames that carry their index."""
    return MAKERS[request.param](tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="session")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty frames at 25 a second with sound that clicks every half second."""
    folder = tmp_path_factory.mktemp("video")
    return make_video(folder / "clip.mp4", options={"g": "12", "bf": "2"}, sound=(0.0, 1.6))
