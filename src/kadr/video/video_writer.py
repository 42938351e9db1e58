"""Encode frames to one video file through PyAV, with the sound of another file."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from kadr.core.frames import Frame, Image, to_8_bits
from kadr.errors import InputError
from kadr.image_files import over_black
from kadr.video.base import Clip
from kadr.video.base_writer import BaseWriter
from kadr.video.pixels import CHROMA_LOCATION, FromRgb
from kadr.video.sound import Sound
from kadr.video.sound_encoding import no_sound_notice
from kadr.video.timing import Timing, rate_notices

# a fixed number: libx264 writes other bytes for another count
_THREADS = 4
_BT709 = 1
_FINE_STEP = Fraction(1, 10_000)
"""Seconds: a time base at most this long keeps frames and sound in sync."""


@dataclass(frozen=True)
class Encoding:
    """How one kind of file is encoded.

    muxer: FFmpeg's name of the container. pixel_format / alpha_format: of opaque and of RGBA
    frames; "" when alpha cannot be stored. crf: the option's default; None for codecs without one.
    even: sizes must be even.
    """

    muxer: str
    codec: str
    pixel_format: str
    alpha_format: str = ""
    alpha_codec: str = ""
    crf: int | None = None
    options: dict[str, str] = field(default_factory=dict)
    container_options: dict[str, str] = field(default_factory=dict)
    even: bool = True
    sound: bool = True
    largest: int = 16384
    """Of a side, in pixels."""
    clock: Fraction | None = None
    """Seconds: the container's times are multiples of this; None for fine clocks."""


_H264 = Encoding(
    "mp4",
    "libx264",
    "yuv420p",
    crf=17,
    # "faster" takes three fifths of the time of "medium"; files are as large, 0.15 dB apart.
    # libx264's macroblock tree sums floating-point numbers in an order that varies in its AVX-512
    # code: the same frames gave other bytes from run to run
    options={"preset": "faster", "x264-params": "mbtree=0"},
    container_options={"movflags": "+faststart", "fflags": "+bitexact"},
)
ENCODINGS = {
    ".mp4": _H264,
    ".m4v": replace(_H264, muxer="ipod"),
    ".mov": replace(_H264, muxer="mov", alpha_format="yuva444p10le", alpha_codec="prores_ks"),
    ".mkv": replace(_H264, muxer="matroska", container_options={"fflags": "+bitexact"}),
    ".webm": Encoding(
        "webm",
        "libvpx-vp9",
        "yuv420p",
        alpha_format="yuva420p",
        crf=24,
        options={
            "b": "0",
            "deadline": "good",
            "cpu-used": "4",
            "row-mt": "1",
            "tile-columns": "1",
        },
        container_options={"fflags": "+bitexact"},
    ),
    ".webp": Encoding(
        "webp",
        "libwebp_anim",
        "bgra",
        alpha_format="bgra",
        options={"quality": "88", "compression_level": "3", "loop": "0"},
        container_options={"loop": "0"},
        even=False,
        sound=False,
        largest=16383,
        clock=Fraction(1, 1000),
    ),
    ".apng": Encoding(
        "apng",
        "apng",
        "rgb24",
        alpha_format="rgba",
        options={"pred": "mixed"},
        container_options={"plays": "0"},
        even=False,
        sound=False,
        clock=Fraction(1, 1000),
    ),
}


