"""Make the frames of a schedule: run its tasks and yield the finished frames in order."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from kadr.core.events import CancelToken, Event, notice
from kadr.core.formatting import size
from kadr.core.frames import Frame
from kadr.core.prefetch import prefetch
from kadr.core.stage_times import StageTimes, add_times, stage
from kadr.errors import OptionsError, ResumeError
from kadr.render.blend_task import STEP as BLEND
from kadr.render.compositor import Compositor
from kadr.render.key_layers import KeyLayer, key_layers
from kadr.render.key_pass import STEP as PROPAGATE
from kadr.render.keyframes import KeyStyles
from kadr.render.made_by import MadeBy
from kadr.render.run_context import RunContext
from kadr.render.schedule import Missing, RunSchedule
from kadr.render.shared_flow import FOLDER as FLOW
from kadr.storage.budget import Budget, files_below, folder_bytes
from kadr.storage.frame_folder import FrameState
from kadr.tasks.executor import (
    Done,
    Failed,
    ItemStored,
    NoticeGiven,
    Started,
    TaskEvent,
)
from kadr.tasks.ordered import in_task_order
from kadr.tasks.task import Task

WRITE = "write"
"""The step that takes the finished frames."""

_BYTES_PER_PIXEL = 2.1
"""Of a stored pass frame: painted images as PNG take 1 to 1.7, its part of the flow 0.2."""
_FIELD_BYTES_PER_PIXEL = 5.2
"""Of the stored fields of a pass frame of a reduced size, which are 16-bit positions."""
_WINDOW = 512
"""The most tasks that the executor knows of at a time, or more if it has many cores: the tasks of a
pass follow one another, so only some of those that it knows can start."""
_WINDOW_OF_CORE = 16
_KEYS_AT_ONCE = 32
"""Keys that are copied to the finished frames before those are yielded."""
_ATTEMPTS = 3
"""How often damaged work files are made again before the run gives up."""

_log = logging.getLogger(__name__)


@dataclass
class RenderCounts:
    """What a run computed, counted as it goes.

    pass_frames, finished_frames: made so far; with ``_total``: to be made in this run.
    pass_all: frames of all passes, stored ones included. notes: lines for the user.
    """

    pass_frames: int = 0
    finished_frames: int = 0
    pass_total: int = 0
    pass_all: int = 0
    finished_total: int = 0
    notes: list[str] = field(default_factory=list)


class StepClock:
    """Shares the wall-clock time of a run of tasks among their steps.

    Tasks of several steps run at a time, in several processes. A step's seconds are its part of
    the wall-clock time, in proportion to the time that its tasks computed; time in which the
    executor waits for whoever takes its frames does not count.
    """

    def __init__(self) -> None:
        self._computed: dict[str, float] = {}
        self._wall = 0.0
        self._start: float | None = None

    def start(self) -> None:
        """Tasks begin to run."""
        self._start = time.monotonic()

    def stop(self) -> None:
        """No task runs any more."""
        if self._start is not None:
            self._wall += time.monotonic() - self._start
            self._start = None

    def add(self, step: str, seconds: float) -> None:
        """A task of a step computed for so many seconds."""
        self._computed[step] = self._computed.get(step, 0.0) + seconds

    def seconds(self, step: str) -> float:
        """The step's part of the wall-clock time."""
        running = 0.0 if self._start is None else time.monotonic() - self._start
        total = sum(self._computed.values())
        share = min(1.0, (self._wall + running) / total) if total else 0.0
        return self._computed.get(step, 0.0) * share


