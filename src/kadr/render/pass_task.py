"""The pass task: make one segment of one key's pass and keep its frames in the store.

A pass starts at its key and goes in one direction. Each frame is stored with its error and flow,
both small, and every few frames the state from which the pass can resume. So an interrupted pass
resumes at the last state, and every frame of it is a few steps away from one.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from kadr.composite import WorkArea
from kadr.core.frames import Frame
from kadr.core.prefetch import prefetch
from kadr.core.stage_times import stage
from kadr.guides.flow import FlowPair
from kadr.options import PropagateOptions
from kadr.propagate import (
    STATE_INTERVAL,
    PassFrame,
    PassState,
    pack_state,
    propagate,
    unpack_state,
)
from kadr.render.figure_masks import FigureReader
from kadr.render.guide_files import GuideSource
from kadr.render.key_pass import STEP, KeyPass
from kadr.render.matte_reader import MaskSource, MatteReader
from kadr.render.pass_frame import image_digest, load_style, pack_pass_frame
from kadr.render.pass_key import PassKey
from kadr.render.shared_flow import SharedFlow
from kadr.render.shared_frames import SharedFrames
from kadr.render.work_frame import FrameReducer
from kadr.storage.store import FolderStore, Store
from kadr.tasks.task import InputFrames, Item, Task, TaskContext
from kadr.video.clip_source import ClipSource

SEGMENT = 2 * STATE_INTERVAL
"""The most frames of one task: what a lost worker can delay, and the unit of sharing out."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PassWork:
    """What a pass task makes: the frames of a pass between two distances from its key, inclusive.

    style_entry: the stylized key in the store. flow_name: of the flow there. channels: 3 or 4, of
    all keys together. area: what of the frames is worked on, as plain values. masks: of the key,
    where it is styled, as plain values. shared: the first and the last frame that another pass
    makes too. figure: the masks of the figure in its frames, as plain values.
    guides: the user's in its frames, as plain values.
    """

    clip: ClipSource
    key_pass: KeyPass
    options: PropagateOptions
    seed: int
    style_entry: str
    flow_name: str
    channels: int
    store: Path
    first_distance: int
    last_distance: int
    area: Mapping[str, Any] | None = None
    masks: Mapping[str, Any] | None = None
    shared: tuple[int, int] | None = None
    figure: Mapping[str, Any] | None = None
    guides: Sequence[Mapping[str, Any]] = ()

    @property
    def id(self) -> str:
        """The id of its task."""
        return pass_task_id(self.key_pass, self.first_distance)

    @property
    def indices(self) -> list[int]:
        """The frames in the order in which they are made."""
        distances = range(self.first_distance, self.last_distance + 1)
        return [self.key_pass.index(distance) for distance in distances]

    def to_task(self, **task_fields: Any) -> Task:
        """The task; ``task_fields``: its ``after``, ``priority`` and the like."""
        first, last = sorted((self.indices[0], self.indices[-1]))
        values = {**asdict(self), "store": str(self.store)}
        return Task(
            id=self.id,
            type=STEP,
            function=f"{__name__}:run_pass_task",
            values=values,
            inputs=(InputFrames(self.clip.path, first, last + 1),),
            seed=self.seed,
            **task_fields,
        )

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """Read what ``to_task`` put into the task's values."""
        return cls(
            **{
                **values,
                "clip": ClipSource(**values["clip"]),
                "key_pass": KeyPass(**values["key_pass"]),
                "options": PropagateOptions(**values["options"]),
                "store": Path(values["store"]),
            }
        )


def pass_task_id(key_pass: KeyPass, first_distance: int) -> str:
    """The id of the task that makes the segment of a pass from ``first_distance`` on."""
    return f"{key_pass.name}/{first_distance:06d}"


