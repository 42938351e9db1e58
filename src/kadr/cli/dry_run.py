"""A dry run in, lines for people and facts for programs out."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING, Any

from kadr.core import formatting

if TYPE_CHECKING:
    from kadr.dry_run import DryRun
    from kadr.options import RunOptions


def lines(found: DryRun, options: RunOptions) -> Iterator[str]:
    """What a run would do: a line a key, then how much, how long and how many bytes."""
    if found.stylized and options.stylizer != "external":
        yield f"would stylize {formatting.counted(len(found.stylized), 'key')}"
    yield from reasons(found)
    yield amount(found)
    if found.edited:
        yield (
            f"{formatting.counted(len(found.edited), 'frame')} changed by hand would stay as "
            f"{'it is' if len(found.edited) == 1 else 'they are'}"
        )
    yield f"would write {options.output}"


def reasons(found: DryRun) -> Iterator[str]:
    """For each key what would be propagated from it, and why."""
    for number, redone in groupby(found.passes, key=lambda each: each.number):
        parts = list(redone)
        where = " and ".join(
            f"{formatting.counted(each.frames, 'frame')} {'after' if each.forward else 'before'} it"
            for each in parts
        )
        why = dict.fromkeys(each.reason for each in parts)
        yield f"key {number}: {where}: {'; '.join(why)}"


def amount(found: DryRun) -> str:
    """How much of the whole a run would make, how long it would take and what it would write."""
    if not found.finished and not found.pass_frames:
        return "all frames are made already"
    work = f"{found.pass_frames} of {found.pass_total} frames of passes, " if found.passes else ""
    seconds = f"about {formatting.duration(found.seconds)}, " if found.passes else ""
    return (
        f"would make {work}{found.finished} of "
        f"{formatting.counted(found.frames, 'finished frame')}: "
        f"{seconds}{formatting.size(found.work_bytes + found.output_bytes)} of files"
    )


def facts(found: DryRun) -> dict[str, Any]:
    """The same in numbers."""
    return {
        "stylized": len(found.stylized),
        "passes": [
            {
                "key": each.number,
                "direction": "forward" if each.forward else "backward",
                "frames": each.frames,
                "reason": each.reason,
            }
            for each in found.passes
        ],
        "pass_frames": found.pass_frames,
        "pass_total": found.pass_total,
        "finished": found.finished,
        "frames": found.frames,
        "edited": len(found.edited),
        "seconds": round(found.seconds, 3),
        "work_bytes": found.work_bytes,
        "output_bytes": found.output_bytes,
    }
