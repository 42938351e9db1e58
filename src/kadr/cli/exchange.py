"""``kadr import`` and ``kadr export``: projects of other programs, in and out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kadr.cli.flags import Json, Overwrite, Quiet, Verbose
from kadr.cli.session import Session, session
from kadr.errors import OptionsError


def import_(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="FILE.ebs|FOLDER",
            help="EbSynth's project, or a folder of ebsynth_utility or TemporalKit.",
        ),
    ],
    project: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="NAME.kadr",
            help="The new project's folder (default: the source's name, here).",
        ),
    ] = None,
    quiet: Quiet = False,
    json: Json = False,
    verbose: Verbose = 0,
) -> None:
    """Make a project of another program's: its frames, keys, ranges, weights and detail."""
    with session(quiet=quiet, json=json, verbose=verbose) as now:
        from kadr.exchange.import_project import import_project

        made = import_project(source, project)
        for notice in made.notices:
            now.speaker.notice(notice)
        root, ranges = made.project.root, made.project.settings.ranges
        now.speaker.result(
            f"{root}: imported from {source}, {len(ranges)} ranges; go on with kadr run {root}",
            project=root,
            ranges=len(ranges),
            notices=list(made.notices),
        )


def export(
    source: Annotated[
        Path, typer.Argument(metavar="NAME.kadr|CLIP", help="A project, or a clip for --keys.")
    ],
    ebs: Annotated[
        Path | None, typer.Option(metavar="FILE.ebs", help="Write EbSynth's project file.")
    ] = None,
    keys: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write frames as images to paint on.")
    ] = None,
    numbers: Annotated[
        str | None,
        typer.Option(
            metavar="N,N,…",
            help="With --keys: which frames (default: those of the project's keys).",
        ),
    ] = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    json: Json = False,
    verbose: Verbose = 0,
) -> None:
    """Write a project for EbSynth, or a clip's frames to paint keyframes on."""
    with session(quiet=quiet, json=json, verbose=verbose) as now:
        if (ebs is None) == (keys is None):
            raise OptionsError("say what to export: either --ebs FILE.ebs or --keys FOLDER")
        if ebs is not None:
            if numbers is not None:
                raise OptionsError(f"numbers {numbers}: go with --keys; leave them out with --ebs")
            _export_ebs(source, ebs, overwrite, now)
        elif keys is not None:
            _export_frames(source, keys, numbers, overwrite, now)


def _export_ebs(source: Path, file: Path, overwrite: bool, now: Session) -> None:
    from kadr.exchange.export_ebs import export_ebs
    from kadr.project.folder import open_project
    from kadr.report.record import read_record

    project = open_project(source)
    found = project.locate()
    record = read_record(project.record)
    cuts = [] if record is None else [shot.start for shot in record.shots[1:]]
    if record is not None and record.clip.identity != found.identity:
        cuts = []
    made = now.follow(export_ebs(project, file, cuts=cuts, overwrite=overwrite, cancel=now.cancel))
    for notice in (*found.notices, *made.notices):
        now.speaker.notice(notice)
    now.speaker.result(
        f"{file}: an EbSynth project with {made.ranges} ranges", output=file, ranges=made.ranges
    )


def _export_frames(
    source: Path, folder: Path, numbers: str | None, overwrite: bool, now: Session
) -> None:
    from kadr.exchange.export_frames import export_frames, key_numbers
    from kadr.project.folder import is_project, open_project
    from kadr.video.clips import open_clip

    chosen = None if numbers is None else _numbers(numbers)
    if is_project(source):
        project = open_project(source)
        chosen = chosen or key_numbers(project)
        source = project.locate().path
    if chosen is None:
        raise OptionsError(
            f"{source}: say which frames, --numbers 0,12,40; kadr plan finds those worth painting"
        )
    with open_clip(source) as clip:
        files = now.follow(
            export_frames(clip, chosen, folder, overwrite=overwrite, cancel=now.cancel)
        )
    now.speaker.result(f"{folder}: {len(files)} frames to paint on", output=folder, files=files)


def _numbers(text: str) -> list[int]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise OptionsError(f"numbers {text}: expected frame numbers such as 0,12,40")
    return [int(part) for part in parts]
