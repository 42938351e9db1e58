"""``kadr new``: a clip and painted keys in, a project folder that keeps a run's work out."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

import typer

from kadr.cli.fields import field_options, read_fields
from kadr.cli.flags import Json, Quiet, Source, Verbose
from kadr.cli.run import Detail, Frames, Keys, Ranges, Rate, StylizerOptions
from kadr.cli.session import session
from kadr.cli.values import parse_assignments
from kadr.core.numbers import parse_bytes, parse_rate
from kadr.errors import OptionsError
from kadr.options import PropagateOptions, RunOptions

_KEYS, _PICTURE, _OUTPUT, _WORK = "Keyframes", "Picture", "Output", "Work"

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
        rich_help_panel=_OUTPUT,
    ),
]
Limit = Annotated[
    str | None,
    typer.Option(
        "--work-limit",
        metavar="SIZE",
        help="The most to keep of work files, such as 20GB.",
        rich_help_panel=_WORK,
    ),
]


@field_options("work", RunOptions, ("allow_truncated", "threads", "workers", "seed"), panel=_WORK)
@field_options("output", RunOptions, ("per_key", "crf", "preset"), panel=_OUTPUT)
@field_options(
    "picture",
    PropagateOptions,
    [item.name for item in fields(PropagateOptions)],
    panel=_PICTURE,
)
@field_options(
    "keys",
    RunOptions,
    ("stylizer", "keys_budget", "min_gap", "max_gap", "ignore_cuts", "fit_keys"),
    panel=_KEYS,
)
def new(
    context: typer.Context,
    clip: Source,
    keys: dict[str, Any],
    output: dict[str, Any],
    picture: dict[str, Any],
    work: dict[str, Any],
    project: Project = None,
    key_paths: Keys = None,
    stylizer_options: StylizerOptions = None,
    ranges: Ranges = None,
    detail: Detail = "medium",
    frames: Frames = None,
    fps: Rate = None,
    to: Result = None,
    work_limit: Limit = None,
    quiet: Quiet = False,
    json: Json = False,
    verbose: Verbose = 0,
) -> None:
    """Make a project: a folder with a clip's keys and settings, in which runs keep their work."""
    with session(quiet=quiet, json=json, verbose=verbose) as now:
        from kadr import new_project
        from kadr import stylizer_options as options_of

        if context.args and not key_paths:
            raise OptionsError(f"{context.args[0]}: one clip at a time; give keys after --keys")
        settings = read_fields(RunOptions, keys | output | work)
        settings |= read_fields(PropagateOptions, picture)
        if work_limit is not None:
            settings["work_limit"] = parse_bytes(work_limit, "work-limit")
        if stylizer_options:
            name = settings.get("stylizer", "external")
            settings["stylizer_options"] = parse_assignments(
                stylizer_options, options_of(name), f"stylizer {name}"
            )
        made = new_project(
            clip,
            [*(key_paths or []), *map(Path, context.args)],
            project,
            output=to,
            frames=frames,
            frame_rate=None if fps is None else parse_rate(fps),
            ranges=ranges or (),
            detail=detail,
            **settings,
        )
        count = sum(1 for _ in made.keys.iterdir())
        painted = made.settings.stylizer == "external"
        hint = f"; paint keys into {made.keys}" if painted and not count else ""
        now.speaker.result(
            f"{made.root}: a new project with {count} keys{hint}; go on with kadr run {made.root}",
            project=made.root,
            clip=made.clip,
            keys=count,
        )
