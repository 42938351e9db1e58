"""``kadr plan``: a clip or a project in, a table and images of the frames worth painting out."""

from __future__ import annotations

import contextlib
import io
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kadr.cli.field_options import field_options, read_fields
from kadr.cli.flags import (
    READING,
    ClipOrProject,
    Frames,
    Json,
    Layer,
    Overwrite,
    Quiet,
    Rate,
    Verbose,
)
from kadr.cli.open_masks import open_masks
from kadr.cli.session import Session, open_session
from kadr.core import formatting
from kadr.core.frames import FrameRange
from kadr.core.parsing import expand_home, parse_rate
from kadr.errors import OptionsError, OutputError
from kadr.option_fields import PLANNED_KEYS, fields_that_need
from kadr.options import RunOptions

if TYPE_CHECKING:
    from kadr.plan.coverage import Survey
    from kadr.project.folder import ProjectFolder
    from kadr.report.record import RunRecord
    from kadr.video.base import Clip

_SHEET, _KEYS, _TO_PAINT = "plan.png", "keys.png", "to-paint"
_MASK_FIELDS = ("mask", "invert_mask", "grow", "feather", "fit_mask")
"""Options that say which part of the frames is weighed."""

Folder = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        parser=expand_home,
        metavar="FOLDER",
        help="The folder for the sheet and the frames to paint (default: the name of the clip with "
        ".plan, here; plan/ in a project).",
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Print the plan as a table and write nothing.")
]


@dataclass(frozen=True)
class _Target:
    """What is planned. ``folder``: for the images; ``cache``: the folder that keeps the survey."""

    options: RunOptions
    folder: Path
    cache: Path
    record: RunRecord | None = None


@dataclass(frozen=True)
class _Plan:
    """The planned keys, those of them that are painted, and the one worth painting next.

    next_gain: how much it would lower ``mean_error``, that of the present keys; both 0–1, as
    ``measured`` by a run or predicted.
    """

    survey: Survey
    keys: list[int]
    painted: list[int]
    next_key: int | None = None
    next_gain: float = 0.0
    mean_error: float = 0.0
    measured: bool = False

    def span(self, key: int) -> FrameRange:
        """The frames a key styles: up to its neighbours, within its shot."""
        shot = self.survey.shot(key)
        before = max((k + 1 for k in self.keys if shot.start <= k < key), default=shot.start)
        after = min((k for k in self.keys if key < k < shot.stop), default=shot.stop)
        return FrameRange(before, after)

    def error(self, frames: FrameRange) -> float:
        """The predicted mean error of some frames, 0–1."""
        first = self.survey.frames.start
        return float(
            self.survey.curve(self.keys)[frames.start - first : frames.stop - first].mean()
        )


@field_options("reading", RunOptions, READING)
@field_options("planning", RunOptions, (*fields_that_need(RunOptions, PLANNED_KEYS), "key_offset"))
@field_options("masking", RunOptions, _MASK_FIELDS)
def plan(
    target: ClipOrProject,
    *,
    out: Folder = None,
    planning: dict[str, Any],
    masking: dict[str, Any],
    frames: Frames = None,
    fps: Rate = None,
    layer: Layer = None,
    dry_run: DryRun = False,
    overwrite: Overwrite = False,
    reading: dict[str, Any],
    quiet: Quiet = False,
    json: Json = False,
    verbose: Verbose = 0,
) -> None:
    """Find the shots of a clip and the frames worth painting, and save these frames to paint on."""
    with open_session(quiet=quiet, json=json, verbose=verbose) as session:
        from kadr.files import refuse_url
        from kadr.project.folder import is_project, open_project
        from kadr.render.run_inputs import run_inputs
        from kadr.unused_files import unused_file_notices
        from kadr.video.clip_source import ClipSource
        from kadr.video.outputs_apart import check_outputs_apart

        if out is not None:
            refuse_url(Path(out), "a plan")
        values = read_fields(RunOptions, planning | masking | reading)
        if fps is not None:
            values["frame_rate"] = _frame_rate(fps, target)
        if is_project(target):
            project = open_project(target).choose(layer)
            planned = _project_target(project, values, out, frames, session)
        else:
            if layer is not None:
                raise OptionsError(f"layer {layer}: is for a project; {target} is a clip")
            planned = _clip_target(target, values, out, frames)
        options = planned.options
        if not dry_run:
            sheets = [planned.folder / _SHEET, planned.folder / _KEYS]
            outputs: list[Path | str] = [*sheets, f"{planned.folder / _TO_PAINT}/"]
            check_outputs_apart(outputs, run_inputs(options))
        with ClipSource.of(options).open() as clip:
            for notice in (*clip.info.notices, *unused_file_notices(options.keys)):
                session.reporter.notice(notice)
            key_plan = _choose(planned, clip, "keys_budget" in values, session)
            facts = _facts(key_plan, clip)
            if options.key_offset and not dry_run:
                session.reporter.notice(
                    f"key-offset {options.key_offset}: is for keys of other names; the frames to "
                    "paint are named by their own numbers"
                )
            if not dry_run:
                facts |= _write(key_plan, clip, planned.folder, overwrite, session)
        if not dry_run and len(key_plan.painted) > 1:
            facts["keys_sheet"] = _write_keys(planned, session)
        session.reporter.result(*_lines(key_plan, facts), **facts)


