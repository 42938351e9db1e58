"""Spans, styles and what is kept already in, the work that is missing out, as tasks.

Nothing here computes a frame: it is told what a run would make, looks which files exist, and
follows what is missing back to the pass frames that have to be walked again.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from kadr.core.frames import FrameRange, Span
from kadr.propagate import STATE_INTERVAL
from kadr.render.blend_task import BlendChunk, blend_task, gap_chunks
from kadr.render.keyframes import KeyEntry, KeyStyles
from kadr.render.pass_task import SEGMENT, Pass, PassInput, pass_task
from kadr.render.run_context import RunContext
from kadr.storage.budget import files_below
from kadr.storage.frame_folder import FrameFolder, FrameState
from kadr.storage.store import FolderStore, Store
from kadr.tasks.task import Task

BYTES_PER_PIXEL = 240
"""Of memory, while a frame of a pass is made; measured, see benchmarks/README.md."""
BYTES_OF_PROCESS = 250 * 1024 * 1024


@dataclass(frozen=True)
class Missing:
    """What a run has still to make.

    frames: finished frames by chunk. steps: by pass, the distances from its key that have to be
    made, or made again to get to one that is missing. keys: key frames to put into the folder.
    kept: frames that were changed by hand and stay.
    """

    frames: Mapping[BlendChunk, tuple[int, ...]]
    steps: Mapping[Pass, tuple[int, ...]]
    keys: tuple[int, ...]
    kept: tuple[int, ...]

    def __bool__(self) -> bool:
        return bool(self.frames or self.steps or self.keys)

    def first_gaps(self, budget: int | None, bytes_a_frame: float) -> Missing:
        """The part of the work that fits a budget of bytes: whole gaps from the first on.

        At least one gap. What no gap needs comes when no gap is left.
        """
        if budget is None or not self.frames:
            return self
        chosen: dict[BlendChunk, tuple[int, ...]] = {}
        steps: dict[Pass, tuple[int, ...]] = {}
        gaps = {chunk.gap_start: None for chunk in self.frames}
        for gap in gaps:
            chunks = {chunk: at for chunk, at in self.frames.items() if chunk.gap_start == gap}
            more = {each for chunk in chunks for each in chunk.passes if each in self.steps}
            added = {each: self.steps[each] for each in more if each not in steps}
            count = sum(map(len, (steps | added).values()))
            if chosen and count * bytes_a_frame > budget:
                break
            chosen |= chunks
            steps |= added
        return replace(self, frames=chosen, steps=steps)

    @property
    def pass_frames(self) -> int:
        """How many pass frames will be computed."""
        return sum(map(len, self.steps.values()))

    @property
    def finished_frames(self) -> int:
        """How many finished frames will be joined."""
        return sum(map(len, self.frames.values()))


@dataclass(frozen=True)
class RunSchedule:
    """All passes and chunks of a run, whether or not they are made already."""

    spans: tuple[Span, ...]
    frames: FrameRange
    passes: tuple[Pass, ...]
    chunks: tuple[BlendChunk, ...]
    styles: Mapping[int, KeyEntry]
    channels: int
    inputs: Mapping[int, PassInput] = field(repr=False)

    def key_name(self, key: int) -> str:
        """What a finished key frame is made by: its style's pixels."""
        return f"{self.styles[key].digest}{self.channels}"

    def made_by(self, index: int) -> str:
        """The fingerprint that the finished frame ``index`` would carry."""
        if index in self.styles:
            return self.key_name(index)
        return next(chunk.name for chunk in self.chunks if chunk.start <= index < chunk.stop)

    def missing(self, store: Store, folder: FrameFolder, *, all_passes: bool = False) -> Missing:
        """What is not there yet; with ``all_passes`` every pass frame counts as wanted."""
        frames: dict[BlendChunk, tuple[int, ...]] = {}
        wanted: dict[Pass, set[int]] = {}
        kept: list[int] = []
        for chunk in self.chunks:
            name, open_frames = chunk.name, []
            for index in range(chunk.start, chunk.stop):
                found = folder.find(index, name)
                if found is FrameState.EDITED:
                    kept.append(index)
                elif found is not FrameState.CURRENT:
                    open_frames.append(index)
            if open_frames:
                frames[chunk] = tuple(open_frames)
                for each, at in chunk.needs(open_frames[-1]):
                    wanted.setdefault(each, set()).add(each.distance(at))
        if all_passes:
            wanted = {each: set(range(1, len(each) + 1)) for each in self.passes}
        keys = []
        for key in self.styles:
            found = folder.find(key, self.key_name(key))
            if found is FrameState.EDITED:
                kept.append(key)
            elif found is not FrameState.CURRENT:
                keys.append(key)
        steps = {each: _walked(each, wanted.get(each, set()), store) for each in self.passes}
        return Missing(
            frames, {each: at for each, at in steps.items() if at}, tuple(keys), tuple(sorted(kept))
        )

    def removable(self, store: FolderStore, pending: Collection[int]) -> Iterator[Path]:
        """Work files in the order in which they can best be done without.

        First those of other options and keys, then the frames of passes that no ``pending``
        finished frame needs, from the start of the clip on, then their states.
        """
        names = {each.name for each in self.passes}
        current = names | {key.entry for key in self.styles.values()}
        files = sorted(path for path, _ in files_below(store.folder))
        entries = [(path, store.entry(path)) for path in files]
        yield from (
            path
            for path, entry in entries
            if entry not in current and entry.rpartition("/")[0] not in current
        )
        needed = {
            each.frame_entry(at)
            for chunk in self.chunks
            if (open_frames := [i for i in range(chunk.start, chunk.stop) if i in pending])
            for each, at in chunk.needs(open_frames[-1])
        }
        spare = [
            (entry.endswith("-state"), entry.rpartition("/")[2], path)
            for path, entry in entries
            if entry.rpartition("/")[0] in names and entry.removesuffix("-state") not in needed
        ]
        yield from (path for _, _, path in sorted(spare))

    def tasks(
        self,
        missing: Missing,
        store: Path,
        folder: FrameFolder,
        stem: Callable[[int], str],
        pixels: int,
    ) -> Iterator[Task]:
        """The tasks that make what is missing, gap by gap; in each, those of its passes first."""
        memory = BYTES_OF_PROCESS + BYTES_PER_PIXEL * pixels
        segments = {each: list(_segments(at)) for each, at in missing.steps.items()}
        given: set[Pass] = set()
        for chunk in [*self.chunks, None]:
            if chunk is not None and chunk not in missing.frames:
                continue
            passes = self.passes if chunk is None else chunk.passes  # at the end what is left
            for each in passes:
                if each in segments and each not in given:
                    given.add(each)
                    yield from self._pass_tasks(each, segments[each], store, memory)
            if chunk is not None:
                indices = missing.frames[chunk]
                yield blend_task(
                    chunk,
                    indices,
                    store,
                    folder.folder,
                    [stem(index) for index in indices],
                    memory=memory,
                    retries=2,
                    after=tuple(self._makers(chunk, indices[-1], segments)),
                    priority=float(len(self.frames)),  # short, and people wait for the picture
                )

    def _pass_tasks(
        self, work: Pass, segments: Sequence[tuple[int, int]], store: Path, memory: int
    ) -> Iterator[Task]:
        """A chain: each segment goes on from the state that the one before leaves."""
        left = sum(last - first + 1 for first, last in segments)
        before: tuple[str, ...] = ()
        style = self.styles[work.key]
        for first, last in segments:
            task = pass_task(
                work,
                self.inputs[work.key],
                style.entry,
                self.channels,
                store,
                (first, last),
                memory=memory,
                retries=2,
                after=before,
                priority=float(left),  # the longest way first
            )
            yield task
            left -= last - first + 1
            before = (task.id,)

    @staticmethod
    def _makers(
        chunk: BlendChunk, last: int, segments: Mapping[Pass, Sequence[tuple[int, int]]]
    ) -> Iterator[str]:
        """Ids of the tasks that make what a chunk needs."""
        ids: dict[str, None] = {}
        for each, at in chunk.needs(last):
            distance = each.distance(at)
            for first, end in segments.get(each, ()):
                if first <= distance <= end:
                    ids[f"{each.name}/{first:06d}"] = None
        yield from ids


