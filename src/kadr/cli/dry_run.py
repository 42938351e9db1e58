"""A dry run in, lines for people and numbers for programs out."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING, Any

from kadr.core import formatting

if TYPE_CHECKING:
    from kadr.dry_run import DryRun
    from kadr.options import RunOptions

_MOST_NAMES = 5
"""Of edited files; more are counted."""


def dry_run_lines(dry_run: DryRun, options: RunOptions) -> Iterator[str]:
    """What a run would do: a line per key, then frames, time and bytes."""
    if dry_run.stylized and options.stylizer != "external":
        yield f"would stylize {formatting.counted(len(dry_run.stylized), 'key')}"
    for item in dry_run.ranges:
        names = ", ".join(name.replace("_", "-") for name in item.options)
        yield (
            f"range {item.name} ({names}): {item.stylized} of "
            f"{formatting.counted(item.keys, 'key')} would be stylized"
        )
    if dry_run.missing:
        yield f"but {dry_run.missing}"
    yield from pass_lines(dry_run)
    yield amount_line(dry_run)
    if dry_run.edited_files:
        yield edited_line(dry_run)
    yield f"would write {options.output}"


def edited_line(dry_run: DryRun) -> str:
    """Which frames were changed by hand, and what to do if they should not stay."""
    files = dry_run.edited_files
    names = ", ".join(file.name for file in files[:_MOST_NAMES])
    more = f" and {len(files) - _MOST_NAMES} more" if len(files) > _MOST_NAMES else ""
    stay, them = ("it is", "it") if len(files) == 1 else ("they are", "them")
    return (
        f"{formatting.counted(len(files), 'frame')} changed by hand would stay as {stay}: "
        f"{names}{more} in {files[0].parent}; delete {them} to have {them} made again"
    )


def pass_lines(dry_run: DryRun) -> Iterator[str]:
    """For each key the frames that would be propagated from it, and why."""
    for number, passes in groupby(dry_run.passes, key=lambda key_pass: key_pass.number):
        key_passes = list(passes)
        frames = " and ".join(
            f"{formatting.counted(key_pass.frames, 'frame')} "
            f"{'after' if key_pass.forward else 'before'} it"
            for key_pass in key_passes
        )
        reasons = dict.fromkeys(key_pass.reason for key_pass in key_passes)
        yield f"key {number}: {frames}: {'; '.join(reasons)}"


def amount_line(dry_run: DryRun) -> str:
    """How many frames a run would make, the time it would take and the bytes it would write."""
    if not dry_run.finished and not dry_run.pass_frames:
        return "all frames are made already"
    passes, seconds = "", ""
    if dry_run.passes:
        passes = f"{dry_run.pass_frames} of {dry_run.pass_total} frames of passes, "
        seconds = f"about {formatting.duration(dry_run.seconds)}, "
    if dry_run.stylizes:
        rest = f"without it {seconds}" if seconds else ""
        seconds = f"how long stylizing takes is unknown, {rest}"
    return (
        f"would make {passes}{dry_run.finished} of "
        f"{formatting.counted(dry_run.frames, 'finished frame')}: "
        f"{seconds}{formatting.size(dry_run.work_bytes + dry_run.output_bytes)} of files"
    )


def dry_run_facts(dry_run: DryRun) -> dict[str, Any]:
    """The same as numbers."""
    return {
        "stylized": len(dry_run.stylized),
        "ranges": [
            {
                "name": item.name,
                "options": list(item.options),
                "keys": item.keys,
                "stylized": item.stylized,
            }
            for item in dry_run.ranges
        ],
        "passes": [
            {
                "key": key_pass.number,
                "direction": "forward" if key_pass.forward else "backward",
                "frames": key_pass.frames,
                "reason": key_pass.reason,
            }
            for key_pass in dry_run.passes
        ],
        "pass_frames": dry_run.pass_frames,
        "pass_total": dry_run.pass_total,
        "finished": dry_run.finished,
        "frames": dry_run.frames,
        "edited": len(dry_run.edited),
        "edited_files": [str(file) for file in dry_run.edited_files],
        "seconds": round(dry_run.seconds, 3),
        "stylizes": dry_run.stylizes,
        "missing": dry_run.missing,
        "work_bytes": dry_run.work_bytes,
        "output_bytes": dry_run.output_bytes,
    }
