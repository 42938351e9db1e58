"""Plan the tasks of a run from its spans, styles and what is stored already.

Nothing here computes a frame. The schedule knows what a run makes, looks which files exist, and
traces what is missing back to the pass frames that have to be computed again.
"""

from __future__ import annotations

import functools
import itertools
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from kadr.composite import WorkArea
from kadr.core.frames import FrameRange, Span
from kadr.propagate import STATE_INTERVAL
from kadr.render.blend_task import BlendChunk, BlendWork, gap_chunks
from kadr.render.compositing import composite_work
from kadr.render.compositor import CompositeWork
from kadr.render.guide_files import GuideSource
from kadr.render.key_pass import KeyPass, PassInput
from kadr.render.keyframes import KeyEntry, KeyStyles
from kadr.render.matte_reader import MaskSource
from kadr.render.pass_frame import small_size
from kadr.render.pass_task import SEGMENT, PassWork, pass_task_id
from kadr.render.run_context import RunContext
from kadr.render.task_memory import blend_memory, pass_memory
from kadr.storage.budget import files_below
from kadr.storage.frame_folder import FrameFolder, FrameState
from kadr.storage.store import FolderStore, Store
from kadr.tasks.task import Task
from kadr.video.clip_source import ClipSource

Segment = tuple[int, int]
"""First and last distance from the key, inclusive."""


@dataclass(frozen=True)
class Missing:
    """What a run still has to make.

    frames: finished frames by chunk. distances: by pass, the distances from its key that have to be
    made, or made again to reach one that is missing. keys: key frames to copy into the folder of
    finished frames. edited: frames that were changed by hand and stay.
    """

    frames: Mapping[BlendChunk, tuple[int, ...]]
    distances: Mapping[KeyPass, tuple[int, ...]]
    keys: tuple[int, ...]
    edited: tuple[int, ...]

    def __bool__(self) -> bool:
        return bool(self.frames or self.distances or self.keys)

    def first_gaps(self, budget: int | None, bytes_per_frame: float) -> Missing:
        """The part that fits a budget of bytes: whole gaps between keys, from the first one on.

        It has at least one gap. Passes that no gap needs come when no gap is left.
        """
        if budget is None or not self.frames:
            return self
        frames: dict[BlendChunk, tuple[int, ...]] = {}
        distances: dict[KeyPass, tuple[int, ...]] = {}
        for _, group in itertools.groupby(self.frames, key=lambda chunk: chunk.gap_start):
            chunks = list(group)
            passes = {key_pass for chunk in chunks for key_pass in chunk.passes}
            added = {
                key_pass: self.distances[key_pass]
                for key_pass in passes
                if key_pass in self.distances and key_pass not in distances
            }
            count = sum(map(len, (distances | added).values()))
            if frames and count * bytes_per_frame > budget:
                break
            frames |= {chunk: self.frames[chunk] for chunk in chunks}
            distances |= added
        return replace(self, frames=frames, distances=distances)

    @property
    def pass_frames(self) -> int:
        """How many pass frames will be computed."""
        return sum(map(len, self.distances.values()))

    @property
    def finished_frames(self) -> int:
        """How many finished frames will be blended."""
        return sum(map(len, self.frames.values()))


