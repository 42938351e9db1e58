"""What the passes of a run are made from in, kept as text; why another run makes them anew out."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kadr.errors import OutputError
from kadr.files import atomic_file
from kadr.render.pass_task import VERSION, Pass
from kadr.render.schedule import RunSchedule

MEMORY = "made.json"
"""The file, in the folder for work files."""

_log = logging.getLogger(__name__)


def save_history(schedule: RunSchedule, work: Path) -> None:
    """Note what each pass of a run is made from. One that cannot be written is logged."""
    passes = {_place(each): _made_from(schedule, each) for each in schedule.passes}
    try:
        with atomic_file(work / MEMORY) as temporary:
            temporary.write_text(json.dumps(passes, indent=1), encoding="utf-8")
    except OutputError as error:
        _log.info("%s; why things are made anew will not be known", error)


def load_history(work: Path) -> dict[str, Any]:
    """What ``save_history`` noted; nothing if it is not there or damaged."""
    try:
        known = json.loads((work / MEMORY).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        _log.info("%s: cannot be used (%s)", work / MEMORY, error)
        return {}
    return known if isinstance(known, dict) else {}


def stale_reason(schedule: RunSchedule, work: Pass, known: Mapping[str, Any]) -> str:
    """Why a pass has frames to make, in a few words; ``known`` is what ``load_history`` gave."""
    before = known.get(_place(work))
    if not isinstance(before, Mapping):
        return "not made before" if not known else "new key"
    now = _made_from(schedule, work)
    if before.get("name") == now["name"]:
        return "not finished, or its range grew"
    if before.get("clip") != now["clip"]:
        return "the clip's content changed"
    if before.get("version") != now["version"]:
        return "this version of kadr makes it another way"
    changes = [*_changed(before.get("options"), now["options"])]
    if before.get("seed") != now["seed"]:
        changes.append(f"seed {before.get('seed')} → {now['seed']}")
    if before.get("style") != now["style"]:
        changes.insert(0, "key repainted")
    return ", ".join(changes) or "made from something else"


def previous_pass(schedule: RunSchedule, work: Pass, folder: Path) -> str | None:
    """The name of the pass that was there before the key was repainted.

    None unless the painting is all that differs: then its positions are as good as these.
    """
    before = load_history(folder).get(_place(work))
    if not isinstance(before, Mapping):
        return None
    now = _made_from(schedule, work)
    same = all(before.get(part) == now[part] for part in ("clip", "options", "seed", "version"))
    name = before.get("name")
    return name if same and isinstance(name, str) and name != work.name else None


def _changed(before: object, now: Mapping[str, Any]) -> list[str]:
    if not isinstance(before, Mapping):
        return []
    return [
        f"{name.replace('_', '-')} {before.get(name)} → {value}"
        for name, value in now.items()
        if before.get(name) != value
    ]


def _place(work: Pass) -> str:
    return f"{work.key}{'+' if work.direction > 0 else '-'}"


def _made_from(schedule: RunSchedule, work: Pass) -> dict[str, Any]:
    made_of = schedule.inputs[work.key]
    return {
        "name": work.name,
        "clip": made_of.source.identity,
        "style": schedule.key_name(work.key),
        "options": asdict(made_of.options),
        "seed": made_of.seed,
        "version": VERSION,
    }
