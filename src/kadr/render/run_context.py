"""Options in, all that a run works with out: the clip, its frames, and the folders it keeps."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from kadr.core.frames import FrameRange
from kadr.errors import OptionsError
from kadr.options import RunOptions
from kadr.render.pass_task import ClipSource, PassInput
from kadr.storage.frame_folder import FrameFolder
from kadr.storage.lock import lock_folder
from kadr.storage.store import FolderStore, WorkFolder
from kadr.video.base import Clip, ClipWriter
from kadr.video.clips import create_clip, open_clip
from kadr.video.identity import clip_identity


@dataclass(frozen=True)
class RunContext:
    """A run's clip, opened, and its folders.

    frames: those to work on. work: the folder for work files. blended_frames: the frames that are
    blended from the passes.
    """

    options: RunOptions
    clip: Clip
    source: ClipSource
    frames: FrameRange
    work: Path
    store: FolderStore
    blended_frames: FrameFolder

    @property
    def final_frames(self) -> FrameFolder:
        """The frames of the output: ``blended_frames``, or those refined from them."""
        options = self.options
        return FrameFolder(options.frames_folder or self.work / "frames", self.clip.name)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the clip's frames."""
        return self.clip.info.width, self.clip.info.height

    @property
    def pixels(self) -> int:
        """Of one frame."""
        return self.clip.info.width * self.clip.info.height

    def ordinal(self, index: int) -> int:
        """Which of the frames worked on a frame is, from 1 on."""
        return index - self.frames.start + 1

    def create_output(self) -> ClipWriter:
        """Start the output. Raises OutputError if it exists and may not be replaced."""
        options = self.options
        return create_clip(
            options.output,
            like=self.clip,
            overwrite=options.overwrite,
            crf=options.crf,
            preset=options.encoder_preset,
            indices=range(self.frames.start, self.frames.stop),
        )

    def pass_input(self, key: int) -> PassInput:
        """What a key's passes depend on."""
        return PassInput(self.source, key, self.options.propagate, self.options.seed)


@contextlib.contextmanager
def open_run(options: RunOptions, *, exclusive: bool = True) -> Iterator[RunContext]:
    """Open the clip and the work folder in a with block.

    exclusive: hold the work folder against other processes; without it nothing is written there
    but whole files that any other would write alike.
    Raises InputError for a clip that cannot be used, OptionsError for frames that it has not,
    OutputError if the folder is in use or cannot be written.
    """
    with ExitStack() as stack:
        clip = stack.enter_context(_open(options))
        frames = _frame_range(options, clip)
        work = stack.enter_context(WorkFolder(options.work)).folder
        if exclusive:
            stack.enter_context(lock_folder(work))
        path = str(Path(options.clip).absolute())
        rate = None if options.frame_rate is None else str(_rate(options.frame_rate))
        identity = clip_identity(options.clip, work)
        yield RunContext(
            options,
            clip,
            ClipSource(path, identity, options.allow_truncated, rate),
            frames,
            work,
            FolderStore(work / "store"),
            FrameFolder(_blended_folder(options, work), clip.name),
        )


def _blended_folder(options: RunOptions, work: Path) -> Path:
    """Where blended frames lie; those still to be refined are not in the folder that people see."""
    if options.refine is not None:
        return work / "blended"
    return options.frames_folder or work / "frames"


def _open(options: RunOptions) -> Clip:
    rate = None if options.frame_rate is None else _rate(options.frame_rate)
    return open_clip(options.clip, allow_truncated=options.allow_truncated, frame_rate=rate)


def _rate(rate: float) -> Fraction:
    return Fraction(rate).limit_denominator()


def _frame_range(options: RunOptions, clip: Clip) -> FrameRange:
    """The frames to work on, checked against the clip."""
    if options.frames is None:
        return FrameRange(0, len(clip))
    if options.frames.stop > len(clip):
        raise OptionsError(
            f"frames {options.frames.start}–{options.frames.stop - 1}: "
            f"{options.clip} has frames 0–{len(clip) - 1}"
        )
    return options.frames
