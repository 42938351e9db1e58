"""``kadr new``: a clip and painted keys in, a project folder out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from kadr.cli.field_options import field_options, read_fields, sentence
from kadr.cli.flags import (
    READING,
    ClipArgument,
    Detail,
    Frames,
    Json,
    Keys,
    Quiet,
    Ranges,
    Rate,
    StylizerOptions,
    Verbose,
)
from kadr.cli.parse_values import parse_path
from kadr.cli.session import Session, open_session
from kadr.cli.stylizer_choice import (
    STYLIZER_FLAGS,
    LikeImage,
    PresetName,
    SharedStylizerOptions,
    resolve_preset,
)
from kadr.core.parsing import expand_home, parse_rate
from kadr.errors import OptionsError
from kadr.option_fields import (
    GUIDES,
    KEYFRAMES,
    MASK,
    OUTPUT,
    PICTURE,
    RUN,
    fields_of_group,
    option_help,
)
from kadr.options import PropagateOptions, RunOptions

if TYPE_CHECKING:
    from kadr.project.folder import ProjectFolder

Project = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        parser=expand_home,
        metavar="NAME.kadr",
        help="The folder of the project (default: the name of the clip, here).",
    ),
]
Result = Annotated[
    str | None,
    typer.Option(
        "--to",
        parser=expand_home,
        metavar="OUT",
        help=sentence(option_help(RunOptions, "output"), "default: out/ in the project"),
        rich_help_panel=OUTPUT,
    ),
]


@field_options("running", RunOptions, fields_of_group(RunOptions, RUN, in_project=True))
@field_options("output", RunOptions, fields_of_group(RunOptions, OUTPUT, in_project=True))
@field_options("picture", PropagateOptions, fields_of_group(PropagateOptions, PICTURE))
@field_options("masking", RunOptions, fields_of_group(RunOptions, MASK, in_project=True))
@field_options("guides", RunOptions, fields_of_group(RunOptions, GUIDES, in_project=True))
@field_options("flags", SharedStylizerOptions, STYLIZER_FLAGS)
@field_options("keys", RunOptions, fields_of_group(RunOptions, KEYFRAMES, in_project=True))
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
    like: LikeImage = None,
    detail: Detail = None,
    picture: dict[str, Any],
    guides: dict[str, Any],
    masking: dict[str, Any],
    to: Result = None,
    output: dict[str, Any],
    frames: Frames = None,
    fps: Rate = None,
    running: dict[str, Any],
) -> None:
    """Make a project: a folder for the keys and settings of a clip, and the work files of runs."""
    with open_session(quiet=quiet, json=json, verbose=verbose) as session:
        from kadr.project.create import new_project
        from kadr.unused_files import unused_file_notices
        from kadr.video.clip_source import ClipSource

        if context.args and not key_paths:
            raise OptionsError(f"{context.args[0]}: one clip at a time; give keys after --keys")
        run = read_fields(RunOptions, keys | guides | masking | output | running)
        arguments = resolve_preset(
            preset,
            session.reporter.notice,
            like=like,
            flags=flags,
            assignments=stylizer_options,
            run=run,
            picture=read_fields(PropagateOptions, picture),
            detail=detail,
            painted=bool(key_paths) or run.get("stylizer") == "external",
            seed=running.get("seed"),
        )
        settings = {**arguments.run, **arguments.picture}
        stylizer = arguments.stylizer.name(settings.get("stylizer"), "external")
        settings["stylizer"] = stylizer
        settings["stylizer_options"] = arguments.stylizer.options(stylizer, session.reporter.notice)
        paths = [*(key_paths or []), *map(parse_path, context.args)]
        project_folder = new_project(
            clip,
            paths,
            project,
            output=to,
            frames=frames,
            frame_rate=None if fps is None else parse_rate(fps),
            ranges=ranges or (),
            detail=arguments.detail or "medium",
            **settings,
        )
        rate = None if fps is None else str(parse_rate(fps))
        reading = {name: settings[name] for name in READING if name in settings}
        with ClipSource(clip, frame_rate=rate, **reading).open() as opened:
            notices = (*opened.info.notices, *unused_file_notices(paths))
        for notice in notices:
            session.reporter.notice(notice)
        _report(project_folder, session)


def _report(project: ProjectFolder, session: Session) -> None:
    """Print what was created and what to do next."""
    root, count = project.root, sum(1 for _ in project.keys.iterdir())
    painted = project.settings.stylizer == "external"
    hint = f"; paint keys into {project.keys}" if painted and not count else ""
    session.reporter.result(
        f"{root}: a new project with {count} keys{hint}; go on with kadr run {root}",
        project=root,
        clip=project.clip,
        keys=count,
    )
