"""``kadr preview``: a project and frame numbers in, these frames as a run would make them out."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kadr.cli.flags import Json, Overwrite, ProjectArgument, Quiet, Verbose
from kadr.cli.parse_values import parse_value
from kadr.cli.session import Session, open_session
from kadr.core import formatting
from kadr.core.events import Event, notice
from kadr.core.frames import Frame, FrameRange
from kadr.core.generators import map_items
from kadr.core.parsing import expand_home, parse_frames
from kadr.errors import OptionsError, OutputError

if TYPE_CHECKING:
    from kadr.preview import PreviewResult
    from kadr.project.folder import ProjectFolder
    from kadr.video.base import Clip

    PreviewItems = Generator[Event | Frame, None, PreviewResult]

FrameNumber = Annotated[
    str | None, typer.Option("--frame", metavar="N", help="Make this frame, as an image.")
]
FrameNumbers = Annotated[
    str | None,
    typer.Option(
        "--range",
        metavar="FIRST:LAST",
        help="Make these frames, or those between two times, as a video; both ends included.",
    ),
]
Result = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        parser=expand_home,
        metavar="FILE",
        help="An image, or a video for a range (default: in out/preview in the project).",
    ),
]


def preview(
    project: ProjectArgument,
    frame: FrameNumber = None,
    range_: FrameNumbers = None,
    out: Result = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    json: Json = False,
    verbose: Verbose = 0,
) -> None:
    """Make one frame, or about a second of frames, quickly, from cached work files nearby.

    After a key was changed, the result is an estimate that takes seconds, and the output says so.
    """
    with open_session(quiet=quiet, json=json, verbose=verbose) as session:
        from kadr.cli.layer import layered_options
        from kadr.image_files import WRITABLE_SUFFIXES
        from kadr.layers import preview_layers
        from kadr.preview import preview_frames
        from kadr.project.folder import open_project
        from kadr.render.run_inputs import run_inputs
        from kadr.video.clip_source import ClipSource
        from kadr.video.outputs_apart import check_outputs_apart

        if (frame is None) == (range_ is None):
            raise OptionsError("preview: give either --frame N or --range FIRST:LAST")
        opened = open_project(project)
        located = opened.locate()
        for notice in located.notices:
            session.reporter.notice(notice)
        layers = layered_options(opened, located) if opened.layers else None
        options = opened.options(located) if layers is None else layers.run
        with ClipSource.of(options).open() as clip:
            frames = _frames(frame, range_, clip)
            path = Path(out) if out else _default_path(opened, clip, frames, range_ is None)
            if out and path.exists() and not overwrite:
                raise OutputError(f"{path}: exists already; use --overwrite or another name")
            if frame is not None and path.suffix.lower() not in WRITABLE_SUFFIXES:
                raise OutputError(f"{path}: not an image; expected a name such as frame.png")
            check_outputs_apart([path], run_inputs(options))
            if layers is None:
                items = preview_frames(options, frames, session.cancel)
            else:
                items = preview_layers(layers, frames, session.cancel)
            _make(items, clip, frames, path, range_ is None, session)


def _frames(number_text: str | None, range_text: str | None, clip: Clip) -> FrameRange:
    if range_text is not None:
        return parse_frames(range_text, clip)
    number = parse_value(str(number_text), int, "frame")
    index = clip.index_of(number)
    if index is None:
        raise OptionsError(
            f"frame {number}: the clip has no such frame; its frames are "
            f"{clip.number(0)} to {clip.number(len(clip) - 1)}"
        )
    return FrameRange(index, index + 1)


def _default_path(project: ProjectFolder, clip: Clip, frames: FrameRange, single: bool) -> Path:
    name = f"{clip.name(frames.start)}.png"
    if not single:
        name = f"{clip.number(frames.start):05d}-{clip.number(frames.stop - 1):05d}.mp4"
    return project.previews / name


def _make(
    items: PreviewItems,
    clip: Clip,
    frames: FrameRange,
    path: Path,
    single: bool,
    session: Session,
) -> None:
    """Make the frames, write them, and print whether they are exact."""
    from kadr.image_files import write_image
    from kadr.video.clips import create_clip, loses_alpha, lost_alpha_notice

    start = time.monotonic()
    with session.report_compiling():

        def transparent(frame: Frame) -> str:
            return lost_alpha_notice(path) if loses_alpha(path, frame) else ""

        if single:

            def write(frame: Frame) -> None:
                write_image(path, frame.image)

            result = session.follow(_write_frames(write, transparent, items))
        else:
            indices = range(frames.start, frames.stop)
            with create_clip(path, like=clip, overwrite=True, indices=indices) as writer:
                result = session.follow(_write_frames(writer.write, transparent, items))
    seconds = time.monotonic() - start
    subject = f"frame {clip.number(frames.start)}"
    if not single:
        subject = formatting.counted(result.frames, "frame")
    quality = "as a run makes it" if result.exact else "a quick estimate, until the next kadr run"
    session.reporter.result(
        f"{path}: {subject} in {formatting.duration(seconds)}, {quality}",
        output=path,
        frames=result.frames,
        computed=result.computed,
        exact=result.exact,
        seconds=round(seconds, 3),
    )


def _write_frames(
    write: Callable[[Frame], object], find_notice: Callable[[Frame], str], items: PreviewItems
) -> Generator[Event, None, PreviewResult]:
    """Write the frames among the items, and pass the events on; the first notice is given."""
    notified = False

    def write_frame(item: Event | Frame) -> Event | None:
        nonlocal notified
        if not isinstance(item, Frame):
            return item
        text = "" if notified else find_notice(item)
        write(item)
        if not text:
            return None
        notified = True
        return notice("preview", text)

    return (yield from map_items(items, write_frame))
