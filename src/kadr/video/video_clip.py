"""Read a video file as a Clip, through PyAV."""

from __future__ import annotations

import dataclasses
import itertools
import threading
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from kadr.core.frames import Frame
from kadr.core.limits import check_size
from kadr.errors import InputError
from kadr.video.base import DEFAULT_FRAME_RATE, ClipInfo, describe_size_change
from kadr.video.base_clip import BaseClip, reverse_in_chunks
from kadr.video.decoder import Decoder, count_range, decode_range
from kadr.video.file_watch import FileWatch
from kadr.video.frame_index import DECODER_THREADS, FrameIndex, scan
from kadr.video.pixels import PixelFormat, ToRgb, pixel_format

_Timing = tuple[list[Fraction], Fraction, Fraction]
"""The time of each frame, how long the last one is shown, and a step that divides all times."""

_MOST_STEPS = 16
"""Single frames at most this far ahead are reached by decoding on, not by seeking."""


class VideoClip(BaseClip):
    """A Clip over a video file. Made by ``open_video``."""

    def __init__(
        self,
        info: ClipInfo,
        times: list[Fraction],
        frame_index: FrameIndex | None,
        pixels: PixelFormat,
        watch: FileWatch,
    ) -> None:
        super().__init__(info, times, watch)
        self._frame_index = frame_index
        self._pixels = pixels
        self._lock = threading.Lock()
        self._cursor: tuple[int, Iterator[tuple[int, Any]]] | None = None
        """The next index, and the running decoder that ``frame`` goes on with."""
        self._cursor_rgb = ToRgb(pixels)

    def _read(self, index: int) -> Frame:
        """Decode one frame; going forwards in small steps costs no seeks."""
        with self._lock:
            if self._cursor is None or not self._is_near(self._cursor[0], index):
                self._drop_cursor()
                self._cursor = (index, self._decode(index, len(self)))
            decoding = self._cursor[1]
            self._cursor = None  # a failed read must not be continued
            decoded = next(decoded for position, decoded in decoding if position == index)
            self._cursor = (index + 1, decoding)
            return self._to_frame(index, decoded, self._cursor_rgb)

    def _is_near(self, position: int, index: int) -> bool:
        """Whether decoding on from a position reaches a frame no later than after a seek."""
        if not index - position >= 0 or self._frame_index is None:
            return 0 <= index - position <= _MOST_STEPS
        entry = next(self._frame_index.entries_before(index))
        is_same_group = entry is None or entry.pts <= self._frame_index.pts[position]
        return is_same_group or index - position <= _MOST_STEPS

    def _read_forward(self, start: int, stop: int) -> Iterator[Frame]:
        """Decode through a file handle of their own."""
        rgb = ToRgb(self._pixels)
        for index, decoded in self._decode(start, stop):
            yield self._to_frame(index, decoded, rgb)

    def _read_backward(self, start: int, stop: int) -> Iterator[Frame]:
        """Keep a chunk as decoded, which is small, and convert one frame at a time."""
        rgb = ToRgb(self._pixels)
        for index, decoded in reverse_in_chunks(self._decode, start, stop):
            yield self._to_frame(index, decoded, rgb)

    def _decode(self, start: int, stop: int) -> Iterator[tuple[int, Any]]:
        if self._closed:
            raise InputError(f"{self._info.path}: the clip was closed; open it again")
        if start == stop:
            return
        threads = 1 if self._info.truncated else DECODER_THREADS
        decoder = Decoder(self._info.path, threads, self._watch)
        try:
            if self._frame_index is None:
                yield from count_range(decoder, start, stop)
            else:
                yield from decode_range(decoder, self._frame_index, start, stop)
        finally:
            decoder.close()

    def _to_frame(self, index: int, decoded: Any, rgb: ToRgb) -> Frame:
        image = rgb(decoded)
        height, width = self._info.height, self._info.width
        if image.shape[:2] != (height, width):
            change = (index, image.shape[1], image.shape[0])
            raise InputError(
                describe_size_change(dataclasses.replace(self._info, size_change=change))
            )
        return Frame(index, image, self._times[index])

    def _drop_cursor(self) -> None:
        if self._cursor is not None:
            self._cursor[1].close()  # type: ignore[attr-defined]
            self._cursor = None

    def close(self) -> None:
        """Free the file that ``frame`` keeps open."""
        super().close()
        with self._lock:
            self._drop_cursor()


