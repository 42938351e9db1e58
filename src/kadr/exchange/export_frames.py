"""Export frames of a clip as images to paint on."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path

from kadr.core.events import CancelToken, Event
from kadr.errors import OptionsError
from kadr.project.folder import ProjectFolder
from kadr.stylize.external import find_keys
from kadr.video.base import Clip
from kadr.video.clip_source import ClipSource
from kadr.video.clips import create_clip

STEP = "frames"


def export_frames(
    clip: Clip,
    numbers: Sequence[int],
    folder: Path,
    *,
    overwrite: bool = False,
    cancel: CancelToken | None = None,
) -> Generator[Event, None, list[Path]]:
    """Write frames, chosen by frame number, as PNG into ``folder``; returns the files.

    Their names end in the frame numbers, so that the painted files are keys. All or none are
    written.
    Raises OptionsError for a number that the clip does not have, OutputError if a file exists.
    """
    indices = sorted({_index(clip, number) for number in numbers})
    if not indices:
        raise OptionsError("no frames: give frame numbers, such as 0,12,40")
    yield Event(STEP, 0, len(indices))
    with create_clip(f"{folder}/", like=clip, overwrite=overwrite, indices=indices) as writer:
        for count, index in enumerate(indices, start=1):
            if cancel is not None:
                cancel.check()
            frame = clip.frame(index)
            writer.write(frame)
            yield Event(STEP, count, len(indices), frame.rgb)
    return [folder / f"{clip.name(index)}.png" for index in indices]


def _index(clip: Clip, number: int) -> int:
    index = clip.index_of(number)
    if index is None:
        raise OptionsError(
            f"frame {number}: the clip has no such frame; its frames are "
            f"{clip.number(0)} to {clip.number(len(clip) - 1)}"
        )
    return index


def key_numbers(project: ProjectFolder) -> list[int]:
    """The frame numbers of the painted keys of a project.

    Raises OptionsError for a project whose keys a stylizer makes, InputError if there are none.
    """
    options = project.options()
    if not options.keys:
        raise OptionsError(
            f"{project.root}: its keys are made by the stylizer {options.stylizer}; "
            "give the frames with --numbers 0,12,40"
        )
    with ClipSource.of(options).open() as clip:
        keys = find_keys(options.keys, clip, options.key_offset)
        return [clip.number(key.index) for key in keys]
