"""Encoded prompts that change during sampling, and several that steer together.

Steps are counted as A1111 counts them: one for each evaluation of the network, from 0 on, so a
sampler of second order has two for each of its steps. A text whose last step is 5 is thus used for
the evaluations 0 to 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from kadr.stylize.diffusion.sampling.guidance import Conditioning, WeightedConditioning


@dataclass(frozen=True, eq=False)
class PromptSchedule:
    """A prompt that changes: (last step, conditioning) in rising order. weight: as in ``parts``."""

    entries: Sequence[tuple[int, Conditioning]]
    weight: float = 1.0

    def at(self, evaluation: int) -> Conditioning:
        """The conditioning of an evaluation of the network, counted from 0."""
        for last, conditioning in self.entries:
            if evaluation <= last:
                return conditioning
        return self.entries[-1][1]

    def parts(self, evaluation: int) -> Sequence[WeightedConditioning]:
        """The conditioning of an evaluation, with its weight."""
        return ((self.at(evaluation), self.weight),)


@dataclass(frozen=True, eq=False)
class JoinedPrompt:
    """Several prompts that steer together, as AND joins them."""

    schedules: Sequence[PromptSchedule]

    def parts(self, evaluation: int) -> Sequence[WeightedConditioning]:
        """The conditioning of each prompt, with its weight; all of one length.

        As in A1111, shorter ones are filled with their last vector.
        """
        conditionings = [schedule.at(evaluation) for schedule in self.schedules]
        length = max(conditioning.crossattn.shape[1] for conditioning in conditionings)
        return tuple(
            (_lengthen(conditioning, length), schedule.weight)
            for conditioning, schedule in zip(conditionings, self.schedules, strict=True)
        )


def _lengthen(conditioning: Conditioning, length: int) -> Conditioning:
    text = conditioning.crossattn
    missing = length - text.shape[1]
    if missing == 0:
        return conditioning
    text = torch.cat([text, text[:, -1:].expand(-1, missing, -1)], dim=1)
    return replace(conditioning, crossattn=text)
