"""Describe a project to the page, or create one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kadr.errors import InputError, KadrError
from kadr.project.create import new_project
from kadr.project.folder import SUFFIX, ProjectFolder, open_project
from kadr.report.record import RunRecord, read_record
from kadr.studio.error_facts import error_facts
from kadr.studio.file_versions import file_version
from kadr.studio.worker.call import Call
from kadr.studio.worker.clip_facts import ClipFacts, clip_source
from kadr.studio.worker.journal import Journal
from kadr.studio.worker.key_list import TO_PAINT, KeyEntry, key_spans, list_keys
from kadr.studio.worker.open_folder import OpenFolder, open_folder
from kadr.studio.worker.option_schema import option_schema
from kadr.studio.worker.plan_file import read_plan
from kadr.studio.worker.takes import list_takes
from kadr.video.clips import open_clip


def describe(call: Call) -> dict[str, Any]:
    """The members of the snapshot that depend on the project's files.

    ``problem`` is an error about the project as a whole, ``run_problem`` about its keys or ranges;
    members that cannot be told then are missing.
    """
    root = Path(call["root"])
    parts: dict[str, Any] = {"problem": None, "run_problem": None, "takes": []}
    journal = Journal(root)
    parts |= {"undo": journal.label("undo"), "redo": journal.label("redo")}
    try:
        project = open_project(root)
    except KadrError as error:
        return parts | {"project": _folder_facts(root), "problem": error_facts(error)}
    parts |= {"project": _project_facts(project), "options": option_schema(project)}
    parts |= {
        "layers": [_layer_facts(project, layer) for layer in project.layers],
        "takes": list_takes(project),
    }
    try:
        folder = open_folder(call)
        return parts | _clip_parts(folder)
    except KadrError as error:
        return parts | {"problem": error_facts(error)}


def _folder_facts(root: Path) -> dict[str, Any]:
    return {"name": root.absolute().name.removesuffix(SUFFIX), "path": str(root.absolute())}


def _project_facts(project: ProjectFolder) -> dict[str, Any]:
    root = project.root.absolute()
    output = Path(project.output)
    return {
        "name": project.name,
        "path": str(root),
        "keys_path": str(root / project.settings.keys),
        "paint_path": str(root / "plan" / "to-paint"),
        "output": str(root / output),
        "output_version": file_version(output) if project.output_exists else None,
        "report_version": file_version(project.report),
        "stylizer": project.settings.stylizer,
        "frames_path": str(project.frames.absolute()),
        "previews_path": str(project.previews.absolute()),
        "record_version": file_version(project.record),
    }


def _layer_facts(project: ProjectFolder, layer: ProjectFolder) -> dict[str, Any]:
    run = layer.settings.run or {}
    return {
        "name": layer.layer,
        "visible": layer in project.visible_layers,
        "keys_folder": layer.settings.keys,
        "keys_path": str(layer.keys.absolute()),
        "mask": None if run.get("mask") is None else str(run["mask"]),
    }


def _clip_parts(folder: OpenFolder) -> dict[str, Any]:
    view, clip, frames = folder.view, folder.clip, folder.frames
    record = read_record(view.record) or read_record(view.out / "report.json")
    if record is not None and folder.located.changed:
        record = None
    plan = read_plan(folder)
    cuts = plan["cuts"] if plan else _record_cuts(record)
    entries, error = list_keys(folder, record)
    spans, with_range, span_error = key_spans(
        folder, [entry for entry in entries if entry.state != TO_PAINT], cuts
    )
    keys = [_key_facts(entry, folder, spans, with_range) for entry in entries]
    if folder.project.layers:
        keys += _other_layers(folder)
    key_error = next((entry.error for entry in entries if entry.error), None)
    return {
        "clip": _clip_facts(clip) | {"first": frames.start, "last": frames.stop - 1},
        "names": list(clip.names),
        "source": _source_facts(folder),
        "proxy_size": list(clip.proxy_size),
        "keys": keys,
        "run_problem": error or key_error or span_error,
        "curves": {
            "error": _error_curve(record, len(clip)),
            "coverage": None if plan is None else plan["coverage"],
        },
        "suggestions": _suggestions(plan, record, entries),
    }


def _clip_facts(clip: ClipFacts) -> dict[str, Any]:
    return {
        "path": clip.path,
        "width": clip.width,
        "height": clip.height,
        "rate": clip.rate,
        "count": len(clip),
        "numbers": None if clip.numbers is None else list(clip.numbers),
        "times": None if clip.uneven_times is None else list(clip.uneven_times),
        "version": clip.version,
        "notices": list(clip.notices),
    }


def _source_facts(folder: OpenFolder) -> dict[str, Any]:
    """How the clip is opened."""
    source = clip_source(folder.project, folder.located)
    names = ("allow_truncated", "frame_rate", "deinterlace", "allow_resize")
    return {"reading": {name: getattr(source, name) for name in names}}


def _key_facts(
    entry: KeyEntry, folder: OpenFolder, spans: dict[int, Any], with_range: set[int]
) -> dict[str, Any]:
    span = spans.get(entry.index)
    path = entry.path
    return {
        "index": entry.index,
        "number": folder.clip.number(entry.index),
        "name": folder.clip.name(entry.index) if path is None else path.stem,
        "path": None if path is None else str(path.absolute()),
        "state": entry.state,
        "version": None if path is None else file_version(path),
        "first": entry.index if span is None else span.start,
        "last": entry.index if span is None else span.stop - 1,
        "range": entry.index in with_range,
        "layer": folder.view.layer,
        "error": entry.error,
    }


def _other_layers(folder: OpenFolder) -> list[dict[str, Any]]:
    """The keys of the other layers, without their spans."""
    keys = []
    for layer in folder.project.layers:
        if layer.layer != folder.view.layer:
            other = OpenFolder(folder.project, layer, folder.located, folder.clip)
            entries, _ = list_keys(other, None)
            spans, with_range, _ = key_spans(other, entries, [])
            keys += [_key_facts(entry, other, spans, with_range) for entry in entries]
    return keys


def _record_cuts(record: RunRecord | None) -> list[int]:
    return [] if record is None else [shot.start for shot in record.shots[1:]]


def _error_curve(record: RunRecord | None, count: int) -> list[float | None] | None:
    """The measured error of each frame of the clip; None before the first run."""
    if record is None or not record.rendered_count:
        return None
    curve: list[float | None] = [None] * count
    for position, error in enumerate(record.measured):
        index = record.first_frame + position
        if index < count and error is not None:
            curve[index] = round(error, 4)
    return curve


def _suggestions(plan: Any, record: RunRecord | None, entries: list[KeyEntry]) -> Any:
    present = [entry.index for entry in entries if entry.state != TO_PAINT]
    next_key = None
    if record is not None and record.next_key is not None:
        key = record.next_key
        if key.index not in present:
            next_key = {"index": key.index, "gain": round(key.gain, 4), "measured": True}
    if plan is None:
        if next_key is None and record is None:
            return None
        return {"keys": [], "next": next_key, "cuts": _record_cuts(record), "current": False}
    is_current = plan["present"] == present
    return {
        "keys": [key for key in plan["keys"] if key["index"] not in present],
        "next": (plan["next"] if is_current else None) or next_key,
        "cuts": plan["cuts"],
        "current": is_current,
    }


def check_clip(call: Call) -> dict[str, Any]:
    """Open a clip and decode its first frame. Raises InputError if it cannot be used."""
    path = Path(call["path"])
    with open_clip(path) as clip:
        if clip.info.width * clip.info.height * len(clip) > call.get("limit", 1 << 44):
            raise InputError(f"{path}: too many pixels for the studio; cut it into shorter clips")
        clip.frame(0)
        return {"count": len(clip)}


def create(call: Call) -> dict[str, Any]:
    """Make a project of a clip; ``root`` is its folder."""
    clip, root = Path(call["clip"]), Path(call["root"])
    project = new_project(clip, (), root, stylizer=call.get("stylizer", "external"))
    return {"path": str(project.root.absolute())}


def create_sample(call: Call) -> dict[str, Any]:
    """Draw the sample clip and make a project of it in ``root``."""
    from kadr.studio.worker.sample import draw_sample

    root = Path(call["root"])
    clip = root.with_suffix(".mp4")
    draw_sample(clip, call.progress, call.cancel)
    project = new_project(clip, (), root)
    return {"path": str(project.root.absolute())}
