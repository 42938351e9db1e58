"""``kadr run``: a clip and painted keyframes, or a project, in; the restyled clip out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kadr.cli.dry_run import dry_run_facts, dry_run_lines
from kadr.cli.field_options import field_options, read_fields, sentence
from kadr.cli.flags import (
    ClipOrProject,
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
    RunArguments,
    SharedStylizerOptions,
    resolve_preset,
)
from kadr.core import formatting
from kadr.core.parsing import expand_home, parse_rate
from kadr.errors import FolderInUseError, OptionsError, OutputError
from kadr.option_fields import (
    GUIDES,
    KEYFRAMES,
    MASK,
    OUTPUT,
    PAINTED_KEYS,
    PICTURE,
    PLANNED_KEYS,
    RUN,
    fields_of_group,
    fields_that_need,
    option_help,
)
from kadr.options import PropagateOptions, RunOptions, detail_options

if TYPE_CHECKING:
    from kadr.layers import LayeredOptions
    from kadr.pipeline import RunResult
    from kadr.project.folder import LocatedClip, ProjectFolder

Result = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        parser=expand_home,
        metavar="OUT",
        help=sentence(option_help(RunOptions, "output"), "default: that of the project"),
    ),
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run", help="Only print what a run would make and why, its time and its disk space."
    ),
]


@dataclass(frozen=True)
class _Request:
    """The options of a run on the command line; ranges, frames and fps are still text."""

    arguments: RunArguments
    ranges: Sequence[str]
    frames: str | None
    fps: str | None


@field_options("running", RunOptions, fields_of_group(RunOptions, RUN))
@field_options("output", RunOptions, fields_of_group(RunOptions, OUTPUT))
@field_options("picture", PropagateOptions, fields_of_group(PropagateOptions, PICTURE))
@field_options("masking", RunOptions, fields_of_group(RunOptions, MASK))
@field_options("guides", RunOptions, fields_of_group(RunOptions, GUIDES))
@field_options("flags", SharedStylizerOptions, STYLIZER_FLAGS)
@field_options("keys", RunOptions, fields_of_group(RunOptions, KEYFRAMES))
def run(
    context: typer.Context,
    target: ClipOrProject,
    *,
    out: Result = None,
    dry_run: DryRun = False,
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
    output: dict[str, Any],
    frames: Frames = None,
    fps: Rate = None,
    running: dict[str, Any],
) -> None:
    """Restyle a clip from a few painted keyframes, or from keyframes that a stylizer makes.

    Finished frames are kept: the same command resumes an interrupted run, and after a change makes
    only those frames again that depend on it. Options beside a project apply to this run only.
    """
    with open_session(quiet=quiet, json=json, verbose=verbose) as session:
        from kadr.project.folder import is_project, open_project

        run_options = read_fields(RunOptions, keys | guides | masking | output | running)
        if out is not None:
            run_options["output"] = out
        if paths := _all_keys(key_paths or [], context.args):
            run_options["keys"] = paths
        arguments = resolve_preset(
            preset,
            session.reporter.notice,
            like=like,
            flags=flags,
            assignments=stylizer_options,
            run=run_options,
            picture=read_fields(PropagateOptions, picture),
            detail=detail,
            painted="keys" in run_options or run_options.get("stylizer") == "external",
            seed=running.get("seed"),
        )
        request = _Request(arguments, ranges or (), frames, fps)
        project = is_project(target)
        if project:
            opened = open_project(target)
            if opened.layers:
                _run_layers(_layered_options(opened, request, session, dry_run), session, dry_run)
                return
            options = _project_options(opened, request, session, dry_run)
        else:
            options = _clip_options(target, request, session)
        _check_unused(arguments, options)
        if dry_run:
            _dry_run(options, session)
        else:
            cached = not project and "work" not in arguments.run
            _restyle(options, session, _cache_folders(options) if cached else ())


def _clip_options(clip: str, request: _Request, session: Session) -> RunOptions:
    from kadr.project.frame_numbers import with_numbers
    from kadr.storage.cache import cache_folders

    arguments = request.arguments
    if "output" not in arguments.run:
        raise OptionsError(f"{clip}: no output; give --output OUT")
    stylizer = arguments.stylizer.name(arguments.run.get("stylizer"), "external")
    values = {
        "clip": Path(clip),
        "propagate": detail_options(arguments.detail or "medium", **arguments.picture),
        "stylizer_options": arguments.stylizer.options(stylizer, session.reporter.notice),
        "work": cache_folders(clip, arguments.run["output"])[0],
        **arguments.run,
        "stylizer": stylizer,
    }
    if request.fps is not None:
        values["frame_rate"] = _frame_rate(request.fps, clip)
    return with_numbers(RunOptions(**values), request.ranges, request.frames)


def _prepare(
    project: ProjectFolder, session: Session, dry_run: bool
) -> tuple[ProjectFolder, LocatedClip]:
    """Find the clip; if it was moved or changed, the project is updated before a run."""
    located = project.locate()
    for notice in located.notices:
        session.reporter.notice(notice)
    if not dry_run:
        project = project.update_clip(located)
        project.delete_partial_files()
    return project, located


def _project_options(
    project: ProjectFolder, request: _Request, session: Session, dry_run: bool
) -> RunOptions:
    """The options of a project's run."""
    from kadr.project.frame_numbers import with_numbers

    project, located = _prepare(project, session, dry_run)
    arguments = request.arguments
    changes = dict(arguments.run)
    default = "external" if "keys" in changes else project.settings.stylizer
    stylizer = arguments.stylizer.name(changes.get("stylizer"), default)
    changes["stylizer"] = stylizer
    changes["stylizer_options"] = arguments.stylizer.options(stylizer, session.reporter.notice)
    if request.fps is not None:
        changes["frame_rate"] = _frame_rate(request.fps, located.path)
    if request.ranges:
        changes["ranges"] = ()
    if request.frames is not None:
        changes["frames"] = None
    options = project.options(
        located, detail=arguments.detail, picture=arguments.picture, **changes
    )
    return with_numbers(options, request.ranges, request.frames)


