"""The base of stylizers that draw each frame for itself: jobs in, stylized frames out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Generic, Protocol, TypeVar

from kadr.core.frames import Image, to_8_bits
from kadr.option_fields import option
from kadr.stylize.base import StyledFrame, StylizeContext, StylizeJob

REFERENCE = 540.0
"""Shorter side in pixels for which lengths are options; they scale with the frame."""


def seed_option() -> int | None:
    """The field of the options that says which seed places strokes and grain."""
    seed: int | None = option(
        0,
        "seed of strokes and grain, the same for every frame; none: a seed for each frame",
        low=0,
        high=2**63 - 1,
    )
    return seed


def frame_scale(image: Image) -> float:
    """Pixels of this frame for a pixel of a frame 540 high."""
    shorter: int = min(image.shape[:2])
    return shorter / REFERENCE


class SeededOptions(Protocol):
    """Options of a stylizer that draws each frame for itself."""

    @property
    def seed(self) -> int | None:
        """The seed of every frame; None: the seed of each job."""
        ...


Options = TypeVar("Options", bound=SeededOptions)


class EachFrame(Generic[Options]):
    """The base of stylizers that draw each frame for itself: they only have to ``draw`` one.

    Masks, alpha and 16 bits are done here.
    """

    joint = False
    sequential = False
    max_batch = 1

    def __init__(self, options: Options) -> None:
        self._options = options

    def draw(
        self, image: Image, options: Options, *, seed: int, threads: int | None = None
    ) -> Image:
        """(H, W, 3) uint8 → (H, W, 3) uint8; the same bytes for any number of ``threads``."""
        raise NotImplementedError

    def stylize(
        self, jobs: Iterable[StylizeJob], context: StylizeContext
    ) -> Iterator[list[StyledFrame]]:
        """Yield each frame drawn; outside ``context.mask`` pixels stay unchanged, alpha too."""
        for job in jobs:
            context.cancel.check()
            frame = to_8_bits(job.frame.image)
            styled = frame.copy()
            seed = job.seed if self._options.seed is None else self._options.seed
            image = self.draw(frame[..., :3], self._options, seed=seed, threads=context.threads)
            styled[..., :3] = image
            mask = context.mask(job.index)
            if mask is not None:
                styled[~mask] = frame[~mask]
            yield [StyledFrame(job.index, styled)]
