"""``kadr preview``: a project and some frames in, those frames as a run would make them out."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kadr.cli.flags import Json, Overwrite, Quiet, Verbose
from kadr.cli.session import Session, session
from kadr.cli.values import parse_value
from kadr.core import formatting
from kadr.core.events import Event
from kadr.core.frames import Frame, FrameRange
from kadr.core.parsing import parse_frames
from kadr.errors import OptionsError, OutputError

if TYPE_CHECKING:
    from kadr.options import RunOptions
    from kadr.preview import PreviewResult
    from kadr.project.folder import ProjectFolder
    from kadr.video.base import Clip

    Made = Generator[Event | Frame, None, PreviewResult]

Project = Annotated[str, typer.Argument(metavar="NAME.kadr", help="A project's folder.")]
One = Annotated[str | None, typer.Option("--frame", metavar="N", help="This frame, as an image.")]
Some = Annotated[
    str | None,
    typer.Option("--range", metavar="FIRST:LAST", help="These frames, as a video; both included."),
]
Result = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="An image, or a video for a range (default: in out/preview in the project).",
    ),
]


def preview(
    project: Project,
    frame: One = None,
    range_: Some = None,
    out: Result = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    json: Json = False,
    verbose: Verbose = 0,
) -> None:
    """Make one frame, or a second of frames, at once, from the work that is kept nearest.

    After a key was repainted it shows an estimate within seconds, and says so.
    """
    with session(quiet=quiet, json=json, verbose=verbose) as now:
        from kadr.files import IMAGE_SUFFIXES
        from kadr.project.folder import open_project
        from kadr.video.clips import open_clip

        if (frame is None) == (range_ is None):
            raise OptionsError("preview: give --frame N or --range FIRST:LAST, one of them")
        opened = open_project(project)
        found = opened.locate()
        for notice in found.notices:
            now.speaker.notice(notice)
        options = opened.options(found)
        rate = None if options.frame_rate is None else Fraction(options.frame_rate)
        with open_clip(
            options.clip, allow_truncated=options.allow_truncated, frame_rate=rate
        ) as clip:
            frames = _frames(frame, range_, clip)
            path = Path(out) if out else _default(opened, clip, frames, range_ is None)
            if out and path.exists() and not overwrite:
                raise OutputError(f"{path}: exists already; use --overwrite or another name")
            if frame is not None and path.suffix.lower() not in IMAGE_SUFFIXES:
                raise OutputError(f"{path}: not an image; expected a name such as frame.png")
            _make(options, clip, frames, path, range_ is None, now)


def _frames(one: str | None, some: str | None, clip: Clip) -> FrameRange:
    if some is not None:
        return parse_frames(some, clip)
    number = parse_value(str(one), int, "frame")
    index = clip.index_of(number)
    if index is None:
        raise OptionsError(
            f"frame {number}: the clip has no such frame; its frames are "
            f"{clip.number(0)} to {clip.number(len(clip) - 1)}"
        )
    return FrameRange(index, index + 1)


def _default(project: ProjectFolder, clip: Clip, frames: FrameRange, single: bool) -> Path:
    name = f"{clip.name(frames.start)}.png"
    if not single:
        name = f"{clip.number(frames.start):05d}-{clip.number(frames.stop - 1):05d}.mp4"
    return project.previews / name


def _make(
    options: RunOptions, clip: Clip, frames: FrameRange, path: Path, single: bool, now: Session
) -> None:
    """Make the frames and say what they are worth."""
    from kadr.files import write_image
    from kadr.preview import preview_frames
    from kadr.video.clips import create_clip

    began = time.monotonic()
    with now.announced_kernels():
        work = preview_frames(options, frames, now.cancel)
        if single:
            made = now.follow(_given_to(lambda frame: write_image(path, frame.image), work))
        else:
            indices = range(frames.start, frames.stop)
            with create_clip(path, like=clip, overwrite=True, indices=indices) as writer:
                made = now.follow(_given_to(writer.write, work))
    seconds = time.monotonic() - began
    what = (
        f"frame {clip.number(frames.start)}" if single else formatting.counted(made.frames, "frame")
    )
    worth = "as a run makes it" if made.exact else "a quick estimate, until the next kadr run"
    now.speaker.result(
        f"{path}: {what} in {formatting.duration(seconds)}, {worth}",
        output=path,
        frames=made.frames,
        computed=made.computed,
        exact=made.exact,
        seconds=round(seconds, 3),
    )


def _given_to(take: Callable[[Frame], object], work: Made) -> Generator[Event, None, PreviewResult]:
    """The events of the work; its frames are taken."""
    try:
        while True:
            item = next(work)
            if isinstance(item, Frame):
                take(item)
            else:
                yield item
    except StopIteration as stop:
        made: PreviewResult = stop.value
        return made
    finally:
        work.close()
