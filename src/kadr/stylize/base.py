"""The contract of all stylizers: frames to stylize in, stylized images out.

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

    group: jobs of one shot have the same group and follow one another; a joint stylizer sees a
    whole group at once.
    seed: all randomness of this job derives from it.
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

    index: the frame index of its job.
    image: (H, W, 3 or 4) uint8 in the size of the job's frame.
    info: short facts for people and logs, e.g. {"file": "keys/012.png"}.
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


def _no_flow(index_from: int, index_to: int) -> Flow:
    raise OptionsError(_not_available(f"flow from frame {index_from} to frame {index_to}"))


def _no_occlusion(index_from: int, index_to: int) -> Mask:
    raise OptionsError(_not_available(f"occlusion from frame {index_from} to frame {index_to}"))


def _no_control(name: str, index: int) -> Image:
    raise OptionsError(_not_available(f"control {name!r} for frame {index}"))


def _not_available(data: str) -> str:
    return f"this run has no {data}; choose a stylizer or options that do not need it"


def _none(index: int) -> None:
    return None


def _index_itself(index: int) -> int:
    return index


def _ignore_progress(index: int, share: float) -> None:
    return None


@dataclass(frozen=True, eq=False)
class StylizeContext:
    """Data and services of a run that a stylizer may use; a run sets the fields that it supports.

    A field that was not set raises OptionsError when called, unless None is a valid result. All
    indices are frame indices. All arrays have the frame's size and must not be written to.
    """

    flow: Callable[[int, int], Flow] = _no_flow
    """``flow(index_from, index_to)``: for each pixel of ``index_from`` the offset to its match in
    ``index_to``; warping image ``index_to`` by it reconstructs ``index_from``."""

    occlusion: Callable[[int, int], Mask] = _no_occlusion
    """``occlusion(index_from, index_to)``: True where a pixel of ``index_from`` has no match."""

    previous: Callable[[int], Image | None] = _none
    """The output of the job before frame ``index`` in its group; None for the first job."""

    previous_index: Callable[[int], int | None] = _none
    """The frame index of ``previous``: a run may stylize only every second frame."""

    control: Callable[[str, int], Image] = _no_control
    """``control(name, index)``: a control image, e.g. "edges", (H, W, 3) uint8."""

    mask: Callable[[int], Mask | None] = _none
    """True where frame ``index`` is to be stylized; None means everywhere."""

    number: Callable[[int], int] = _index_itself
    """The number of frame ``index`` in file names, as ``clip.number``."""

    cancel: CancelToken = field(default_factory=CancelToken)
    """Call ``cancel.check()`` before each job."""

    progress: Callable[[int, float], object] = _ignore_progress
    """Call ``progress(index, share)`` during a frame; share: the part that is done, 0 to 1."""

    threads: int | None = None
    """How many CPU cores to use; None means all. Results must not depend on it."""

    folder: Path | None = None
    """A folder for a cache that later runs over the same frames may use; None means no cache."""


class Stylizer(Protocol):
    """Turns frames into stylized frames. A plug-in is a class in its own file and a registry line.

    The class also has its frozen options dataclass as ``Options``; its constructor takes one.
    """

    VERSION: int
    """Part of the name under which results are cached, at least 1: raise it when the same options
    make other pixels."""

    @property
    def name(self) -> str:
        """The name in the registry."""
        ...

    @property
    def joint(self) -> bool:
        """Whether it must see all jobs of a group together."""
        ...

    @property
    def sequential(self) -> bool:
        """Whether it uses ``context.previous``: jobs come in order, one per batch."""
        ...

    @property
    def max_batch(self) -> int:
        """The most jobs in a batch, at least 1; a joint stylizer ignores it."""
        ...

    def stylize(
        self, jobs: Iterable[StylizeJob], context: StylizeContext
    ) -> Iterator[list[StyledFrame]]:
        """Yield stylized frames batch by batch, exactly one for every job.

        ``jobs`` may be lazy: it is read once, no further ahead than a batch needs. Calls
        ``context.cancel.check()`` before each job. The same jobs and seeds give the same bytes.
        Raises InputError for a frame that cannot be stylized, BackendError for a failing library.
        """
        ...


def batches(jobs: Iterable[StylizeJob], stylizer: Stylizer) -> Iterator[list[StylizeJob]]:
    """Divide jobs into the batches that a stylizer expects.

    joint: each group whole, whatever its size; a stylizer may divide long groups itself.
    sequential: one by one. Otherwise: up to ``max_batch`` jobs, which may be of several groups but
    have one frame size.
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
    finished: set[int] = set()
    for group, members in itertools.groupby(jobs, key=lambda job: job.group):
        if group in finished:
            raise ValueError(f"group {group}: its jobs must come one after another")
        finished.add(group)
        yield list(members)
