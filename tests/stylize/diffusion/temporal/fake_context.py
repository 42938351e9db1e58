"""A fake run for stylizers: jobs of a synthetic clip, with flow, occlusion and previous outputs."""

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
class FakeContext:
    """Frames and the context of a run over them; ``outputs`` holds finished frames by index.

    indices: the frames that are jobs; None: all. cuts: the first frames of further groups.
    """

    frames: Sequence[Image]
    indices: Sequence[int] | None = None
    cuts: Sequence[int] = ()
    outputs: dict[int, Image] = field(default_factory=dict)
    find_flow: Callable[[Image, Image], Flow] = lambda a, b: estimate_flow(gray(a), gray(b))

    def __post_init__(self) -> None:
        self.flow = lru_cache(maxsize=None)(self._flow)
        self.loaded_outputs: list[int] = []

    def _flow(self, index_from: int, index_to: int) -> Flow:
        return self.find_flow(self.frames[index_from], self.frames[index_to])

    def occlusion(self, index_from: int, index_to: int) -> Mask:
        """True where forward and backward flow disagree."""
        forward, backward = self.flow(index_from, index_to), self.flow(index_to, index_from)
        return find_occlusion(forward, backward)

    def previous_index(self, index: int) -> int | None:
        """The previous job in the same group."""
        jobs = self._indices()
        position = jobs.index(index)
        if position == 0 or self._group(jobs[position - 1]) != self._group(index):
            return None
        return jobs[position - 1]

    def previous(self, index: int) -> Image | None:
        """The output of the previous job."""
        previous_index = self.previous_index(index)
        if previous_index is None:
            return None
        self.loaded_outputs.append(previous_index)
        return self.outputs[previous_index]

    def _group(self, index: int) -> int:
        return int(np.searchsorted(list(self.cuts), index, side="right"))

    @cached_property
    def context(self) -> StylizeContext:
        """The context that a stylizer gets."""
        return StylizeContext(
            flow=self.flow,
            occlusion=self.occlusion,
            previous=self.previous,
            previous_index=self.previous_index,
        )

    def run(self, stylizer: Stylizer) -> list[Image]:
        """Stylize the frames without an output; returns the outputs of all jobs in order."""
        for batch in stylizer.stylize(self.jobs(), self.context):
            for styled in batch:
                self.outputs[styled.index] = styled.image
        return [self.outputs[index] for index in self._indices()]

    def jobs(self) -> Iterator[StylizeJob]:
        """The jobs without an output."""
        for index in self._indices():
            if index not in self.outputs:
                yield StylizeJob(
                    Frame(index, self.frames[index]), self._group(index), seed=1000 + index
                )

    def _indices(self) -> list[int]:
        return list(self.indices or range(len(self.frames)))