class VideoWriter(BaseWriter):
    """A ClipWriter for mp4, m4v, mov, mkv, webm, animated webp and animated png (.apng).

    H.264 is yuv420p; odd sizes get their last column or row repeated, as 4:2:0 players need. RGBA
    frames keep alpha in webm, webp and apng, and in mov (as ProRes 4444); elsewhere they are laid
    over black. Colours are written as BT.709 with chroma sited left, and tagged so. All sound
    tracks of ``like`` are kept. The file grows under a hidden name beside ``path``. Raises
    OutputError when the disk is full or the encoder fails; encoders are tried before the first
    frame.
    """

    _library_errors = (av.error.FFmpegError,)

    def __init__(
        self,
        path: Path,
        *,
        like: Clip | None,
        frame_rate: Fraction | None,
        crf: int | None,
        preset: str | None,
    ) -> None:
        encoding = ENCODINGS[path.suffix.lower()]
        if like is not None:
            _check_largest(path, encoding, (like.info.width, like.info.height))
        self._timing = Timing(like, frame_rate, clock=encoding.clock)
        super().__init__(path, path.parent)
        self._like = like
        self._encoding = encoding
        self._crf = encoding.crf if crf is None else crf
        self._preset = preset
        self._file: Path | None = None
        self._container: Any = None
        self._stream: Any = None
        self._from_rgb: FromRgb
        self._sound: Sound | None = None
        self._pending: tuple[Any, Fraction] | None = None
        """The last frame and its time: its duration is known when the next one arrives."""
        self._lead = Fraction(0)
        self._durations: dict[int, int] = {}
        self._keeps_alpha = False
        self._notices += rate_notices(path, self._timing)
        if like is not None:
            self._notices += _size_notices(path, encoding, (like.info.width, like.info.height))
            self._try_streams(like)
            if like.info.has_audio and not encoding.sound:
                self._notices.append(no_sound_notice(path, like.info.path))

    def _try_streams(self, like: Clip) -> None:
        """Open the encoders once in memory, so that no work is done for what cannot be written.

        Raises OutputError with the cause.
        """
        sound = Sound(like.info, Fraction(0)) if self._wants_sound() else None
        container = None
        try:
            with self._guarded():
                container = av.open(io.BytesIO(), "w", format=self._encoding.muxer)
                self._video_stream(container, (like.info.width, like.info.height))
                if sound is not None:
                    sound.attach(container, self._path)
                    self._notices += sound.notices
                container.start_encoding()
        finally:
            if sound is not None:
                sound.close()
            if container is not None:
                with contextlib.suppress(av.error.FFmpegError, ValueError):
                    container.close()

    def _add(self, frame: Frame) -> None:
        if self._file is None:
            self._open(frame)
        self._check_size(frame)
        time = self._timing.next(frame)
        if time is None:
            return
        encoder_frame = self._from_rgb(self._prepared(to_8_bits(frame.image)))
        self._encode_pending(time)
        self._pending = (encoder_frame, time)

    def _prepared(self, image: Image) -> Image:
        if image.shape[2] == 4 and not self._keeps_alpha:
            image = over_black(image)
        elif image.shape[2] == 3 and self._keeps_alpha:
            image = np.dstack([image, np.full(image.shape[:2], 255, np.uint8)])
        odd = (image.shape[0] % 2, image.shape[1] % 2)
        if self._encoding.even and any(odd):
            image = np.pad(image, ((0, odd[0]), (0, odd[1]), (0, 0)), mode="edge")
        return np.ascontiguousarray(image)

    def _encode_pending(self, until: Fraction) -> None:
        """Encode the pending frame, which is shown until the time ``until``."""
        if self._pending is None:
            return
        encoder_frame, time = self._pending
        base = self._timing.base
        encoder_frame.pts = round((time + self._lead) / base)
        encoder_frame.duration = max(1, round((until + self._lead) / base) - encoder_frame.pts)
        encoder_frame.time_base = base
        self._durations[encoder_frame.pts] = encoder_frame.duration
        self._mux(self._stream.encode(encoder_frame))
        if self._sound is not None:
            self._sound.copy_until(until)

    def _mux(self, packets: list[Any]) -> None:
        for packet in packets:
            # encoders guess the last frame's duration
            packet.duration = self._durations.pop(packet.pts, packet.duration)
            self._container.mux(packet)

    def _open(self, first: Frame) -> None:
        _check_largest(self._path, self._encoding, first.size)
        self._file = self._new_temporary()
        self._container = av.open(
            f"file:{self._file}", "w", options=dict(self._encoding.container_options)
        )
        self._keeps_alpha = first.channels == 4 and bool(self._encoding.alpha_format)
        if self._wants_sound():
            assert self._like is not None
            start = self._timing.peek(first)
            self._sound = Sound(self._like.info, start)
            if self._sound.lead:
                self._timing.refine(_FINE_STEP)
                self._lead = self._sound.round_lead(self._timing.base)
        self._stream = self._video_stream(self._container, first.size)
        if self._sound is not None:
            self._sound.attach(self._container, self._path)
        self._from_rgb = FromRgb(self._stream.pix_fmt)

    def _wants_sound(self) -> bool:
        """Sound is in sync only with frames that keep their times in the clip."""
        like = self._like
        return (
            like is not None
            and like.info.has_audio
            and self._encoding.sound
            and self._timing.follows_like
        )

    def _video_stream(self, container: Any, size: tuple[int, int]) -> Any:
        encoding = self._encoding
        prores = self._keeps_alpha and bool(encoding.alpha_codec)
        options = {} if prores else dict(encoding.options)
        if not prores and self._crf is not None:
            options["crf"] = str(self._crf)
        if not prores and self._preset is not None and encoding.codec == "libx264":
            options["preset"] = self._preset
        pixel_format = encoding.alpha_format if self._keeps_alpha else encoding.pixel_format
        if "420" in pixel_format:
            options["chroma_sample_location"] = CHROMA_LOCATION
        stream: Any = container.add_stream(
            encoding.alpha_codec if prores else encoding.codec,
            rate=self._timing.rate.limit_denominator(1001),
            options=options,
        )
        even = 2 if encoding.even else 1
        stream.width, stream.height = (-(-side // even) * even for side in size)
        stream.pix_fmt = pixel_format
        context = stream.codec_context
        context.time_base = self._timing.base
        context.thread_count = _THREADS
        if not stream.pix_fmt.startswith(("bgr", "rgb")):
            context.color_range = 1
            context.colorspace = context.color_primaries = context.color_trc = _BT709
        if self._like is not None:
            context.sample_aspect_ratio = self._like.info.sample_aspect_ratio
        return stream

    def _end(self) -> None:
        end = self._timing.end
        self._encode_pending(end)
        self._mux(self._stream.encode(None))
        if self._sound is not None:
            self._sound.finish(None if self._timing.reached_end else end)
        self._container.close()
        self._container = None
        assert self._file is not None, "finish is refused before the first frame"
        if self._sound is not None and self._like is not None:
            self._like.watch.check()  # the sound is of the clip that the frames are of
        self._publish(self._file)
        self._pending = None

    def _close(self) -> None:
        self._pending = None
        if self._sound is not None:
            self._sound.close()
        if self._container is not None:
            # closing writes the trailer, which fails again where the disk is full
            with contextlib.suppress(av.error.FFmpegError, OSError):
                self._container.close()
            self._container = None


def _size_notices(path: Path, encoding: Encoding, size: tuple[int, int]) -> list[str]:
    """What to tell people about sizes that an encoding makes even."""
    even = (size[0] + size[0] % 2, size[1] + size[1] % 2)
    if not encoding.even or even == size:
        return []
    return [
        f"{path}: is {even[0]}×{even[1]}, the frames are {size[0]}×{size[1]}; players need even "
        "sizes, so the last column or row is repeated"
    ]


def _check_largest(path: Path, encoding: Encoding, size: tuple[int, int]) -> None:
    if max(size) > encoding.largest:
        raise InputError(
            f"{path}: {size[0]}x{size[1]} is more than {path.suffix} takes "
            f"({encoding.largest} a side); make the frames smaller or write images"
        )