@dataclasses.dataclass(frozen=True, eq=False)
class _Content:
    """What opening a file tells about it."""

    info: ClipInfo
    times: list[Fraction]
    index: FrameIndex | None
    pixels: PixelFormat


_MOST_REMEMBERED = 4
_opened_before: dict[tuple[Path, bool, str], _Content] = {}
"""Files that this process opened before, by path and state; the last used comes last.

A run and its tasks open their clip several times, and libav decodes frames each time.
"""


def open_video(path: Path, *, allow_truncated: bool = False) -> VideoClip:
    """Open a video file and index its frames; only the first frame is decoded.

    allow_truncated: decode the whole file once and use the frames before the first damage.
    Raises InputError for anything that is not a complete video.
    """
    watch = FileWatch(path, (path,))
    key = (path.absolute(), allow_truncated, watch.state)
    content = _opened_before.pop(key, None)
    if content is None:
        content = _examine(path, allow_truncated)
    _opened_before[key] = content
    while len(_opened_before) > _MOST_REMEMBERED:
        _opened_before.pop(next(iter(_opened_before)), None)  # another thread may be faster
    check_size(path, content.info.width, content.info.height)
    info = dataclasses.replace(content.info, path=path)
    return VideoClip(info, content.times, content.index, content.pixels, watch)


def _examine(path: Path, allow_truncated: bool) -> _Content:
    index = scan(path)
    if index is not None and index.damaged and not allow_truncated:
        good = _count_good(path, index)
        raise InputError(
            f"{path}: cut off or damaged: only the first {good} frames are good; "
            f"use --allow-truncated to use these"
        )
    decoder = Decoder(path)
    try:
        check_size(path, decoder.stream.width or 1, decoder.stream.height or 1)
        first = next(decoder.decode(), None)
        if first is None:
            raise InputError(f"{path}: no frame can be decoded; copy or export it again")
        pixels = pixel_format(first)
        index = _start_at(index, first)
        if index is None:
            timing, truncated, change = _count_frames(path, decoder, allow_truncated)
        else:
            truncated = False
            if allow_truncated:
                index, truncated = _good_part(path, index)
            timing, change = _times(decoder.stream, index), _size_change(index)
        info = _info(path, decoder, first, pixels, timing, index, change)
        if info.size_change is not None:
            info = dataclasses.replace(info, notices=(describe_size_change(info),))
        info = dataclasses.replace(info, truncated=truncated)
        return _Content(info, timing[0], index, pixels)
    finally:
        decoder.close()


def _start_at(index: FrameIndex | None, first: Any) -> FrameIndex | None:
    """Drop the frames that no decoder can show; None if the time stamps are not usable."""
    if index is None or first.pts is None or first.pts not in index.pts:
        return None
    start = index.pts.index(first.pts)
    return dataclasses.replace(index, pts=index.pts[start:])


def _count_good(path: Path, index: FrameIndex) -> int:
    decoder = Decoder(path, threads=1)
    stamps = set(index.pts)
    try:
        decoded = {frame.pts for frame in decoder.decode() if frame.pts in stamps}
        first = min(decoded, default=0)
        expected = [pts for pts in index.pts if pts >= first]
        good = decoded | index.empty
        return next((i for i, pts in enumerate(expected) if pts not in good), len(expected))
    finally:
        decoder.close()


