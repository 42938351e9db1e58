"""Steps of a loop in, told progress out; a loop that is to stop or lost its numbers is stopped."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

from kadr.stylize.base import StylizeContext
from kadr.stylize.diffusion.model.precision import check_latents
from kadr.stylize.diffusion.sampling.img2img import Sampling, SamplingProgress


def step_checker(
    indices: Sequence[int], context: StylizeContext, sampling: Sampling
) -> Callable[[SamplingProgress], None]:
    """After each step: stop if asked, notice lost precision, tell how far the frames are.

    On a card the step before is looked at, so that it need not wait for this one to be told apart;
    the last is looked at when it is decoded.
    """
    before: list[Tensor] = []

    def check(progress: SamplingProgress) -> None:
        context.cancel.check()
        before.append(progress.x)
        waits = progress.x.device.type == "cuda"
        if len(before) > waits:
            check_latents(before.pop(0))
        share = progress.index / progress.total
        if sampling.inversion is not None:
            share = share / 2 if progress.step == "invert" else 0.5 + share / 2
        for index in indices:
            context.progress(index, share)

    return check