def _layered_options(
    project: ProjectFolder, request: _Request, session: Session, dry_run: bool
) -> LayeredOptions:
    """The options of a run in layers."""
    from kadr.cli.layer import layered_options

    arguments = request.arguments
    groups = (*fields_of_group(RunOptions, KEYFRAMES), *fields_of_group(RunOptions, MASK))
    of_layers = {"keys", *groups} - {"background"}
    requested = [field for field in arguments.run if field in of_layers]
    if request.ranges:
        requested.append("range")
    if arguments.stylizer.name(arguments.run.get("stylizer"), ""):
        requested.append("stylizer")
    if requested:
        raise OptionsError(
            f"{requested[0].replace('_', '-')}: {project.root} has layers; set it in "
            f"{project.toml}, in one of them"
        )
    project, located = _prepare(project, session, dry_run)
    changes = dict(arguments.run)
    if request.fps is not None:
        changes["frame_rate"] = _frame_rate(request.fps, located.path)
    return layered_options(
        project,
        located,
        request.frames,
        detail=arguments.detail,
        picture=arguments.picture,
        **changes,
    )


def _run_layers(options: LayeredOptions, session: Session, dry_run: bool) -> None:
    from kadr.cli.layer import layers_facts, layers_lines
    from kadr.layers import dry_run_layers, restyle_layers

    if dry_run:
        with session.report_compiling():
            predicted = session.follow(dry_run_layers(options, session.cancel))
        lines = layers_lines(predicted, options)
        session.reporter.result(*lines, **layers_facts(predicted))
        return
    session.stopped_text = (
        "stopped; what is finished is kept, and the same command goes on from there"
    )
    with session.report_compiling():
        result = session.follow(restyle_layers(options, session.cancel))
    names = [name for name, _ in options.layers]
    report = () if result.report is None else (f"{result.report}: about this run",)
    session.reporter.result(
        f"{options.run.output}: {formatting.counted(result.frame_count, 'frame')} in "
        f"{formatting.counted(len(names), 'layer')} in {result.seconds:.1f} s "
        f"({result.frame_count / result.seconds:.2f} frames/s)",
        *report,
        output=result.output,
        layers=names,
        keys=result.keys,
        frames=result.frame_count,
        computed=result.computed,
        seconds=round(result.seconds, 3),
        report=result.report,
        **_worker_facts(result),
    )


def _cache_folders(options: RunOptions) -> tuple[Path, ...]:
    from kadr.storage.cache import cache_folders

    return cache_folders(options.clip, options.output)


