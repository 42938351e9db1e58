"""Frames to stylize in, stylized images out: the contract that every stylizer fills in.

A stylizer sees jobs and a context, never the clip, the options of a run or another stage. It is a
generator of batches, so progress, preview and cancelling need no callback.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from kadr.core.events import CancelToken
from kadr.core.frames import Frame, Image
from kadr.errors import OptionsError

Flow = NDArray[np.float32]
"""(H, W, 2) float32, (x, y) in pixels."""

Mask = NDArray[np.bool_]
"""(H, W) bool."""


@dataclass(frozen=True, eq=False)
class StylizeJob:
    """One frame to stylize.

    group: jobs of one shot share it, and come one after another; a joint stylizer sees a group
    together.
    seed: all that is random in this job follows from it.
    """

    frame: Frame
    group: int
    seed: int

    @property
    def index(self) -> int:
        """The frame's index in its clip."""
        return self.frame.index


@dataclass(frozen=True, eq=False)
class StyledFrame:
    """One stylized frame.

    index: of the job it answers.
    image: (H, W, 3 or 4) uint8 of the frame's own size.
    info: short facts for people and for logs, e.g. {"file": "keys/012.png"}.
    """

    index: int
    image: Image
    info: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        image = self.image
        if image.ndim != 3 or image.shape[2] not in (3, 4) or image.dtype != np.uint8:
            raise ValueError(
                f"stylized frame {self.index}: expected (H, W, 3 or 4) uint8, "
                f"got {image.shape} {image.dtype}"
            )


def _lends_no_flow(index_from: int, index_to: int) -> Flow:
    raise OptionsError(_not_lent(f"flow from frame {index_from} to frame {index_to}"))


def _lends_no_occlusion(index_from: int, index_to: int) -> Mask:
    raise OptionsError(_not_lent(f"occlusion from frame {index_from} to frame {index_to}"))


def _lends_no_control(name: str, index: int) -> Image:
    raise OptionsError(_not_lent(f"control {name!r} for frame {index}"))


def _not_lent(what: str) -> str:
    return f"this run lends no {what}; choose a stylizer or options that do without"


def _nothing(index: int) -> None:
    return None


def _same_number(index: int) -> int:
    return index


def _untold(index: int, share: float) -> None:
    return None


@dataclass(frozen=True, eq=False)
class StylizeContext:
    """What a run lends to a stylizer; a run gives those it has.

    What was not given raises OptionsError when asked for, unless None is a true answer. All
    indices are frame indices; all arrays have the frame's size and are not to be written to.
    """

    flow: Callable[[int, int], Flow] = _lends_no_flow
    """``flow(index_from, index_to)`` lies on the pixels of ``index_from`` and points into
    ``index_to``: warping image ``index_to`` by it gives the look of ``index_from``."""

    occlusion: Callable[[int, int], Mask] = _lends_no_occlusion
    """``occlusion(index_from, index_to)``: True where a pixel of ``index_from`` has no match."""

    previous: Callable[[int], Image | None] = _nothing
    """The output of the job before that of frame ``index`` in its group; None for the first."""

    previous_index: Callable[[int], int | None] = _nothing
    """The frame that ``previous`` shows: a run may take every second frame only."""

    control: Callable[[str, int], Image] = _lends_no_control
    """``control(name, index)``: a control image, e.g. "edges", (H, W, 3) uint8."""

    mask: Callable[[int], Mask | None] = _nothing
    """True where frame ``index`` is to be stylized; None: everywhere."""

    number: Callable[[int], int] = _same_number
    """The number by which file names call frame ``index``: a sequence's own (``clip.number``)."""

    cancel: CancelToken = field(default_factory=CancelToken)
    """Ask ``cancel.check()`` before each job."""

    progress: Callable[[int, float], object] = _untold
    """Told ``(index, share)`` while a frame is being made: how much of it is done, 0 to 1."""

    threads: int | None = None
    """How many cores to use; None: all. No result may depend on it."""

    folder: Path | None = None
    """Where to keep what may serve another run over the same frames; None: nowhere."""


class Stylizer(Protocol):
    """Turns frames into stylized frames. A plug-in is a class in its own file and a registry line.

    The class also names its frozen options dataclass as ``Options`` and is made with one.
    """

    @property
    def name(self) -> str:
        """As in the registry."""
        ...

    @property
    def joint(self) -> bool:
        """Whether it must see all jobs of a group together."""
        ...

    @property
    def sequential(self) -> bool:
        """Whether it builds on ``context.previous``: jobs come in order, one to a batch."""
        ...

    @property
    def max_batch(self) -> int:
        """The most jobs in a batch, at least 1; of no meaning for a joint stylizer."""
        ...

    def stylize(
        self, jobs: Iterable[StylizeJob], context: StylizeContext
    ) -> Iterator[list[StyledFrame]]:
        """Yield what was made, batch by batch; every job is answered exactly once.

        ``jobs`` may be lazy: it is read once, no further ahead than a batch needs. Asks
        ``context.cancel.check()`` before each job. Same jobs and seeds, same bytes.
        Raises InputError for a frame that cannot be stylized, BackendError for a failing library.
        """
        ...


def batches(jobs: Iterable[StylizeJob], stylizer: Stylizer) -> Iterator[list[StylizeJob]]:
    """Group jobs as a stylizer wants them.

    joint: each group whole, whatever its size: what its frames share only the stylizer knows, so
    dividing a long one is left to it. Else sequential: one by one. Else up to ``max_batch``, which
    may hold frames of several groups but one frame size only.
    Raises ValueError if the jobs of a group do not come one after another.
    """
    if stylizer.joint:
        yield from _groups(jobs)
        return
    limit = 1 if stylizer.sequential else max(1, stylizer.max_batch)
    batch: list[StylizeJob] = []
    for job in jobs:
        if batch and job.frame.image.shape != batch[0].frame.image.shape:
            yield batch
            batch = []
        batch.append(job)
        if len(batch) == limit:
            yield batch
            batch = []
    if batch:
        yield batch


def _groups(jobs: Iterable[StylizeJob]) -> Iterator[list[StylizeJob]]:
    seen: set[int] = set()
    for group, members in itertools.groupby(jobs, key=lambda job: job.group):
        if group in seen:
            raise ValueError(f"group {group}: its jobs must come one after another")
        seen.add(group)
        yield list(members)