def run_pass_task(task: Task, context: TaskContext) -> Iterator[Item]:
    """Make the frames of one segment and store them; an Item for each, the entry's name in it.

    Raises ResumeError if the stylized key is missing in the store.
    """
    work = PassWork.from_values(task.values)
    store, key_pass = FolderStore(work.store), work.key_pass
    with ExitStack() as stack:
        with stage("decode"):
            clip = stack.enter_context(work.clip.open())
        with stage("sources"):
            style = load_style(store, work.style_entry, work.channels)
            flow = SharedFlow(store, work.flow_name, work.options)
            area = None if work.area is None else WorkArea.from_values(work.area)
            size = clip.info.width, clip.info.height
            reducer = FrameReducer(size, work.options, area)
            frames = SharedFrames(clip, reducer, store, work.flow_name)
            key_frame = frames.key(key_pass.key)
            figure = None
            if work.figure is not None:
                figure = stack.enter_context(FigureReader(MaskSource.from_values(work.figure)))
            guides = [GuideSource.from_values(values) for values in work.guides]
            key = PassKey(
                reducer,
                key_frame,
                style,
                work.options,
                work.seed,
                flow,
                _sources(work),
                figure,
                guides,
            )
        with stage("store"):
            state = nearest_state(store, key_pass, _first_missing(store, work))
        shared = () if work.shared is None else range(work.shared[0], work.shared[1] + 1)
        pass_frames = walk(frames, key, key_pass, state, work.last_distance, context, shared)
        for frame, next_state in stack.enter_context(closing(pass_frames)):
            entry, fields = key_pass.frame_entry(frame.index), key.fields(frame, next_state)
            frame = key.with_alpha(frame, next_state)
            with stage("store"):
                store.put(entry, pack_pass_frame(frame, fields, key_pass.direction, reducer.side))
                if abs(frame.index - key_pass.key) % STATE_INTERVAL == 0:
                    store.put(key_pass.state_entry(frame.index), pack_state(next_state))
                item = Item(frame.index, entry, image_digest(frame.image))
            yield item


def _sources(work: PassWork) -> NDArray[np.bool_] | None:
    """(H, W) bool, where the key is styled; None: everywhere."""
    if work.masks is None:
        return None
    with MatteReader(MaskSource.from_values(work.masks)) as reader:
        return reader.matte(work.key_pass.key) > 0


def _first_missing(store: Store, work: PassWork) -> int:
    """The first distance whose frame is not stored: a task that runs again resumes there."""
    for distance in range(work.first_distance, work.last_distance):
        if not store.has(work.key_pass.frame_entry(work.key_pass.index(distance))):
            return distance
    return work.last_distance


def nearest_state(store: Store, key_pass: KeyPass, distance: int) -> PassState | None:
    """The last complete state before the frame at ``distance``; None: start at the key itself."""
    start = (distance - 1) // STATE_INTERVAL * STATE_INTERVAL
    for state_distance in range(start, 0, -STATE_INTERVAL):
        index = key_pass.index(state_distance)
        entry = key_pass.state_entry(index)
        packed = store.get(entry)
        if packed is None:
            continue
        try:
            return unpack_state(packed, index)
        except ValueError:
            _log.warning("%s: not a complete state; it will be made again", entry)
            store.discard(entry)
    return None


def walk(
    shared_frames: SharedFrames,
    key: PassKey,
    key_pass: KeyPass,
    state: PassState | None,
    last_distance: int,
    context: TaskContext,
    shared: Collection[int] | None = None,
) -> Generator[tuple[PassFrame, PassState], None, None]:
    """The frames of a pass after ``state`` (None: after the key) up to ``last_distance``.

    shared: see ``SharedFrames.frames``.
    """
    start = 0 if state is None else key_pass.distance(state.index)
    indices = [key_pass.index(distance) for distance in range(start, last_distance + 1)]
    frames = shared_frames.frames(indices, shared)
    steps: Iterable[tuple[Frame, FlowPair]] = key.steps(frames)
    with ExitStack() as stack:
        if context.threads != 1:
            steps = stack.enter_context(closing(prefetch(steps)))
        yield from propagate(key.style, iter(steps), state, context.cancel)
