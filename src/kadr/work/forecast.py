"""Options in, what a run would do out: what would be made anew, why, how long, how many bytes."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path

from kadr.core.bands import default_threads
from kadr.core.events import CancelToken, Event
from kadr.options import RunOptions
from kadr.report.record import read_record
from kadr.work.account import RECORD
from kadr.work.keys import STEP as STYLIZE
from kadr.work.keys import KeyEntry, KeyStyles
from kadr.work.memory import reason, recall
from kadr.work.overlay import Overlay
from kadr.work.passes import STEP as PROPAGATE
from kadr.work.planning import plan_run
from kadr.work.produce import frame_bytes
from kadr.work.schedule import Missing, make_schedule
from kadr.work.workspace import Workspace, open_workspace

_SECONDS_A_PIXEL = 1.4e-6
"""Of one core, for a pass frame at medium detail; measured where no run has told better."""
_FINISHED_BYTES_A_PIXEL = 1.3


@dataclass(frozen=True)
class Redone:
    """Frames of one key's pass that would be made.

    key: frame index. forward: after the key, else before it. frames: how many.
    """

    key: int
    number: int
    forward: bool
    frames: int
    reason: str


@dataclass(frozen=True)
class Forecast:
    """What a run would do.

    stylized: keys, by frame index, that would be stylized. passes: what would be propagated.
    pass_frames, pass_total: frames that the passes would make, and have altogether.
    finished, frames: finished frames that would be made, and that the run has.
    kept: frames changed by hand, which would stay. seconds: of the passes; 0 if there are none.
    work_bytes, output_bytes: that would be written.
    """

    stylized: tuple[int, ...]
    passes: tuple[Redone, ...]
    pass_frames: int
    pass_total: int
    finished: int
    frames: int
    kept: tuple[int, ...]
    seconds: float
    work_bytes: int
    output_bytes: int


def forecast(
    options: RunOptions, cancel: CancelToken | None = None
) -> Generator[Event, None, Forecast]:
    """Say what a run with these options would do, and do nothing of it.

    Keyframes are planned, since the answer depends on them; the plan is kept. Keys that a stylizer
    would have to make are unlike any before, so all that depends on them counts as made anew.
    Raises what a run would raise for its input. May be used while another process runs.
    """
    cancel = cancel or CancelToken()
    with open_workspace(options, exclusive=False) as opened:
        space = replace(opened, store=Overlay(opened.store))
        plan = yield from plan_run(space, cancel)
        keys = _Expected(space, plan.keys, plan.painted)
        stylized = tuple(keys.missing())
        if plan.painted:
            yield from keys.stylize(cancel)
        else:
            keys.look()
        schedule = make_schedule(space, plan.spans, keys)
        missing = schedule.missing(
            space.store, space.folder, all_passes=options.per_key is not None
        )
        known = recall(space.work)
        passes = tuple(
            Redone(
                each.key,
                space.clip.number(each.key),
                each.direction > 0,
                len(steps),
                reason(schedule, each, known),
            )
            for each, steps in missing.steps.items()
        )
        finished = missing.finished_frames + len(missing.keys)
        return Forecast(
            stylized,
            passes,
            missing.pass_frames,
            sum(map(len, schedule.passes)),
            finished,
            len(space.frames),
            missing.kept,
            _seconds(space, missing),
            round(missing.pass_frames * frame_bytes(space)),
            round(finished * _FINISHED_BYTES_A_PIXEL * space.pixels),
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


def _seconds(space: Workspace, missing: Missing) -> float:
    """From the pace of the last run, else from the size of the frames."""
    record = read_record(Path(space.work) / RECORD)
    steps = record.steps if record is not None else ()
    for step in steps:
        if step.name == PROPAGATE and step.computed >= 8:
            return step.seconds / step.computed * missing.pass_frames
    cores = space.options.threads or default_threads()
    return missing.pass_frames * space.pixels * _SECONDS_A_PIXEL / cores
