"""The flow between neighbouring frames, computed once for all passes that cover them.

Whichever pass comes first computes it, in both directions, and stores it; the others read it. It is
stored under all that it depends on: the clip, the index, the work size and how it is estimated. So
it also serves when a key is painted again.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kadr.core.stage_times import stage
from kadr.guides.flow import estimate_two_way, reduce_for_flow
from kadr.guides.two_way_flow import TwoWayFlow
from kadr.options import PropagateOptions
from kadr.storage.store import Store, fingerprint

FOLDER = "flow"
VERSION = 1


def flow_name(clip_identity: str, options: PropagateOptions, area: str) -> str:
    """The name of a clip's flow in the store. clip_identity: a hash of the clip's content.

    area: a hash of the window that is worked on, "" for whole frames.
    """
    parts = (clip_identity, options.work_size, options.quick_flow, area)
    return f"{FOLDER}/{fingerprint(FOLDER, VERSION, *parts)}"


class SharedFlow:
    """Flow between neighbouring frames from the store, or else computed and stored."""

    def __init__(self, store: Store, name: str, options: PropagateOptions) -> None:
        """name: of ``flow_name``, of these options."""
        self._store, self._name, self._quick = store, name, options.quick_flow

    def between(
        self,
        index: int,
        frame: NDArray[np.uint8],
        after: bool,
        neighbour: NDArray[np.uint8],
        corner: tuple[int, int] | None = None,
    ) -> TwoWayFlow:
        """From the gray frame ``index`` to its neighbour, the frame after it or before it.

        corner: x and y of the window of both, if the windows of frames lie apart.
        """
        place = "" if corner is None else "-{}-{}".format(*corner)
        entry = f"{self._name}/{index if after else index - 1:06d}{place}"
        with stage("flow"):
            a, b = (reduce_for_flow(image) for image in (frame, neighbour))
        with stage("store"):
            stored = self._read(entry, a.shape)
        if stored is None:
            with stage("flow"):
                pair = (a, b) if after else (b, a)
                stored = estimate_two_way(*pair, quick=self._quick)
            with stage("store"):
                self._store.put(entry, {"flow": stored.pack()})
        return stored if after else stored.reversed

    def estimate(self, frame: NDArray[np.uint8], neighbour: NDArray[np.uint8]) -> TwoWayFlow:
        """The same for two gray frames that no other pass sees alike; nothing is stored."""
        with stage("flow"):
            pair = reduce_for_flow(frame), reduce_for_flow(neighbour)
            return estimate_two_way(*pair, quick=self._quick)

    def _read(self, entry: str, shape: tuple[int, ...]) -> TwoWayFlow | None:
        arrays = self._store.get(entry)
        if arrays is None or "flow" not in arrays:
            return None
        try:
            return TwoWayFlow.unpack(arrays["flow"], shape)
        except ValueError:
            return None  # another size: replaced