def _restyle(options: RunOptions, session: Session, cached: tuple[Path, ...]) -> None:
    """Make the output. ``cached``: the work folders in the cache that it may use, if it does."""
    if cached:
        _prepare_cache(cached, session)
    session.stopped_text = (
        "stopped; what is finished is kept, and the same command goes on from there"
    )
    with session.report_compiling():
        result = _make(options, session, cached)
    report = () if result.report is None else (f"{result.report}: about this run",)
    session.reporter.result(
        f"{options.output}: {formatting.counted(result.frame_count, 'frame')} from "
        f"{formatting.counted(len(result.keys), 'key')} in {result.seconds:.1f} s "
        f"({result.frame_count / result.seconds:.2f} frames/s)",
        *report,
        output=result.output,
        keys=result.keys,
        frames=result.frame_count,
        computed=result.computed,
        seconds=round(result.seconds, 3),
        report=result.report,
        **_worker_facts(result),
    )


def _worker_facts(result: RunResult) -> dict[str, Any]:
    """The executor and who made what, for programs; frames with both ends."""
    return {
        "executor": result.executor,
        "workers": [
            {
                "name": item.name,
                "step": item.step,
                "frames": [[frames.start, frames.stop - 1] for frames in item.frames],
            }
            for item in result.workers
        ],
    }


def _make(options: RunOptions, session: Session, cached: tuple[Path, ...]) -> RunResult:
    """Run in the first folder, or in the second while another run of the clip works there.

    Raises FolderInUseError if that run makes the same output.
    """
    from kadr.pipeline import restyle_events
    from kadr.render.run_context import run_purpose

    try:
        return session.follow(restyle_events(options, session.cancel))
    except FolderInUseError as error:
        if not cached or error.purpose == run_purpose(options.output):
            raise
    session.reporter.notice(
        f"{options.clip}: another run works on it; this one keeps its work files apart"
    )
    return session.follow(restyle_events(replace(options, work=cached[1]), session.cancel))


def _prepare_cache(works: tuple[Path, ...], session: Session) -> None:
    """Delete old work files of runs without a project, and check that new ones can be written."""
    from kadr.storage.trim import trim_caches

    work = works[0]
    trimmed = trim_caches(*works)
    if trimmed.folders:
        session.reporter.notice(
            f"{work.parent}: deleted old work files of "
            f"{formatting.counted(trimmed.folders, 'other run')}, {formatting.size(trimmed.size)}"
        )
    try:
        work.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{work}: no work files can be written here ({error.strerror}); give another folder "
            "with --work, or one for all runs with KADR_CACHE"
        ) from error


def _dry_run(options: RunOptions, session: Session) -> None:
    from kadr.dry_run import make_dry_run

    with session.report_compiling():
        dry_run = session.follow(make_dry_run(options, session.cancel))
    session.reporter.result(*dry_run_lines(dry_run, options), **dry_run_facts(dry_run))


def _all_keys(keys: list[Path], extra: list[str]) -> tuple[Path, ...]:
    """Keys after ``--keys``, and the extra arguments that a shell makes of ``painted/*.png``."""
    if extra and not keys:
        raise OptionsError(f"{extra[0]}: one clip at a time; give keys after --keys, and -o OUT")
    return (*keys, *map(parse_path, extra))


def _frame_rate(fps: str, clip: str | Path) -> float:
    rate = parse_rate(fps)
    from kadr.remote.copies import local_copy

    if local_copy(clip).is_file():
        raise OptionsError(f"fps {fps}: is for image sequences; {clip} has a rate of its own")
    return float(rate)


def _check_unused(arguments: RunArguments, options: RunOptions) -> None:
    """Refuse options that have no effect with the stylizer."""
    if options.stylizer == "external":
        for name in fields_that_need(RunOptions, PLANNED_KEYS):
            if name in arguments.run:
                raise OptionsError(
                    f"{name.replace('_', '-')} {arguments.run[name]}: is for a stylizer that makes "
                    "keys; leave it out beside painted keys"
                )
        return
    for name in fields_that_need(RunOptions, PAINTED_KEYS):
        if arguments.run.get(name):
            raise OptionsError(
                f"{name.replace('_', '-')}: is for painted keys; {options.stylizer} makes its own"
            )
