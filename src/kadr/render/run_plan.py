"""Plan a run: its shots, its keyframes, and the span of frames that each key styles."""

from __future__ import annotations

import bisect
import itertools
import logging
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kadr.core.events import CancelToken, Event, notice
from kadr.core.formatting import shorten
from kadr.core.frames import FrameRange, Span
from kadr.core.generators import map_items
from kadr.files import read_json_object, write_json_object
from kadr.options import DETAIL
from kadr.plan.coverage import Survey
from kadr.plan.key_spans import assign_spans
from kadr.plan.keyframes import choose_keyframes
from kadr.plan.shots import BoundaryFinder
from kadr.plan.survey import survey_clip
from kadr.render.figure_keys import figure_notices
from kadr.render.key_fit import key_fit_notices
from kadr.render.painted_keys import painted_keys
from kadr.render.run_context import RunContext
from kadr.render.stylizer_ranges import FrameOptions, empty_ranges, resolve_ranges
from kadr.storage.store import fingerprint
from kadr.stylize.external import KeyFile

STEP = "plan"
VERSION = 2

_FEW = 8
"""So few frames may all be keys, without a survey."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunPlan:
    """Which frames are keys and what each of them styles.

    shots: of the frames of the run, in order. keys: frame index → number of its shot.
    spans: one for each key, in order. painted: the files of painted keys; empty if a stylizer
    makes the keys. survey: what keys would explain; None if no keyframes had to be chosen.
    ranges: where the stylizer has other options.
    """

    shots: tuple[FrameRange, ...]
    keys: Mapping[int, int]
    spans: tuple[Span, ...]
    painted: tuple[KeyFile, ...]
    survey: Survey | None = None
    ranges: tuple[FrameOptions, ...] = ()

    @property
    def predicted(self) -> tuple[float, ...] | None:
        """The share of each frame that no key explains, 0–1; None if there is no survey."""
        if self.survey is None:
            return None
        return tuple(round(float(share), 6) for share in self.survey.curve(sorted(self.keys)))

    @property
    def without_key(self) -> list[FrameRange]:
        """Shots that have no key."""
        return [shot for number, shot in enumerate(self.shots) if number not in self.keys.values()]


def plan_run(run: RunContext, cancel: CancelToken) -> Generator[Event, None, RunPlan]:
    """Find the shots, take the painted keys or choose keyframes, and pair their spans.

    Raises InputError for keys that do not fit the clip, OptionsError for ranges that do not fit
    the keys, keyframes that cannot be chosen as asked, or ranges of the stylizer's options that
    overlap.
    """
    options, clip, frames = run.options, run.clip, run.frames
    if run.masks is not None:
        events = run.masks.survey(run.layout, run.mask_tile, cancel)
        yield from (replace(event, step=STEP) for event in events)
    if run.figures is not None:
        events = run.figures.survey(run.layout, run.mask_tile, cancel)
        yield from (replace(event, step=STEP) for event in events)
    painted, unused = painted_keys(options, clip, frames)
    for text in (*clip.info.notices, *run.notices, *unused, *_size_notices(run)):
        yield notice(STEP, text)
    survey: Survey | None = None
    if painted:
        shots = yield from _shots(run, frames, cancel)
        indices = [file.index for file in painted]
        for text in key_fit_notices(run, painted, cancel):
            yield notice(STEP, text)
        if run.figures is not None:
            for text in figure_notices(run, painted, cancel):
                yield notice(STEP, text)
    elif options.every_frame:
        shots = yield from _shots(run, frames, cancel)
        indices = [index for shot in shots for index in every_nth(shot, options.every)]
    elif len(frames) <= min(options.keys_budget, _FEW):
        shots, indices = [frames], list(frames)
    else:
        survey = yield from _survey(run, cancel)
        shots = [frames] if options.ignore_cuts else list(survey.shots)
        indices = choose_keyframes(survey, options.keys_budget, options.min_gap, options.max_gap)
    spans = assign_spans(
        indices,
        frames,
        options.ranges,
        cuts=[shot.start for shot in shots[1:]],
        number=clip.number,
    )
    starts = [shot.start for shot in shots]
    keys = {index: bisect.bisect_right(starts, index) - 1 for index in indices}

    def find_shots(asked: FrameRange) -> Generator[Event, None, Sequence[FrameRange]]:
        if survey is not None and asked == frames:
            return shots
        return (yield from _shots(run, asked, cancel))

    ranges = yield from resolve_ranges(options.stylizer_ranges, frames, find_shots)
    if options.refine is None:  # refined frames have the values of their ranges too
        for text in empty_ranges(ranges, indices):
            yield notice(STEP, text)
    plan = RunPlan(tuple(shots), keys, tuple(spans), tuple(painted), survey, ranges)
    for shot in plan.without_key:
        first, last = clip.number(shot.start), clip.number(shot.stop - 1)
        yield notice(
            STEP, f"no key in the shot {first}–{last}; the keys around it are carried over"
        )
    return plan


def every_nth(shot: FrameRange, every: int) -> list[int]:
    """Every n-th frame of a shot and its last, so that each frame lies between two of them."""
    return sorted({*range(shot.start, shot.stop, every), shot.stop - 1})


def _size_notices(run: RunContext) -> Iterator[str]:
    """A work size that somebody chose larger than the clip; the presets are for any clip."""
    size, clip_size = run.options.propagate.work_size, run.size
    chosen = all(size != preset.work_size for preset in DETAIL.values())
    if chosen and size > max(clip_size):
        yield (
            f"work-size {size} is larger than the clip ({clip_size[0]}×{clip_size[1]}); "
            "the clip's own size is used"
        )


def _survey(run: RunContext, cancel: CancelToken) -> Generator[Event, None, Survey]:
    events = survey_clip(
        run.clip, run.frames, cancel=cancel, cache=run.layout.folder, masks=run.masks
    )
    return (yield from map_items(events, lambda event: replace(event, step=STEP)))


def _shots(
    run: RunContext, frames: FrameRange, cancel: CancelToken
) -> Generator[Event, None, list[FrameRange]]:
    """The shots of the frames; found once for a clip, then read from a file."""
    if run.options.ignore_cuts or len(frames) < 3:
        return [frames]
    file = run.layout.shots(fingerprint("shots", VERSION, run.clip_identity, frames))
    stored = _stored_shots(file, frames)
    if stored is not None:
        return stored
    total, finder = len(frames), BoundaryFinder()
    starts = [frames.start]
    yield Event(STEP, 0, total)
    for frame in run.clip.frames(frames.start, frames.stop):
        cancel.check()
        starts += finder.add(frame.index, frame.rgb)
        yield Event(STEP, frame.index - frames.start + 1, total)
    starts += finder.finish()
    edges = [*starts, frames.stop]
    shots = [FrameRange(*pair) for pair in itertools.pairwise(edges)]
    write_json_object(file, {"shots": [[shot.start, shot.stop] for shot in shots]})
    return shots


def _stored_shots(file: Path, frames: FrameRange) -> list[FrameRange] | None:
    """The shots in a file; None if it is missing, damaged or does not fit the frames."""
    content = read_json_object(file).get("shots")
    if content is None:
        return None
    try:
        shots = [FrameRange(*map(_index, pair)) for pair in content]
        edges = [shot.start for shot in shots] + [frames.stop]
        fits = edges[0] == frames.start and all(
            shot.stop == after for shot, after in zip(shots, edges[1:], strict=True)
        )
    except (ValueError, TypeError, IndexError) as error:
        _log.warning("%s: damaged (%s); it will be made again", file, error)
        return None
    return shots if fits else None


def _index(value: object) -> int:
    if type(value) is not int:
        raise TypeError(f"{shorten(value)} is no frame index")
    return value
