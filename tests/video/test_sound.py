"""Sound tracks: all are kept, in sync, at a rate that the container takes."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.stream import Disposition
from video_samples import picture

from kadr import create_clip, open_clip
from kadr.errors import OutputError

SECONDS = 1


def _clip(
    path: Path,
    tracks: list[tuple[str, int, float]],
    default: int = 0,
    layout: str = "mono",
) -> Path:
    """25 frames and sound tracks: (codec, rate, pitch); ``default``: which of them is marked so.

    layout: each further channel is a hundred hertz higher.
    """
    with av.open(str(path), "w") as container:
        video: Any = container.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 96, 64, "yuv420p"
        streams: list[Any] = []
        for number, (codec, rate, _) in enumerate(tracks):
            stream: Any = container.add_stream(codec, rate=rate, layout=layout)
            stream.disposition = Disposition.default if number == default else Disposition(0)
            stream.metadata["language"] = ("deu", "rus", "eng")[number]
            streams.append(stream)
        for index in range(25 * SECONDS):
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture(index), format="rgb24")))
        container.mux(video.encode(None))
        for stream, (_, rate, pitch) in zip(streams, tracks, strict=True):
            channels = stream.codec_context.layout.nb_channels
            pitches = pitch + 100 * np.arange(channels)
            phases = np.outer(np.arange(rate * SECONDS), pitches) * 2 * np.pi / rate
            wave = (20000 * np.sin(phases)).astype(np.int16)
            for begin in range(0, len(wave), 1024):
                part = np.ascontiguousarray(wave[begin : begin + 1024].reshape(1, -1))
                frame = av.AudioFrame.from_ndarray(part, format="s16", layout=layout)
                frame.sample_rate, frame.pts, frame.time_base = rate, begin, Fraction(1, rate)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    return path


def _written(source: Path, output: Path) -> Path:
    _write(source, output)
    return output


def _write(source: Path, output: Path) -> list[str]:
    """Write the clip to ``output``; returns the notices."""
    with open_clip(source) as clip, create_clip(output, like=clip) as writer:
        for frame in clip.frames():
            writer.write(frame)
    return list(writer.notices)


def _first_channel(frame: Any) -> np.ndarray:
    """Not ``to_ndarray``, which fails on eight channels."""
    dtype = np.float32 if frame.format.name.startswith("flt") else np.int16
    step = 1 if frame.format.is_planar else len(frame.layout.channels)
    samples = np.frombuffer(frame.planes[0], dtype, count=frame.samples * step)
    return samples[::step].astype(float)


def _pitch(path: Path, track: int) -> float:
    """The strongest frequency of a sound track."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[track]
        parts = [_first_channel(frame) for frame in container.decode(stream)]
        wave = np.concatenate(parts)
        spectrum = np.abs(np.fft.rfft(wave * np.hanning(len(wave))))
        return float(spectrum.argmax() * stream.rate / len(wave))


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov", ".webm"])
def test_all_tracks_are_kept(suffix: str, tmp_path: Path) -> None:
    tracks = [("aac", 48000, 440.0), ("aac", 44100, 880.0)]
    output = _written(_clip(tmp_path / "two.mkv", tracks, default=1), tmp_path / f"o{suffix}")
    assert _pitch(output, 0) == pytest.approx(440, abs=5)
    assert _pitch(output, 1) == pytest.approx(880, abs=5)
    with av.open(str(output)) as container:
        kept = container.streams.audio
        if suffix != ".mov":  # QuickTime has numbers for few languages
            assert [stream.metadata["language"] for stream in kept] == ["deu", "rus"]
        defaults = [bool(stream.disposition & Disposition.default) for stream in kept]
    assert defaults == [False, True]