class Renderer:
    """Carries out a schedule; ``frames`` may be iterated once."""

    def __init__(
        self, run: RunContext, schedule: RunSchedule, keys: KeyStyles, cancel: CancelToken
    ) -> None:
        self._run, self._schedule, self._keys = run, schedule, keys
        self.schedule = schedule
        self._cancel = cancel
        assert run.executors is not None, "opened to look only"
        self._executors = run.executors
        self._budget = Budget(run.layout, run.options.work_limit)
        self._pending: set[int] = set()
        self._compositor: Compositor | None = None
        self.counts = RenderCounts(pass_all=sum(map(len, schedule.passes)))
        self.clock = StepClock()
        self.made_by = MadeBy()
        self.stage_times: StageTimes = {}
        """Seconds of a core that its tasks took, by step and stage."""

    def frames(self) -> Generator[Event | Frame, None, None]:
        """Yield an Event for each pass frame and each blended frame, and each finished Frame.

        Finished frames come in order, as soon as they and all before them exist.
        Raises ResumeError if work files are damaged again and again, and what the tasks raise.
        """
        try:
            yield from self._frames()
        finally:
            if self._compositor is not None:
                self._compositor.close()

    def _frames(self) -> Generator[Event | Frame, None, None]:
        finished = _FramesInOrder(self._run, self._pending, self._cancel, self._texts)
        missing, attempts = self._find_missing(), 0
        self._note_edited(missing)
        while missing:
            self._trim()
            yield from self._copy_keys(missing, finished)
            pending = len(self._pending)
            try:
                yield from self._execute(self._affordable(missing), finished)
            except ResumeError as error:
                pending, attempts = -1, attempts + 1
                if attempts == _ATTEMPTS:
                    raise
                self._discard_damaged()
                self.counts.notes.append(str(error))
                yield notice(PROPAGATE, str(error), self.counts.pass_frames)
            missing = self._find_missing()
            if missing and len(self._pending) == pending:
                raise ResumeError(
                    f"{self._run.layout.folder}: frames vanish as they are made; "
                    "keep other programs away from this folder"
                )
        self._trim()
        yield from finished.ready()

    def key_layers(self) -> Iterator[KeyLayer]:
        """Every frame of every key, with each key's own frame, and its blend weights."""
        return key_layers(self._schedule, self._run.store, self._keys.style, self._cancel)

    def _trim(self) -> None:
        store, all_passes = self._run.store, self._run.options.per_key is not None
        self._budget.trim(self._schedule.removable(store, self._pending, all_passes=all_passes))

    def _affordable(self, missing: Missing) -> Missing:
        """As much as the limit for work files allows at a time."""
        frame_size, limit = frame_bytes(self._run), self._budget.limit
        if self._run.options.per_key is not None:  # written at the end, from all of them
            needed = round(self.counts.pass_all * frame_size)
            if limit is not None and needed > limit:
                raise OptionsError(
                    f"work-limit {size(limit)}: per-key needs the frames of all keys at once, "
                    f"about {size(needed)}; raise it, or leave per-key out"
                )
            return missing
        part = missing.first_gaps(self._budget.free, frame_size)
        needed = round(part.pass_frames * frame_size)
        if limit is not None and needed > limit:
            raise OptionsError(
                f"work-limit {size(limit)}: the frames between two keys need about "
                f"{size(needed)}; raise it, or add a key between them"
            )
        return part

    def _find_missing(self) -> Missing:
        run = self._run
        missing = self._schedule.missing(
            run.store, run.blended_frames, all_passes=run.options.per_key is not None
        )
        self._pending.clear()
        self._pending.update(missing.keys, *missing.frames.values())
        self.counts.pass_total = self.counts.pass_frames + missing.pass_frames
        self.counts.finished_total = self.counts.finished_frames + missing.finished_frames
        return missing

    def _discard_damaged(self) -> None:
        """Where one pass frame is damaged there may be more: a power cut takes all that is new."""
        store = self._run.store
        for key_pass in self._schedule.passes:
            for distance in range(1, len(key_pass) + 1):
                index = key_pass.index(distance)
                for entry in (key_pass.frame_entry(index), key_pass.state_entry(index)):
                    if store.has(entry) and not store.intact(entry):
                        store.discard(entry)

    def _note_edited(self, missing: Missing) -> None:
        if not missing.edited:
            return
        folder = self._run.blended_frames
        names = ", ".join(folder.path(index).name for index in missing.edited[:5])
        more = f" and {len(missing.edited) - 5} more" if len(missing.edited) > 5 else ""
        note = (
            f"{folder.folder}: {names}{more} changed by hand; kept as they are "
            "(delete them to have them made again)"
        )
        self.counts.notes.append(note)
        _log.warning("%s", note)

    def _copy_keys(self, missing: Missing, finished: _FramesInOrder) -> Iterator[Frame]:
        """A key's own frame is the key, pixel for pixel; where it is masked, composited."""
        for count, index in enumerate(missing.keys, start=1):
            self._cancel.check()
            name = self._schedule.key_name(index)
            style, texts = self._finished_key(index), self._keys.texts(index)
            self._run.blended_frames.put(index, style, name, 0.0, texts)
            self._pending.discard(index)
            if count % _KEYS_AT_ONCE == 0:
                yield from finished.ready()
        if missing.keys:
            self._run.blended_frames.sync()

    def _finished_key(self, index: int) -> NDArray[np.uint8]:
        style, work = self._keys.style(index), self._schedule.composite
        if work is None:
            return style
        if self._compositor is None:
            self._compositor = Compositor(work)
        return self._compositor.finish(index, style)

    def _texts(self, index: int) -> Mapping[str, str]:
        """The text chunks of a finished frame's file; {} if it was edited by hand."""
        texts, name = self._keys.texts(index), self._schedule.key_name
        if texts and self._run.blended_frames.find(index, name(index)) is FrameState.CURRENT:
            return texts
        return {}

    def _execute(
        self, missing: Missing, finished: _FramesInOrder
    ) -> Generator[Event | Frame, None, None]:
        """Run the tasks that make what is missing."""
        if not (missing.frames or missing.distances):
            return
        counts = self.counts
        yield Event(PROPAGATE, counts.pass_frames, counts.pass_total)
        is_started = False
        types: dict[str, str] = {}
        expected: dict[str, list[int]] = {}
        messages: set[str] = set()
        tasks = self._tasks(missing, types, expected)
        frames = _FramesAtWork(expected)
        try:
            pixels = missing.pass_frames * self._run.pixels
            with self._executors.executor(pixels) as executor:
                self.clock.start()
                window = max(_WINDOW, _WINDOW_OF_CORE * executor.cores)
                events = frames.follow(executor.run(tasks, window, self._cancel))
                for event in in_task_order(events, expected):
                    if isinstance(event, ItemStored):
                        add_times(self.stage_times, event.stage_times)
                        self.made_by.add(event.worker, types[event.task], event.item.index)
                    match event:
                        case Started() if not is_started:
                            is_started = True
                            done, total = counts.pass_frames, counts.pass_total
                            yield Event(PROPAGATE, done, total, working=frames.now)
                        case ItemStored() if types[event.task] == PROPAGATE:
                            self.clock.add(PROPAGATE, event.seconds)
                            counts.pass_frames += 1
                            done, total = counts.pass_frames, counts.pass_total
                            yield Event(PROPAGATE, done, total, working=frames.now)
                        case ItemStored():
                            self.clock.add(BLEND, event.seconds)
                            counts.finished_frames += 1
                            self._executors.take_over(
                                event.item.reference, self._run.blended_frames
                            )
                            self._pending.discard(event.item.index)
                            done, total = counts.finished_frames, counts.finished_total
                            yield Event(BLEND, done, total, working=frames.now)
                            yield from finished.ready()
                        case Failed():
                            raise event.error
                        case NoticeGiven() if event.text not in messages:
                            messages.add(event.text)  # each process may say it
                            done, total = counts.pass_frames, counts.pass_total
                            yield Event(PROPAGATE, done, total, message=event.text)
        finally:
            self.clock.stop()
            self._run.blended_frames.sync()

    def _tasks(
        self, missing: Missing, types: dict[str, str], expected: dict[str, list[int]]
    ) -> Iterator[Task]:
        """The tasks; notes the type of each and the frames that it makes, in order."""
        run = self._run
        for work, task in self._schedule.work(
            missing,
            run.store.folder,
            self._executors.folder_for(run.blended_frames),
            run.clip.name,
            run.size,
        ):
            types[task.id], expected[task.id] = task.type, list(work.indices)
            yield task


