"""A video file in, its facts, frame times and index out; only some frames are decoded."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from kadr.core.formatting import counted
from kadr.core.limits import check_size
from kadr.errors import InputError
from kadr.video.base import DEFAULT_FRAME_RATE, ClipInfo
from kadr.video.decoder import Decoder
from kadr.video.frame_index import FrameIndex, picture_streams, scan
from kadr.video.interlacing import Fields, find_fields
from kadr.video.pixels import PixelFormat, pixel_format
from kadr.video.read_options import ReadOptions

SizeChange = tuple[int, int, int]
"""Index, width and height of the first frame of another size."""


@dataclass(frozen=True, eq=False)
class VideoContent:
    """What opening a file tells about it.

    times: of each frame in seconds from the first. index: of its packets; None if frames have to be
    counted. fields: how frames are deinterlaced; None if they are not.
    """

    info: ClipInfo
    times: list[Fraction]
    index: FrameIndex | None
    pixels: PixelFormat
    fields: Fields | None = None


@dataclass(frozen=True)
class _Timing:
    """The time of each frame, how long the last one is shown, and a step that divides all times."""

    times: list[Fraction]
    last_duration: Fraction
    step: Fraction

    def cut(self, count: int) -> _Timing:
        """Of the first frames alone."""
        last = self.times[count] - self.times[count - 1]
        return _Timing(self.times[:count], last, self.step)


def examine(path: Path, options: ReadOptions) -> VideoContent:
    """Index a video file. Raises InputError for anything that is not a complete video."""
    index = scan(path)
    if index is not None and index.damaged and not options.allow_truncated:
        raise _cut_off(path, _count_good(path, index))
    decoder = Decoder(path)
    try:
        check_size(path, decoder.stream.width or 1, decoder.stream.height or 1)
        first = next(decoder.decode(), None)
        if first is None:
            raise InputError(f"{path}: no frame can be decoded; copy or export it again")
        pixels = pixel_format(first)
        index = _start_at(index, first)
        if index is None:
            timing, truncated, change = _count_frames(path, decoder, options.allow_truncated)
        else:
            truncated = False
            if options.allow_truncated:
                index, truncated = _good_part(path, index)
            timing, change = _times(decoder.stream, index), _size_change(index)
        first_pts = index.pts[0] if index else (first.pts or 0)
        if change is not None and not options.allow_resize:
            timing = timing.cut(change[0])
            index = None if index is None else replace(index, pts=index.pts[: change[0]])
        info = _info(path, decoder, first, pixels, timing, first_pts)
    finally:
        decoder.close()
    info = _with_size_change(info, change, pixels, resized=options.allow_resize)
    fields, notice = find_fields(path, index, options.deinterlace)
    notices = (*info.notices, notice) if notice else info.notices
    deinterlaced = "" if fields is None else _name(fields)
    info = replace(info, truncated=truncated, notices=notices, deinterlaced=deinterlaced)
    return VideoContent(info, timing.times, index, pixels, fields)


def _cut_off(path: Path, good: int) -> InputError:
    return InputError(
        f"{path}: cut off or damaged: only the first {good} frames are good; "
        f"use --allow-truncated to use these"
    )


def _name(fields: Fields) -> str:
    """How frames are deinterlaced, as ``ClipInfo.deinterlaced`` holds it."""
    order = "" if fields.order == "flags" else f", {fields.order} field first"
    return f"{'marked' if fields.flagged_only else 'all'} frames{order}"


def _with_size_change(
    info: ClipInfo, change: SizeChange | None, pixels: PixelFormat, *, resized: bool
) -> ClipInfo:
    """Facts and a notice of a size that changes midway; ``change``: as stored."""
    if change is None:
        return info
    index, width, height = change
    if pixels.orientation.transpose:
        width, height = height, width
    before = f"{info.path}: from frame {index} on it is {width}×{height}, before {info.width}×"
    if resized:
        text = f"{before}{info.height}; later frames are scaled to {info.width}×{info.height}"
    else:
        text = (
            f"{before}{info.height}; the clip is read up to frame {index - 1}; --allow-resize "
            "scales the rest"
        )
    change = (index, width, height)
    return replace(info, size_change=change, resized=resized, notices=(*info.notices, text))


def _start_at(index: FrameIndex | None, first: Any) -> FrameIndex | None:
    """Drop the frames that no decoder can show; None if the time stamps are not usable."""
    if index is None or first.pts is None or first.pts not in index.pts:
        return None
    start = index.pts.index(first.pts)
    return replace(index, pts=index.pts[start:])


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
    return replace(index, pts=index.pts[:good], last_duration=last), True


def _count_frames(
    path: Path, decoder: Decoder, allow_truncated: bool
) -> tuple[_Timing, bool, SizeChange | None]:
    """Count by decoding everything, for streams whose packets have no usable time stamps.

    Returns the timing, whether the end is damaged, and where the size changes.
    """
    rate = Fraction(decoder.stream.average_rate or DEFAULT_FRAME_RATE)
    sizes = [(frame.width, frame.height) for frame in decoder.decode()]
    count = len(sizes)
    change = next(((i, *size) for i, size in enumerate(sizes) if size != sizes[0]), None)
    if decoder.damage and not allow_truncated:
        raise _cut_off(path, count)
    timing = _Timing([index / rate for index in range(count)], 1 / rate, 1 / rate)
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
        return _Timing([i / rate for i in range(len(times))], 1 / rate, 1 / rate)
    last_duration = index.last_duration * base
    if not last_duration:
        count = len(times)
        last_duration = times[-1] / (count - 1) if count > 1 else 1 / DEFAULT_FRAME_RATE
    return _Timing(times, last_duration, base)


def _info(
    path: Path,
    decoder: Decoder,
    first: Any,
    pixels: PixelFormat,
    timing: _Timing,
    first_pts: int,
) -> ClipInfo:
    stream, container, times = decoder.stream, decoder.container, timing.times
    width, height = first.width, first.height
    aspect = Fraction(stream.sample_aspect_ratio or 1)
    if pixels.orientation.transpose:
        width, height, aspect = height, width, 1 / aspect
    duration = times[-1] + timing.last_duration
    return ClipInfo(
        path=path,
        kind="video",
        width=width,
        height=height,
        frame_count=len(times),
        frame_rate=len(times) / duration,
        duration=duration,
        rotation=pixels.orientation.degrees,
        variable_frame_rate=_varies(times),
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
        time_base=timing.step,
        notices=tuple(_unread(path, container)),
    )


def _varies(times: Sequence[Fraction]) -> bool:
    return len({after - before for before, after in itertools.pairwise(times)}) > 1


def _unread(path: Path, container: Any) -> Iterator[str]:
    """Notices on streams of a file that are not read."""
    others = len(picture_streams(container)) - 1
    if others > 0:
        yield f"{path}: has {counted(others, 'more video stream')}; the first is read"
    unknown = sum(stream.codec_context is None for stream in container.streams.audio)
    if unknown:
        yield f"{path}: {counted(unknown, 'sound track')} in an unknown codec, not used"


def _size_change(index: FrameIndex) -> SizeChange | None:
    """Position, width and height as stored of the first frame of another size."""
    if index.size_change is None or index.size_change[0] not in index.pts:
        return None
    pts, width, height = index.size_change
    position = index.pts.index(pts)
    # frames before the first that can be decoded may have had another size
    return (position, width, height) if position else None
