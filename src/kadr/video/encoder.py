"""Frames in, one video file out, encoded through PyAV; sound comes along from another file."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from kadr.core.frames import Frame, Image, to_8_bits
from kadr.errors import InputError, KadrError, OutputError
from kadr.files import make_folder, publish, remove_empty, temporary_beside
from kadr.video.base import Clip, FinishingMixin
from kadr.video.pixels import FromRgb
from kadr.video.sound import Sound
from kadr.video.timing import Timing

# a fixed number: libx264 writes other bytes for another count
_THREADS = 4
_BT709 = 1
_FINE = Fraction(1, 10_000)


@dataclass(frozen=True)
class Recipe:
    """How one kind of file is encoded.

    pixel_format / alpha_format: of opaque and of RGBA frames; "" when alpha has no place.
    crf: the option's default; None for codecs without one. even: sizes must be even.
    """

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
    """The only step that the container's times can have, if it is coarse."""


_H264 = Recipe(
    "libx264",
    "yuv420p",
    crf=17,
    # libx264's macroblock tree sums in floating point, in an order that its AVX-512 code leaves to
    # chance: the same frames gave other bytes from run to run
    options={"preset": "medium", "x264-params": "mbtree=0"},
    container_options={"movflags": "+faststart", "fflags": "+bitexact"},
)
RECIPES = {
    ".mp4": _H264,
    ".m4v": _H264,
    ".mov": replace(_H264, alpha_format="yuva444p10le", alpha_codec="prores_ks"),
    ".mkv": replace(_H264, container_options={"fflags": "+bitexact"}),
    ".webm": Recipe(
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
    ".webp": Recipe(
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
}


class VideoWriter(FinishingMixin):
    """A ClipWriter for mp4, m4v, mov, mkv, webm and animated webp.

    H.264 is yuv420p; odd sizes get their last column or row repeated, as 4:2:0 players need. RGBA
    frames keep alpha in webm and webp, and in mov (as ProRes 4444); elsewhere they are laid over
    black. Colours are written as BT.709 and tagged so. The file grows under a hidden name beside
    ``path``. Raises OutputError when the disk is full or the encoder refuses.
    """

    def __init__(
        self,
        path: Path,
        *,
        like: Clip | None,
        frame_rate: Fraction | None,
        crf: int | None,
        preset: str | None,
    ) -> None:
        self._path = path
        self._like = like
        self._recipe = RECIPES[path.suffix.lower()]
        self._crf = self._recipe.crf if crf is None else crf
        self._preset = preset
        self._timing = Timing(like, frame_rate, clock=self._recipe.clock)
        if like is not None:
            self._check_size(like.info.width, like.info.height)
        self._made = make_folder(path.parent)
        self._temporary: Path | None = None
        self._container: Any = None
        self._stream: Any = None
        self._from_rgb: FromRgb
        self._sound: Sound | None = None
        self._waiting: tuple[Any, Fraction] | None = None
        self._lead = Fraction(0)
        self._durations: dict[int, int] = {}
        self._size = (0, 0)
        self._keeps_alpha = False
        self._finished = False

    @property
    def path(self) -> Path:
        """Where the video will stand."""
        return self._path

    def write(self, frame: Frame) -> None:
        """Add one frame; all have the size of the first."""
        if self._finished:
            raise ValueError(f"{self._path}: already finished")
        with self._guarded():
            if self._container is None:
                self._open(frame)
            if frame.size != self._size:
                raise InputError(
                    f"frame {frame.index} is {frame.size[0]}x{frame.size[1]} but the first was "
                    f"{self._size[0]}x{self._size[1]}; all frames of a video must have one size"
                )
            time = self._timing.next(frame)
            if time is None:
                return
            picture = self._from_rgb(self._prepared(to_8_bits(frame.image)))
            self._encode_waiting(time)
            self._waiting = (picture, time)

    def _prepared(self, image: Image) -> Image:
        if image.shape[2] == 4 and not self._keeps_alpha:
            alpha = image[..., 3:].astype(np.uint16)
            image = ((image[..., :3] * alpha + 127) // 255).astype(np.uint8)
        elif image.shape[2] == 3 and self._keeps_alpha:
            image = np.dstack([image, np.full(image.shape[:2], 255, np.uint8)])
        odd = (image.shape[0] % 2, image.shape[1] % 2)
        if self._recipe.even and any(odd):
            image = np.pad(image, ((0, odd[0]), (0, odd[1]), (0, 0)), mode="edge")
        return np.ascontiguousarray(image)

    def _encode_waiting(self, until: Fraction) -> None:
        """Encode the frame kept back, whose duration is known now that the next one's time is."""
        if self._waiting is None:
            return
        picture, time = self._waiting
        base = self._timing.base
        picture.pts = round((time + self._lead) / base)
        picture.duration = max(1, round((until + self._lead) / base) - picture.pts)
        picture.time_base = base
        self._durations[picture.pts] = picture.duration
        self._mux(self._stream.encode(picture))
        if self._sound is not None:
            self._sound.copy_until(until)

    def _mux(self, packets: list[Any]) -> None:
        for packet in packets:
            # encoders guess the last frame's duration
            packet.duration = self._durations.pop(packet.pts, packet.duration)
            self._container.mux(packet)

    def _check_size(self, width: int, height: int) -> None:
        largest = self._recipe.largest
        if max(width, height) > largest:
            raise InputError(
                f"{self._path}: {width}x{height} is more than {self._path.suffix} takes "
                f"({largest} a side); make the frames smaller or write images"
            )

    def _open(self, first: Frame) -> None:
        self._check_size(*first.size)
        self._temporary = temporary_beside(self._path)
        self._container = av.open(
            f"file:{self._temporary}", "w", options=dict(self._recipe.container_options)
        )
        self._size = first.size
        self._keeps_alpha = first.channels == 4 and bool(self._recipe.alpha_format)
        if self._wants_sound():
            assert self._like is not None
            start = self._timing.peek(first)
            self._sound = Sound(self._like.info, start)
            if self._sound.lead:
                self._timing.refine(_FINE)
                self._lead = self._sound.round_lead(self._timing.base)
        self._stream = self._video_stream()
        if self._sound is not None:
            self._sound.attach(self._container, self._path)
        self._from_rgb = FromRgb(self._stream.pix_fmt)

    def _wants_sound(self) -> bool:
        """Sound fits only pictures that keep the times it was recorded with."""
        like = self._like
        return (
            like is not None
            and like.info.has_audio
            and self._recipe.sound
            and self._timing.follows_like
        )

    def _video_stream(self) -> Any:
        recipe = self._recipe
        prores = self._keeps_alpha and bool(recipe.alpha_codec)
        options = {} if prores else dict(recipe.options)
        if not prores and self._crf is not None:
            options["crf"] = str(self._crf)
        if not prores and self._preset is not None and recipe.codec == "libx264":
            options["preset"] = self._preset
        stream: Any = self._container.add_stream(
            recipe.alpha_codec if prores else recipe.codec,
            rate=self._timing.rate.limit_denominator(1001),
            options=options,
        )
        even = 2 if recipe.even else 1
        stream.width, stream.height = (-(-side // even) * even for side in self._size)
        stream.pix_fmt = recipe.alpha_format if self._keeps_alpha else recipe.pixel_format
        context = stream.codec_context
        context.time_base = self._timing.base
        context.thread_count = _THREADS
        if not stream.pix_fmt.startswith("bgr"):
            context.color_range = 1
            context.colorspace = context.color_primaries = context.color_trc = _BT709
        if self._like is not None:
            context.sample_aspect_ratio = self._like.info.sample_aspect_ratio
        return stream

    def finish(self) -> Path:
        """Write what is left and give the file its name."""
        if self._finished:
            return self._path
        with self._guarded():
            if self._waiting is None:
                raise OutputError(f"{self._path}: no frame was written; nothing was made")
            end = self._timing.end
            self._encode_waiting(end)
            self._mux(self._stream.encode(None))
            if self._sound is not None:
                self._sound.finish(None if self._timing.reached_end else end)
            self._container.close()
            self._container = None
            assert self._temporary is not None
            publish(self._temporary, self._path)
            self._temporary = None
        self._finished = True
        self._waiting = None
        return self._path

    def abort(self) -> None:
        """Close and remove what was written so far."""
        if self._finished:
            return
        self._finished = True
        self._waiting = None
        if self._sound is not None:
            self._sound.close()
        if self._container is not None:
            # closing writes the trailer, which fails again where the disk is full
            with contextlib.suppress(av.error.FFmpegError, OSError):
                self._container.close()
            self._container = None
        if self._temporary is not None:
            self._temporary.unlink(missing_ok=True)
        remove_empty(self._made)

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        """Abort on any exception; libav's and the system's errors become OutputError."""
        try:
            yield
        except BaseException as error:
            self.abort()
            if isinstance(error, av.error.FFmpegError | OSError) and not isinstance(
                error, KadrError
            ):
                raise OutputError(
                    f"{self._path}: cannot be written ({error.strerror or error})"
                ) from error
            raise
