"""Paths of film, output, keys and truth in; clips that are checked against each other out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from kadr.core.formatting import counted
from kadr.core.frames import Frame, FrameRange, Image
from kadr.errors import InputError
from kadr.image_files import read_image_header
from kadr.measure.frames import KeySource, Pair
from kadr.stylize.external import KeyFile, find_keys, load_key
from kadr.video.base import Clip
from kadr.video.clip_source import ClipSource
from kadr.video.clips import open_clip


@dataclass(frozen=True)
class MeasureInputs:
    """What to measure.

    clip: the filmed clip. output, truth: of the same frames, as a video, a folder or a pattern of
    images. keys: a folder of painted keys, or the files. key_offset: added to the numbers in their
    names. frames: those of the clip that output and truth have; None: all.
    """

    clip: ClipSource
    output: Path
    keys: tuple[Path, ...] = ()
    truth: Path | None = None
    key_offset: int = 0
    frames: FrameRange | None = None


@dataclass(eq=False)
class OpenInputs:
    """The clips of a measurement, open; use as a context manager.

    Positions count the frames that are measured, from 0. notices: what was left out or assumed.
    """

    inputs: MeasureInputs
    filmed: Clip
    output: Clip
    truth: Clip | None
    frames: FrameRange
    keys: Sequence[KeyFile]
    notices: list[str]
    _stack: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> OpenInputs:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def number(self, position: int) -> int:
        """The number that people know a frame by."""
        return self.filmed.number(self.frames.start + position)

    def pairs(self) -> Iterator[Pair]:
        """The frames, one after the other."""
        clips = [self.output] if self.truth is None else [self.output, self.truth]
        filmed = self.filmed.frames(self.frames.start, self.frames.stop)
        for frame, *others in zip(filmed, *(clip.frames() for clip in clips), strict=True):
            yield _pair(frame, others)

    def pair(self, position: int) -> Pair:
        """The frame at a position."""
        clips = [self.output] if self.truth is None else [self.output, self.truth]
        frame = self.filmed.frame(self.frames.start + position)
        return _pair(frame, [clip.frame(position) for clip in clips])

    def key_source(self) -> KeySource:
        """The keys, read one at a time."""
        files = {key.index - self.frames.start: key for key in self.keys}
        info = self.filmed.info
        size = (info.width, info.height)

        def read(position: int) -> Image:
            return load_key(files[position], size, fit=True)[..., :3]

        def filmed(position: int) -> Image:
            return self.filmed.frame(self.frames.start + position).rgb

        return KeySource(sorted(files), read, filmed)


def open_inputs(inputs: MeasureInputs) -> OpenInputs:
    """Open and check what is to be measured.

    Raises InputError naming both files for an output or a truth with other frame numbers, another
    count or another size than the clip, and for keys that do not belong to it.
    """
    with ExitStack() as stack:
        filmed = stack.enter_context(inputs.clip.open())
        frames = inputs.frames or FrameRange(0, len(filmed))
        notices: list[str] = []
        clips: list[Clip] = []
        for path in (inputs.output, inputs.truth):
            if path is not None:
                clip = stack.enter_context(open_clip(path))
                _check_size(path, clip, filmed)
                _check_count(path, clip, filmed, frames)
                notices += _check_numbers(path, clip, filmed, frames)
                clips.append(clip)
        output, truth = clips[0], clips[1] if len(clips) > 1 else None
        keys = find_keys(inputs.keys, filmed, inputs.key_offset) if inputs.keys else []
        inside = [key for key in keys if key.index in frames]
        if keys and len(inside) < len(keys):
            left_out = counted(len(keys) - len(inside), "key")
            notices.append(f"{inputs.keys[0]}: {left_out} outside of the measured frames not used")
        notices += _resized_keys(inside, filmed)
        return OpenInputs(inputs, filmed, output, truth, frames, inside, notices, stack.pop_all())


def _resized_keys(keys: Sequence[KeyFile], filmed: Clip) -> list[str]:
    """A notice if keys have another size than the clip: for the measures they are resized.

    Raises InputError for a key that cannot be.
    """
    size = (filmed.info.width, filmed.info.height)
    others = [key for key in keys if read_image_header(key.path).size != size]
    for key in others:
        load_key(key, size, fit=True)
    if not others:
        return []
    more = "" if len(others) == 1 else f" and {len(others) - 1} more"
    return [f"{others[0].path}{more}: resized to the {size[0]}×{size[1]} pixels of the clip"]


def _pair(frame: Frame, others: Sequence[Frame]) -> Pair:
    """The images, cut to the filmed size: players need even sizes, so a video may be 1 larger."""
    width, height = frame.size
    images = [other.rgb[:height, :width] for other in others]
    return Pair(frame.rgb, *images)


def _check_size(path: Path, clip: Clip, filmed: Clip) -> None:
    ours, theirs = filmed.info, clip.info
    width, height = ours.width, ours.height
    evened = (width + width % 2, height + height % 2)
    size = (theirs.width, theirs.height)
    if size == (width, height) or (theirs.kind == "video" and size == evened):
        return
    raise InputError(
        f"{path}: {size[0]}×{size[1]} pixels, {ours.path} has {width}×{height}; resize one of "
        "them, so that both have one size"
    )


def _check_count(path: Path, clip: Clip, filmed: Clip, frames: FrameRange) -> None:
    if len(clip) == len(frames):
        return
    part = "" if len(frames) == len(filmed) else f"frames {_numbers(filmed, frames)} of "
    raise InputError(
        f"{path}: {counted(len(clip), 'frame')}, {part}{filmed.info.path} "
        f"{'has' if not part else 'are'} {len(frames)}; give --frames FIRST:LAST if it is a part "
        "of the clip"
    )


def _check_numbers(path: Path, clip: Clip, filmed: Clip, frames: FrameRange) -> list[str]:
    """Compare frame numbers of images; returns notices about numbers that had to be assumed."""
    if clip.info.kind != "images":
        return []
    for position, index in enumerate(frames):
        theirs, ours = clip.number(position), filmed.number(index)
        if theirs == ours:
            continue
        if filmed.info.kind == "images":
            raise InputError(
                f"{path}: image {position + 1} of it is {clip.name(position)}, that of "
                f"{filmed.info.path} is {filmed.name(index)}; rename the images, or give "
                "--frames FIRST:LAST if it is a part of the clip"
            )
        return [
            f"{path}: numbered {clip.number(0)} to {clip.number(len(clip) - 1)}; taken as frames "
            f"{_numbers(filmed, frames)} of {filmed.info.path}"
        ]
    return []


def _numbers(clip: Clip, frames: FrameRange) -> str:
    return f"{clip.number(frames.start)} to {clip.number(frames.stop - 1)}"