def _frame_rate(fps: str, target: str) -> float:
    from kadr.remote.copies import local_copy

    if local_copy(target).is_file():
        raise OptionsError(f"fps {fps}: is for image sequences; {target} has a rate of its own")
    return float(parse_rate(fps))


def _clip_target(
    target: str, values: dict[str, Any], out: str | None, frames: str | None
) -> _Target:
    from kadr.project.frame_numbers import with_numbers
    from kadr.storage.cache import surveys_folder

    if values.get("key_offset"):
        raise OptionsError(f"key-offset {values['key_offset']}: is for the keys of a project")
    folder = Path(out) if out else Path(f"{Path(target).stem or 'clip'}.plan")
    # the choice of keys does not depend on the stylizer
    options = RunOptions(clip=Path(target), output=folder, stylizer="paint", **values)
    return _Target(with_numbers(options, (), frames), folder, surveys_folder())


def _project_target(
    project: ProjectFolder,
    values: dict[str, Any],
    out: str | None,
    frames: str | None,
    session: Session,
) -> _Target:
    from kadr.project.frame_numbers import with_numbers
    from kadr.report.record import read_record

    located = project.locate()
    for notice in located.notices:
        session.reporter.notice(notice)
    options = project.options(located, **values)
    if frames is not None:
        options = with_numbers(options, (), frames)
    record = None if located.changed else read_record(project.record)
    folder = Path(out) if out else project.root / "plan" / project.layer
    return _Target(options, folder, project.work, record)


def _choose(target: _Target, clip: Clip, budget_is_set: bool, session: Session) -> _Plan:
    from kadr.plan.keyframes import choose_keyframes
    from kadr.plan.next_keyframe import find_next_keyframe
    from kadr.plan.survey import survey_clip
    from kadr.stylize.external import find_keys

    options = target.options
    frames = options.frames or FrameRange(0, len(clip))
    with contextlib.ExitStack() as stack:
        masks = open_masks(options, clip, frames, target.cache, session, stack)
        survey = session.follow(
            survey_clip(clip, frames, cancel=session.cancel, cache=target.cache, masks=masks)
        )
    painted: list[int] = []
    if any(_holds_images(path) for path in options.keys):
        files = find_keys(options.keys, clip, options.key_offset)
        painted = [file.index for file in files if file.index in frames]
    budget = options.keys_budget
    if not budget_is_set:
        budget = max(budget, len(painted))
    keys = choose_keyframes(survey, budget, options.min_gap, options.max_gap, existing_keys=painted)
    record, present_keys = target.record, painted
    if record is not None and not options.keys:
        present_keys = [key.index for key in record.keys]
    measured = None
    if record is not None and record.frames == frames and record.rendered_count:
        if {key.index for key in record.keys} == set(present_keys):
            measured = record.measured
        else:
            session.reporter.notice("the last run had other keys; run again to use measured errors")
    best = find_next_keyframe(survey, present_keys, measured) if present_keys else None
    if best is None:
        return _Plan(survey, keys, painted)
    predicted = survey.curve(present_keys).tolist()
    errors = [p if m is None else m for m, p in zip(measured or predicted, predicted, strict=True)]
    mean = sum(errors) / len(errors)
    return _Plan(survey, keys, painted, *best, mean_error=mean, measured=measured is not None)


def _holds_images(path: Path) -> bool:
    from kadr.image_files import IMAGE_SUFFIXES

    if not path.is_dir():
        return path.exists()
    return any(file.suffix.lower() in IMAGE_SUFFIXES for file in path.iterdir())


def _write(
    plan: _Plan, clip: Clip, folder: Path, overwrite: bool, session: Session
) -> dict[str, Any]:
    """Save the sheet and the frames to paint; returns their paths."""
    from kadr.image_files import write_image
    from kadr.video.clips import create_clip
    from kadr.video.plan_sheet import plan_sheet

    sheet, frames = folder / _SHEET, folder / _TO_PAINT
    for path in (sheet, folder / _KEYS):
        if path.exists() and not overwrite:
            raise OutputError(f"{path}: exists; give another folder with -o, or --overwrite")
    missing = [key for key in plan.keys if key not in plan.painted]
    if missing:
        with create_clip(f"{frames}/", like=clip, overwrite=overwrite, indices=missing) as writer:
            for key in missing:
                session.cancel.check()
                writer.write(clip.frame(key))
    names = {clip.name(key) for key in missing}
    with contextlib.suppress(FileNotFoundError):
        others = [path for path in frames.iterdir() if path.stem not in names]
        if others:
            count = formatting.counted(len(others), "older file")
            session.reporter.notice(f"{frames}: also holds {count}, such as {others[0].name}")
    image = plan_sheet(
        map(clip.frame, plan.keys),
        1 - plan.survey.curve(plan.keys),
        plan.survey.shots,
        painted=plan.painted,
        number=clip.number,
    )
    write_image(sheet, image)
    return {"sheet": sheet, "to_paint": frames if missing else None}