@dataclass(frozen=True)
class RunSchedule:
    """All passes and chunks of a run, whether or not they are made already.

    spans: in order. frames: of the run. styles: the stylized keys by frame index. channels: of all
    of them together. inputs: by key, what its passes depend on. composite: how finished frames are
    composited; None: they are the blended ones. area: what of the frames passes work on. masks: the
    run's, if patches come only from where they are set. figure: the masks of the figure that the
    paint belongs to. guides: the user's. guide_steps: by the name of a pass, see
    ``RunContext.guide_digests``. kept: entries of keys as they were stylized, which are not used
    but not made again either.
    """

    clip: ClipSource
    spans: tuple[Span, ...]
    frames: FrameRange
    passes: tuple[KeyPass, ...]
    chunks: tuple[BlendChunk, ...]
    styles: Mapping[int, KeyEntry]
    channels: int
    inputs: Mapping[int, PassInput] = field(repr=False)
    composite: CompositeWork | None = field(default=None, repr=False)
    area: WorkArea | None = field(default=None, repr=False)
    masks: MaskSource | None = field(default=None, repr=False)
    figure: MaskSource | None = field(default=None, repr=False)
    guides: tuple[GuideSource, ...] = field(default=(), repr=False)
    guide_steps: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    kept: frozenset[str] = field(default=frozenset(), repr=False)

    def style_name(self, key: int) -> str:
        """A fingerprint of the pixels of a stylized key."""
        return f"{self.styles[key].digest}{self.channels}"

    def key_name(self, key: int) -> str:
        """The fingerprint of a finished key frame: its style's pixels, composited."""
        return self._finished_name(self.style_name(key), key)

    def frame_name(self, index: int) -> str:
        """The fingerprint of the finished frame ``index``."""
        if index in self.styles:
            return self.key_name(index)
        chunk = next(chunk for chunk in self.chunks if chunk.start <= index < chunk.stop)
        return self._finished_name(chunk.name, index)

    def _finished_name(self, styled: str, index: int) -> str:
        return styled if self.composite is None else self.composite.name(styled, index)

    def missing(self, store: Store, folder: FrameFolder, *, all_passes: bool = False) -> Missing:
        """What does not exist yet; with ``all_passes`` every pass frame counts as needed."""
        frames: dict[BlendChunk, tuple[int, ...]] = {}
        needed: dict[KeyPass, set[int]] = {}
        edited: list[int] = []
        for chunk in self.chunks:
            name = chunk.name
            states = {
                index: folder.find(index, self._finished_name(name, index))
                for index in range(chunk.start, chunk.stop)
            }
            edited += [index for index, state in states.items() if state is FrameState.EDITED]
            open_frames = _to_make(states)
            if open_frames:
                frames[chunk] = open_frames
                for key_pass, index in chunk.needs(open_frames[-1]):
                    needed.setdefault(key_pass, set()).add(key_pass.distance(index))
        if all_passes:
            needed = {key_pass: set(range(1, len(key_pass) + 1)) for key_pass in self.passes}
        states = {key: folder.find(key, self.key_name(key)) for key in self.styles}
        edited += [key for key, state in states.items() if state is FrameState.EDITED]
        distances = {
            key_pass: _to_compute(key_pass, needed.get(key_pass, set()), store)
            for key_pass in self.passes
        }
        return Missing(
            frames,
            {key_pass: missing for key_pass, missing in distances.items() if missing},
            _to_make(states),
            tuple(sorted(edited)),
        )

    def removable(
        self, store: FolderStore, pending: Collection[int], *, all_passes: bool = False
    ) -> Iterator[Path]:
        """Work files in the order in which they can be deleted.

        First those of other options and keys, then the frames of passes that no ``pending``
        finished frame needs, from the start of the clip on, then their states. With ``all_passes``
        every pass frame counts as needed.
        """
        names = {folder for key_pass in self.passes for folder in key_pass.folders}
        current = names | {key.entry for key in self.styles.values()} | self.kept
        files = sorted(path for path, _ in files_below(store.folder))
        entries = [(path, store.entry(path)) for path in files]
        yield from (
            path
            for path, entry in entries
            if entry not in current and entry.rpartition("/")[0] not in current
        )
        if all_passes:
            return
        needed = {
            key_pass.frame_entry(index)
            for chunk in self.chunks
            if (open_frames := [i for i in range(chunk.start, chunk.stop) if i in pending])
            for key_pass, index in chunk.needs(open_frames[-1])
        }
        spare = [
            (entry.endswith("-state"), entry.rpartition("/")[2], path)
            for path, entry in entries
            if entry.rpartition("/")[0] in names and entry.removesuffix("-state") not in needed
        ]
        yield from (path for _, _, path in sorted(spare))

    def work(
        self,
        missing: Missing,
        store: Path,
        folder: Path,
        stem: Callable[[int], str],
        size: tuple[int, int],
    ) -> Iterator[tuple[PassWork | BlendWork, Task]]:
        """What makes the missing frames, gap by gap, passes first; each with its task.

        stem: the file name of a frame, without suffix. size: (width, height) of the frames.
        """
        segments = {
            key_pass: list(_segments(distances))
            for key_pass, distances in missing.distances.items()
        }
        planned: set[KeyPass] = set()
        for chunk in [*self.chunks, None]:
            if chunk is not None and chunk not in missing.frames:
                continue
            passes = self.passes if chunk is None else chunk.passes  # at the end the other passes
            for key_pass in passes:
                if key_pass in segments and key_pass not in planned:
                    planned.add(key_pass)
                    position = 0 if chunk is None else chunk.gap_start - self.frames.start
                    yield from self._pass_work(key_pass, segments[key_pass], store, size, position)
            if chunk is not None:
                indices = missing.frames[chunk]
                stems = tuple(map(stem, indices))
                keys = sorted({key_pass.key for key_pass in passes})
                entries = tuple((key, self.styles[key].entry) for key in keys)
                name, composite = chunk.name, self.composite
                blend = BlendWork(
                    chunk,
                    indices,
                    stems,
                    entries,
                    self.channels,
                    store,
                    folder,
                    tuple(self._finished_name(name, index) for index in indices),
                    None if composite is None else composite.part(indices, keys).to_values(),
                )
                yield (
                    blend,
                    blend.to_task(
                        memory=blend_memory(size, self.channels, len(keys)),
                        after=tuple(_pass_task_ids(chunk, indices[-1], segments)),
                        priority=float(3 * len(self.frames)),  # short, and people wait for it
                    ),
                )

    def _pass_work(
        self,
        key_pass: KeyPass,
        segments: Sequence[Segment],
        store: Path,
        size: tuple[int, int],
        position: int,
    ) -> Iterator[tuple[PassWork, Task]]:
        """A chain: each segment starts from the state that the one before leaves.

        position: of the gap that needs it first, in frames from the start.
        """
        remaining = sum(last - first + 1 for first, last in segments)
        previous: tuple[str, ...] = ()
        made_from, style = self.inputs[key_pass.key], self.styles[key_pass.key]
        memory = pass_memory(size, made_from.options, len(self.guides))
        masks = None if self.masks is None else asdict(self.masks.part([key_pass.key]))
        for first, last in segments:
            frames = [key_pass.key, *map(key_pass.index, range(first - 1, last + 1))]
            area = None if self.area is None else self.area.part(frames).to_values()
            figure = None if self.figure is None else asdict(self.figure.part(frames))
            guides = tuple(asdict(guide.part(frames)) for guide in self.guides)
            work = PassWork(
                self.clip,
                key_pass,
                made_from.options,
                made_from.seed,
                style.entry,
                made_from.flow_name,
                self.channels,
                store,
                first,
                last,
                area,
                masks,
                self._shared(key_pass),
                figure,
                guides,
            )
            # long passes first, so that none is left alone at the end; else the first gaps, whose
            # frames are then written while the others are made
            priority = float(2 * remaining - position)
            yield work, work.to_task(memory=memory, after=previous, priority=priority)
            remaining -= last - first + 1
            previous = (work.id,)

    def _shared(self, key_pass: KeyPass) -> tuple[int, int] | None:
        """The first and the last frame that another pass makes too; None if there is none."""
        low, high = _ends(key_pass)
        begins, longest = self._by_begin
        start = bisect_left(begins, (low - longest, -1))
        stop = bisect_left(begins, (high + 1, -1))
        for position in sorted(position for _, position in begins[start:stop]):
            other = self.passes[position]
            first, last = _ends(other)
            if other != key_pass and max(low, first) <= min(high, last):
                return max(low, first), min(high, last)
        return None

    @functools.cached_property
    def _by_begin(self) -> tuple[list[tuple[int, int]], int]:
        """The first frame and the position of each pass, in order, and the longest pass.

        In a long film there are thousands; only a few are near another.
        """
        begins = sorted((_ends(item)[0], position) for position, item in enumerate(self.passes))
        return begins, max(map(len, self.passes), default=0)


