"""Preview a few finished frames in seconds, from the nearest stored states.

Stored pass frames are used; the rest of each pass is computed from its last state. The pass of a
repainted key has no states yet. Then those of the key's previous pass are used: the positions that
pixels come from hardly change with the style, so the new style is sampled at these positions and
the pass continues from there. The result is an estimate and is marked as one.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.events import CancelToken, Event, notice
from kadr.core.frames import Frame, FrameRange
from kadr.core.warp import sample
from kadr.errors import OptionsError
from kadr.options import RunOptions
from kadr.propagate import STATE_INTERVAL, KeyStyle, PassState, unpack_state
from kadr.render.blend_task import BlendChunk, blend_frames
from kadr.render.compositing import background_notices
from kadr.render.compositor import Compositor
from kadr.render.figure_masks import FigureReader
from kadr.render.key_pass import KeyPass
from kadr.render.keyframes import KeyStyles
from kadr.render.lost_alpha import tell_lost_alpha
from kadr.render.match_keys import match_keys
from kadr.render.pass_frame import PassImages, pack_pass_frame
from kadr.render.pass_history import load_history, previous_pass_name
from kadr.render.pass_key import PassKey
from kadr.render.pass_task import nearest_state, walk
from kadr.render.run_context import RunContext, open_run
from kadr.render.run_plan import plan_run
from kadr.render.schedule import RunSchedule, make_schedule
from kadr.render.shared_flow import SharedFlow
from kadr.render.shared_frames import SharedFrames
from kadr.render.work_frame import FrameReducer
from kadr.storage.overlay import OverlayStore
from kadr.storage.store import FolderStore, Store
from kadr.tasks.task import TaskContext

STEP = "preview"

_MOST_STEPS = 40
"""If exact frames need more pass frames than this, an estimate is made instead."""


@dataclass(frozen=True)
class PreviewResult:
    """How many frames were made, how many pass frames were computed, and whether they are exact."""

    frames: int
    computed: int
    exact: bool


def preview_frames(
    options: RunOptions, frames: FrameRange, cancel: CancelToken | None = None
) -> Generator[Event | Frame, None, PreviewResult]:
    """Yield Events, and the finished frames ``frames`` in order, as a run would make them.

    Writes only files that a run would write alike. May be used while another process runs.
    Raises OptionsError for frames that the run does not have, and what a run would raise.
    """
    cancel = cancel or CancelToken()
    options = options.with_all_frames()
    with open_run(options, exclusive=False) as opened:
        if frames.start not in opened.frames or frames.stop - 1 not in opened.frames:
            number = opened.clip.number
            raise OptionsError(
                f"frames {frames.start}–{frames.stop - 1}: the run has frames "
                f"{number(opened.frames.start)}–{number(opened.frames.stop - 1)}"
            )
        run = replace(opened, store=OverlayStore(opened.store))
        plan = yield from plan_run(run, cancel)
        keys = KeyStyles(run, plan.keys, plan.painted, plan.ranges)
        yield from keys.stylize(cancel)
        yield from match_keys(run, plan.keys, keys, cancel)
        for text in background_notices(run, keys.channels):
            yield notice(STEP, text)
        renderer = _PreviewRenderer(run, make_schedule(run, plan.spans, keys), keys, cancel)
        yield from renderer.compute_passes(frames)
        yield from tell_lost_alpha(options, len(frames), renderer.finished(frames))
        return PreviewResult(len(frames), renderer.computed, renderer.exact)


class _PreviewRenderer:
    """Computes what a few frames need into a store in memory."""

    def __init__(
        self, run: RunContext, schedule: RunSchedule, keys: KeyStyles, cancel: CancelToken
    ) -> None:
        self._run, self._schedule, self._keys = run, schedule, keys
        self._context = TaskContext(threads=0, cancel=cancel)
        self._chunks: dict[BlendChunk, list[int]] = {}
        self.computed, self.exact = 0, True

    def compute_passes(self, frames: FrameRange) -> Generator[Event, None, None]:
        """Compute every pass as far as the frames need it."""
        self._chunks = self._chunks_of(frames)
        needed = self._needed()
        if self._cost(needed) > _MOST_STEPS:
            # without warm-up the choice between keys is not smoothed in time: good enough here
            self.exact = False
            self._chunks = {
                replace(chunk, start=max(chunk.start, frames.start), warm_up=0): indices
                for chunk, indices in self._chunks.items()
            }
            needed = self._needed()
        total = self._cost(needed)
        yield Event(STEP, 0, total)
        for key_pass, distances in needed.items():
            for image in self._compute(key_pass, min(distances), max(distances)):
                self.computed += 1
                yield Event(STEP, min(self.computed, total), total, image)

    def _needed(self) -> dict[KeyPass, set[int]]:
        """The distances that are missing in each pass."""
        needed: dict[KeyPass, set[int]] = {}
        for chunk, indices in self._chunks.items():
            for key_pass, index in chunk.needs(indices[-1]):
                if not self._run.store.has(key_pass.frame_entry(index)):
                    needed.setdefault(key_pass, set()).add(key_pass.distance(index))
        return needed

    @staticmethod
    def _cost(needed: Mapping[KeyPass, set[int]]) -> int:
        """About how many pass frames that takes: from the state before the first to the last."""
        return sum(
            max(distances) - (min(distances) - 1) // STATE_INTERVAL * STATE_INTERVAL
            for distances in needed.values()
        )

    def _chunks_of(self, frames: FrameRange) -> dict[BlendChunk, list[int]]:
        chunks: dict[BlendChunk, list[int]] = {}
        for chunk in self._schedule.chunks:
            indices = [index for index in frames if chunk.start <= index < chunk.stop]
            if indices:
                chunks[chunk] = indices
        return chunks

    def _compute(
        self, key_pass: KeyPass, first: int, last: int
    ) -> Generator[NDArray[np.uint8], None, None]:
        run, store = self._run, self._run.store
        pass_input = self._schedule.inputs[key_pass.key]
        masks, source = self._schedule.masks, self._schedule.figure
        figure = None if source is None else FigureReader(source)
        reducer = FrameReducer(run.size, pass_input.options, self._schedule.area)
        shared_frames = SharedFrames(run.clip, reducer, store, pass_input.flow_name)
        key = PassKey(
            reducer,
            shared_frames.key(key_pass.key),
            self._keys.style(key_pass.key),
            pass_input.options,
            pass_input.seed,
            SharedFlow(store, pass_input.flow_name, pass_input.options),
            None if masks is None or run.masks is None else run.masks.mask(key_pass.key),
            figure,
            self._schedule.guides,
        )
        state = nearest_state(store, key_pass, first)
        if (0 if state is None else key_pass.distance(state.index)) < first - STATE_INTERVAL:
            estimate = self._estimate(key_pass, key, first)
            if estimate is not None:
                state, self.exact = estimate, False
        with ExitStack() as stack:
            if figure is not None:
                stack.enter_context(figure)
            walked = walk(shared_frames, key, key_pass, state, last, self._context)
            for frame, next_state in stack.enter_context(closing(walked)):
                entry, fields = key_pass.frame_entry(frame.index), key.fields(frame, next_state)
                frame = key.with_alpha(frame, next_state)
                if not store.has(entry):
                    side = pass_input.options.pass_side(max(run.size))
                    store.put(entry, pack_pass_frame(frame, fields, key_pass.direction, side))
                yield frame.image[..., :3]

    def _estimate(self, key_pass: KeyPass, key: PassKey, first: int) -> PassState | None:
        """The last state before distance ``first`` of the pass before the key was repainted."""
        history = load_history(self._run.layout.pass_history)
        previous_name = previous_pass_name(self._schedule, key_pass, history)
        if previous_name is None:
            return None
        stored, previous = (
            FolderStore(self._run.store.folder),
            replace(key_pass, name=previous_name),
        )
        start = (first - 1) // STATE_INTERVAL * STATE_INTERVAL
        for distance in range(start, 0, -STATE_INTERVAL):
            index = key_pass.index(distance)
            packed = stored.get(previous.state_entry(index))
            if packed is None:
                continue
            return _restyled(packed, index, key.style)
        return None

    def finished(self, frames: FrameRange) -> Generator[Frame, None, None]:
        """The frames, blended and composited as in a run."""
        work = self._schedule.composite
        if work is None:
            yield from self._blended(frames)
            return
        with Compositor(work) as compositor:
            for frame in self._blended(frames):
                styled = frame.image.astype(np.uint8, copy=False)
                yield replace(frame, image=compositor.finish(frame.index, styled))

    def _blended(self, frames: FrameRange) -> Generator[Frame, None, None]:
        work = self._schedule.composite
        times, styles = self._run.clip.times, self._schedule.styles
        store: Store = self._run.store

        def read_style(key: int) -> NDArray[np.uint8]:
            style = self._keys.style(key)
            return style if work is None else work.crop(style, key)

        images = PassImages(store, read_style)
        start = frames.start
        chunks = sorted(self._chunks.items(), key=lambda item: item[0].start)
        for chunk, indices in [*chunks, (None, [frames.stop])]:
            for key in range(start, indices[0]):  # between gaps there are keys only
                assert key in styles, f"frame {key} is in no gap and is no key"
                yield Frame(key, self._keys.style(key), times[key])
            if chunk is not None:
                for index, image, _ in blend_frames(chunk, indices, store, images, self._context):
                    yield Frame(index, image, times[index])
            start = indices[-1] + 1


def _restyled(packed: Mapping[str, NDArray[Any]], index: int, key: KeyStyle) -> PassState:
    """A state of the previous style's pass, with the new style sampled at its positions."""
    state = unpack_state(packed, index)
    output = sample(key.style, state.matches, interpolation=cv2.INTER_CUBIC)
    return replace(state, output=output)
