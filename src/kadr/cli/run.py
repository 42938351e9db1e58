"""``kadr run``: a clip and painted keyframes, or a project, in; the whole clip restyled out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from kadr.cli.dry_run import facts, lines
from kadr.cli.fields import field_options, read_fields
from kadr.cli.flags import (
    KEYS_FIELDS,
    KEYS_PANEL,
    OUTPUT_PANEL,
    PICTURE_FIELDS,
    PICTURE_PANEL,
    WORK_PANEL,
    ClipOrProject,
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
from kadr.core import formatting
from kadr.core.parsing import parse_bytes, parse_rate
from kadr.errors import OptionsError, OutputError
from kadr.options import PropagateOptions, RunOptions, detail_options

Result = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="OUT",
        help="A video file, or a folder or pattern of images. A project has its own.",
    ),
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run", help="Only say what would be made, why, how long it takes and how many bytes."
    ),
]

_PAINTED, _MADE = "is for painted keys", "is for a stylizer that makes keys"


@dataclass(frozen=True)
class _Given:
    """What a command line says of a run. ``run``: fields of RunOptions, only those given."""

    run: dict[str, Any]
    picture: dict[str, Any]
    look: StylizerArguments
    detail: str | None
    ranges: Sequence[str]
    frames: str | None
    fps: str | None


@field_options(
    "work", RunOptions, ("allow_truncated", "threads", "workers", "seed", "work"), panel=WORK_PANEL
)
@field_options(
    "output",
    RunOptions,
    ("overwrite", "per_key", "report", "crf", "encoder_preset"),
    panel=OUTPUT_PANEL,
)
@field_options("picture", PropagateOptions, PICTURE_FIELDS, panel=PICTURE_PANEL)
@field_options("flags", StylizerFlags, STYLIZER_FIELDS, panel=STYLIZER_PANEL)
@field_options("keys", RunOptions, KEYS_FIELDS, panel=KEYS_PANEL)
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
    like: LikePicture = None,
    detail: Detail = None,
    picture: dict[str, Any],
    output: dict[str, Any],
    frames: Frames = None,
    fps: Rate = None,
    work: dict[str, Any],
    work_limit: Limit = None,
) -> None:
    """Restyle a clip from a few painted keyframes, or from keyframes that a stylizer makes.

    What is finished is kept: the same command goes on after an interruption, and makes anew only
    what depends on what was changed. Options beside a project hold for this run only.
    """
    with session(quiet=quiet, json=json, verbose=verbose) as now:
        from kadr.project.folder import is_project

        fields = read_fields(RunOptions, keys | output | work)
        if out is not None:
            fields["output"] = out
        if paths := _all_keys(key_paths or [], context.args):
            fields["keys"] = paths
        if work_limit is not None:
            fields["work_limit"] = parse_bytes(work_limit, "work-limit")
        chosen = read_fields(PropagateOptions, picture)
        painted = "keys" in fields or fields.get("stylizer") == "external"
        found = find_preset(preset, painted, fields, now.speaker.notice)
        look = StylizerArguments(found, like, flags, stylizer_options or (), work.get("seed"))
        if found is not None:
            fields, chosen = {**found.run, **fields}, {**found.picture, **chosen}
            detail = detail or found.detail
        given = _Given(fields, chosen, look, detail, ranges or (), frames, fps)
        project = is_project(target)
        if project:
            options = _of_project(target, given, now, dry_run)
        else:
            options = _of_clip(target, given, now)
        _check_heeded(given, options)
        if dry_run:
            _foretell(options, now)
        else:
            _restyle(options, now, cached=not project and "work" not in fields)


def _of_clip(clip: str, given: _Given, now: Session) -> RunOptions:
    from kadr.project.frame_numbers import with_numbers
    from kadr.storage.cache import cache_folder

    if "output" not in given.run:
        raise OptionsError(f"{clip}: say where the result goes, with --output OUT")
    stylizer = given.look.stylizer(given.run.get("stylizer"), "external")
    values = {
        "clip": Path(clip),
        "propagate": detail_options(given.detail or "medium", **given.picture),
        "stylizer_options": given.look.options(stylizer, now.speaker.notice),
        "work": cache_folder(clip, given.run["output"]),
        **given.run,
        "stylizer": stylizer,
    }
    if given.fps is not None:
        values["frame_rate"] = _frame_rate(given.fps, clip)
    return with_numbers(RunOptions(**values), given.ranges, given.frames)


def _of_project(name: str, given: _Given, now: Session, dry_run: bool) -> RunOptions:
    """The options of a project's run; what is to be said of its clip is said, and kept."""
    from kadr.project.folder import open_project
    from kadr.project.frame_numbers import with_numbers

    project = open_project(name)
    found = project.locate()
    for notice in found.notices:
        now.speaker.notice(notice)
    if not dry_run:
        project = project.settle(found)
        project.sweep()
    changes = dict(given.run)
    other = "external" if "keys" in changes else project.settings.stylizer
    changes["stylizer"] = given.look.stylizer(changes.get("stylizer"), other)
    changes["stylizer_options"] = given.look.options(changes["stylizer"], now.speaker.notice)
    if given.fps is not None:
        changes["frame_rate"] = _frame_rate(given.fps, found.path)
    if given.ranges:
        changes["ranges"] = ()
    if given.frames is not None:
        changes["frames"] = None
    options = project.options(found, detail=given.detail, picture=given.picture, **changes)
    return with_numbers(options, given.ranges, given.frames)


