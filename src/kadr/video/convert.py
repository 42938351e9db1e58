"""Convert clips to images, videos or other sequences, with one event per frame."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from kadr.core.events import CancelToken, Event, notice
from kadr.core.frames import Frame, FrameRange
from kadr.errors import InputError, OptionsError
from kadr.image_files import WRITABLE_SUFFIXES
from kadr.video.base import Clip
from kadr.video.clips import create_clip, loses_alpha, lost_alpha_notice
from kadr.video.outputs_apart import check_outputs_apart
from kadr.video.sequence import sequence_pattern

_SPARSE = 4  # for steps of at least this, single reads are cheaper than reading all frames


def extract_frames(
    clip: Clip,
    folder: str | Path,
    *,
    frames: FrameRange | None = None,
    every: int = 1,
    fps: Fraction | None = None,
    suffix: str | None = None,
    start_number: int | None = None,
    depth: int | None = None,
    size: str | None = None,
    overwrite: bool = False,
    cancel: CancelToken | None = None,
) -> Iterator[Event]:
    """Save frames of a clip as images, named by ``clip.name``: ``frame_00012.png`` for a video.

    folder: where, or a pattern such as ``out/f_%04d.png``. frames: of these only. every: the step
    between frames. fps: instead, the frames shown at that constant rate. suffix: the file type;
    None: ``.png``, or that of the pattern. start_number: the number of the clip's first frame in
    the names; None: its own. depth, size: as ``create_clip`` takes them.
    At the end the folder has all images or none. Raises OutputError if one exists already and
    ``overwrite`` is off.
    """
    if suffix is not None and suffix.lower() not in WRITABLE_SUFFIXES:
        raise OptionsError(f"image type {suffix!r}: expected one of {sorted(WRITABLE_SUFFIXES)}")
    if start_number is not None and start_number < 0:
        raise OptionsError(f"start number {start_number}: expected a number from 0 on")
    if every < 1 or (fps is not None and fps <= 0):
        raise OptionsError(f"every {every}, fps {fps}: expected numbers above 0")
    frames = frames or FrameRange(0, len(clip))
    indices: Sequence[int] = range(frames.start, frames.stop, every)
    if fps is not None:
        indices = [index for index in _indices_at_rate(clip, fps) if index in frames]
    if not indices:
        raise OptionsError(f"fps {fps}: none of its frames is among the frames asked for; raise it")
    writer = create_clip(
        _image_target(folder, suffix),
        like=clip,
        overwrite=overwrite,
        indices=indices,
        image_suffix=suffix or ".png",
        start_number=start_number,
        depth=depth,
        size=size,
    )
    with writer:
        yield Event("frames", 0, len(indices))
        for text in (*writer.notices, *_depth_notices(clip, depth)):
            yield notice("frames", text, 0, len(indices))
        notified = False
        for count, frame in enumerate(_read_frames(clip, indices), start=1):
            if cancel is not None:
                cancel.check()
            if not notified and loses_alpha(f"frame{suffix}" if suffix else folder, frame):
                notified = True
                yield notice("frames", lost_alpha_notice(folder), count - 1, len(indices))
            writer.write(frame)
            yield Event("frames", count, len(indices), preview=frame.rgb)


def _depth_notices(clip: Clip, depth: int | None) -> Iterator[str]:
    if depth == 16 and clip.info.bits <= 8:
        yield f"{clip.info.path}: has 8 bits a channel; images with 16 bits show no more of it"


def _image_target(target: str | Path, suffix: str | None) -> str | Path:
    """A pattern as it is, and anything else as a folder."""
    name = Path(target).name
    if sequence_pattern(name) is None or str(target).endswith(("/", "\\")):
        return f"{target}/"
    own = Path(name).suffix
    if own.lower() not in WRITABLE_SUFFIXES:
        raise OptionsError(
            f"{target}: a pattern without an image type; end it in one, such as {name}.png"
        )
    if suffix is not None and suffix.lower() != own.lower():
        raise OptionsError(f"{target}: is {own} and not {suffix}; give one of them")
    return target


def _indices_at_rate(clip: Clip, fps: Fraction) -> list[int]:
    indices: dict[int, None] = {}
    step = 0
    while step / fps < clip.info.duration:
        indices[bisect_right(clip.times, step / fps) - 1] = None
        step += 1
    return list(indices)


def _read_frames(clip: Clip, indices: Sequence[int]) -> Iterator[Frame]:
    first, last = indices[0], indices[-1]
    if len(indices) * _SPARSE <= last + 1 - first:
        yield from map(clip.frame, indices)
        return
    selected = set(indices)
    yield from (frame for frame in clip.frames(first, last + 1) if frame.index in selected)


def encode_frames(
    source: Clip,
    output: str | Path,
    *,
    like: Clip | None = None,
    frame_rate: Fraction | None = None,
    overwrite: bool = False,
    crf: int | None = None,
    preset: str | None = None,
    codec: str | None = None,
    depth: int | None = None,
    size: str | None = None,
    cancel: CancelToken | None = None,
) -> Iterator[Event]:
    """Write a clip, usually a folder of images, as a video or as another sequence.

    like: the clip that supplies frame times and sound. Images belong to its frames by their
    numbers; a sequence with as many images as it has frames belongs to them in order, whatever its
    first number.
    frame_rate: a constant rate instead of those times; without sound. crf, preset, codec, depth,
    size: as ``create_clip`` takes them.
    """
    check_outputs_apart([output], [source.info.path])
    indices = range(len(source)) if like is None else _indices_in(source, like)
    writer = create_clip(
        output,
        like=source if like is None else like,
        frame_rate=frame_rate,
        overwrite=overwrite,
        crf=crf,
        preset=preset,
        codec=codec,
        depth=depth,
        size=size,
        indices=indices,
    )
    total = len(source)
    with writer:
        yield Event("encode", 0, total)
        for text in (*_part_notices(source, like, indices), *writer.notices):
            yield notice("encode", text, total=total)
        notified = False
        for frame, index in zip(source.frames(), indices, strict=True):
            if cancel is not None:
                cancel.check()
            if not notified and loses_alpha(output, frame, codec):
                notified = True
                yield notice("encode", lost_alpha_notice(output), frame.index, total)
            writer.write(replace(frame, index=index))
            yield Event("encode", frame.index + 1, total, preview=frame.rgb)


def _part_notices(source: Clip, like: Clip | None, indices: range) -> Iterator[str]:
    """What to tell people if images are of a part of the clip only."""
    if like is not None and len(indices) < len(like):
        yield (
            f"{source.info.path}: has {len(indices)} images, {like.info.path} has {len(like)} "
            f"frames; written is the part {like.number(indices.start)}–"
            f"{like.number(indices.stop - 1)}, with the sound of that part"
        )


def _indices_in(source: Clip, like: Clip) -> range:
    if len(source) == len(like):
        return range(len(like))
    first = like.index_of(source.number(0))
    last = like.index_of(source.number(len(source) - 1))
    if first is None or last is None:
        raise InputError(
            f"{source.info.path}: its frames {source.number(0)} to "
            f"{source.number(len(source) - 1)} are not all in {like.info.path}, which has "
            f"{like.number(0)} to {like.number(len(like) - 1)}; give the clip they were made from"
        )
    return range(first, last + 1)
