"""``kadr new``: a clip and painted keys in, a project folder that keeps a run's work out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kadr.cli.fields import field_options, read_fields
from kadr.cli.flags import (
    KEYS_FIELDS,
    KEYS_PANEL,
    OUTPUT_PANEL,
    PICTURE_FIELDS,
    PICTURE_PANEL,
    WORK_PANEL,
    ClipArgument,
    Detail,
    Frames,
    Json,
    Keys,
    Limit,
    Quiet,
    Ranges,
    Rate,
    StylizerOptions,
    Verbose,
)
from kadr.cli.session import Session, session
from kadr.cli.stylizer_arguments import (
    STYLIZER_FIELDS,
    STYLIZER_PANEL,
    LikePicture,
    PresetName,
    StylizerArguments,
    StylizerFlags,
    find_preset,
)
from kadr.core.parsing import parse_bytes, parse_rate
from kadr.errors import OptionsError
from kadr.options import PropagateOptions, RunOptions

if TYPE_CHECKING:
    from kadr.project.folder import ProjectFolder

Project = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="NAME.kadr",
        help="The project's folder (default: the clip's name, here).",
    ),
]
Result = Annotated[
    str | None,
    typer.Option(
        "--to",
        metavar="OUT",
        help="Where the result goes: a video file, or a folder or pattern of images "
        "(default: out/ in the project).",
        rich_help_panel=OUTPUT_PANEL,
    ),
]


@field_options(
    "work", RunOptions, ("allow_truncated", "threads", "workers", "seed"), panel=WORK_PANEL
)
@field_options("output", RunOptions, ("per_key", "crf", "encoder_preset"), panel=OUTPUT_PANEL)
@field_options("picture", PropagateOptions, PICTURE_FIELDS, panel=PICTURE_PANEL)
@field_options("flags", StylizerFlags, STYLIZER_FIELDS, panel=STYLIZER_PANEL)
@field_options("keys", RunOptions, KEYS_FIELDS, panel=KEYS_PANEL)
def new(
    context: typer.Context,
    clip: ClipArgument,
    *,
    project: Project = None,
    quiet: Quiet = False,
    json: Json = False,
    verbose: Verbose = 0,
    key_paths: Keys = None,
    ranges: Ranges = None,
    keys: dict[str, Any],
    preset: PresetName = None,
    flags: dict[str, Any],
    stylizer_options: StylizerOptions = None,
    like: LikePicture = None,
    detail: Detail = None,
    picture: dict[str, Any],
    to: Result = None,
    output: dict[str, Any],
    frames: Frames = None,
    fps: Rate = None,
    work_limit: Limit = None,
    work: dict[str, Any],
) -> None:
    """Make a project: a folder with a clip's keys and settings, in which runs keep their work."""
    with session(quiet=quiet, json=json, verbose=verbose) as now:
        from kadr.project.create import new_project

        if context.args and not key_paths:
            raise OptionsError(f"{context.args[0]}: one clip at a time; give keys after --keys")
        settings = read_fields(RunOptions, keys | output | work)
        settings |= read_fields(PropagateOptions, picture)
        if work_limit is not None:
            settings["work_limit"] = parse_bytes(work_limit, "work-limit")
        painted = bool(key_paths) or settings.get("stylizer") == "external"
        found = find_preset(preset, painted, settings, now.speaker.notice)
        look = StylizerArguments(found, like, flags, stylizer_options or (), work.get("seed"))
        if found is not None:
            settings = {**found.run, **found.picture, **settings}
            detail = detail or found.detail
        name = look.stylizer(settings.get("stylizer"), "external")
        settings["stylizer"] = name
        settings["stylizer_options"] = look.options(name, now.speaker.notice)
        made = new_project(
            clip,
            [*(key_paths or []), *map(Path, context.args)],
            project,
            output=to,
            frames=frames,
            frame_rate=None if fps is None else parse_rate(fps),
            ranges=ranges or (),
            detail=detail or "medium",
            **settings,
        )
        _tell(made, now)


def _tell(made: ProjectFolder, now: Session) -> None:
    """Say what was made and what to do next."""
    count = sum(1 for _ in made.keys.iterdir())
    painted = made.settings.stylizer == "external"
    hint = f"; paint keys into {made.keys}" if painted and not count else ""
    now.speaker.result(
        f"{made.root}: a new project with {count} keys{hint}; go on with kadr run {made.root}",
        project=made.root,
        clip=made.clip,
        keys=count,
    )
