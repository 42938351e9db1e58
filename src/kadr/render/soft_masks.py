"""A stylizer and soft masks in, a stylizer out that blends its results into the frames by them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kadr.core.frames import Frame, Image, to_8_bits
from kadr.stylize.base import StyledFrame, StylizeContext, StylizeJob, Stylizer

Matte = NDArray[np.float32]
"""(H, W) float32: 1 where the stylized frame shows, 0 where the filmed one does."""


class SoftMaskStylizer:
    """A stylizer whose results are blended into their frames where a mask is soft.

    The stylizer itself works wherever the mask is not black; ``matte`` gives the matte of a frame
    whose mask is soft, None for others, after the stylizer has read the mask.
    """

    def __init__(self, stylizer: Stylizer, matte: Callable[[int], Matte | None]) -> None:
        self._stylizer, self._matte = stylizer, matte
        self.VERSION, self.name = stylizer.VERSION, stylizer.name
        self.joint, self.sequential = stylizer.joint, stylizer.sequential
        self.max_batch = stylizer.max_batch

    def stylize(
        self, jobs: Iterable[StylizeJob], context: StylizeContext
    ) -> Iterator[list[StyledFrame]]:
        """See Stylizer; keeps the frames that the stylizer has and has not answered yet."""
        frames: dict[int, Frame] = {}

        def read() -> Iterator[StylizeJob]:
            for job in jobs:
                frames[job.index] = job.frame
                yield job

        for batch in self._stylizer.stylize(read(), context):
            yield [self._blended(styled, frames.pop(styled.index, None)) for styled in batch]

    def _blended(self, styled: StyledFrame, frame: Frame | None) -> StyledFrame:
        matte = self._matte(styled.index)
        # what does not answer its frame is refused by those who read the results
        if matte is None or frame is None or styled.image.shape[:2] != matte.shape:
            return styled
        return replace(styled, image=_blend(styled.image, to_8_bits(frame.image), matte))


def _blend(styled: Image, filmed: Image, matte: Matte) -> Image:
    """The styled image where the matte is 1, the filmed one where it is 0."""
    channels = min(styled.shape[2], filmed.shape[2])
    share = matte[..., None]
    mixed = styled.copy()
    parts = styled[..., :channels] * share + filmed[..., :channels] * (1 - share)
    mixed[..., :channels] = np.rint(parts).astype(np.uint8)
    return mixed
