"""What is read, written and read again: pictures, times, sound and alpha come back as they were."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from video_samples import make_video, picture, read_index

from kadr import create_clip, open_clip
from kadr.video.base import Clip
from scenes import texture

RATE = 48000
_MILLISECOND = 0.001
NOISE = np.convolve(
    np.random.default_rng(4).normal(0, 9000, 4 * RATE), np.ones(24) / 5, mode="same"
).astype(np.int16)
"""Four seconds of sound that is nowhere like itself elsewhere."""


def _film(
    path: Path,
    *,
    frames_from: int = 0,
    sound_from: float = 0.0,
    count: int = 50,
    codec: str = "aac",
) -> Path:
    """Frames at 25 a second, numbered from 0 at time 0; the noise begins at time 0 too.

    frames_from: index of the first frame, negative for frames before time 0. sound_from: seconds at
    which the sound begins.
    """
    with av.open(str(path), "w") as container:
        video: Any = container.add_stream("libx264", rate=25, options={"bf": "2", "g": "12"})
        video.width, video.height, video.pix_fmt = 96, 64, "yuv420p"
        video.codec_context.time_base = Fraction(1, 12800)
        sound: Any = container.add_stream(codec, rate=RATE, layout="mono")
        sound.codec_context.bit_rate = 160_000
        for index in range(frames_from, count):
            frame = av.VideoFrame.from_ndarray(picture(index % 256), format="rgb24")
            frame.pts, frame.time_base = index * 512, Fraction(1, 12800)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        start = round(sound_from * RATE)
        for begin in range(start, count * RATE // 25, 1024):
            wave = NOISE[np.arange(begin, begin + 1024) % len(NOISE)]
            part = av.AudioFrame.from_ndarray(wave[None].copy(), format="s16", layout="mono")
            part.sample_rate, part.pts, part.time_base = RATE, begin, Fraction(1, RATE)
            container.mux(sound.encode(part))
        container.mux(sound.encode(None))
    return path


def _copy(source: Path, output: Path) -> Path:
    with open_clip(source) as clip, create_clip(output, like=clip) as writer:
        for frame in clip.frames():
            writer.write(frame)
    return output


def _sound_offset(path: Path) -> float:
    """How much later than in the film its sound is heard, in seconds from the first frame."""
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        first = Fraction(frame.pts) * frame.time_base
    heard = np.zeros(4 * RATE)
    resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE)
    with av.open(str(path)) as container:
        for part in container.decode(audio=0):
            begin = round(float(part.pts * part.time_base - first) * RATE)
            part.pts = None
            wave = np.concatenate([piece.to_ndarray()[0] for piece in resampler.resample(part)])
            places = np.arange(begin, begin + len(wave))
            inside = (places >= 0) & (places < len(heard))
            heard[places[inside]] = wave[inside]
    whole = np.fft.irfft(np.fft.rfft(heard) * np.conj(np.fft.rfft(NOISE.astype(float))))
    lag = int(whole.argmax())
    return (lag if lag < len(heard) // 2 else lag - len(heard)) / RATE


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm"])
@pytest.mark.parametrize("sound_from", [0.0, 0.73, -0.3])
def test_times_and_sound_are_kept_to_a_millisecond(
    suffix: str, sound_from: float, tmp_path: Path
) -> None:
    source = _film(tmp_path / "s.mkv", sound_from=sound_from, codec="pcm_s16le")
    output = _copy(source, tmp_path / f"o{suffix}")
    assert _sound_offset(source) == pytest.approx(0, abs=_MILLISECOND)
    assert _sound_offset(output) == pytest.approx(0, abs=_MILLISECOND)
    _check_times(source, output)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm"])
def test_an_edit_list_that_trims_the_start(suffix: str, tmp_path: Path) -> None:
    """Ten frames and their sound lie before the start; players show neither."""
    source = _film(tmp_path / "s.mp4", frames_from=-10, sound_from=-0.4)
    with open_clip(source) as clip:
        assert [read_index(frame.image) for frame in clip.frames(0, 3)] == [0, 1, 2]
        assert len(clip) == 50
    output = _copy(source, tmp_path / f"o{suffix}")
    assert _sound_offset(output) == pytest.approx(_sound_offset(source), abs=_MILLISECOND)
    assert _sound_offset(output) == pytest.approx(0, abs=0.002)
    _check_times(source, output)


def _check_times(source: Path, output: Path) -> None:
    with open_clip(source) as clip, open_clip(output) as again:
        assert len(again) == len(clip)
        for before, after in zip(clip.times, again.times, strict=True):
            assert abs(before - after) <= _MILLISECOND
        assert abs(clip.info.duration - again.info.duration) <= _MILLISECOND
        assert [read_index(frame.image) for frame in again.frames(0, 5)] == list(range(5))


@pytest.mark.parametrize("name", ["png/%04d.png", "tif/%04d.tif", "webp/%04d.webp", "a.apng"])
@pytest.mark.parametrize("source", ["yuv420p", "yuv444p", "yuva444p10le"])
def test_lossless_outputs_are_exact(name: str, source: str, tmp_path: Path) -> None:
    alpha = source.startswith("yuva")
    path = tmp_path / ("s.mov" if alpha else "s.mp4")
    make_video(path, 6, codec="prores_ks" if alpha else "libx264", pixel_format=source, noise=40)
    with open_clip(path) as clip, create_clip(tmp_path / name, like=clip) as writer:
        images = [frame.image for frame in clip.frames()]
        for frame in clip.frames():
            writer.write(frame)
    with open_clip(tmp_path / name, frame_rate=_rate(name)) as again:
        channels = images[0].shape[2]
        pictures = [frame.image if channels == 4 else frame.rgb for frame in again.frames()]
        assert len(pictures) == len(images)
        for before, after in zip(images, pictures, strict=True):
            assert np.array_equal(before[..., :3], after[..., :3])
            if channels == 4 and after.shape[2] == 4:
                assert np.array_equal(before[..., 3], after[..., 3])


def _rate(name: str) -> Fraction | None:
    return None if name.endswith("apng") else Fraction(25)


@pytest.mark.parametrize("codec", ["libvpx", "libvpx-vp9", "prores_ks"])
def test_alpha_is_read_to_one_level(codec: str, tmp_path: Path) -> None:
    """VP8 and VP9 through libvpx: libav's own decoders have no alpha."""
    y, x = np.mgrid[:64, :96]
    matte = np.clip(255 - (np.hypot(x - 48, y - 32) - 10) * 14, 0, 255).astype(np.uint8)
    colours = texture(64, 96, seed=1, fine=4)
    path = tmp_path / ("a.mov" if codec == "prores_ks" else "a.webm")
    options = {"crf": "4", "b": "8M", "auto-alt-ref": "0", "qmin": "0", "qmax": "4"}
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(
            codec, rate=25, options={} if codec == "prores_ks" else options
        )
        stream.width, stream.height = 96, 64
        stream.pix_fmt = "yuva444p10le" if codec == "prores_ks" else "yuva420p"
        if codec == "libvpx":  # as a tag beside the header, in capitals
            stream.metadata["alpha_mode"] = "1"
        for index in range(5):
            image = np.dstack([colours, np.roll(matte, index, axis=1)])
            frame = av.VideoFrame.from_ndarray(image, format="rgba")
            container.mux(stream.encode(frame.reformat(format=stream.pix_fmt)))
        container.mux(stream.encode(None))
    with open_clip(path) as clip:
        assert clip.info.has_alpha
        assert len(clip) == 5
        _check_alpha(clip, matte, 1 if codec == "prores_ks" else 4)


def _check_alpha(clip: Clip, matte: np.ndarray, tolerance: int) -> None:
    for frame in clip.frames():
        alpha = frame.image[..., 3].astype(int)
        difference = np.abs(alpha - np.roll(matte, frame.index, axis=1))
        assert difference.max() <= tolerance
        assert difference.mean() <= 1
    alone = clip.frame(3).image[..., 3]
    assert np.abs(alone.astype(int) - np.roll(matte, 3, axis=1)).max() <= tolerance
