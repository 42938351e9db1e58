"""Plan a project: the frames worth painting, what they explain, and the one to paint next."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from kadr.cli.open_masks import open_masks
from kadr.core.frames import FrameRange
from kadr.plan.keyframes import choose_keyframes
from kadr.plan.next_keyframe import find_next_keyframe
from kadr.plan.survey import survey_clip
from kadr.report.record import read_record
from kadr.studio.worker.call import Call
from kadr.studio.worker.key_list import TO_PAINT, list_keys
from kadr.studio.worker.open_folder import OpenFolder, open_folder
from kadr.studio.worker.plan_file import write_plan
from kadr.video.base import Clip
from kadr.video.clip_source import ClipSource


def plan(call: Call) -> dict[str, Any]:
    """Survey the clip, choose keys beside the present ones, and keep what the page shows.

    budget: how many keys in all; None: as the project says, or one more than there are.
    """
    folder = open_folder(call)
    record = read_record(folder.view.record)
    entries, _ = list_keys(folder, record)
    frames = folder.frames
    present = [entry.index for entry in entries if entry.state != TO_PAINT]
    inside = [index for index in present if index in frames]
    options = folder.view.options(folder.located)
    with contextlib.ExitStack() as stack:
        clip = stack.enter_context(ClipSource.of(options).open())
        survey = _survey(call, clip, folder, stack)
    budget = call.get("budget") or options.keys_budget
    budget = max(budget, len(inside) + (0 if call.get("budget") else 1))
    keys = choose_keyframes(survey, budget, options.min_gap, options.max_gap, existing_keys=inside)
    measured = None
    if record is not None and record.frames == frames and record.rendered_count:
        same_keys = {key.index for key in record.keys} == set(inside)
        measured = record.measured if same_keys else None
    best = find_next_keyframe(survey, inside, measured) if inside else None
    present_or_planned = inside or keys
    coverage: list[float | None] = [None] * len(folder.clip)
    for index, error in zip(frames, survey.curve(present_or_planned).tolist(), strict=True):
        coverage[index] = round(1 - error, 4)
    curve = survey.curve(keys)
    write_plan(
        folder,
        {
            "present": present,
            "keys": [_key(folder, key, keys, survey, curve) for key in keys],
            "coverage": coverage,
            "cuts": [shot.start for shot in survey.shots[1:]],
            "next": None if best is None else _next(best, measured is not None),
        },
    )
    return {"keys": keys}


def _survey(call: Call, clip: Clip, folder: OpenFolder, stack: contextlib.ExitStack) -> Any:
    options, work = folder.view.options(folder.located), Path(folder.view.work)
    masks = open_masks(options, clip, folder.frames, work, call, stack)  # type: ignore[arg-type]
    events = survey_clip(clip, folder.frames, cancel=call.cancel, cache=work, masks=masks)
    return call.follow(events)


def _key(folder: OpenFolder, key: int, keys: list[int], survey: Any, curve: Any) -> dict[str, Any]:
    """A suggested key: the frames that it would style, and their predicted error."""
    shot = survey.shot(key)
    start = max((k + 1 for k in keys if shot.start <= k < key), default=shot.start)
    stop = min((k for k in keys if key < k < shot.stop), default=shot.stop)
    span = FrameRange(start, stop)
    first = survey.frames.start
    return {
        "index": key,
        "number": folder.clip.number(key),
        "first": span.start,
        "last": span.stop - 1,
        "error": round(float(curve[span.start - first : span.stop - first].mean()), 4),
    }


def _next(best: tuple[int, float], is_measured: bool) -> dict[str, Any]:
    return {"index": int(best[0]), "gain": round(best[1], 4), "measured": is_measured}