def _restyle(options: RunOptions, now: Session, cached: bool) -> None:
    from kadr.pipeline import restyle_events

    if cached and options.work is not None:
        _prepare_cache(options.work, now)
    now.stopped = "stopped; what is finished is kept, and the same command goes on from there"
    with now.announced_kernels():
        made = now.follow(restyle_events(options, now.cancel))
    report = f"\n{made.report}: about this run" if made.report is not None else ""
    now.speaker.result(
        f"{made.output}: {formatting.counted(made.frame_count, 'frame')} from "
        f"{formatting.counted(len(made.keys), 'key')} in {made.seconds:.1f} s "
        f"({made.frame_count / made.seconds:.2f} frames/s){report}",
        output=made.output,
        keys=made.keys,
        frames=made.frame_count,
        computed=made.computed,
        seconds=round(made.seconds, 3),
        report=made.report,
    )


def _prepare_cache(work: Path, now: Session) -> None:
    """Make room where runs without a project keep their work, and see that it can be used."""
    from kadr.storage.trim import trim_caches

    trimmed = trim_caches(work)
    if trimmed.folders:
        now.speaker.notice(
            f"{work.parent}: deleted old work of "
            f"{formatting.counted(trimmed.folders, 'other run')}, {formatting.size(trimmed.size)}"
        )
    try:
        work.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{work}: no work files can be kept here ({error.strerror}); name another folder with "
            "--work, or another place for all runs with KADR_CACHE"
        ) from error


def _foretell(options: RunOptions, now: Session) -> None:
    from kadr.dry_run import make_dry_run

    with now.announced_kernels():
        found = now.follow(make_dry_run(options, now.cancel))
    now.speaker.result("\n".join(lines(found, options)), **facts(found))


def _all_keys(given: list[Path], more: list[str]) -> tuple[Path, ...]:
    """Keys after ``--keys``, and those that a shell's ``--keys painted/*.png`` left behind it."""
    if more and not given:
        raise OptionsError(f"{more[0]}: one clip at a time; give keys after --keys, and -o OUT")
    return (*given, *map(Path, more))


def _frame_rate(fps: str, clip: str | Path) -> float:
    rate = parse_rate(fps)
    if Path(clip).is_file():
        raise OptionsError(f"fps {fps}: is for image sequences; {clip} has a rate of its own")
    return float(rate)


def _check_heeded(given: _Given, options: RunOptions) -> None:
    """Refuse what was given and would be left unheeded beside the rest."""
    if options.stylizer == "external":
        for name in ("keys_budget", "min_gap", "max_gap"):
            if name in given.run:
                shown = f"{name.replace('_', '-')} {given.run[name]}"
                raise OptionsError(f"{shown}: {_MADE}; leave it out beside painted keys")
    elif given.run.get("fit_keys"):
        raise OptionsError(f"fit-keys: {_PAINTED}; {options.stylizer} makes its own")
