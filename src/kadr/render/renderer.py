"""A schedule in, its frames out in order, while executors work on what is missing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from kadr.core.events import CancelToken, Event
from kadr.core.frames import Frame
from kadr.core.prefetch import prefetch
from kadr.core.row_bands import default_threads
from kadr.errors import OptionsError, ResumeError
from kadr.render.blend_task import STEP as JOIN
from kadr.render.blend_task import read_pass_frame
from kadr.render.keyframes import KeyStyles
from kadr.render.pass_task import STEP as PROPAGATE
from kadr.render.run_context import RunContext
from kadr.render.schedule import Missing, RunSchedule, expected_frames
from kadr.storage.budget import Budget, files_below
from kadr.storage.frame_folder import FrameState
from kadr.tasks.executor import Executor, Failed, ItemStored, NoticeGiven
from kadr.tasks.inline_executor import InlineExecutor
from kadr.tasks.ordered import in_task_order
from kadr.tasks.task import Task

_SMALL = 12e6
"""Pixels of pass frames below which starting processes takes longer than they save."""
_BYTES_A_PIXEL = 1.8
"""Of a stored pass frame: painted pictures as PNG take 1 to 1.7."""
_WINDOW = 512
"""Tasks that are known to the executor at a time."""
_KEYS_AT_ONCE = 32
"""Keys that are put among the finished frames before those are given out."""
_TRIES = 3
"""How often work files that turn out damaged are made again before the run gives up."""

_log = logging.getLogger(__name__)


@dataclass
class RenderCounts:
    """What a run computed, counted as it goes.

    pass_frames, finished_frames: made so far; with ``_total``: to be made in this run.
    pass_whole: frames that all passes have, kept ones among them.
    """

    pass_frames: int = 0
    finished_frames: int = 0
    pass_total: int = 0
    pass_whole: int = 0
    finished_total: int = 0
    notes: list[str] = field(default_factory=list)


class Renderer:
    """Carries out a schedule; ``frames`` may be iterated once."""

    def __init__(
        self, run: RunContext, schedule: RunSchedule, keys: KeyStyles, cancel: CancelToken
    ) -> None:
        self._run, self._schedule, self._keys = run, schedule, keys
        self._cancel = cancel
        self._budget = Budget(run.store.folder, run.options.work_limit)
        self._pending: set[int] = set()
        self.tally = RenderCounts(pass_whole=sum(map(len, schedule.passes)))

    def frames(self) -> Generator[Event | Frame, None, None]:
        """Yield an Event for each frame of a pass and each joined frame, and each finished Frame.

        Finished frames come in order, as soon as they and all before them are there.
        Raises ResumeError if work files are damaged again and again, and what the tasks raise.
        """
        sink = _InOrder(self._run, self._pending, self._cancel, self._texts)
        missing, tries = self._look(), 0
        self._note_kept(missing)
        while missing:
            self._trim()
            yield from self._put_keys(missing, sink)
            left = len(self._pending)
            try:
                yield from self._work(self._part(missing), sink)
            except ResumeError as error:
                left, tries = -1, tries + 1
                if tries == _TRIES:
                    raise
                self.tally.notes.append(str(error))
                yield Event(PROPAGATE, self.tally.pass_frames, None, message=f"note: {error}")
            missing = self._look()
            if missing and len(self._pending) == left:
                raise ResumeError(
                    f"{self._run.work}: frames vanish as they are made; "
                    "keep other programs away from this folder"
                )
        self._trim()
        yield from sink.ready()

    def pass_frames(self) -> Iterator[tuple[int, int, NDArray[np.uint8]]]:
        """(key, index, image) of every frame of every span, each key's own among them."""
        passes = {(each.key, each.direction): each for each in self._schedule.passes}
        for span in self._schedule.spans:
            for index in span.range:
                self._cancel.check()
                if index == span.key:
                    yield span.key, index, self._keys.style(index)
                    continue
                made = passes[span.key, 1 if index > span.key else -1]
                yield span.key, index, read_pass_frame(self._run.store, made, index, "image")

    def _trim(self) -> None:
        self._budget.trim(self._schedule.removable(self._run.store, self._pending))

    def _part(self, missing: Missing) -> Missing:
        """As much as the limit for work files allows at a time."""
        each = frame_bytes(self._run)
        part = missing.first_gaps(self._budget.free, each)
        limit, needed = self._budget.limit, part.pass_frames * each
        if limit is not None and needed > limit:
            raise OptionsError(
                f"work-limit {limit / 1e9:.2g}G: the frames between two keys need about "
                f"{needed / 1e9:.2g}G; raise it, or add a key between them"
            )
        return part

    def _look(self) -> Missing:
        run = self._run
        missing = self._schedule.missing(
            run.store, run.blended_frames, all_passes=run.options.per_key is not None
        )
        self._pending.clear()
        self._pending.update(missing.keys, *missing.frames.values())
        self.tally.pass_total = self.tally.pass_frames + missing.pass_frames
        self.tally.finished_total = self.tally.finished_frames + missing.finished_frames
        return missing

    def _note_kept(self, missing: Missing) -> None:
        if not missing.kept:
            return
        folder = self._run.blended_frames
        names = ", ".join(folder.path(index).name for index in missing.kept[:5])
        more = f" and {len(missing.kept) - 5} more" if len(missing.kept) > 5 else ""
        note = (
            f"{folder.folder}: {names}{more} changed by hand; kept as they are "
            "(delete them to have them made again)"
        )
        self.tally.notes.append(note)
        _log.warning("%s", note)

    def _put_keys(self, missing: Missing, sink: _InOrder) -> Iterator[Frame]:
        """A key's own frame is the key, pixel for pixel."""
        for count, index in enumerate(missing.keys, start=1):
            self._cancel.check()
            name = self._schedule.key_name(index)
            style, texts = self._keys.style(index), self._keys.texts(index)
            self._run.blended_frames.put(index, style, name, 0.0, texts)
            self._pending.discard(index)
            if count % _KEYS_AT_ONCE == 0:
                yield from sink.ready()

    def _texts(self, index: int) -> Mapping[str, str]:
        """What the file of a finished frame is to carry; nothing if it was changed by hand."""
        texts = self._keys.texts(index)
        if (
            texts
            and self._run.blended_frames.find(index, self._schedule.key_name(index))
            is FrameState.CURRENT
        ):
            return texts
        return {}

    def _work(self, missing: Missing, sink: _InOrder) -> Generator[Event | Frame, None, None]:
        run, tally = self._run, self.tally
        tasks = self._schedule.tasks(
            missing, run.store.folder, run.blended_frames, run.clip.name, run.pixels
        )
        if not (missing.frames or missing.steps):
            return
        yield Event(PROPAGATE, tally.pass_frames, tally.pass_total)
        expected: dict[str, list[int]] = {}
        watched = _expecting(tasks, expected)
        with closing(self._executor(missing)) as executor:
            for event in in_task_order(executor.run(watched, _WINDOW, self._cancel), expected):
                match event:
                    case ItemStored() if event.task.startswith(f"{PROPAGATE}/"):
                        tally.pass_frames += 1
                        yield Event(PROPAGATE, tally.pass_frames, tally.pass_total)
                    case ItemStored():
                        tally.finished_frames += 1
                        self._pending.discard(event.item.index)
                        yield Event(JOIN, tally.finished_frames, tally.finished_total)
                        yield from sink.ready()
                    case Failed():
                        raise event.error
                    case NoticeGiven():
                        done, total = tally.pass_frames, tally.pass_total
                        yield Event(PROPAGATE, done, total, message=event.text)

    def _executor(self, missing: Missing) -> Executor:
        cores = self._run.options.threads or default_threads()
        workers = self._run.options.workers
        if workers is None and missing.pass_frames * self._run.pixels < _SMALL:
            return InlineExecutor(cores)
        from kadr.tasks.process_executor import ProcessExecutor

        return ProcessExecutor(cores, workers=workers)


def _expecting(tasks: Iterable[Task], expected: dict[str, list[int]]) -> Iterator[Task]:
    """The tasks as they are; notes for each which frames it makes, in their order."""
    for task in tasks:
        expected[task.id] = expected_frames(task)
        yield task


def frame_bytes(run: RunContext) -> float:
    """Bytes that a pass frame takes in the store: of those that are there, else a guess."""
    sizes = [size for path, size in files_below(run.store.folder / PROPAGATE)]
    return sum(sizes) / len(sizes) * 1.1 if len(sizes) > 8 else _BYTES_A_PIXEL * run.pixels


class _InOrder:
    """Finished frames, given out in order as they come to be there."""

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
        found = range(self._next, stop)
        self._next = stop
        with closing(prefetch(map(self._read, found), depth=2)) as frames:
            for frame in frames:
                self._cancel.check()
                yield frame

    def _read(self, index: int) -> Frame:
        image = self._run.blended_frames.get(index, self._run.size)
        return Frame(index, image, self._run.clip.times[index], self._texts(index))
