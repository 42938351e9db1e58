"""``kadr plan``: a clip or a project in, the frames worth painting out: a table and images."""

from __future__ import annotations

import contextlib
import io
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kadr.cli.fields import field_options, read_fields
from kadr.cli.flags import (
    AllowTruncated,
    ClipOrProject,
    Frames,
    Json,
    Overwrite,
    Quiet,
    Rate,
    Verbose,
)
from kadr.cli.session import Session, session
from kadr.core import formatting
from kadr.core.frames import FrameRange
from kadr.core.parsing import parse_rate
from kadr.errors import OptionsError, OutputError
from kadr.options import RunOptions

if TYPE_CHECKING:
    from kadr.plan.coverage import Survey
    from kadr.project.folder import ProjectFolder
    from kadr.report.record import RunRecord
    from kadr.video.base import Clip

_SHEET, _TO_PAINT = "plan.png", "to-paint"

Folder = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FOLDER",
        help="Where the sheet and the frames to paint go (default: the clip's name with .plan, "
        "here; plan/ in a project).",
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show the plan as a table and write nothing.")
]


@dataclass(frozen=True)
class _Subject:
    """What is planned for. ``folder``: where images go; ``cache``: where the survey is kept."""

    options: RunOptions
    folder: Path
    cache: Path
    record: RunRecord | None = None


@dataclass(frozen=True)
class _Plan:
    """The keys chosen, those of them that are painted, and the one worth painting next.

    next_gain: how much it would lower the mean error of the keys there are, ``now``, both 0–1, as
    ``measured`` by a run or predicted.
    """

    survey: Survey
    keys: list[int]
    painted: list[int]
    next_key: int | None = None
    next_gain: float = 0.0
    now: float = 0.0
    measured: bool = False

    def span(self, key: int) -> FrameRange:
        """The frames a key styles: up to its neighbours, within its shot."""
        shot = self.survey.shot(key)
        before = max((k + 1 for k in self.keys if shot.start <= k < key), default=shot.start)
        after = min((k for k in self.keys if key < k < shot.stop), default=shot.stop)
        return FrameRange(before, after)

    def error(self, frames: FrameRange) -> float:
        """The mean error that is predicted of some frames, 0–1."""
        first = self.survey.frames.start
        return float(
            self.survey.curve(self.keys)[frames.start - first : frames.stop - first].mean()
        )


@field_options("given", RunOptions, ("keys_budget", "min_gap", "max_gap"))
def plan(
    target: ClipOrProject,
    *,
    out: Folder = None,
    given: dict[str, Any],
    frames: Frames = None,
    fps: Rate = None,
    dry_run: DryRun = False,
    overwrite: Overwrite = False,
    allow_truncated: AllowTruncated = False,
    quiet: Quiet = False,
    json: Json = False,
    verbose: Verbose = 0,
) -> None:
    """Find a clip's shots and the frames that are worth painting; save these frames to paint on."""
    with session(quiet=quiet, json=json, verbose=verbose) as now:
        from kadr.project.folder import is_project, open_project
        from kadr.video.clips import open_clip

        values = read_fields(RunOptions, given)
        if allow_truncated:
            values["allow_truncated"] = True
        if fps is not None:
            values["frame_rate"] = _frame_rate(fps, target)
        if is_project(target):
            subject = _of_project(open_project(target), values, out, frames, now)
        else:
            subject = _of_clip(target, values, out, frames)
        options = subject.options
        rate = None if options.frame_rate is None else Fraction(options.frame_rate)
        with open_clip(
            options.clip, allow_truncated=options.allow_truncated, frame_rate=rate
        ) as clip:
            made = _make(subject, clip, "keys_budget" in values, now)
            facts = _facts(made, clip)
            if not dry_run:
                facts |= _write(made, clip, subject.folder, overwrite, now)
        now.speaker.result(_text(made, facts), **facts)


def _frame_rate(fps: str, target: str) -> float:
    if Path(target).is_file():
        raise OptionsError(f"fps {fps}: is for image sequences; {target} has a rate of its own")
    return float(parse_rate(fps))


def _of_clip(target: str, values: dict[str, Any], out: str | None, frames: str | None) -> _Subject:
    from kadr.project.frame_numbers import with_numbers
    from kadr.storage.cache import surveys_folder

    folder = Path(out) if out else Path(f"{Path(target).stem or 'clip'}.plan")
    # which stylizer will paint the keys does not matter to where they are
    options = RunOptions(clip=Path(target), output=folder, stylizer="paint", **values)
    return _Subject(with_numbers(options, (), frames), folder, surveys_folder())


def _of_project(
    project: ProjectFolder,
    values: dict[str, Any],
    out: str | None,
    frames: str | None,
    now: Session,
) -> _Subject:
    from kadr.project.frame_numbers import with_numbers
    from kadr.report.record import read_record

    found = project.locate()
    for notice in found.notices:
        now.speaker.notice(notice)
    options = project.options(found, **values)
    if frames is not None:
        options = with_numbers(options, (), frames)
    record = None if found.changed else read_record(project.record)
    return _Subject(options, Path(out) if out else project.root / "plan", project.work, record)