def frame_bytes(run: RunContext) -> float:
    """Bytes of a pass frame in the store: measured on stored ones, else estimated."""
    sizes = [count for _, count in files_below(run.store.folder / PROPAGATE)]
    if len(sizes) > 8:
        return (sum(sizes) + folder_bytes(run.store.folder / FLOW)) / len(sizes) * 1.1
    return (_FIELD_BYTES_PER_PIXEL if run.is_reduced else _BYTES_PER_PIXEL) * run.pass_pixels


class _FramesAtWork:
    """Which frames the running tasks make now: in each, the one after the last that it stored."""

    def __init__(self, expected: Mapping[str, Sequence[int]]) -> None:
        """expected: task id → its frames in order; may grow."""
        self._expected = expected
        self._frames: dict[str, int] = {}

    @property
    def now(self) -> frozenset[int]:
        """The frames."""
        return frozenset(self._frames.values())

    def follow(self, events: Generator[TaskEvent, None, None]) -> Generator[TaskEvent, None, None]:
        """Pass events on as they come, and take from them what is at work."""
        with closing(events):
            for event in events:
                frames = self._expected.get(event.task, ())
                match event:
                    case Started() if frames:
                        self._frames[event.task] = frames[0]
                    case ItemStored() if event.item.index in frames[:-1]:
                        following = list(frames).index(event.item.index) + 1
                        self._frames[event.task] = frames[following]
                    case ItemStored() | Done() | Failed():
                        self._frames.pop(event.task, None)
                yield event


class _FramesInOrder:
    """Yields finished frames in order, as they come to exist."""

    def __init__(
        self,
        run: RunContext,
        pending: set[int],
        cancel: CancelToken,
        texts: Callable[[int], Mapping[str, str]],
    ) -> None:
        self._run, self._pending, self._cancel = run, pending, cancel
        self._texts = texts
        self._next = run.frames.start

    def ready(self) -> Iterator[Frame]:
        """The next frames, up to the first that is pending."""
        run, stop = self._run, self._next
        while stop < run.frames.stop and stop not in self._pending:
            stop += 1
        indices = range(self._next, stop)
        self._next = stop
        with closing(prefetch(map(self._read, indices), depth=2)) as frames:
            for frame in frames:
                self._cancel.check()
                yield frame

    def _read(self, index: int) -> Frame:
        with stage(WRITE), stage("read"):
            image = self._run.blended_frames.get(index, self._run.size)
        return Frame(index, image, self._run.clip.times[index], self._texts(index))
