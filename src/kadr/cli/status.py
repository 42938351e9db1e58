"""``kadr status``: a project in, what is finished, what is missing and what to do next out."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kadr.cli.dry_run import amount_line, dry_run_facts, edited_line, pass_lines
from kadr.cli.flags import JsonObject, ProjectArgument
from kadr.cli.reporter import json_line
from kadr.cli.session import Session, open_session
from kadr.core import formatting
from kadr.core.events import follow
from kadr.errors import KadrError, OutputError

if TYPE_CHECKING:
    from kadr.dry_run import DryRun
    from kadr.project.folder import LocatedClip, ProjectFolder
    from kadr.report.record import RunRecord


@dataclass(frozen=True)
class _Keys:
    """The keys folder compared to the last run, as numbers of keys."""

    painted: list[int]
    new: list[int] = field(default_factory=list)
    changed: list[int] = field(default_factory=list)
    gone: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class _State:
    """The state of a project. dry_run: of the next run, None before the first run.

    error: why the clip is missing, or why the next run would fail.
    """

    project: ProjectFolder
    record: RunRecord | None
    keys: _Keys
    work_bytes: int | None
    located: LocatedClip | None
    dry_run: DryRun | None
    error: str = ""


def status(project: ProjectArgument, json: JsonObject = False) -> None:
    """Print what is finished in a project, what a run would make again and why, and what to do."""
    with open_session(json=json) as session:
        from kadr.project.folder import open_project

        opened = open_project(project)
        if opened.layers:
            _print_layers(opened, session, json)
            return
        state = _read_state(opened, session)
        if json:
            print(json_line(_facts(state)))
            return
        for name, value in _lines(state):
            session.reporter.result(f"{name:<10}  {value}")


def _print_layers(project: ProjectFolder, session: Session, json: bool) -> None:
    """The state of each layer, from the bottom up, and where the output is."""
    states = [_read_state(layer, session) for layer in project.layers]
    if json:
        layers = {state.project.layer: _facts(state) for state in states}
        print(json_line({"project": str(project.root), "layers": layers}))
        return
    for state in states:
        session.reporter.result(f"layer {state.project.layer}")
        for name, value in _lines(state):
            session.reporter.result(f"  {name:<10}  {value}")
    output = Path(project.output)
    missing = "" if project.output_exists else ", not written yet"
    session.reporter.result(f"{'output':<10}  {output}{missing}")
    if project.report.exists():
        session.reporter.result(f"{'report':<10}  {project.report}")


def _read_state(project: ProjectFolder, session: Session) -> _State:
    from kadr.dry_run import make_dry_run
    from kadr.report.record import read_record

    record = read_record(project.record) or read_record(project.out / "report.json")
    located, dry_run, message = None, None, ""
    try:
        located = project.locate()
        if record is not None:  # else all is to be made, and the survey of a new clip takes long
            dry_run = follow(make_dry_run(project.options(located), session.cancel))
    except KadrError as error:
        message = str(error)
    keys, work = _keys(project, record, located), _work_bytes(project)
    return _State(project, record, keys, work, located, dry_run, message)


def _work_bytes(project: ProjectFolder) -> int | None:
    """Bytes of the files that ``kadr clean`` would delete; None if the folder is behind a link."""
    from kadr.storage.clean import find_work_files

    try:
        return find_work_files(project.work).size
    except OutputError:
        return None


def _key_files(project: ProjectFolder, located: LocatedClip | None) -> dict[int, Path]:
    """Painted keys by frame number; by their names alone if the clip or a key cannot be used."""
    from kadr.frame_names import frame_numbers
    from kadr.image_files import IMAGE_SUFFIXES
    from kadr.stylize.external import find_keys
    from kadr.video.clip_source import ClipSource

    images = [path for path in project.keys.glob("[!.]*") if path.suffix.lower() in IMAGE_SUFFIXES]
    with contextlib.suppress(KadrError):
        if located is not None:
            options = project.options(located)
            with ClipSource.of(options).open() as clip:
                keys = find_keys(options.keys, clip, options.key_offset)
                return {clip.number(key.index): key.path for key in keys}
    with contextlib.suppress(KadrError):
        return dict(zip(frame_numbers(images), images, strict=True))
    return {}


def _keys(project: ProjectFolder, record: RunRecord | None, located: LocatedClip | None) -> _Keys:
    """Numbers of the painted keys, and their changes since the last run."""
    if project.settings.stylizer != "external":
        return _Keys([])
    files = _key_files(project, located)
    painted = sorted(files)
    if record is None:
        return _Keys(painted)
    used = {key.number for key in record.keys}
    start = _seconds(record.started)
    return _Keys(
        painted,
        new=[number for number in painted if number not in used],
        changed=[
            number for number in painted if number in used and files[number].stat().st_mtime > start
        ],
        gone=sorted(used - files.keys()),
    )


def _seconds(moment: str) -> float:
    """An ISO 8601 text as the time of files; infinity if it is not valid."""
    try:
        return datetime.fromisoformat(moment).timestamp()
    except (ValueError, OverflowError, OSError):  # the last two: years that no clock has
        return float("inf")


def _facts(state: _State) -> dict[str, Any]:
    project, record, located = state.project, state.record, state.located
    facts: dict[str, Any] = {
        "project": str(project.root),
        "clip": None if located is None else str(located.path),
        "notices": [state.error] if located is None else list(located.notices),
        "stylizer": project.settings.stylizer,
        "detail": project.settings.detail,
        "ranges": list(project.settings.ranges),
        "keys": asdict(state.keys),
        "work_bytes": state.work_bytes,
        "output": str(project.output),
        "output_exists": project.output_exists,
        "last_run": None,
        "next_run": None if state.dry_run is None else dry_run_facts(state.dry_run),
    }
    if record is not None:
        worst = record.worst(1)
        facts["last_run"] = {
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
    return facts


def _lines(state: _State) -> Iterator[tuple[str, str]]:
    project, settings, located = state.project, state.project.settings, state.located
    frames = f", frames {settings.frames}" if settings.frames else ""
    yield "project", str(project.root)
    yield "clip", (str(located.path) if located else "missing") + frames
    for notice in located.notices if located else ():
        yield "", notice
    if state.error:
        yield "", state.error
    yield "keys", _keys_line(project, state.keys)
    if settings.ranges:
        yield "ranges", ", ".join(settings.ranges)
    yield "detail", settings.detail
    if state.record is None:
        yield "last run", f"none yet; start with kadr run {project.root}"
    else:
        yield from _run_lines(project, state.record, state.keys)
    if state.dry_run is not None:
        yield "next run", amount_line(state.dry_run)
        for line in pass_lines(state.dry_run):
            yield "", line
        if state.dry_run.edited_files:
            yield "edited", edited_line(state.dry_run)
    output = Path(project.output)
    yield "output", f"{output}{'' if project.output_exists else ', not written yet'}"
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
    end = "finished in" if record.finished else "stopped after"
    start = formatting.date(record.started)
    yield "last run", f"{end} {formatting.duration(record.seconds)}, begun {start}"
    missing = len(record.frames) - record.rendered_count
    hint = f", {missing} missing; go on with kadr run {project.root}" if missing else ""
    yield "frames", f"{record.rendered_count} of {len(record.frames)} made{hint}"
    changes = {"new": keys.new, "repainted": keys.changed, "gone": keys.gone}
    texts = [f"{name}: {_numbers(numbers)}" for name, numbers in changes.items() if numbers]
    if texts and project.settings.stylizer == "external":
        yield "since then", f"keys {'; '.join(texts)}; kadr run makes again what depends on them"
    for worst in record.worst(1):
        yield (
            "error",
            f"{formatting.percent(record.mean_error)} on average, "
            f"{formatting.percent(record.error(worst))} at worst, in frame {record.number(worst)}",
        )
    next_key = record.next_key
    if next_key is None and record.finished:
        yield "next", f"kadr plan {project.root} names the next frame worth painting"
    elif next_key is not None and next_key.number not in keys.painted:
        gain = formatting.percent(next_key.gain)
        yield "next", f"paint frame {next_key.number}: it should lower the mean error by {gain}"


def _numbers(numbers: list[int], limit: int = 12) -> str:
    """The first ``limit`` numbers, and how many there are beyond them."""
    rest = f" and {len(numbers) - limit} more" if len(numbers) > limit else ""
    return ", ".join(map(str, numbers[:limit])) + rest
