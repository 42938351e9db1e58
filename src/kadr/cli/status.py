"""``kadr status``: what a project is, what is made and what is missing, and what to do next."""

from __future__ import annotations

import json as json_module
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kadr.cli.session import session
from kadr.core import words
from kadr.errors import InputError, OutputError
from kadr.files import IMAGE_SUFFIXES, last_number

if TYPE_CHECKING:
    from kadr import ProjectFolder, RunRecord

Project = Annotated[str, typer.Argument(metavar="NAME.kadr", help="A project's folder.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


@dataclass(frozen=True)
class _Keys:
    """The keys folder against the last run: numbers of keys."""

    painted: list[int]
    new: list[int] = field(default_factory=list)
    changed: list[int] = field(default_factory=list)
    gone: list[int] = field(default_factory=list)


def status(project: Project, json: AsJson = False) -> None:
    """Say what a project is, what is done and missing, and which frame to paint next."""
    with session(json=json):
        from kadr import open_project, read_record

        opened = open_project(project)
        record = read_record(opened.record) or read_record(opened.out / "report.json")
        keys = _keys(opened, record)
        work = _work_bytes(opened)
        if json:
            facts = _facts(opened, record, keys, work)
            print(json_module.dumps(facts, ensure_ascii=False))
            return
        for name, value in _lines(opened, record, keys, work):
            print(f"{name:<10}  {value}")


def _work_bytes(project: ProjectFolder) -> int | None:
    """Bytes of the files that ``kadr clean`` would delete; None where it would delete nothing."""
    from kadr import find_work_files

    try:
        return find_work_files(project.work).size
    except OutputError:  # a link to somewhere else
        return None


def _keys(project: ProjectFolder, record: RunRecord | None) -> _Keys:
    """Numbers of the painted keys, and what became of them since the last run."""
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
    began = _seconds(record.began)
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


def _clip(project: ProjectFolder) -> tuple[Path | None, list[str]]:
    """Where the clip lies, and what is to be said of it."""
    try:
        found = project.locate()
    except InputError as error:
        return None, [str(error)]
    return found.path, list(found.notices)


def _facts(
    project: ProjectFolder, record: RunRecord | None, keys: _Keys, work_bytes: int | None
) -> dict[str, Any]:
    path, notices = _clip(project)
    facts: dict[str, Any] = {
        "project": str(project.root),
        "clip": None if path is None else str(path),
        "notices": notices,
        "stylizer": project.settings.stylizer,
        "detail": project.settings.detail,
        "ranges": list(project.settings.ranges),
        "keys": asdict(keys),
        "work_bytes": work_bytes,
        "output": str(project.output),
        "output_exists": Path(project.output).exists(),
        "last_run": None,
    }
    if record is not None:
        worst = record.worst(1)
        facts["last_run"] = {
            "began": record.began,
            "seconds": record.seconds,
            "finished": record.finished,
            "frames": len(record.frames),
            "made": record.made,
            "mean_error": record.mean_error,
            "worst_frame": record.number(worst[0]) if worst else None,
            "worst_error": record.error(worst[0]) if worst else None,
            "next_frame": None if record.next_key is None else record.next_key.number,
        }
    return facts


def _lines(
    project: ProjectFolder, record: RunRecord | None, keys: _Keys, work_bytes: int | None
) -> Iterator[tuple[str, str]]:
    settings = project.settings
    path, notices = _clip(project)
    frames = f", frames {settings.frames}" if settings.frames else ""
    yield "project", str(project.root)
    yield "clip", (str(path) if path else "missing") + frames
    for notice in notices:
        yield "", notice
    yield "keys", _keys_line(project, keys)
    if settings.ranges:
        yield "ranges", ", ".join(settings.ranges)
    yield "detail", settings.detail
    if record is None:
        yield "last run", f"none yet; start with kadr run {project.root}"
    else:
        yield from _run_lines(project, record, keys)
    output = Path(project.output)
    yield "output", f"{output}{'' if output.exists() else ', not written yet'}"
    if project.report.exists():
        yield "report", str(project.report)
    clean = f"; kadr clean {project.root} frees it" if work_bytes else ""
    size = f"behind a link, {project.work}" if work_bytes is None else words.size(work_bytes)
    yield "work files", f"{size}{clean}"


def _keys_line(project: ProjectFolder, keys: _Keys) -> str:
    if project.settings.stylizer != "external":
        return f"made by {project.settings.stylizer}"
    if not keys.painted:
        return f"none yet; paint frames and save them in {project.keys} under their numbers"
    return f"{len(keys.painted)}: {_numbers(keys.painted)}"


def _run_lines(project: ProjectFolder, record: RunRecord, keys: _Keys) -> Iterator[tuple[str, str]]:

    how = "finished in" if record.finished else "stopped after"
    began = words.moment(record.began)
    yield "last run", f"{how} {words.duration(record.seconds)}, begun {began}"
    left = len(record.frames) - record.made
    more = f", {left} missing; go on with kadr run {project.root}" if left else ""
    yield "frames", f"{record.made} of {len(record.frames)} made{more}"
    changes = {"new": keys.new, "repainted": keys.changed, "gone": keys.gone}
    told = [f"{name}: {_numbers(numbers)}" for name, numbers in changes.items() if numbers]
    if told and project.settings.stylizer == "external":
        yield "since then", f"keys {'; '.join(told)}; kadr run makes anew what depends on them"
    for worst in record.worst(1):
        yield (
            "error",
            f"{words.percent(record.mean_error)} on average, "
            f"{words.percent(record.error(worst))} at worst, in frame {record.number(worst)}",
        )
    step = record.next_key
    if step is not None and step.number not in keys.painted:
        gain = words.percent(step.gain)
        yield "next", f"paint frame {step.number}: it should lower the mean error by {gain}"


def _numbers(numbers: list[int], most: int = 12) -> str:
    """At most so many numbers, and how many there are beside them."""
    more = f" and {len(numbers) - most} more" if len(numbers) > most else ""
    return ", ".join(map(str, numbers[:most])) + more
