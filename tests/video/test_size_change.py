"""A recording that changes its size midway: read up to there, or scaled."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from video_samples import make_images, picture, read_index

from kadr import create_clip, open_clip
from kadr.errors import OptionsError
from kadr.video.fit_picture import fit_picture
from kadr.video.identity import identify

SIZES = ((96, 64), (128, 64), (192, 128))
EACH = 8


def _recording(path: Path, *, repeat: bool = False, sound: bool = False) -> Path:
    """Transport streams of 8 frames each, put together; repeat: each begins at the same time.

    sound: a second of it, in the first.
    """
    parts = []
    for number, size in enumerate(SIZES):
        part = path.with_suffix(f".{number}.ts")
        with av.open(str(part), "w", format="mpegts") as container:
            stream: Any = container.add_stream("libx264", rate=25, options={"crf": "10"})
            (stream.width, stream.height), stream.pix_fmt = size, "yuv420p"
            if sound and not number:
                _add_tone(container)
            for index in range(number * EACH, (number + 1) * EACH):
                frame = av.VideoFrame.from_ndarray(picture(index, *size), format="rgb24")
                frame.pts = index - (number * EACH if repeat else 0)
                frame.time_base = Fraction(1, 25)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        parts.append(part.read_bytes())
    path.write_bytes(b"".join(parts))
    return path


def _add_tone(container: Any) -> None:
    tone = container.add_stream("mp2", rate=32000, layout="mono")
    for start in range(0, 32000, 1152):
        part = av.AudioFrame.from_ndarray(np.full((1, 1152), 900, np.int16), "s16", "mono")
        part.sample_rate, part.pts, part.time_base = 32000, start, Fraction(1, 32000)
        container.mux(tone.encode(part))
    container.mux(tone.encode(None))


@pytest.fixture(scope="module", params=[False, True])
def recording(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With time stamps, and with some that repeat, so that frames are counted."""
    return _recording(tmp_path_factory.mktemp("sizes") / "call.ts", repeat=request.param)


def test_it_is_read_up_to_there(recording: Path) -> None:
    with open_clip(recording) as clip:
        assert len(clip) == len(clip.times) == clip.info.frame_count == EACH
        assert clip.info.duration == Fraction(EACH, 25)
        assert [read_index(frame.image) for frame in clip.frames()] == list(range(EACH))
        (notice,) = clip.info.notices
        assert f"from frame {EACH} on it is 128×64, before 96×64" in notice
        assert f"read up to frame {EACH - 1}; --allow-resize" in notice


def test_it_is_scaled(recording: Path) -> None:
    with open_clip(recording, allow_resize=True) as clip:
        assert len(clip) == 3 * EACH
        frames = list(clip.frames())
        assert {frame.size for frame in frames} == {(96, 64)}
        # the same shape is scaled whole, a wider one gets borders
        assert [read_index(frame.image) for frame in frames[2 * EACH :]] == list(
            range(2 * EACH, 3 * EACH)
        )
        wide = frames[EACH + 3].image
        assert wide[[0, -1]].max() < 20
        assert read_index(wide[8:-8]) == EACH + 3
        assert "later frames are scaled to 96×64" in clip.info.notices[0]
        assert np.array_equal(clip.frame(2 * EACH + 1).image, frames[2 * EACH + 1].image)


def test_frames_that_are_scaled_have_an_identity_of_their_own(recording: Path) -> None:
    with open_clip(recording) as clip, open_clip(recording, allow_resize=True) as scaled:
        assert identify(clip) != identify(scaled)


def test_the_sound_ends_with_the_frames(tmp_path: Path) -> None:
    """The rest of the recording is not read, and neither is its sound."""
    source = _recording(tmp_path / "call.ts", sound=True)
    with open_clip(source) as clip, create_clip(tmp_path / "o.mkv", like=clip) as writer:
        assert len(clip) == EACH
        for frame in clip.frames():
            writer.write(frame)
    with av.open(str(tmp_path / "o.mkv")) as output:
        last = list(output.decode(audio=0))[-1]
        assert last.time + last.samples / last.sample_rate < EACH / 25 + 0.15


@pytest.mark.parametrize(
    ("size", "aspect", "content"),
    [
        ((48, 32), Fraction(1), (slice(None), slice(None))),
        ((96, 63), Fraction(1), (slice(None), slice(None))),
        ((48, 64), Fraction(2), (slice(None), slice(None))),
        ((64, 64), Fraction(1), (slice(None), slice(16, 80))),
        ((96, 32), Fraction(1), (slice(16, 48), slice(None))),
    ],
)
def test_pictures_are_fitted(size: tuple[int, int], aspect: Fraction, content: Any) -> None:
    image = np.full((size[1], size[0], 4), 200, np.uint8)
    fitted = fit_picture(image, aspect, (96, 64), Fraction(1))
    assert fitted.shape == (64, 96, 4)
    assert (fitted[content] == 200).all()
    rest = np.ones((64, 96), np.bool_)
    rest[content] = False
    assert (fitted[rest] == (0, 0, 0, 255)).all()


def test_images_are_not_scaled(tmp_path: Path) -> None:
    with pytest.raises(OptionsError, match="allow-resize: is for video files"):
        open_clip(make_images(tmp_path / "images", count=2), allow_resize=True)
