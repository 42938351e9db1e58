"""Guidance by prompts that change or steer together, against sums made by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from analytic_models import SCHEDULE, Pictures, prompt
from torch import Tensor

from kadr.core.generators import consume
from kadr.stylize.diffusion.sampling.changing_prompt import JoinedPrompt, PromptSchedule
from kadr.stylize.diffusion.sampling.guidance import guided_eps
from kadr.stylize.diffusion.sampling.img2img import (
    Prompts,
    SamplingSettings,
    prompt_steps,
    restyle_latents,
    sampling_sigmas,
)
from kadr.stylize.diffusion.sampling.inversion import Inversion


def test_a_text_is_used_up_to_its_last_step() -> None:
    schedule = PromptSchedule([(2, prompt(1)), (3, prompt(2)), (4, prompt(3))])
    used = [float(schedule.at(i).crossattn.max()) for i in range(7)]
    # A1111 counts evaluations from 0, so the first text has one more
    assert used == [1, 1, 1, 2, 3, 3, 3]


@pytest.mark.parametrize("batched", [True, False])
def test_weighted_prompts_add_up(batched: bool) -> None:
    eps = Pictures()
    x = eps.latents(2) + 1
    conds, weights, uncond = [prompt(0.5), prompt(-0.3, 154)], (0.7, -0.2), prompt(0.1)
    joined = JoinedPrompt(
        [PromptSchedule([(5, cond)], weight) for cond, weight in zip(conds, weights, strict=True)]
    )
    result = guided_eps(eps, joined, uncond, 6.0, batched=batched)(x, 1.5)
    without = eps(x, 1.5, uncond.expand(2))
    wanted = without + sum(
        6 * weight * (eps(x, 1.5, cond.expand(2)) - without)
        for cond, weight in zip(conds, weights, strict=True)
    )
    torch.testing.assert_close(result, wanted)
    lengths = [part.crossattn.shape[1] for part, _ in joined.parts(0)]
    assert lengths == [154, 154]
    assert torch.equal(
        joined.parts(0)[0][0].crossattn[:, 77:], conds[0].crossattn[:, -1:].expand(-1, 77, -1)
    )


def test_a_single_weight_scales_guidance() -> None:
    eps = Pictures()
    x = eps.latents(1)
    weighted = PromptSchedule([(5, prompt(0.5))], 0.5)
    torch.testing.assert_close(
        guided_eps(eps, weighted, prompt(0), 8.0)(x, 1.0),
        guided_eps(eps, prompt(0.5), prompt(0), 4.0)(x, 1.0),
    )
    eps.calls.clear()
    guided_eps(eps, weighted, prompt(0), 1.0)(x, 1.0)
    assert eps.calls == [(2, 1.0)]


def _by_hand(value_at: Callable[[int], float], settings: SamplingSettings, x: Tensor) -> Tensor:
    """The latents of a loop whose prompt is chosen for each evaluation."""
    picture, count = Pictures(), 0

    def eps(x: Tensor, sigma: float, conditioning: object) -> Tensor:
        nonlocal count
        count += 1
        return picture(x, sigma, prompt(value_at(count - 1)).expand(len(x)))

    return _run(eps, Prompts(prompt(0), prompt(0)), settings, x)


def _run(
    eps: Callable[..., Tensor], prompts: Prompts, settings: SamplingSettings, x: Tensor
) -> Tensor:
    steps = restyle_latents(eps, SCHEDULE, x, prompts, [3] * len(x), settings)
    return consume(steps, lambda progress: None)


@pytest.mark.parametrize("name", ["Euler a", "Heun"])
def test_the_loop_follows_a_prompt_that_alternates(name: str) -> None:
    settings = SamplingSettings(name, steps=8, denoising_strength=0.6, cfg_scale=1)
    total = prompt_steps(settings)
    assert total == (8 if name == "Euler a" else 16)
    values = [0.4, -0.4]
    entries = [(step, prompt(values[(step - 1) % 2])) for step in range(1, total + 1)]
    x = Pictures().latents(2)
    result = _run(Pictures(), Prompts(PromptSchedule(entries), prompt(0)), settings, x)
    wanted = _by_hand(lambda i: values[(max(i, 1) - 1) % 2], settings, x)
    torch.testing.assert_close(result, wanted, rtol=0, atol=0)
    constant = _run(Pictures(), Prompts(prompt(0.4), prompt(0)), settings, x)
    assert float((result - constant).abs().max()) > 0.05


@pytest.mark.parametrize("kind", ["plain", "adjusted", "refined"])
def test_inversion_does_not_use_up_steps(kind: str) -> None:
    settings = SamplingSettings(
        "Euler", steps=6, denoising_strength=1, cfg_scale=1, inversion=Inversion(kind)
    )
    schedule = PromptSchedule([(3, prompt(0.4)), (6, prompt(-0.4))])
    x, original = Pictures().latents(1), prompt(0.1)
    eps = Pictures()
    result = _run(eps, Prompts(schedule, prompt(0), original, original), settings, x)
    sigmas = sampling_sigmas(SCHEDULE, settings)
    assert [sigma for _, sigma in eps.calls[-6:]] == pytest.approx(sigmas[:-1].tolist())
    halves = []
    for value in (0.4, -0.4):
        prompts = Prompts(prompt(value), prompt(0), original, original)
        halves.append(_run(Pictures(), prompts, settings, x))
    assert not torch.equal(result, halves[0])
    assert not torch.equal(result, halves[1])