def _ends(key_pass: KeyPass) -> tuple[int, int]:
    """The first and the last frame of a pass in the order of the clip."""
    return min(key_pass.index(1), key_pass.last), max(key_pass.index(1), key_pass.last)


def make_schedule(run: RunContext, spans: Iterable[Span], keys: KeyStyles) -> RunSchedule:
    """All that a run makes from its spans; the keys are stylized already."""
    ordered, frames = tuple(sorted(spans)), run.frames
    inputs = {span.key: run.pass_input(span.key) for span in ordered}
    styles, passes, guide_steps = keys.entries, [], {}
    for span in ordered:
        for direction, last in ((1, span.stop - 1), (-1, span.start)):
            if last != span.key:
                digest = f"{styles[span.key].digest}{keys.channels}"
                name = inputs[span.key].pass_name(digest, direction)
                passes.append(KeyPass(span.key, last, name, run.pass_areas(span.key, last)))
                guide_steps[name] = run.guide_digests(span.key, last)
    edges = [frames.start - 1, *(span.key for span in ordered), frames.stop]
    chunks, side = list[BlendChunk](), None
    if run.work_area is not None:
        work_side = run.options.propagate.pass_side(max(run.size))
        side = max(small_size((work_side, 1), work_side))
    for before, after in itertools.pairwise(edges):
        key_before = before if before in frames else None
        aligned = run.figures is not None
        chunks += gap_chunks(before + 1, after, key_before, passes, side, aligned=aligned)
    return RunSchedule(
        run.source.absolute(),
        ordered,
        frames,
        tuple(passes),
        tuple(chunks),
        styles,
        keys.channels,
        inputs,
        composite_work(run, keys.channels),
        run.work_area,
        run.source_masks,
        None if run.figures is None else run.figures.source(),
        run.guides,
        guide_steps,
        frozenset(key.entry for key in keys.stylized.values()),
    )


