"""Stylize jobs one by one with a function of an image; masks, alpha and 16 bits are done here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

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


def stylize_each(
    jobs: Iterable[StylizeJob],
    context: StylizeContext,
    seed: int | None,
    draw: Callable[[Image, int], Image],
) -> Iterator[list[StyledFrame]]:
    """Yield each frame drawn; outside ``context.mask`` pixels stay unchanged, and alpha everywhere.

    seed: of every frame; None: the seed of each job. draw: turns (H, W, 3) uint8 and a seed into
    (H, W, 3) uint8.
    """
    for job in jobs:
        context.cancel.check()
        frame = to_8_bits(job.frame.image)
        styled = frame.copy()
        styled[..., :3] = draw(frame[..., :3], job.seed if seed is None else seed)
        mask = context.mask(job.index)
        if mask is not None:
            styled[~mask] = frame[~mask]
        yield [StyledFrame(job.index, styled)]