def _write_keys(planned: _Target, session: Session) -> Path | None:
    """Save the sheet of the painted keys, as they are and matched."""
    from kadr.image_files import write_image
    from kadr.render.key_sheet import key_sheet

    options = planned.options
    if options.work is None:
        return None
    try:
        sheet = session.follow(key_sheet(options, session.cancel))
    except OutputError as error:
        # the plan needs no work folder, the sheet does
        session.reporter.notice(f"{_KEYS} is left out: {error}")
        return None
    if sheet is None:
        return None
    write_image(planned.folder / _KEYS, sheet)
    return planned.folder / _KEYS


def _facts(plan: _Plan, clip: Clip) -> dict[str, Any]:
    """The plan, with frame numbers instead of indices."""
    curve = plan.survey.curve(plan.keys)
    worst = int(curve.argmax())
    return {
        "clip": clip.info.path,
        "frames": _ends(plan.survey.frames, clip),
        "shots": [_ends(shot, clip) for shot in plan.survey.shots],
        "keys": [
            {
                "number": clip.number(key),
                "shot": plan.survey.shots.index(plan.survey.shot(key)) + 1,
                "styles": _ends(plan.span(key), clip),
                "error": round(plan.error(plan.span(key)), 5),
                "painted": key in plan.painted,
            }
            for key in plan.keys
        ],
        "coverage": round(1 - float(curve.mean()), 5),
        "worst": {
            "number": clip.number(plan.survey.frames.start + worst),
            "error": round(float(curve[worst]), 5),
        },
        "next": None
        if plan.next_key is None
        else {
            "number": clip.number(plan.next_key),
            "gain": round(plan.next_gain, 5),
            "error": round(plan.mean_error, 5),
            "measured": plan.measured,
        },
    }


def _ends(frames: FrameRange, clip: Clip) -> list[int]:
    return [clip.number(frames.start), clip.number(frames.stop - 1)]


def _lines(plan: _Plan, facts: dict[str, Any]) -> list[str]:
    """The plan for people: a table and a summary."""
    count, worst = len(plan.survey.frames), facts["worst"]
    lines = [
        *_table(facts),
        f"{formatting.counted(len(plan.keys), 'key')} explain "
        f"{formatting.percent(facts['coverage'])} of {formatting.counted(count, 'frame')} in "
        f"{formatting.counted(len(facts['shots']), 'shot')}; of "
        f"frame {worst['number']}, the worst, {formatting.percent(worst['error'])} is left",
    ]
    if plan.next_key is not None:
        kind = "measured" if plan.measured else "predicted"
        lines.append(
            f"paint frame {facts['next']['number']} next: it should lower the {kind} mean error "
            f"from {formatting.percent(plan.mean_error)} to "
            f"{formatting.percent(plan.mean_error - plan.next_gain)}"
        )
    if "sheet" in facts:
        lines.append(f"{facts['sheet']}: these frames, and the curve of their coverage")
        if facts.get("keys_sheet") is not None:
            lines.append(
                f"{facts['keys_sheet']}: the keys as painted, matched (--match-keys) and in one "
                "style (--one-style)"
            )
        if facts["to_paint"] is not None:
            lines.append(f"{facts['to_paint']}: the frames to paint")
    return lines


def _table(facts: dict[str, Any]) -> list[str]:
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table

    table = Table(box=SIMPLE, show_edge=False, pad_edge=False)
    for name in ("shot", "key", "styles frames", "left unexplained"):
        table.add_column(name, justify="right")
    table.add_column("")
    last = 0
    for key in facts["keys"]:
        shot = key["shot"]
        first = f"{shot}  {_dash(facts['shots'][shot - 1])}" if shot != last else ""
        last = shot
        error, painted = formatting.percent(key["error"]), "painted" if key["painted"] else ""
        table.add_row(first, str(key["number"]), _dash(key["styles"]), error, painted)
    text = io.StringIO()
    Console(file=text, width=shutil.get_terminal_size().columns).print(table)
    return [line.rstrip() for line in text.getvalue().splitlines()]


def _dash(ends: Sequence[int]) -> str:
    return f"{ends[0]}–{ends[1]}"
