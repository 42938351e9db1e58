"""Predict what a run would do: which frames it would make, why, how long, how many bytes."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from kadr.core.events import CancelToken, Event, notice
from kadr.core.row_bands import default_threads
from kadr.options import RunOptions
from kadr.render.blend_task import STEP as BLEND
from kadr.render.key_links import STEP as MATCH
from kadr.render.key_pass import STEP as PROPAGATE
from kadr.render.keyframes import STEP as STYLIZE
from kadr.render.keyframes import KeyEntry, KeyStyles
from kadr.render.match_keys import stored_matches
from kadr.render.pass_history import load_history, stale_reason
from kadr.render.renderer import frame_bytes
from kadr.render.run_context import RunContext, open_run
from kadr.render.run_inputs import check_run_outputs
from kadr.render.run_plan import plan_run
from kadr.render.schedule import Missing, make_schedule
from kadr.render.stylizer_ranges import FrameOptions
from kadr.report.record import read_record
from kadr.storage.overlay import OverlayStore

_SECONDS_PER_PIXEL = 0.8e-6
"""Of one core, for a pass frame at medium detail with its part of blending; used until a run of
the same work folder has measured it."""
_SECONDS_PER_FINISHED_PIXEL = 0.2e-6
"""The same, for each pixel of a frame that is finished at a larger size than its pass."""
_FINISHED_BYTES_PER_PIXEL = 1.3
_FEW = 8
"""A step that computed fewer frames does not tell how long a frame takes."""


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
class DryRunRange:
    """Keys in a range with its own stylizer options: how many, and how many would be stylized.

    name: as the user gave it. options: the names of the options that differ there.
    """

    name: str
    options: tuple[str, ...]
    keys: int
    stylized: int


@dataclass(frozen=True)
class DryRun:
    """What a run would do.

    stylized: keys, by frame index, that would be stylized. passes: what would be propagated.
    pass_frames, pass_total: frames that the passes would compute, and frames that they have.
    finished, frames: finished frames that would be made, and frames of the run.
    edited: frames changed by hand, which would stay. edited_files: their files. seconds: of
    propagating and blending. work_bytes, output_bytes: bytes that would be written. stylizes:
    whether a stylizer makes keys, which takes a time that is not known. missing: what it lacks on
    this machine, and what to do. ranges: where the stylizer has other options.
    """

    stylized: tuple[int, ...]
    passes: tuple[DryRunPass, ...]
    pass_frames: int
    pass_total: int
    finished: int
    frames: int
    edited: tuple[int, ...]
    edited_files: tuple[Path, ...]
    seconds: float
    work_bytes: int
    output_bytes: int
    stylizes: bool = False
    missing: str = ""
    ranges: tuple[DryRunRange, ...] = ()
    finished_indices: frozenset[int] = frozenset()
    """The frames that would be made."""


def make_dry_run(
    options: RunOptions, cancel: CancelToken | None = None
) -> Generator[Event, None, DryRun]:
    """Predict what a run with these options would do, without doing it.

    Keyframes are planned, because the answer depends on them; the plan is stored. Keys that a
    stylizer would make are not known yet, so all that depends on them counts as to be made.
    Raises what a run would raise for its input. May be used while another process runs.
    """
    cancel = cancel or CancelToken()
    check_run_outputs(options)
    if options.fill:
        yield notice("plan", "counts the frames that are made first, not those filled in then")
    with open_run(options, exclusive=False) as opened:
        run = replace(opened, store=OverlayStore(opened.store))
        plan = yield from plan_run(run, cancel)
        keys = _PredictedKeys(run, plan.keys, plan.painted, plan.ranges)
        stylized = tuple(keys.missing())
        if plan.painted:
            yield from keys.stylize(cancel)
        else:
            keys.read_stored()
        keys.predict_matches(plan.keys)
        schedule = make_schedule(run, plan.spans, keys)
        missing = schedule.missing(
            run.store, run.blended_frames, all_passes=options.per_key is not None
        )
        history = load_history(run.layout.pass_history)
        passes = tuple(
            DryRunPass(
                key_pass.key,
                run.clip.number(key_pass.key),
                key_pass.direction > 0,
                len(distances),
                stale_reason(schedule, key_pass, history),
            )
            for key_pass, distances in missing.distances.items()
        )
        finished = missing.finished_frames + len(missing.keys)
        return DryRun(
            stylized,
            passes,
            missing.pass_frames,
            sum(map(len, schedule.passes)),
            finished,
            len(run.frames),
            missing.edited,
            tuple(map(run.blended_frames.path, missing.edited)),
            _seconds(run, missing),
            round(missing.pass_frames * frame_bytes(run)),
            round(finished * _FINISHED_BYTES_PER_PIXEL * run.pixels),
            bool(stylized) and options.stylizer != "external",
            keys.missing_parts() if stylized else "",
            tuple(_count_range(item, keys.indices, stylized) for item in plan.ranges),
            frozenset(missing.keys).union(*missing.frames.values()),
        )


def _count_range(item: FrameOptions, keys: Iterable[int], stylized: Iterable[int]) -> DryRunRange:
    counts = [sum(index in item.frames for index in indices) for indices in (keys, stylized)]
    return DryRunRange(item.name, tuple(item.options), *counts)


class _PredictedKeys(KeyStyles):
    """Keys of which some are not stylized yet; those differ from everything that is stored."""

    def read_stored(self) -> None:
        """Read the keys that are stored."""
        self._check_stored(skip=self.missing())

    def predict_matches(self, shots: Mapping[int, int]) -> None:
        """Use the matched keys that are stored; where some have to be made, all are unknown.

        shots: key index → number of its shot.
        """
        are_stylized = len(self.stylized) == len(self.indices)
        if not stored_matches(self._run, shots, self, are_stylized) and are_stylized:
            unmatched = {
                index: KeyEntry(f"{MATCH}/unknown", "unknown")
                for index in self.indices
                if self._run.clip.number(index) not in self._references()
            }
            self.use_matched(unmatched | self.matched)

    def _references(self) -> tuple[int | None, ...]:
        return self._run.options.one_style, self._run.options.reference_key

    @property
    def entries(self) -> dict[int, KeyEntry]:
        """Entries and digests; a missing key has a digest that no image has."""
        stored = super().entries
        return {
            index: stored.get(index, KeyEntry(f"{STYLIZE}/unknown", "unknown"))
            for index in self.indices
        }


def _seconds(run: RunContext, missing: Missing) -> float:
    """Seconds of propagating and blending: from the last run's record, else from the frame size."""
    record = read_record(run.layout.record)
    steps = {step.name: step for step in record.steps} if record is not None else {}
    propagate, blend = steps.get(PROPAGATE), steps.get(BLEND)
    if propagate is None or propagate.computed < _FEW:
        cores = run.options.threads or default_threads()
        seconds = run.pass_pixels * _SECONDS_PER_PIXEL
        if run.is_reduced:
            seconds += run.worked_pixels * _SECONDS_PER_FINISHED_PIXEL
        return missing.pass_frames * seconds / cores
    seconds = propagate.seconds / propagate.computed * missing.pass_frames
    if blend is not None and blend.computed >= _FEW:
        seconds += blend.seconds / blend.computed * missing.finished_frames
    return seconds
