"""Options and a few frames in, those frames finished out in seconds, from the nearest kept states.

What is kept is used; the rest of each pass is walked from its last state. Where a key was
repainted its pass has no states yet. Then those of the key's pass before are taken: where every
pixel comes from hardly changes with the painting, so the new painting is pulled to those places
and the pass goes on from there. That is an estimate, and said to be one.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.events import CancelToken, Event
from kadr.core.frames import Frame, FrameRange
from kadr.core.warp import sample
from kadr.errors import OptionsError
from kadr.options import RunOptions
from kadr.propagate import STATE_INTERVAL, KeyStyle, PassState, unpack_state
from kadr.render.blend_task import BlendChunk, blend_frames
from kadr.render.keyframes import KeyStyles
from kadr.render.pass_history import previous_pass
from kadr.render.pass_task import Pass, kept_frame, nearest_state, walk
from kadr.render.run_context import RunContext, open_run
from kadr.render.run_plan import plan_run
from kadr.render.schedule import RunSchedule, make_schedule
from kadr.storage.overlay import OverlayStore
from kadr.storage.store import FolderStore, Store
from kadr.tasks.task import TaskContext

STEP = "preview"

_PATIENCE = 40
"""Steps of passes beyond which an estimate is given instead of the exact frame."""


@dataclass(frozen=True)
class PreviewResult:
    """How many frames were made, how many pass frames that took, and whether they are exact."""

    frames: int
    computed: int
    exact: bool


def preview_frames(
    options: RunOptions, frames: FrameRange, cancel: CancelToken | None = None
) -> Generator[Event | Frame, None, PreviewResult]:
    """Yield Events, and the finished frames ``frames`` in order, as a run would make them.

    Nothing is written but what a run would write alike. May be used while another process runs.
    Raises OptionsError for frames that the run does not have, and what a run would raise.
    """
    cancel = cancel or CancelToken()
    with open_run(options, exclusive=False) as opened:
        if frames.start not in opened.frames or frames.stop - 1 not in opened.frames:
            number = opened.clip.number
            raise OptionsError(
                f"frames {frames.start}–{frames.stop - 1}: the run has frames "
                f"{number(opened.frames.start)}–{number(opened.frames.stop - 1)}"
            )
        run = replace(opened, store=OverlayStore(opened.store))
        plan = yield from plan_run(run, cancel)
        keys = KeyStyles(run, plan.keys, plan.painted)
        yield from keys.stylize(cancel)
        maker = _Maker(run, make_schedule(run, plan.spans, keys), keys, cancel)
        yield from maker.walk(frames)
        yield from maker.finished(frames)
        return PreviewResult(len(frames), maker.computed, maker.exact)


class _Maker:
    """Makes what a few frames need into a store in memory."""

    def __init__(
        self, run: RunContext, schedule: RunSchedule, keys: KeyStyles, cancel: CancelToken
    ) -> None:
        self._run, self._schedule, self._keys = run, schedule, keys
        self._context = TaskContext(threads=0, cancel=cancel)
        self._parts: dict[BlendChunk, list[int]] = {}
        self.computed, self.exact = 0, True

    def walk(self, frames: FrameRange) -> Generator[Event, None, None]:
        """Walk every pass as far as the frames need it."""
        self._parts = self._chunks(frames)
        needed = self._needed()
        if self._cost(needed) > _PATIENCE:
            # weighed from nothing, the choice between keys is not steadied: good enough to look at
            self.exact = False
            self._parts = {
                replace(chunk, start=max(chunk.start, frames.start), warm=0): indices
                for chunk, indices in self._parts.items()
            }
            needed = self._needed()
        total = self._cost(needed)
        yield Event(STEP, 0, total)
        for each, distances in needed.items():
            for made in self._walk(each, min(distances), max(distances)):
                self.computed += 1
                yield Event(STEP, min(self.computed, total), total, made)

    def _needed(self) -> dict[Pass, set[int]]:
        """The distances that are missing in each pass."""
        needed: dict[Pass, set[int]] = {}
        for chunk, indices in self._parts.items():
            for each, at in chunk.needs(indices[-1]):
                if not self._run.store.has(each.frame_entry(at)):
                    needed.setdefault(each, set()).add(each.distance(at))
        return needed

    @staticmethod
    def _cost(needed: Mapping[Pass, set[int]]) -> int:
        """About how many steps it takes: from the state before the first to the last."""
        return sum(
            max(distances) - (min(distances) - 1) // STATE_INTERVAL * STATE_INTERVAL
            for distances in needed.values()
        )

    def _chunks(self, frames: FrameRange) -> dict[BlendChunk, list[int]]:
        found: dict[BlendChunk, list[int]] = {}
        for chunk in self._schedule.chunks:
            indices = [index for index in frames if chunk.start <= index < chunk.stop]
            if indices:
                found[chunk] = indices
        return found

    def _walk(self, work: Pass, first: int, last: int) -> Generator[NDArray[np.uint8], None, None]:
        run, store = self._run, self._run.store
        made_of = self._schedule.inputs[work.key]
        key = KeyStyle(
            run.clip.frame(work.key),
            self._keys.style(work.key),
            made_of.options,
            seed=made_of.seed,
        )
        state = nearest_state(store, work, first)
        if (0 if state is None else work.distance(state.index)) < first - STATE_INTERVAL:
            estimated = self._estimate(work, key, first)
            if estimated is not None:
                state, self.exact = estimated, False
        with closing(walk(run.clip, key, work, state, last, self._context)) as made:
            for result, _ in made:
                entry = work.frame_entry(result.index)
                if not store.has(entry):
                    store.put(entry, kept_frame(result, work.direction))
                yield result.image[..., :3]

    def _estimate(self, work: Pass, key: KeyStyle, first: int) -> PassState | None:
        """The last state before a distance of the key's pass before it was repainted."""
        before = previous_pass(self._schedule, work, self._run.work)
        if before is None:
            return None
        below = FolderStore(self._run.store.folder)
        for at in range((first - 1) // STATE_INTERVAL * STATE_INTERVAL, 0, -STATE_INTERVAL):
            index = work.index(at)
            packed = below.get(replace(work, name=before).state_entry(index))
            if packed is None:
                continue
            return _repainted(packed, index, key)
        return None

    def finished(self, frames: FrameRange) -> Iterator[Frame]:
        """The frames, joined as a run joins them."""
        times, styles = self._run.clip.times, self._schedule.styles
        store: Store = self._run.store
        at = frames.start
        parts = sorted(self._parts.items(), key=lambda part: part[0].start)
        for chunk, indices in [*parts, (None, [frames.stop])]:
            for key in range(at, indices[0]):  # between gaps there are keys only
                assert key in styles, f"frame {key} is in no gap and is no key"
                yield Frame(key, self._keys.style(key), times[key])
            if chunk is not None:
                for index, image, _ in blend_frames(
                    chunk, dict.fromkeys(indices), store, self._context
                ):
                    yield Frame(index, image, times[index])
            at = indices[-1] + 1


def _repainted(packed: Mapping[str, NDArray[Any]], index: int, key: KeyStyle) -> PassState:
    """A state of another painting's pass, with this painting pulled to where that one lay."""
    blank = np.zeros_like(key.style)
    state = unpack_state(packed, index, blank)
    output = sample(key.style, state.matches, interpolation=cv2.INTER_CUBIC)
    return replace(state, output=output)
