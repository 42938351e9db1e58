"""The kept frames of several passes in, finished frames out: the other task a worker runs.

Between two keys every frame is joined from both keys' passes. The choice is steadied along the
motion, so a chunk of frames first weighs a few frames before its own; it needs nothing else from
its neighbours, and chunks are made in any order with the same result.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kadr.blend.pyramid import blend_images
from kadr.blend.weights import BlendWeights, Candidate
from kadr.core.warp import grid
from kadr.errors import ResumeError
from kadr.render.pass_task import Pass, style_digest, unpack_flow
from kadr.storage.frame_folder import FrameFolder
from kadr.storage.store import FolderStore, Store, fingerprint
from kadr.tasks.task import Item, Task, TaskContext

STEP = "join"
VERSION = 1

CHUNK = 32
"""The most frames of one task."""
_WARM_UP = 12
"""Frames weighed before a chunk's own: 0.6¹² of an earlier choice is a five-hundredth."""


@dataclass(frozen=True)
class BlendChunk:
    """Finished frames ``[start, stop)`` between two keys, and the passes that they are made from.

    key_before: the key frame that ends the frames before the gap, or None at the clip's start.
    gap_start: the first frame after it.
    """

    start: int
    stop: int
    gap_start: int
    key_before: int | None
    passes: tuple[Pass, ...]
    warm: int = _WARM_UP
    """How many frames before its own are weighed; fewer for a quick estimate."""

    @property
    def warm_up(self) -> int:
        """The first frame to be weighed."""
        return max(self.gap_start, self.start - self.warm)

    @property
    def name(self) -> str:
        """Names all that its frames depend on."""
        passes = [(each.name, each.key, each.last) for each in self.passes]
        return fingerprint(
            STEP, VERSION, self.start, self.gap_start, self.key_before, self.warm, passes
        )

    def needs(self, index: int) -> Iterator[tuple[Pass, int]]:
        """The pass frames that frame ``index`` of the chunk is made from, warming up included."""
        for at in range(self.warm_up, index + 1):
            for each in self.passes:
                if each.covers(at):
                    yield each, at


def gap_chunks(
    gap_start: int, gap_stop: int, key_before: int | None, passes: Sequence[Pass]
) -> list[BlendChunk]:
    """The chunks of frames ``[gap_start, gap_stop)``, which lie between two keys."""
    chunks = []
    for start in range(gap_start, gap_stop, CHUNK):
        stop = min(start + CHUNK, gap_stop)
        first = max(gap_start, start - _WARM_UP)
        used = tuple(
            sorted(
                (each for each in passes if any(each.covers(at) for at in range(first, stop))),
                key=lambda each: (each.key, each.direction),
            )
        )
        chunks.append(BlendChunk(start, stop, gap_start, key_before, used))
    return chunks


def blend_task(
    chunk: BlendChunk,
    indices: Sequence[int],
    store: Path,
    folder: Path,
    stems: Sequence[str],
    **more: Any,
) -> Task:
    """A task that makes some frames of a chunk into the folder; ``stems`` name their files."""
    values = {
        "chunk": asdict(chunk),
        "indices": list(indices),
        "store": str(store),
        "folder": str(folder),
        "stems": list(stems),
    }
    return Task(
        id=f"{STEP}/{chunk.name}",
        function="kadr.render.blend_task:run_blend_task",
        values=values,
        **more,
    )


def run_blend_task(task: Task, context: TaskContext) -> Iterator[Item]:
    """Make the frames of one chunk; an Item for each, its file's name in it.

    Raises ResumeError if a pass frame is gone or damaged; the bad entry is then removed.
    """
    values: Mapping[str, Any] = task.values
    chunk = _read_chunk(values["chunk"])
    wanted = dict(zip(values["indices"], values["stems"], strict=True))
    folder = FrameFolder(Path(values["folder"]), wanted.__getitem__)
    store = FolderStore(Path(values["store"]))
    for index, image, error in blend_frames(chunk, wanted, store, context):
        folder.put(index, image, chunk.name, error)
        yield Item(index, folder.path(index).name, style_digest(image))


def blend_frames(
    chunk: BlendChunk, wanted: Mapping[int, object], store: Store, context: TaskContext
) -> Iterator[tuple[int, NDArray[np.uint8], float]]:
    """(index, image, error) of the wanted frames of a chunk, in order."""
    joiner = BlendWeights()
    # a part of a chunk is weighed from where the whole would be: the same bytes either way
    for index in range(chunk.warm_up, max(wanted) + 1):
        context.cancel.check()
        made = [each for each in chunk.passes if each.covers(index)]
        candidates = [_candidate(store, each, index) for each in made]
        if index == chunk.gap_start and chunk.key_before is not None:
            joiner.start(chunk.key_before, candidates[0].error.shape)
        weights = joiner.weigh(candidates, _positions(store, chunk, made, index))
        if index in wanted:
            images = [read_pass_frame(store, each, index, "image") for each in made]
            yield index, blend_images(images, [weights[each.key] for each in made]), joiner.error


def _candidate(store: Store, made: Pass, index: int) -> Candidate:
    """Nearness falls from 1 on the key to 0 just outside its span."""
    nearness = 1.0 - made.distance(index) / (len(made) + 1)
    return Candidate(made.key, read_pass_frame(store, made, index, "error"), nearness)


def _positions(
    store: Store, chunk: BlendChunk, made: Sequence[Pass], index: int
) -> NDArray[np.float32] | None:
    """Where each pixel was in the frame before; None where no pass knows, or nobody asks."""
    if len(made) < 2:
        return None
    for each in made:
        if each.direction > 0:
            return _back(read_pass_frame(store, each, index, "flow"))
    for each in made:  # a backward pass keeps the motion with the earlier of two frames
        if index > chunk.warm_up and each.covers(index - 1):
            return _back(read_pass_frame(store, each, index - 1, "flow"))
    return None


def _back(packed: NDArray[np.uint16]) -> NDArray[np.float32]:
    flow = unpack_flow(packed)
    return flow + grid(*flow.shape[:2])


def read_pass_frame(store: Store, made: Pass, index: int, name: str) -> NDArray[Any]:
    """ "image", "error" or "flow" of a kept pass frame.

    Raises ResumeError if it is gone or damaged; what cannot be read is removed.
    """
    entry = made.frame_entry(index)
    arrays = store.get(entry, only=(name,))
    if not arrays:
        store.discard(entry)
        raise ResumeError(f"{entry}: a work file is damaged or gone; it has to be made again")
    return arrays[name]


def _read_chunk(values: Mapping[str, Any]) -> BlendChunk:
    passes = tuple(Pass(**each) for each in values["passes"])
    return BlendChunk(**{**values, "passes": passes})