def make_schedule(run: RunContext, spans: Iterable[Span], keys: KeyStyles) -> RunSchedule:
    """All that a run makes from its spans, in order; the keys are stylized already."""
    ordered, frames = tuple(sorted(spans)), run.frames
    inputs = {span.key: run.pass_input(span.key) for span in ordered}
    styles, passes = keys.entries, []
    for span in ordered:
        for direction, last in ((1, span.stop - 1), (-1, span.start)):
            if last != span.key:
                digest = f"{styles[span.key].digest}{keys.channels}"
                passes.append(Pass(span.key, last, inputs[span.key].name(digest, direction)))
    edges = [frames.start - 1, *(span.key for span in ordered), frames.stop]
    chunks = []
    for before, after in itertools.pairwise(edges):
        anchor = before if before in frames else None
        chunks += gap_chunks(before + 1, after, anchor, passes)
    return RunSchedule(ordered, frames, tuple(passes), tuple(chunks), styles, keys.channels, inputs)


def expected_frames(task: Task) -> list[int]:
    """The frames that a task of a schedule makes, in the order in which it makes them."""
    values = task.values
    if "indices" in values:
        return list(values["indices"])
    work = Pass(values["key"], values["last"], values["name"])
    first, last = values["first_distance"], values["last_distance"]
    return [work.index(distance) for distance in range(first, last + 1)]


def _walked(work: Pass, wanted: set[int], store: Store) -> tuple[int, ...]:
    """The distances that have to be made so that all ``wanted`` ones are there."""
    made: set[int] = set()
    for distance in sorted(wanted):
        if distance in made or store.has(work.frame_entry(work.index(distance))):
            continue
        start = (distance - 1) // STATE_INTERVAL * STATE_INTERVAL
        while start and start not in made and not _has_state(store, work, start):
            start -= STATE_INTERVAL
        made.update(range(start + 1, distance + 1))
    return tuple(sorted(made))


def _has_state(store: Store, work: Pass, distance: int) -> bool:
    index = work.index(distance)
    return store.has(work.state_entry(index)) and store.has(work.frame_entry(index))


def _segments(distances: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Runs of distances without a gap, none longer than a segment."""
    first: int | None = None
    for at, distance in enumerate(distances):
        first = distance if first is None else first
        last_one = at + 1 == len(distances) or distances[at + 1] != distance + 1
        if last_one or distance % SEGMENT == 0:
            yield first, distance
            first = None