def _make(subject: _Subject, clip: Clip, budget_given: bool, now: Session) -> _Plan:
    from kadr.plan.keyframes import choose_keyframes
    from kadr.plan.next_keyframe import find_next_keyframe
    from kadr.plan.survey import survey_clip
    from kadr.stylize.external import find_keys

    options = subject.options
    frames = options.frames or FrameRange(0, len(clip))
    survey = now.follow(survey_clip(clip, frames, cancel=now.cancel, cache=subject.cache))
    painted: list[int] = []
    if any(_holds_images(path) for path in options.keys):
        painted = [file.index for file in find_keys(options.keys, clip) if file.index in frames]
    budget = options.keys_budget
    if not budget_given:
        budget = max(budget, len(painted))
    keys = choose_keyframes(survey, budget, options.min_gap, options.max_gap, existing_keys=painted)
    record, now_keys = subject.record, painted
    if record is not None and not options.keys:
        now_keys = [key.index for key in record.keys]
    measured = None
    if record is not None and record.frames == frames and record.rendered_count:
        if {key.index for key in record.keys} == set(now_keys):
            measured = record.measured
        else:
            now.speaker.notice("the last run had other keys; run again to go by measured errors")
    best = find_next_keyframe(survey, now_keys, measured) if now_keys else None
    if best is None:
        return _Plan(survey, keys, painted)
    predicted = survey.curve(now_keys).tolist()
    errors = [p if m is None else m for m, p in zip(measured or predicted, predicted, strict=True)]
    mean = sum(errors) / len(errors)
    return _Plan(survey, keys, painted, *best, now=mean, measured=measured is not None)


def _holds_images(path: Path) -> bool:
    from kadr.files import IMAGE_SUFFIXES

    if not path.is_dir():
        return path.exists()
    return any(file.suffix.lower() in IMAGE_SUFFIXES for file in path.iterdir())


def _write(made: _Plan, clip: Clip, folder: Path, overwrite: bool, now: Session) -> dict[str, Any]:
    """Save the sheet and the frames to paint; says where they are."""
    from kadr.files import write_image
    from kadr.video.clips import create_clip
    from kadr.video.plan_sheet import plan_sheet

    sheet, frames = folder / _SHEET, folder / _TO_PAINT
    if sheet.exists() and not overwrite:
        raise OutputError(f"{sheet}: exists; give another folder with -o, or --overwrite")
    missing = [key for key in made.keys if key not in made.painted]
    if missing:
        with create_clip(f"{frames}/", like=clip, overwrite=overwrite, indices=missing) as writer:
            for key in missing:
                now.cancel.check()
                writer.write(clip.frame(key))
    names = {clip.name(key) for key in missing}
    with contextlib.suppress(FileNotFoundError):
        others = [path for path in frames.iterdir() if path.stem not in names]
        if others:
            what = formatting.counted(len(others), "other file")
            now.speaker.notice(f"{frames}: holds {what} of before, such as {others[0].name}")
    image = plan_sheet(
        map(clip.frame, made.keys),
        1 - made.survey.curve(made.keys),
        made.survey.shots,
        painted=made.painted,
        number=clip.number,
    )
    write_image(sheet, image)
    return {"sheet": sheet, "to_paint": frames if missing else None}


def _facts(made: _Plan, clip: Clip) -> dict[str, Any]:
    """The plan in numbers that people know frames by."""
    curve = made.survey.curve(made.keys)
    worst = int(curve.argmax())
    return {
        "clip": clip.info.path,
        "frames": _ends(made.survey.frames, clip),
        "shots": [_ends(shot, clip) for shot in made.survey.shots],
        "keys": [
            {
                "number": clip.number(key),
                "shot": made.survey.shots.index(made.survey.shot(key)) + 1,
                "styles": _ends(made.span(key), clip),
                "error": round(made.error(made.span(key)), 5),
                "painted": key in made.painted,
            }
            for key in made.keys
        ],
        "coverage": round(1 - float(curve.mean()), 5),
        "worst": {
            "number": clip.number(made.survey.frames.start + worst),
            "error": round(float(curve[worst]), 5),
        },
        "next": None
        if made.next_key is None
        else {
            "number": clip.number(made.next_key),
            "gain": round(made.next_gain, 5),
            "error": round(made.now, 5),
            "measured": made.measured,
        },
    }


def _ends(frames: FrameRange, clip: Clip) -> list[int]:
    return [clip.number(frames.start), clip.number(frames.stop - 1)]


def _text(made: _Plan, facts: dict[str, Any]) -> str:
    """The plan for people: a table, and what it comes to."""
    count, worst = len(made.survey.frames), facts["worst"]
    lines = [
        _table(facts),
        f"{formatting.counted(len(made.keys), 'key')} explain "
        f"{formatting.percent(facts['coverage'])} of {formatting.counted(count, 'frame')} in "
        f"{formatting.counted(len(facts['shots']), 'shot')}; of "
        f"frame {worst['number']}, the worst, {formatting.percent(worst['error'])} is left",
    ]
    if made.next_key is not None:
        how = "measured" if made.measured else "predicted"
        lines.append(
            f"paint frame {facts['next']['number']} next: it should lower the {how} mean error "
            f"from {formatting.percent(made.now)} to "
            f"{formatting.percent(made.now - made.next_gain)}"
        )
    if "sheet" in facts:
        lines.append(f"{facts['sheet']}: these frames, over the curve of what they explain")
        if facts["to_paint"] is not None:
            lines.append(f"{facts['to_paint']}: the frames to paint")
    return "\n".join(lines)


def _table(facts: dict[str, Any]) -> str:
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
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines())


def _dash(ends: Sequence[int]) -> str:
    return f"{ends[0]}–{ends[1]}"