def _to_make(states: Mapping[int, FrameState]) -> tuple[int, ...]:
    """The frames that a run makes: those that do not exist or were made from something else."""
    to_make = (FrameState.MISSING, FrameState.STALE)
    return tuple(index for index, state in states.items() if state in to_make)


def _to_compute(key_pass: KeyPass, needed: set[int], store: Store) -> tuple[int, ...]:
    """The distances that have to be computed so that all ``needed`` ones exist."""
    computed: set[int] = set()
    for distance in sorted(needed):
        if distance in computed or store.has(key_pass.frame_entry(key_pass.index(distance))):
            continue
        start = (distance - 1) // STATE_INTERVAL * STATE_INTERVAL
        while start and start not in computed and not _has_state(store, key_pass, start):
            start -= STATE_INTERVAL
        computed.update(range(start + 1, distance + 1))
    return tuple(sorted(computed))


def _has_state(store: Store, key_pass: KeyPass, distance: int) -> bool:
    index = key_pass.index(distance)
    return store.has(key_pass.state_entry(index)) and store.has(key_pass.frame_entry(index))


def _segments(distances: Sequence[int]) -> Iterator[Segment]:
    """Runs of distances without a gap, each within one multiple of SEGMENT."""
    first: int | None = None
    for distance, following in itertools.zip_longest(distances, distances[1:]):
        first = distance if first is None else first
        if following != distance + 1 or distance % SEGMENT == 0:
            yield first, distance
            first = None


def _pass_task_ids(
    chunk: BlendChunk, last: int, segments: Mapping[KeyPass, Sequence[Segment]]
) -> Iterator[str]:
    """Ids of the tasks that make what the frames of a chunk up to ``last`` need."""
    ids: dict[str, None] = {}
    for key_pass, index in chunk.needs(last):
        distance = key_pass.distance(index)
        for first, end in segments.get(key_pass, ()):
            if first <= distance <= end:
                ids[pass_task_id(key_pass, first)] = None
    yield from ids
