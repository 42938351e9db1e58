"""``kadr import`` and ``kadr export``: read and write projects of other programs."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kadr.cli.flags import Json, Layer, Overwrite, Quiet, Verbose
from kadr.cli.open_masks import open_masks
from kadr.cli.parse_values import parse_path
from kadr.cli.session import Session, open_session
from kadr.core import formatting
from kadr.core.frames import FrameRange
from kadr.core.parsing import parse_number
from kadr.errors import OptionsError

if TYPE_CHECKING:
    from kadr.exchange.export_ebs import GetMatte
    from kadr.project.folder import LocatedClip, ProjectFolder


def import_(
    source: Annotated[
        Path,
        typer.Argument(
            parser=parse_path,
            metavar="FILE.ebs|FOLDER",
            help="A project of EbSynth, or a folder of ebsynth_utility or TemporalKit.",
        ),
    ],
    project: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            parser=parse_path,
            metavar="NAME.kadr",
            help="The folder of the new project (default: the name of the source, here).",
        ),
    ] = None,
    quiet: Quiet = False,
    json: Json = False,
    verbose: Verbose = 0,
) -> None:
    """Make a project from one of another program: its frames, keys, ranges, weights and detail."""
    with open_session(quiet=quiet, json=json, verbose=verbose) as session:
        from kadr.exchange.import_project import import_project

        imported = import_project(source, project)
        for notice in imported.notices:
            session.reporter.notice(notice)
        root, ranges = imported.project.root, imported.project.settings.ranges
        styled = (
            "with " + formatting.counted(len(ranges), "range")
            if ranges
            else ("which has no ranges: each key reaches to its neighbours")
        )
        session.reporter.result(
            f"{root}: imported from {source}, {styled}; go on with kadr run {root}",
            project=root,
            ranges=len(ranges),
            notices=list(imported.notices),
        )


def export(
    source: Annotated[
        Path,
        typer.Argument(
            parser=parse_path, metavar="NAME.kadr|CLIP", help="A project, or a clip for --keys."
        ),
    ],
    ebs: Annotated[
        Path | None,
        typer.Option(
            parser=parse_path, metavar="FILE.ebs", help="Write a project file for EbSynth."
        ),
    ] = None,
    keys: Annotated[
        Path | None,
        typer.Option(
            parser=parse_path, metavar="FOLDER", help="Write frames as images to paint on."
        ),
    ] = None,
    numbers: Annotated[
        str | None,
        typer.Option(
            metavar="N,N,…",
            help="With --keys: which frames (default: those of the keys of the project).",
        ),
    ] = None,
    layer: Layer = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    json: Json = False,
    verbose: Verbose = 0,
) -> None:
    """Write a project for EbSynth, or a clip's frames to paint keyframes on."""
    with open_session(quiet=quiet, json=json, verbose=verbose) as session:
        if (ebs is None) == (keys is None):
            raise OptionsError("export: give either --ebs FILE.ebs or --keys FOLDER")
        if ebs is not None:
            if numbers is not None:
                raise OptionsError(f"numbers {numbers}: go with --keys; leave them out with --ebs")
            _export_ebs(source, ebs, layer, overwrite, session)
        elif keys is not None:
            _export_frames(source, keys, numbers, overwrite, session)


def _export_ebs(
    source: Path, file: Path, layer: str | None, overwrite: bool, session: Session
) -> None:
    from kadr.exchange.export_ebs import export_ebs
    from kadr.project.folder import open_project
    from kadr.report.record import read_record

    project = open_project(source).choose(layer)
    located = project.locate()
    record = read_record(project.record)
    cuts = [] if record is None else [shot.start for shot in record.shots[1:]]
    if record is not None and record.clip.identity != located.identity:
        cuts = []
    with ExitStack() as stack:
        matte = _matte(project, located, session, stack)
        exported = session.follow(
            export_ebs(
                project, file, cuts=cuts, overwrite=overwrite, cancel=session.cancel, matte=matte
            )
        )
    for notice in (*located.notices, *exported.notices):
        session.reporter.notice(notice)
    session.reporter.result(
        f"{file}: an EbSynth project with {exported.ranges} ranges",
        output=file,
        ranges=exported.ranges,
    )


def _matte(
    project: ProjectFolder, located: LocatedClip, session: Session, stack: ExitStack
) -> GetMatte | None:
    """The mattes of a project with a mask; ``stack`` closes them."""
    from kadr.video.clip_source import ClipSource

    options = project.options(located)
    if options.mask is None:
        return None
    clip = stack.enter_context(ClipSource.of(options).open())
    frames = options.frames or FrameRange(0, len(clip))
    masks = open_masks(options, clip, frames, project.work, session, stack)
    return None if masks is None else masks.matte


def _export_frames(
    source: Path, folder: Path, numbers: str | None, overwrite: bool, session: Session
) -> None:
    from kadr.exchange.export_frames import export_frames, key_numbers
    from kadr.project.folder import is_project, open_project
    from kadr.video.clips import open_clip
    from kadr.video.outputs_apart import check_outputs_apart

    frame_numbers = None if numbers is None else _numbers(numbers)
    if is_project(source):
        project = open_project(source)
        check_outputs_apart([f"{folder}/"], [project.keys])
        frame_numbers = frame_numbers or key_numbers(project)
        offset = (project.settings.run or {}).get("key_offset", 0)
        if offset:
            session.reporter.notice(
                f"key-offset {offset}: is for keys of other names; the frames to paint are named "
                "by their own numbers"
            )
        source = project.locate().path
    if frame_numbers is None:
        raise OptionsError(
            f"{source}: no frames chosen; give --numbers 0,12,40; kadr plan finds frames to paint"
        )
    with open_clip(source) as clip:
        files = session.follow(
            export_frames(clip, frame_numbers, folder, overwrite=overwrite, cancel=session.cancel)
        )
    session.reporter.result(
        f"{folder}: {len(files)} frames to paint on", output=folder, files=files
    )


def _numbers(text: str) -> list[int]:
    numbers = [parse_number(part) for part in text.split(",")]
    if None in numbers:
        quoted = formatting.shorten(text)
        raise OptionsError(f"numbers {quoted}: expected frame numbers such as 0,12,40")
    return [number for number in numbers if number is not None]
