"""The contract of all ways to make mattes: a clip in, one matte for each of its frames out.

A method is a generator of events and mattes, so progress and cancelling need no callback. What
comes after it (steadying, edges, files) is the same for all methods.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from kadr.core.events import CancelToken, Event
from kadr.core.frames import Frame, FrameRange, Image
from kadr.core.resize import shrink_to_side
from kadr.storage.store import Store
from kadr.video.base import Clip

Matte: TypeAlias = NDArray[np.float32]
"""(H, W) float32, 0–1: the share of each pixel that the subject covers."""

STEP = "mattes"
"""The step of events about finished mattes."""

_WORK_SIDE = 1280
"""Longest side at which mattes are found: that of the optical flow. Edges need the full size."""


@dataclass(frozen=True, eq=False)
class FrameMatte:
    """The matte of one frame at the work size, as a method finds it: neither steadied nor refined.

    image: the frame at the work size, (h, w, 3) uint8. matte: (h, w). exact: the matte of this
    frame in the clip's size, (H, W), if it was painted with soft edges: it is kept as it is.
    """

    frame: Frame
    image: Image
    matte: Matte
    exact: Matte | None = None

    def __post_init__(self) -> None:
        if self.matte.shape != self.image.shape[:2] or self.matte.dtype != np.float32:
            raise ValueError(
                f"frame {self.frame.index}: expected a matte of {self.image.shape[:2]} float32, "
                f"got {self.matte.shape} {self.matte.dtype}"
            )


@dataclass(frozen=True, eq=False)
class MatteContext:
    """What a method may use.

    store: keeps what is needed again later, in this run or another one; entries are named
    ``mattes/FINGERPRINT/000012``. identity: the hash of the clip's content, for their names.
    cancel: ``cancel.check()`` is called before each frame.
    """

    store: Store
    identity: str
    cancel: CancelToken


class MatteMethod(Protocol):
    """Finds the subject in the frames of a clip. A plug-in is a class and a line in the registry.

    The class also has its frozen options dataclass as ``Options``; its constructor takes one.
    """

    VERSION: int
    """Raised when the same options make other mattes."""

    @property
    def name(self) -> str:
        """The name in the registry."""
        ...

    @property
    def files(self) -> tuple[Path, ...]:
        """Files and folders that it reads beside the clip."""
        ...

    @property
    def settings(self) -> Mapping[str, object]:
        """The values of its options that decide the mattes, but for files."""
        ...

    def mattes(
        self, clip: Clip, frames: FrameRange, wanted: FrameRange, context: MatteContext
    ) -> Iterator[Event | FrameMatte]:
        """Yield one matte for every frame of ``wanted``, in order, and events between them.

        wanted: a part of ``frames``, which are those of the whole job; a frame's matte is the same
        whatever part is wanted, and in every run. Memory does not grow with the number of frames.
        Notices tell what was assumed or is not used.
        Raises InputError for files that do not fit the clip, BackendError for a failing library.
        """
        ...


def work_image(frame: Frame) -> Image:
    """(h, w, 3) uint8: a frame in the size at which mattes are found."""
    return np.ascontiguousarray(shrink_to_side(frame.rgb, _WORK_SIDE))
