"""The blend task: make finished frames between two keys from the passes of both.

The choice between the keys is smoothed in time along the flow, so a chunk of frames first weighs
a few frames before its own. It needs nothing else from other chunks, and chunks are made in any
order with the same result.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from kadr.blend.weights import BlendWeights, Candidate
from kadr.core.events import CancelToken
from kadr.core.stage_times import stage
from kadr.core.warp import grid
from kadr.render.align_paint import VERSION as ALIGN_VERSION
from kadr.render.align_paint import align_paint
from kadr.render.blend_styled import blend_styled
from kadr.render.compositor import CompositeWork, Compositor
from kadr.render.key_pass import KeyPass
from kadr.render.pass_frame import (
    PassImages,
    image_digest,
    load_style,
    read_pass_frame,
    unpack_flow,
)
from kadr.storage.frame_folder import FrameFolder
from kadr.storage.store import FolderStore, Store, fingerprint
from kadr.tasks.task import Item, Task, TaskContext

STEP = "blend"
VERSION = 2

CHUNK_LENGTH = 16
"""The most frames of one task."""
_WARM_UP = 12
"""Frames weighed before a chunk's own: 0.6¹² of an earlier choice is a five-hundredth."""


@dataclass(frozen=True)
class BlendChunk:
    """Finished frames ``[start, stop)`` between two keys, and the passes that they are made from.

    key_before: the key frame just before the gap, or None at the clip's start.
    gap_start: the first frame after it. warm_up: how many frames before ``start`` are weighed;
    fewer for a quick estimate. side: longest side of whole frames at the size of the errors of
    passes, where those are of a window; None: that of the errors. aligned: the paint of two passes
    is moved onto one shape first.
    """

    start: int
    stop: int
    gap_start: int
    key_before: int | None
    passes: tuple[KeyPass, ...]
    warm_up: int = _WARM_UP
    side: int | None = None
    aligned: bool = False

    @property
    def first_weighed(self) -> int:
        """The first frame that is weighed."""
        return max(self.gap_start, self.start - self.warm_up)

    @property
    def name(self) -> str:
        """A fingerprint of all that its frames depend on."""
        passes = [
            (key_pass.name, key_pass.key, key_pass.last, *self._areas(key_pass))
            for key_pass in self.passes
        ]
        aligned = [ALIGN_VERSION] if self.aligned else []
        place = (self.start, self.gap_start, self.key_before, self.warm_up)
        return fingerprint(STEP, VERSION, *place, passes, *aligned)

    def _areas(self, key_pass: KeyPass) -> Iterator[str]:
        """What is worked on in the pass frames that the chunk is made from, as hashes."""
        if key_pass.areas:
            weighed = range(self.first_weighed, self.stop)
            yield from dict.fromkeys(map(key_pass.area, filter(key_pass.covers, weighed)))

    def needs(self, index: int) -> Iterator[tuple[KeyPass, int]]:
        """The pass frames that frame ``index`` is made from, with those of the warm-up."""
        for weighed in range(self.first_weighed, index + 1):
            for key_pass in self.passes:
                if key_pass.covers(weighed):
                    yield key_pass, weighed


def gap_chunks(
    gap_start: int,
    gap_stop: int,
    key_before: int | None,
    passes: Sequence[KeyPass],
    side: int | None = None,
    *,
    aligned: bool = False,
) -> list[BlendChunk]:
    """The chunks of frames ``[gap_start, gap_stop)``, which lie between two keys."""
    chunks = []
    for start in range(gap_start, gap_stop, CHUNK_LENGTH):
        stop = min(start + CHUNK_LENGTH, gap_stop)
        weighed = range(max(gap_start, start - _WARM_UP), stop)
        used = [key_pass for key_pass in passes if any(map(key_pass.covers, weighed))]
        used.sort(key=lambda key_pass: (key_pass.key, key_pass.direction))
        chunk = BlendChunk(
            start, stop, gap_start, key_before, tuple(used), side=side, aligned=aligned
        )
        chunks.append(chunk)
    return chunks


@dataclass(frozen=True)
class BlendWork:
    """What a blend task makes: the frames ``indices`` of a chunk, into a folder.

    stems: the name of each frame's file, without suffix. style_entries: the stylized keys of its
    passes in the store, by frame index. channels: 3 or 4, of all keys together. names: the
    fingerprint of each frame. composite: how the frames are composited, as plain values.
    """

    chunk: BlendChunk
    indices: tuple[int, ...]
    stems: tuple[str, ...]
    style_entries: tuple[tuple[int, str], ...]
    channels: int
    store: Path
    folder: Path
    names: tuple[str, ...]
    composite: Mapping[str, Any] | None = None

    @property
    def id(self) -> str:
        """The id of its task."""
        return f"{STEP}/{self.chunk.name}"

    def to_task(self, **task_fields: Any) -> Task:
        """The task; ``task_fields``: its ``after``, ``priority`` and the like."""
        values = {**asdict(self), "store": str(self.store), "folder": str(self.folder)}
        return Task(
            id=self.id,
            type=STEP,
            function=f"{__name__}:run_blend_task",
            values=values,
            **task_fields,
        )

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """Read what ``to_task`` put into the task's values."""
        chunk = values["chunk"]
        passes = tuple(KeyPass(**key_pass) for key_pass in chunk["passes"])
        return cls(
            BlendChunk(**{**chunk, "passes": passes}),
            tuple(values["indices"]),
            tuple(values["stems"]),
            tuple((key, entry) for key, entry in values["style_entries"]),
            values["channels"],
            Path(values["store"]),
            Path(values["folder"]),
            tuple(values["names"]),
            values["composite"],
        )