@pytest.mark.parametrize(("rate", "written"), [(22254, 24000), (11127, 12000), (100000, 96000)])
def test_a_rate_that_the_encoder_lacks_is_resampled(
    rate: int, written: int, tmp_path: Path
) -> None:
    source = _clip(tmp_path / "odd.mkv", [("pcm_s16le", rate, 440.0)])
    output = _written(source, tmp_path / "o.mp4")
    assert _pitch(output, 0) == pytest.approx(440, abs=5)
    with av.open(str(output)) as container:
        assert container.streams.audio[0].rate == written
        assert container.streams.audio[0].duration * container.streams.audio[
            0
        ].time_base == pytest.approx(SECONDS, abs=0.1)


def test_a_rate_that_changes_is_told(tmp_path: Path) -> None:
    source = _clip(tmp_path / "odd.mkv", [("pcm_s16le", 22254, 440.0)])
    (notice,) = _write(source, tmp_path / "o.mp4")
    assert "o.mp4: sound track 1 of" in notice
    assert notice.endswith("has 22254 Hz, which AAC does not take; it is resampled to 24000 Hz")
    assert _write(source, tmp_path / "o.webm") == []  # Opus has all of it
    assert _write(source, tmp_path / "o.mkv") == []  # copied


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
@pytest.mark.parametrize(
    ("layout", "kept"),
    [("stereo", "stereo"), ("quad", "quad"), ("5.0", "5.0"), ("5.1", "5.1"), ("7.1", "7.1")],
)
def test_channels_are_kept(layout: str, kept: str, suffix: str, tmp_path: Path) -> None:
    source = _clip(tmp_path / "many.mkv", [("pcm_s16le", 48000, 300.0)], layout=layout)
    output = tmp_path / f"o{suffix}"
    assert _write(source, output) == []
    with av.open(str(output)) as container:
        written = container.streams.audio[0]
        assert written.codec_context.layout.nb_channels == len(av.AudioLayout(kept).channels)
    assert _pitch(output, 0) == pytest.approx(300, abs=5)


@pytest.mark.parametrize(
    ("codec", "layout", "suffix"),
    [("ac3", "2.1", ".webm"), ("pcm_s16le", "hexadecagonal", ".mp4")],
)
def test_channels_that_do_not_fit_are_mixed_and_told(
    codec: str, layout: str, suffix: str, tmp_path: Path
) -> None:
    source = _clip(tmp_path / "odd.mkv", [(codec, 48000, 300.0)], layout=layout)
    channels = len(av.AudioLayout(layout).channels)
    (notice,) = _write(source, tmp_path / f"o{suffix}")
    assert f"has {channels} channels" in notice
    assert notice.endswith("they are mixed to stereo")
    assert _pitch(tmp_path / f"o{suffix}", 0) > 0


@pytest.mark.parametrize("name", ["o.gif", "o.webp", "o.apng"])
def test_images_have_no_sound_and_say_so(name: str, tmp_path: Path) -> None:
    source = _clip(tmp_path / "a.mkv", [("aac", 48000, 440.0)])
    notices = _write(source, tmp_path / name)
    assert any(f"that of {source} is left out" in notice for notice in notices)


def test_a_codec_that_matroska_lacks_is_encoded(tmp_path: Path) -> None:
    source = _clip(tmp_path / "old.flv", [("adpcm_swf", 22050, 440.0)])
    output = _written(source, tmp_path / "o.mkv")
    assert _pitch(output, 0) == pytest.approx(440, abs=5)
    with av.open(str(output)) as container:
        assert container.streams.audio[0].codec_context.name == "aac"


def test_what_cannot_be_written_is_refused_before_the_first_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = _clip(tmp_path / "a.mkv", [("pcm_s16le", 48000, 440.0)])
    opened = av.open

    def fail(file: Any, *arguments: Any, **options: Any) -> Any:
        if isinstance(file, io.BytesIO):
            raise av.error.ArgumentError(22, "Invalid argument")
        return opened(file, *arguments, **options)

    with open_clip(source) as clip:
        monkeypatch.setattr(av, "open", fail)
        with pytest.raises(OutputError, match=r"o\.mp4: cannot be written \(Invalid argument\)"):
            create_clip(tmp_path / "o.mp4", like=clip)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mkv"]