def _good_part(path: Path, index: FrameIndex) -> tuple[FrameIndex, bool]:
    good = _count_good(path, index)
    if good == 0:
        raise InputError(f"{path}: no frame can be decoded; copy or export it again")
    if good == len(index.pts):
        return index, index.damaged
    last = index.pts[good] - index.pts[good - 1]
    return dataclasses.replace(index, pts=index.pts[:good], last_duration=last), True


def _count_frames(
    path: Path, decoder: Decoder, allow_truncated: bool
) -> tuple[_Timing, bool, tuple[int, int, int] | None]:
    """Count by decoding everything, for streams whose packets have no usable time stamps.

    Returns the timing, whether the end is damaged, and where the size changes.
    """
    rate = Fraction(decoder.stream.average_rate or DEFAULT_FRAME_RATE)
    sizes = [(frame.width, frame.height) for frame in decoder.decode()]
    count = len(sizes)
    change = next(((i, *size) for i, size in enumerate(sizes) if size != sizes[0]), None)
    if decoder.damage and not allow_truncated:
        raise InputError(
            f"{path}: cut off or damaged: only the first {count} frames are good; "
            f"use --allow-truncated to use these"
        )
    timing = [index / rate for index in range(count)], 1 / rate, 1 / rate
    return timing, bool(decoder.damage), change


def _times(stream: Any, index: FrameIndex) -> _Timing:
    """Exact times, the last frame's duration and a step of which all times are multiples.

    In containers with coarse clocks (Matroska: a millisecond) the times jitter around a constant
    rate. If they agree with the declared rate within that rounding, its exact times are used.
    """
    base = index.time_base
    times = [(pts - index.pts[0]) * base for pts in index.pts]
    rate = Fraction(stream.average_rate or 0)
    if rate and all(abs(time - i / rate) <= base for i, time in enumerate(times)):
        return [i / rate for i in range(len(times))], 1 / rate, 1 / rate
    last_duration = index.last_duration * base
    if not last_duration:
        count = len(times)
        last_duration = times[-1] / (count - 1) if count > 1 else 1 / DEFAULT_FRAME_RATE
    return times, last_duration, base


def _info(
    path: Path,
    decoder: Decoder,
    first: Any,
    pixels: PixelFormat,
    timing: _Timing,
    index: FrameIndex | None,
    size_change: tuple[int, int, int] | None,
) -> ClipInfo:
    times, last_duration, base = timing
    stream, container = decoder.stream, decoder.container
    width, height = first.width, first.height
    aspect = Fraction(stream.sample_aspect_ratio or 1)
    if pixels.orientation.transpose:
        width, height, aspect = height, width, 1 / aspect
        if size_change is not None:
            size_change = size_change[0], size_change[2], size_change[1]
    duration = times[-1] + last_duration
    gaps = {b - a for a, b in itertools.pairwise(times)}
    first_pts = index.pts[0] if index else (first.pts or 0)
    return ClipInfo(
        path=path,
        kind="video",
        width=width,
        height=height,
        frame_count=len(times),
        frame_rate=len(times) / duration,
        duration=duration,
        rotation=pixels.orientation.degrees,
        variable_frame_rate=len(gaps) > 1,
        # sound in an unknown codec cannot be copied
        has_audio=any(stream.codec_context is not None for stream in container.streams.audio),
        codec=stream.codec_context.codec.canonical_name,
        pixel_format=first.format.name,
        container=container.format.name,
        has_alpha=pixels.has_alpha,
        sample_aspect_ratio=aspect,
        bits=pixels.bits,
        color_matrix=pixels.matrix,
        full_range=pixels.full_range,
        color_transfer=pixels.transfer,
        first_time=first_pts * Fraction(stream.time_base),
        time_base=base,
        size_change=size_change,
    )


def _size_change(index: FrameIndex) -> tuple[int, int, int] | None:
    """Position, width and height as stored of the first frame of another size."""
    if index.size_change is None or index.size_change[0] not in index.pts:
        return None
    pts, width, height = index.size_change
    return index.pts.index(pts), width, height
