"""``kadr status``: what a project is, what is made and what is missing, and what to do next."""

from __future__ import annotations

import json as json_module
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kadr.cli.dry_run import amount, facts, reasons
from kadr.cli.session import Session, session
from kadr.core import formatting
from kadr.core.events import follow
from kadr.errors import KadrError, OutputError

if TYPE_CHECKING:
    from kadr.dry_run import DryRun
    from kadr.project.folder import LocatedClip, ProjectFolder
    from kadr.report.record import RunRecord

Project = Annotated[str, typer.Argument(metavar="NAME.kadr", help="A project's folder.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


@dataclass(frozen=True)
class _Keys:
    """The keys folder against the last run: numbers of keys."""

    painted: list[int]
    new: list[int] = field(default_factory=list)
    changed: list[int] = field(default_factory=list)
    gone: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class _State:
    """All that is told. found: the clip; dry_run: of the next run, None before the first one.

    trouble: why there is no clip, or why the next run would be refused.
    """

    project: ProjectFolder
    record: RunRecord | None
    keys: _Keys
    work_bytes: int | None
    found: LocatedClip | None
    dry_run: DryRun | None
    trouble: str = ""


def status(project: Project, json: AsJson = False) -> None:
    """Say what of a project is made, what a run would make anew and why, and what to paint next."""
    with session(json=json) as now:
        from kadr.project.folder import open_project

        state = _look(open_project(project), now)
        if json:
            print(json_module.dumps(_facts(state), ensure_ascii=False))
            return
        for name, value in _lines(state):
            print(f"{name:<10}  {value}")


def _look(project: ProjectFolder, now: Session) -> _State:
    from kadr.dry_run import make_dry_run
    from kadr.report.record import read_record

    record = read_record(project.record) or read_record(project.out / "report.json")
    found, coming, trouble = None, None, ""
    try:
        found = project.locate()
        if record is not None:  # else it is everything, and a first look at a clip takes long
            coming = follow(make_dry_run(project.options(found), now.cancel))
    except KadrError as error:
        trouble = str(error)
    keys, work = _keys(project, record), _work_bytes(project)
    return _State(project, record, keys, work, found, coming, trouble)


def _work_bytes(project: ProjectFolder) -> int | None:
    """Bytes of the files that ``kadr clean`` would delete; None where it would delete nothing."""
    from kadr.storage.clean import find_work_files

    try:
        return find_work_files(project.work).size
    except OutputError:  # a link to somewhere else
        return None


def _keys(project: ProjectFolder, record: RunRecord | None) -> _Keys:
    """Numbers of the painted keys, and what became of them since the last run."""
    from kadr.files import IMAGE_SUFFIXES, last_number

    if project.settings.stylizer != "external":
        return _Keys([])
    files = {
        number: path
        for path in sorted(project.keys.glob("*"))
        if path.suffix.lower() in IMAGE_SUFFIXES and (number := last_number(path.name)) is not None
    }
    painted = sorted(files)
    if record is None:
        return _Keys(painted)
    before = {key.number for key in record.keys}
    began = _seconds(record.started)
    return _Keys(
        painted,
        new=[number for number in painted if number not in before],
        changed=[
            number
            for number in painted
            if number in before and files[number].stat().st_mtime > began
        ],
        gone=sorted(before - files.keys()),
    )


def _seconds(moment: str) -> float:
    """An ISO 8601 text on the clock of files; never reached if it is none."""
    try:
        return datetime.fromisoformat(moment).timestamp()
    except ValueError:
        return float("inf")


def _facts(state: _State) -> dict[str, Any]:
    project, record, found = state.project, state.record, state.found
    told: dict[str, Any] = {
        "project": str(project.root),
        "clip": None if found is None else str(found.path),
        "notices": [state.trouble] if found is None else list(found.notices),
        "stylizer": project.settings.stylizer,
        "detail": project.settings.detail,
        "ranges": list(project.settings.ranges),
        "keys": asdict(state.keys),
        "work_bytes": state.work_bytes,
        "output": str(project.output),
        "output_exists": Path(project.output).exists(),
        "last_run": None,
        "next_run": None if state.dry_run is None else facts(state.dry_run),
    }
    if record is not None:
        worst = record.worst(1)
        told["last_run"] = {
            "began": record.started,
            "seconds": record.seconds,
            "finished": record.finished,
            "frames": len(record.frames),
            "made": record.rendered_count,
            "mean_error": record.mean_error,
            "worst_frame": record.number(worst[0]) if worst else None,
            "worst_error": record.error(worst[0]) if worst else None,
            "next_frame": None if record.next_key is None else record.next_key.number,
        }
    return told


def _lines(state: _State) -> Iterator[tuple[str, str]]:
    project, settings, found = state.project, state.project.settings, state.found
    frames = f", frames {settings.frames}" if settings.frames else ""
    yield "project", str(project.root)
    yield "clip", (str(found.path) if found else "missing") + frames
    for notice in found.notices if found else ():
        yield "", notice
    if state.trouble:
        yield "", state.trouble
    yield "keys", _keys_line(project, state.keys)
    if settings.ranges:
        yield "ranges", ", ".join(settings.ranges)
    yield "detail", settings.detail
    if state.record is None:
        yield "last run", f"none yet; start with kadr run {project.root}"
    else:
        yield from _run_lines(project, state.record, state.keys)
    if state.dry_run is not None:
        yield "next run", amount(state.dry_run)
        for line in reasons(state.dry_run):
            yield "", line
    output = Path(project.output)
    yield "output", f"{output}{'' if output.exists() else ', not written yet'}"
    if project.report.exists():
        yield "report", str(project.report)
    work = state.work_bytes
    clean = f"; kadr clean {project.root} frees it" if work else ""
    size = f"behind a link, {project.work}" if work is None else formatting.size(work)
    yield "work files", f"{size}{clean}"


def _keys_line(project: ProjectFolder, keys: _Keys) -> str:
    if project.settings.stylizer != "external":
        return f"made by {project.settings.stylizer}"
    if not keys.painted:
        return f"none yet; paint frames and save them in {project.keys} under their numbers"
    return f"{len(keys.painted)}: {_numbers(keys.painted)}"


def _run_lines(project: ProjectFolder, record: RunRecord, keys: _Keys) -> Iterator[tuple[str, str]]:
    how = "finished in" if record.finished else "stopped after"
    began = formatting.date(record.started)
    yield "last run", f"{how} {formatting.duration(record.seconds)}, begun {began}"
    left = len(record.frames) - record.rendered_count
    more = f", {left} missing; go on with kadr run {project.root}" if left else ""
    yield "frames", f"{record.rendered_count} of {len(record.frames)} made{more}"
    changes = {"new": keys.new, "repainted": keys.changed, "gone": keys.gone}
    told = [f"{name}: {_numbers(numbers)}" for name, numbers in changes.items() if numbers]
    if told and project.settings.stylizer == "external":
        yield "since then", f"keys {'; '.join(told)}; kadr run makes anew what depends on them"
    for worst in record.worst(1):
        yield (
            "error",
            f"{formatting.percent(record.mean_error)} on average, "
            f"{formatting.percent(record.error(worst))} at worst, in frame {record.number(worst)}",
        )
    step = record.next_key
    if step is None and record.finished:
        yield "next", f"kadr plan {project.root} names the next frame worth painting"
    elif step is not None and step.number not in keys.painted:
        gain = formatting.percent(step.gain)
        yield "next", f"paint frame {step.number}: it should lower the mean error by {gain}"


def _numbers(numbers: list[int], most: int = 12) -> str:
    """At most so many numbers, and how many there are beside them."""
    more = f" and {len(numbers) - most} more" if len(numbers) > most else ""
    return ", ".join(map(str, numbers[:most])) + more
