"""``kadr frames`` and ``kadr encode``: a clip into images, images into a clip."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kadr.cli.field_options import field_options, read_fields, sentence
from kadr.cli.flags import READING, ClipArgument, Json, Output, Overwrite, Quiet, Verbose
from kadr.cli.parse_values import parse_value
from kadr.cli.session import open_session
from kadr.core.events import Event
from kadr.core.parsing import expand_home, parse_frames, parse_rate
from kadr.errors import OptionsError
from kadr.option_fields import option_help
from kadr.options import RunOptions

if TYPE_CHECKING:
    from kadr.project.folder import ProjectFolder


@field_options("image", RunOptions, ("depth", "size"))
@field_options("reading", RunOptions, READING)
def frames(
    clip: ClipArgument,
    folder: Annotated[
        str,
        typer.Argument(
            parser=expand_home,
            metavar="DIR|PATTERN",
            help="The folder for the images, or a pattern: f_%04d.png.",
        ),
    ],
    *,
    frame_range: Annotated[
        str | None,
        typer.Option(
            "--frames", metavar="FIRST:LAST", help=sentence(option_help(RunOptions, "frames"))
        ),
    ] = None,
    every: Annotated[
        str | None, typer.Option(metavar="N", help="Take one frame of this many (default: 1, all).")
    ] = None,
    fps: Annotated[
        str | None,
        typer.Option(metavar="RATE", help="Instead, take frames at this constant rate."),
    ] = None,
    suffix: Annotated[
        str | None,
        typer.Option(
            metavar="SUFFIX",
            help="Image type: .png, .jpg, .webp, .tif (default: .png, or the pattern's).",
        ),
    ] = None,
    start_number: Annotated[
        str | None,
        typer.Option(
            metavar="N", help="Number of the clip's first frame in the names (default: its own)."
        ),
    ] = None,
    image: dict[str, Any],
    overwrite: Overwrite = False,
    reading: dict[str, Any],
    quiet: Quiet = False,
    json: Json = False,
    verbose: Verbose = 0,
) -> None:
    """Save a clip's frames as images named by frame number, to paint keyframes from."""
    with open_session(quiet=quiet, json=json, verbose=verbose) as session:
        from kadr.video.clips import open_clip
        from kadr.video.convert import extract_frames

        if every is not None and fps is not None:
            raise OptionsError(f"every {every}, fps {fps}: give one of them")
        rate = None if fps is None else parse_rate(fps)
        step = 1 if every is None else parse_value(every, int, "every")
        first = None if start_number is None else parse_value(start_number, int, "start-number")
        values = read_fields(RunOptions, image)
        deep = (values.get("depth") or 8) > 8
        with open_clip(clip, **read_fields(RunOptions, reading), deep=deep) as opened:
            for notice in opened.info.notices:
                session.reporter.notice(notice)
            events = extract_frames(
                opened,
                folder,
                frames=None if frame_range is None else parse_frames(frame_range, opened),
                every=step,
                fps=rate,
                suffix=None if suffix is None else f".{suffix.removeprefix('.')}",
                start_number=first,
                **values,
                overwrite=overwrite,
                cancel=session.cancel,
            )
            count = session.follow(_counted(events))
        session.reporter.result(f"{folder}: {count} images", output=folder, frames=count)


@field_options("encoding", RunOptions, ("crf", "codec", "depth", "size"))
def encode(
    source: Annotated[
        str,
        typer.Argument(parser=expand_home, metavar="DIR", help="A folder or pattern of images."),
    ],
    output: Output,
    *,
    like: Annotated[
        str | None,
        typer.Option(
            parser=expand_home, metavar="CLIP", help="Take frame times and sound from this clip."
        ),
    ] = None,
    fps: Annotated[
        str | None,
        typer.Option(
            metavar="RATE", help="Instead, a constant frame rate, without sound (default: 24)."
        ),
    ] = None,
    encoding: dict[str, Any],
    preset: Annotated[
        str | None,
        typer.Option(
            "--encoder-preset",
            "--preset",
            metavar="NAME",
            help=sentence(option_help(RunOptions, "encoder_preset")),
        ),
    ] = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    json: Json = False,
    verbose: Verbose = 0,
) -> None:
    """Write a folder of images as a video, with the times and sound of the clip it came from."""
    with open_session(quiet=quiet, json=json, verbose=verbose) as session:
        from kadr.video.clips import open_clip
        from kadr.video.convert import encode_frames

        rate = None if fps is None else parse_rate(fps)
        values = read_fields(RunOptions, encoding)
        if like is None and rate is None and (project := _project_around(Path(source))):
            like = str(project.clip)
            session.reporter.notice(
                f"{source}: with the times and sound of {like}, the clip of {project.root}"
            )
        with ExitStack() as stack:
            deep = (values.get("depth") or 8) > 8 or values.get("codec", "").startswith("prores")
            images = stack.enter_context(open_clip(source, frame_rate=rate, deep=deep))
            for notice in images.info.notices:
                session.reporter.notice(notice)
            events = encode_frames(
                images,
                output,
                like=None if like is None else stack.enter_context(open_clip(like)),
                frame_rate=rate,
                overwrite=overwrite,
                **values,
                preset=preset,
                cancel=session.cancel,
            )
            count = session.follow(_counted(events))
        session.reporter.result(f"{output}: {count} frames", output=output, frames=count)


def _project_around(source: Path) -> ProjectFolder | None:
    """The project in whose folder, or a folder of it, images lie, if its clip is there."""
    from kadr.project.folder import FILE, open_project

    for folder in source.absolute().parents[:2]:
        if (folder / FILE).is_file():
            project = open_project(folder)
            return project if project.clip.exists() else None
    return None


def _counted(events: Iterator[Event]) -> Generator[Event, None, int]:
    """The same events; returns the number of frames."""
    index = 0
    for event in events:
        index = event.index
        yield event
    return index
