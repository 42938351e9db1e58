"""A sound track and an output file in; how the track is stored there out: copied, or encoded."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import av

# the codecs that each container can store; None means that the container is asked
_COPIED_CODECS: dict[str, frozenset[str] | None] = {
    ".mp4": frozenset({"aac", "mp3", "ac3", "eac3", "alac", "opus", "flac"}),
    ".m4v": frozenset({"aac", "ac3", "eac3", "alac"}),
    ".mov": frozenset({"aac", "mp3", "ac3", "eac3", "alac", "pcm_s16le", "pcm_s24le", "pcm_s16be"}),
    ".mkv": None,
    ".webm": frozenset({"opus", "vorbis"}),
}
_LAYOUTS = ("mono", "stereo", "3.0", "quad", "5.0", "5.1", "6.1", "7.1")
"""The layout of 1, 2, … channels that encoders know and players expect."""
_OWN_LAYOUTS = {"2.1": "stereo"}
"""Layouts that another of as many channels would spoil, and what they become."""

_BIT_RATE, _CHANNEL_BIT_RATE = 160_000, 80_000
"""Of one or two channels together, and of each channel of more."""


@dataclass(frozen=True)
class SoundEncoding:
    """How a track is encoded again. codec: FFmpeg's name of the encoder. rate: samples a second."""

    codec: str
    rate: int
    layout: str
    bit_rate: int


def choose_encoding(stream: Any, output: Path) -> SoundEncoding | None:
    """How the sound stream of an input is encoded for an output; None: it is copied as it is."""
    suffix = output.suffix.lower()
    codecs = _COPIED_CODECS[suffix]
    codec = stream.codec_context.codec.canonical_name
    if codec in codecs if codecs is not None else _can_be_copied(stream):
        return None
    encoder = "libopus" if suffix == ".webm" else "aac"
    source = stream.codec_context
    rate = _nearest_rate(source.sample_rate, av.Codec(encoder, "w").audio_rates)
    channels = source.layout.nb_channels
    layout = _nearest_layout(encoder, rate, source.layout.name, channels)
    kept = _LAYOUTS.index(layout) + 1 if layout in _LAYOUTS else channels
    return SoundEncoding(encoder, rate, layout, max(_BIT_RATE, _CHANNEL_BIT_RATE * kept))


def encoding_notices(
    encoding: SoundEncoding, stream: Any, number: int, clip: Path, output: Path
) -> Iterator[str]:
    """What of a track changes. number: of the track among those of the clip, from 1."""
    source = stream.codec_context
    track = f"{output}: sound track {number} of {clip}"
    name = "Opus" if encoding.codec == "libopus" else "AAC"
    if encoding.rate < source.sample_rate or (
        encoding.rate != source.sample_rate and encoding.codec == "aac"
    ):
        yield (
            f"{track} has {source.sample_rate} Hz, which {name} does not take; it is resampled "
            f"to {encoding.rate} Hz"
        )
    channels = source.layout.nb_channels
    if channels > len(_LAYOUTS) or (encoding.layout in ("mono", "stereo") and channels > 2):
        yield (
            f"{track} has {channels} channels ({source.layout.name}), which {name} does not take; "
            f"they are mixed to {encoding.layout}"
        )


def _can_be_copied(stream: Any) -> bool:
    """Whether Matroska, which stores nearly everything, stores this codec."""
    container = av.open(io.BytesIO(), "w", format="matroska")
    try:
        container.add_stream_from_template(stream)
        container.start_encoding()
    except (av.error.FFmpegError, ValueError):
        return False
    finally:
        container.close()
    return True


def _nearest_rate(rate: int, allowed: list[int] | None) -> int:
    """The lowest rate that an encoder takes and that keeps all of the sound; else the highest."""
    if not allowed or rate in allowed:
        return rate
    return min((each for each in allowed if each > rate), default=max(allowed))


def _nearest_layout(encoder: str, rate: int, name: str, channels: int) -> str:
    """The layout itself, or another of as many channels, or else stereo."""
    if channels > len(_LAYOUTS):
        return "stereo"
    usual = _OWN_LAYOUTS.get(name, _LAYOUTS[channels - 1])
    return next(each for each in (name, usual, "stereo") if _takes(encoder, rate, each))


@cache
def _takes(encoder: str, rate: int, layout: str) -> bool:
    """Whether an encoder can be opened with a layout."""
    context: Any = av.CodecContext.create(encoder, "w")
    try:
        context.sample_rate, context.layout = rate, layout
        context.format = av.Codec(encoder, "w").audio_formats[0]
        context.open()
    except (av.error.FFmpegError, ValueError):
        return False
    return True


def no_sound_notice(output: Path, clip: Path) -> str:
    """What to tell people about an output that holds no sound, of a clip that has some."""
    return f"{output}: this type of file has no sound; that of {clip} is left out"
