"""The callback after each sampling step: progress, cancellation, detection of invalid latents."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

from kadr.stylize.base import StylizeContext
from kadr.stylize.diffusion.model.precision import check_latents
from kadr.stylize.diffusion.sampling.img2img import SamplingProgress, SamplingSettings


def create_step_callback(
    indices: Sequence[int], context: StylizeContext, settings: SamplingSettings
) -> Callable[[SamplingProgress], None]:
    """A function to call after each step for the frames at ``indices``.

    On a GPU it checks the latents of the step before, so that it does not wait for the current
    step; the last latents are checked when they are decoded.
    """
    pending: list[Tensor] = []

    def after_step(progress: SamplingProgress) -> None:
        context.cancel.check()
        pending.append(progress.x)
        delay = progress.x.device.type == "cuda"
        if len(pending) > delay:
            check_latents(pending.pop(0))
        share = progress.index / progress.total
        if settings.inversion is not None:
            share = share / 2 if progress.step == "invert" else 0.5 + share / 2
        for index in indices:
            context.progress(index, share)

    return after_step
