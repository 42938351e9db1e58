"""A run as far as a stylizer sees it: jobs of a made-up clip, and what is lent for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np

from kadr.core.frames import Frame, Image
from kadr.guides.flow import estimate_flow, gray
from kadr.guides.occlusion import find_occlusion
from kadr.stylize.base import Flow, Mask, StylizeContext, StylizeJob, Stylizer


@dataclass
class Lender:
    """Frames with what a run lends of them; ``made`` holds what was made, by index.

    indices: the frames that are jobs; None: all. cuts: the first frames of further groups.
    """

    frames: Sequence[Image]
    indices: Sequence[int] | None = None
    cuts: Sequence[int] = ()
    made: dict[int, Image] = field(default_factory=dict)
    find_flow: Callable[[Image, Image], Flow] = lambda a, b: estimate_flow(gray(a), gray(b))

    def __post_init__(self) -> None:
        self.flow = lru_cache(maxsize=None)(self._flow)
        self.asked: list[int] = []

    def _flow(self, index_from: int, index_to: int) -> Flow:
        return self.find_flow(self.frames[index_from], self.frames[index_to])

    def occlusion(self, index_from: int, index_to: int) -> Mask:
        """Where there and back again does not lead home."""
        there, back = self.flow(index_from, index_to), self.flow(index_to, index_from)
        return find_occlusion(there, back)

    def previous_index(self, index: int) -> int | None:
        """The job before, in the same group."""
        jobs = self._indices()
        place = jobs.index(index)
        if place == 0 or self._group(jobs[place - 1]) != self._group(index):
            return None
        return jobs[place - 1]

    def previous(self, index: int) -> Image | None:
        """What was made of it."""
        before = self.previous_index(index)
        if before is None:
            return None
        self.asked.append(before)
        return self.made[before]

    def _group(self, index: int) -> int:
        return int(np.searchsorted(list(self.cuts), index, side="right"))

    @cached_property
    def context(self) -> StylizeContext:
        """All of it."""
        return StylizeContext(
            flow=self.flow,
            occlusion=self.occlusion,
            previous=self.previous,
            previous_index=self.previous_index,
        )

    def run(self, stylizer: Stylizer) -> list[Image]:
        """Stylize what is not made yet; gives all jobs' frames in their order."""
        for batch in stylizer.stylize(self.jobs(), self.context):
            for styled in batch:
                self.made[styled.index] = styled.image
        return [self.made[index] for index in self._indices()]

    def jobs(self) -> Iterator[StylizeJob]:
        """What is not made yet."""
        for index in self._indices():
            if index not in self.made:
                yield StylizeJob(
                    Frame(index, self.frames[index]), self._group(index), seed=1000 + index
                )

    def _indices(self) -> list[int]:
        return list(self.indices or range(len(self.frames)))
