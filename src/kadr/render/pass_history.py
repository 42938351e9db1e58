"""Remember what each pass of a run was made from, and say why a later run makes it again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kadr.core.formatting import shorten
from kadr.files import read_json_object, write_json_object
from kadr.render.key_pass import VERSION, KeyPass
from kadr.render.schedule import RunSchedule

History = Mapping[str, Any]
"""Key and direction of a pass → what it was made from."""


def save_history(schedule: RunSchedule, file: Path) -> None:
    """Write what each pass of a run is made from. A file that cannot be written is only logged."""
    entries = {
        _history_key(key_pass): _made_from(schedule, key_pass) for key_pass in schedule.passes
    }
    write_json_object(file, entries)


def load_history(file: Path) -> History:
    """What ``save_history`` wrote; {} if it is missing or damaged."""
    return read_json_object(file)


def stale_reason(schedule: RunSchedule, key_pass: KeyPass, history: History) -> str:
    """Why a pass has frames to make, in a few words for the user."""
    previous = history.get(_history_key(key_pass))
    if not isinstance(previous, Mapping):
        return "not made before" if not history else "new key"
    current = _made_from(schedule, key_pass)
    if previous.get("name") == current["name"]:
        if not _begin_alike(previous.get("guide_steps", []), current["guide_steps"]):
            return "guides changed"
        if not _begin_alike(previous.get("areas", []), current["areas"]):
            return "other parts of the frames are masked"
        return "not finished, or its range grew"
    if previous.get("clip") != current["clip"]:
        return "the clip's content changed"
    if previous.get("version") != current["version"]:
        return "this version of kadr makes it another way"
    if previous.get("matte", "") != current["matte"]:
        return "other parts of the frames are masked"
    if previous.get("figure", "") != current["figure"]:
        return "other masks of the figure"
    if previous.get("guides", "") != current["guides"]:
        return "other guides, or other weights of them"
    changes = _changed_options(previous.get("options"), current["options"])
    if previous.get("seed") != current["seed"]:
        changes.append(f"seed {shorten(previous.get('seed'))} → {current['seed']}")
    if previous.get("style") != current["style"]:
        changes.insert(0, "key repainted")
    return ", ".join(changes) or "made from something else"


def previous_pass_name(schedule: RunSchedule, key_pass: KeyPass, history: History) -> str | None:
    """The name of the pass that existed before its key was repainted.

    None unless only the style differs: then its positions are a good estimate for the new one.
    """
    previous = history.get(_history_key(key_pass))
    if not isinstance(previous, Mapping):
        return None
    current = _made_from(schedule, key_pass)
    parts = ("clip", "options", "seed", "version", "matte")
    same = all(previous.get(part) == current[part] for part in parts)
    same = same and all(previous.get(part, "") == current[part] for part in ("figure", "guides"))
    name = previous.get("name")
    return name if same and isinstance(name, str) and name != key_pass.name else None


def _begin_alike(previous: object, current: Sequence[str]) -> bool:
    """Whether two passes, one maybe longer, work on the same parts of frames as far as both go."""
    return isinstance(previous, list) and all(a == b for a, b in zip(previous, current))


def _changed_options(previous: object, current: Mapping[str, Any]) -> list[str]:
    if not isinstance(previous, Mapping):
        return []
    return [
        f"{name.replace('_', '-')} {shorten(previous.get(name))} → {value}"
        for name, value in current.items()
        if previous.get(name) != value
    ]


def _history_key(key_pass: KeyPass) -> str:
    return f"{key_pass.key}{'+' if key_pass.direction > 0 else '-'}"


def _made_from(schedule: RunSchedule, key_pass: KeyPass) -> dict[str, Any]:
    pass_input = schedule.inputs[key_pass.key]
    return {
        "name": key_pass.name,
        "clip": pass_input.clip_identity,
        "style": schedule.style_name(key_pass.key),
        "options": asdict(pass_input.options),
        "seed": pass_input.seed,
        "matte": pass_input.area + pass_input.sources,
        "areas": list(key_pass.areas),
        "figure": pass_input.figure,
        "guides": pass_input.guides,
        "guide_steps": list(schedule.guide_steps.get(key_pass.name, ())),
        "version": VERSION,
    }
