"""The frames of a clip at the work size, decoded once for both passes that cover them.

To reach a frame, a decoder starts at the keyframe of the video before it: of a large clip that
takes longer than all that a pass does. The pass that comes first to a frame stores it as reduced;
the other one reads it, and deletes it. Frames at which a segment starts, and the keys of passes,
are read again by later tasks, so they stay.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator, Sequence
from contextlib import closing
from itertools import groupby

from kadr.core.frames import Frame
from kadr.core.stage_times import stage, timed
from kadr.render.work_frame import FrameReducer, WorkFrame
from kadr.storage.store import Store
from kadr.video.base import Clip

FOLDER = "reduced"


class SharedFrames:
    """Reads the frames of a clip as reduced; those of another size or area have another name."""

    def __init__(self, clip: Clip, reducer: FrameReducer, store: Store, flow_name: str) -> None:
        """flow_name: of the flow of these frames: their names depend on the same things."""
        self.reducer = reducer
        self._clip, self._store = clip, store
        self._name = f"{FOLDER}/{flow_name.rpartition('/')[2]}"
        # a frame of the work size is as quickly decoded; windows may need the rest of a frame
        self._stores = reducer.is_reduced and reducer.area is None

    def key(self, index: int) -> WorkFrame:
        """The frame of a key; it stays in the store."""
        frame = self._read(index) if self._stores else None
        if frame is None:
            with stage("decode"):
                decoded = self._clip.frame(index)
            frame = self._make(decoded, is_stored=self._stores)
        return frame

    def frames(
        self, indices: Sequence[int], shared: Collection[int] | None = ()
    ) -> Iterator[WorkFrame]:
        """The frames ``indices``, which follow one another up or down.

        shared: those that another pass needs too; None: only read, and leave all as it is.
        """
        borders = {indices[0], indices[-1]}
        kept = set() if shared is None else borders.union(shared)
        for is_stored, group in groupby(indices, self._has):
            run = list(group)
            if not is_stored:
                with closing(self._decoded(run)) as decoded:
                    for full in decoded:
                        yield self._make(full, is_stored=self._stores and full.index in kept)
                continue
            for index in run:
                frame = self._read(index)
                if frame is None:  # deleted or damaged meanwhile
                    with stage("decode"):
                        decoded_again = self._clip.frame(index)
                    frame = self._make(decoded_again, is_stored=False)
                elif shared is not None and index in shared and index not in borders:
                    self._store.discard(self._entry(index))
                yield frame

    def _decoded(self, run: Sequence[int]) -> Generator[Frame, None, None]:
        if run[-1] >= run[0]:
            frames = self._clip.frames(run[0], run[-1] + 1)
        else:
            frames = self._clip.frames_backward(run[-1], run[0] + 1)
        yield from timed("decode", frames)

    def _make(self, decoded: Frame, *, is_stored: bool) -> WorkFrame:
        with stage("reduce"):
            frame = self.reducer.make(decoded)
        if is_stored and frame.registered is not None:
            with stage("store"):
                arrays = {"image": frame.reduced.rgb, "gray": frame.registered}
                self._store.put(self._entry(decoded.index), arrays)
        return frame

    def _read(self, index: int) -> WorkFrame | None:
        with stage("store"):
            arrays = self._store.get(self._entry(index))
        if arrays is None or not {"image", "gray"} <= arrays.keys():
            return None
        return WorkFrame(
            Frame(index, arrays["image"], self._clip.times[index]), arrays["gray"], None
        )

    def _has(self, index: int) -> bool:
        return self._stores and self._store.has(self._entry(index))

    def _entry(self, index: int) -> str:
        return f"{self._name}/{index:06d}"
