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


def _clip(path: Path, tracks: list[tuple[str, int, float]], default: int = 0) -> Path:
    """25 frames and sound tracks: (codec, rate, pitch); ``default``: which of them is marked so."""
    with av.open(str(path), "w") as container:
        video: Any = container.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 96, 64, "yuv420p"
        streams: list[Any] = []
        for number, (codec, rate, _) in enumerate(tracks):
            stream: Any = container.add_stream(codec, rate=rate, layout="mono")
            stream.disposition = Disposition.default if number == default else Disposition(0)
            stream.metadata["language"] = ("deu", "rus", "eng")[number]
            streams.append(stream)
        for index in range(25 * SECONDS):
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture(index), format="rgb24")))
        container.mux(video.encode(None))
        for stream, (_, rate, pitch) in zip(streams, tracks, strict=True):
            wave = 20000 * np.sin(np.arange(rate * SECONDS) * 2 * np.pi * pitch / rate)
            for begin in range(0, len(wave), 1024):
                part = wave[begin : begin + 1024].astype(np.int16)[None]
                frame = av.AudioFrame.from_ndarray(part, format="s16", layout="mono")
                frame.sample_rate, frame.pts, frame.time_base = rate, begin, Fraction(1, rate)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    return path


def _written(source: Path, output: Path) -> Path:
    with open_clip(source) as clip, create_clip(output, like=clip) as writer:
        for frame in clip.frames():
            writer.write(frame)
    return output


def _pitch(path: Path, track: int) -> float:
    """The strongest frequency of a sound track."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[track]
        parts = [frame.to_ndarray()[:1].astype(float) for frame in container.decode(stream)]
        wave = np.concatenate(parts, axis=1)[0]
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