def run_blend_task(task: Task, context: TaskContext) -> Iterator[Item]:
    """Make the frames of one chunk; an Item for each, its file's name in it.

    Raises ResumeError if a pass frame is missing or damaged; a damaged entry is then removed.
    """
    work = BlendWork.from_values(task.values)
    folder = FrameFolder(work.folder, dict(zip(work.indices, work.stems)).__getitem__)
    store, entries = FolderStore(work.store), dict(work.style_entries)
    names = dict(zip(work.indices, work.names, strict=True))
    composite = None if work.composite is None else CompositeWork.from_values(work.composite)

    def read_style(key: int) -> NDArray[np.uint8]:
        style = load_style(store, entries[key], work.channels)
        return style if composite is None else composite.crop(style, key)

    images = PassImages(store, read_style, threads=context.threads)
    compositor = None if composite is None else Compositor(composite)
    try:
        for index, image, error in blend_frames(work.chunk, work.indices, store, images, context):
            if compositor is not None:
                with stage("composite"):
                    image = compositor.finish(index, image)
            with stage("store"):
                folder.put(index, image, names[index], error)
                item = Item(index, folder.path(index).name, image_digest(image))
            yield item
    finally:
        if compositor is not None:
            compositor.close()
        with stage("store"):
            folder.sync()


def blend_frames(
    chunk: BlendChunk,
    indices: Sequence[int],
    store: Store,
    pass_images: PassImages,
    context: TaskContext,
) -> Iterator[tuple[int, NDArray[np.uint8], float]]:
    """(index, image, error) of the frames ``indices`` of a chunk, in order; error is 0–1."""
    for weighed in weigh_frames(chunk, max(indices) + 1, store, context.cancel):
        if weighed.index in indices:
            images = [pass_images.read(key_pass, weighed.index) for key_pass in weighed.passes]
            if chunk.aligned:
                with stage("align"):
                    images = align_paint(images, weighed.weights)
            with stage("mix"):
                image = blend_styled(images, weighed.weights)
            yield weighed.index, image, weighed.error


@dataclass(frozen=True, eq=False)
class WeighedFrame:
    """The weights with which a frame is blended from its passes.

    weights: (h, w) float32 of each pass, smaller than the frames; they sum to 1. error: 0–1.
    """

    index: int
    passes: tuple[KeyPass, ...]
    weights: tuple[NDArray[np.float32], ...]
    error: float


def weigh_frames(
    chunk: BlendChunk, stop: int, store: Store, cancel: CancelToken
) -> Iterator[WeighedFrame]:
    """Weigh the frames of a chunk before ``stop``, in order, with those before its start.

    A part of a chunk is weighed from where the whole would be: the same bytes either way.
    """
    weights = BlendWeights(chunk.side)
    for index in range(chunk.first_weighed, stop):
        cancel.check()
        passes = tuple(key_pass for key_pass in chunk.passes if key_pass.covers(index))
        with stage("read"):
            candidates = [_candidate(store, key_pass, index) for key_pass in passes]
            positions = _previous_positions(store, chunk, passes, index)
        with stage("weights"):
            if index == chunk.gap_start and chunk.key_before is not None:
                weights.start(chunk.key_before, candidates[0].error.shape)
            by_key = weights.weigh(candidates, positions)
        by_pass = tuple(by_key[key_pass.key] for key_pass in passes)
        yield WeighedFrame(index, passes, by_pass, weights.error)


def _candidate(store: Store, key_pass: KeyPass, index: int) -> Candidate:
    """Nearness falls from 1 on the key to 0 just outside its span."""
    nearness = 1.0 - key_pass.distance(index) / (len(key_pass) + 1)
    return Candidate(key_pass.key, read_pass_frame(store, key_pass, index, "error"), nearness)


def _previous_positions(
    store: Store, chunk: BlendChunk, passes: Sequence[KeyPass], index: int
) -> NDArray[np.float32] | None:
    """Where each pixel was in the frame before; None if no pass has that flow or one pass is all.

    A forward pass stores the flow of a frame to the one before with the later frame, a backward
    pass with the earlier one.
    """
    if len(passes) < 2:
        return None
    for key_pass in passes:
        if key_pass.direction > 0:
            return _positions(read_pass_frame(store, key_pass, index, "flow"))
    for key_pass in passes:
        if index > chunk.first_weighed and key_pass.covers(index - 1):
            return _positions(read_pass_frame(store, key_pass, index - 1, "flow"))
    return None


def _positions(packed: NDArray[np.uint16]) -> NDArray[np.float32]:
    flow = unpack_flow(packed)
    return flow + grid(*flow.shape[:2])
