"""Options in, what a run would do out: what would be made anew, why, how long, how many bytes."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path

from kadr.core.events import CancelToken, Event
from kadr.core.row_bands import default_threads
from kadr.options import RunOptions
from kadr.render.keyframes import STEP as STYLIZE
from kadr.render.keyframes import KeyEntry, KeyStyles
from kadr.render.pass_history import load_history, stale_reason
from kadr.render.pass_task import STEP as PROPAGATE
from kadr.render.recorder import RECORD
from kadr.render.renderer import frame_bytes
from kadr.render.run_context import RunContext, open_run
from kadr.render.run_plan import plan_run
from kadr.render.schedule import Missing, make_schedule
from kadr.report.record import read_record
from kadr.storage.overlay import OverlayStore

_SECONDS_A_PIXEL = 1.4e-6
"""Of one core, for a pass frame at medium detail; measured where no run has told better."""
_FINISHED_BYTES_A_PIXEL = 1.3


@dataclass(frozen=True)
class DryRunPass:
    """Frames of one key's pass that would be made.

    key: frame index. forward: after the key, else before it. frames: how many.
    """

    key: int
    number: int
    forward: bool
    frames: int
    reason: str


@dataclass(frozen=True)
class DryRun:
    """What a run would do.

    stylized: keys, by frame index, that would be stylized. passes: what would be propagated.
    pass_frames, pass_total: frames that the passes would make, and have altogether.
    finished, frames: finished frames that would be made, and that the run has.
    kept: frames changed by hand, which would stay. seconds: of the passes; 0 if there are none.
    work_bytes, output_bytes: that would be written.
    """

    stylized: tuple[int, ...]
    passes: tuple[DryRunPass, ...]
    pass_frames: int
    pass_total: int
    finished: int
    frames: int
    kept: tuple[int, ...]
    seconds: float
    work_bytes: int
    output_bytes: int


def make_dry_run(
    options: RunOptions, cancel: CancelToken | None = None
) -> Generator[Event, None, DryRun]:
    """Say what a run with these options would do, and do nothing of it.

    Keyframes are planned, since the answer depends on them; the plan is kept. Keys that a stylizer
    would have to make are unlike any before, so all that depends on them counts as made anew.
    Raises what a run would raise for its input. May be used while another process runs.
    """
    cancel = cancel or CancelToken()
    with open_run(options, exclusive=False) as opened:
        run = replace(opened, store=OverlayStore(opened.store))
        plan = yield from plan_run(run, cancel)
        keys = _Expected(run, plan.keys, plan.painted)
        stylized = tuple(keys.missing())
        if plan.painted:
            yield from keys.stylize(cancel)
        else:
            keys.look()
        schedule = make_schedule(run, plan.spans, keys)
        missing = schedule.missing(
            run.store, run.blended_frames, all_passes=options.per_key is not None
        )
        known = load_history(run.work)
        passes = tuple(
            DryRunPass(
                each.key,
                run.clip.number(each.key),
                each.direction > 0,
                len(steps),
                stale_reason(schedule, each, known),
            )
            for each, steps in missing.steps.items()
        )
        finished = missing.finished_frames + len(missing.keys)
        return DryRun(
            stylized,
            passes,
            missing.pass_frames,
            sum(map(len, schedule.passes)),
            finished,
            len(run.frames),
            missing.kept,
            _seconds(run, missing),
            round(missing.pass_frames * frame_bytes(run)),
            round(finished * _FINISHED_BYTES_A_PIXEL * run.pixels),
        )


class _Expected(KeyStyles):
    """Keys of which some are not stylized yet: those are like nothing that is kept."""

    def look(self) -> None:
        """Look at the keys that are there."""
        self._damaged(skip=self.missing())

    @property
    def entries(self) -> dict[int, KeyEntry]:
        """Of the missing ones the digest is one that no picture has."""
        known = super().entries
        return {
            index: known.get(index, KeyEntry(f"{STYLIZE}/unknown", "unknown"))
            for index in self.indices
        }


def _seconds(run: RunContext, missing: Missing) -> float:
    """From the pace of the last run, else from the size of the frames."""
    record = read_record(Path(run.work) / RECORD)
    steps = record.steps if record is not None else ()
    for step in steps:
        if step.name == PROPAGATE and step.computed >= 8:
            return step.seconds / step.computed * missing.pass_frames
    cores = run.options.threads or default_threads()
    return missing.pass_frames * run.pixels * _SECONDS_A_PIXEL / cores
