"""Encode frames to one video file through PyAV, with the sound of another file."""

from __future__ import annotations

import contextlib
import io
import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from kadr.core.frames import DeepImage, Frame, to_8_bits
from kadr.core.output_size import OutputSize
from kadr.errors import InputError
from kadr.image_files import over_black
from kadr.video.base import Clip
from kadr.video.base_writer import BaseWriter
from kadr.video.encodings import Encoding
from kadr.video.pixels import CHROMA_LOCATION, FromRgb, tag_colours
from kadr.video.sound import Sound
from kadr.video.sound_encoding import no_sound_notice
from kadr.video.timing import Timing, rate_notices

_UNORDERED = 2
"""Frames of which none is encoded before an earlier one: libx265 then leaves their decoding times
unset, and what lies in its memory is taken for them."""
# a fixed number: libx264 writes other bytes for another count
_THREADS = 4
_FINE_STEP = Fraction(1, 10_000)
"""Seconds: a time base at most this long keeps frames and sound in sync."""


class VideoWriter(BaseWriter):
    """A ClipWriter for mp4, m4v, mov, mkv, webm, animated webp and animated png (.apng).

    Odd sizes get their last column or row repeated where players need even ones. RGBA frames keep
    alpha where the encoding can; elsewhere they are laid over black. Colours are written as BT.709
    with chroma sited left, and tagged so. All sound tracks of ``like`` are kept. The file grows
    under a hidden name beside ``path``. Raises OutputError when the disk is full or the encoder
    fails; encoders are tried before the first frame.
    """

    _library_errors = (av.error.FFmpegError,)

    def __init__(
        self,
        path: Path,
        *,
        like: Clip | None,
        frame_rate: Fraction | None,
        encoding: Encoding,
        size: OutputSize | None = None,
    ) -> None:
        """size: that of the frames that will be written, which were resized to it."""
        self._output_size = size
        if like is not None:
            _check_frame_size(path, encoding, self._size_like(like))
        self._timing = Timing(like, frame_rate, clock=encoding.container.clock)
        super().__init__(path, path.parent)
        self._like = like
        self._encoding = encoding
        self._file: Path | None = None
        self._container: Any = None
        self._stream: Any = None
        self._from_rgb: FromRgb
        self._sound: Sound | None = None
        self._pending: tuple[Any, Fraction] | None = None
        """The last frame and its time: its duration is known when the next one arrives."""
        self._lead = Fraction(0)
        self._durations: dict[int, int] = {}
        self._encoded = 0
        self._keeps_alpha = False
        self._bits = 8
        self._notices += rate_notices(path, self._timing)
        if like is not None:
            self._notices += _size_notices(path, encoding, self._size_like(like))
            self._try_streams(like)
            if like.info.has_audio and not encoding.container.sound:
                self._notices.append(no_sound_notice(path, like.info.path))

    def _size_like(self, like: Clip) -> tuple[int, int]:
        """(width, height) of the frames to write, if those of the clip are."""
        size = (like.info.width, like.info.height)
        return size if self._output_size is None else self._output_size.of(size)

    def _try_streams(self, like: Clip) -> None:
        """Open the encoders once in memory, so that no work is done for what cannot be written.

        Raises OutputError with the cause.
        """
        sound = Sound(like.info, Fraction(0)) if self._wants_sound() else None
        container = None
        try:
            with self._guarded():
                container = av.open(io.BytesIO(), "w", format=self._encoding.container.muxer)
                self._video_stream(container, self._size_like(like))
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
        encoder_frame = self._from_rgb(self._prepared(frame.image))
        self._encode_pending(time)
        self._pending = (encoder_frame, time)

    def _prepared(self, stored: DeepImage) -> NDArray[Any]:
        image: NDArray[Any] = to_8_bits(stored) if self._bits == 8 else stored
        if image.shape[2] == 4 and not self._keeps_alpha:
            image = over_black(image)
        elif image.shape[2] == 3 and self._keeps_alpha:
            image = np.dstack([image, np.full(image.shape[:2], _largest(image), image.dtype)])
        odd = (image.shape[0] % 2, image.shape[1] % 2)
        if self._encoding.codec_of(self._keeps_alpha).even and any(odd):
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
        self._encoded += 1
        self._mux(self._stream.encode(encoder_frame))
        if self._sound is not None:
            self._sound.copy_until(until)

    def _mux(self, packets: list[Any]) -> None:
        for packet in packets:
            if self._encoded <= _UNORDERED:
                packet.dts = packet.pts
            # encoders guess the last frame's duration
            packet.duration = self._durations.pop(packet.pts, packet.duration)
            self._container.mux(packet)

    def _open(self, first: Frame) -> None:
        _check_frame_size(self._path, self._encoding, first.size)
        self._file = self._new_temporary()
        self._container = av.open(
            f"file:{self._file}",
            "w",
            format=self._encoding.container.muxer,
            options=dict(self._encoding.container.options),
        )
        self._keeps_alpha = first.channels == 4 and self._encoding.alpha_codec is not None
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
        self._from_rgb = FromRgb(self._stream.pix_fmt, tagged=self._encoding.container.tags)

    def _wants_sound(self) -> bool:
        """Sound is in sync only with frames that keep their times in the clip."""
        like = self._like
        return (
            like is not None
            and like.info.has_audio
            and self._encoding.container.sound
            and self._timing.follows_like
        )

    def _video_stream(self, container: Any, size: tuple[int, int]) -> Any:
        codec = self._encoding.codec_of(self._keeps_alpha)
        pixel_format = self._encoding.pixel_format(self._keeps_alpha)
        options = self._encoding.options(self._keeps_alpha)
        if "420" in pixel_format:
            options["chroma_sample_location"] = CHROMA_LOCATION
        # SVT-AV1 writes its settings to stderr unless it is told not to; 1: errors only
        os.environ.setdefault("SVT_LOG", "1")
        stream: Any = container.add_stream(
            codec.encoder,
            rate=self._timing.rate.limit_denominator(1001),
            options=options,
        )
        even = 2 if codec.even else 1
        stream.width, stream.height = (-(-side // even) * even for side in size)
        stream.pix_fmt = pixel_format
        context = stream.codec_context
        context.time_base = self._timing.base
        context.thread_count = _THREADS
        if self._encoding.container.muxer in ("mp4", "mov", "ipod") and codec.tag:
            context.codec_tag = codec.tag
        self._bits = max(component.bits for component in stream.format.components)
        if self._encoding.container.tags:
            tag_colours(context, pixel_format)
        if self._like is not None:
            context.sample_aspect_ratio = self._pixel_aspect(self._like)
        return stream

    def _pixel_aspect(self, like: Clip) -> Fraction:
        """Width of a pixel over its height: a frame looks as wide as it was, whatever its size."""
        stored, written = (like.info.width, like.info.height), self._size_like(like)
        aspect = like.info.sample_aspect_ratio
        if stored == written:
            return aspect
        aspect *= Fraction(stored[0] * written[1], stored[1] * written[0])
        # sides are whole numbers: what they are off by is no other shape of pixels
        return Fraction(1) if abs(aspect - 1) * max(written) < 2 else aspect.limit_denominator(1000)

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
    if not encoding.codec.even or even == size:
        return []
    return [
        f"{path}: is {even[0]}×{even[1]}, the frames are {size[0]}×{size[1]}; players need even "
        "sizes, so the last column or row is repeated"
    ]


def _check_frame_size(path: Path, encoding: Encoding, size: tuple[int, int]) -> None:
    least = encoding.codec.least_width
    if size[0] < least:
        raise InputError(
            f"{path}: {size[0]}x{size[1]} is too narrow for this codec (at least {least} wide); "
            "give another --codec or --size"
        )
    if max(size) > encoding.container.largest:
        raise InputError(
            f"{path}: {size[0]}x{size[1]} is more than {path.suffix} takes "
            f"({encoding.container.largest} a side); make the frames smaller or write images"
        )


def _largest(image: NDArray[Any]) -> int:
    """The value of full alpha."""
    return int(np.iinfo(image.dtype).max)
