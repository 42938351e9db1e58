"""Predictions as noise, and guidance by two prompts, against their formulas."""

from __future__ import annotations

import pytest
import torch
from analytic_models import SCHEDULE, Pictures, prompt
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import rescale_noise_cfg
from torch import Tensor

from kadr.errors import OptionsError
from kadr.stylize.diffusion.sampling.guidance import (
    Conditioning,
    denoiser_from,
    eps_from,
    guided_eps,
    keep_unmasked,
)


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("sigma", [0.0, 0.05, 1.0, 14.0])
def test_a_perfect_network_gives_the_noise(prediction: str, sigma: float) -> None:
    generator = torch.Generator().manual_seed(0)
    clean, noise = torch.randn(2, 3, 4, 8, 8, generator=generator)
    spread = (1 + sigma**2) ** 0.5
    seen: list[Tensor] = []

    def network(x: Tensor, timestep: Tensor, conditioning: Conditioning) -> Tensor:
        seen.extend([x, timestep])
        return noise if prediction == "epsilon" else (noise - sigma * clean) / spread

    eps = eps_from(network, SCHEDULE, prediction)
    found = eps(clean + sigma * noise, sigma, prompt(0))
    torch.testing.assert_close(found, noise, rtol=0, atol=2e-6)
    torch.testing.assert_close(seen[0], (clean + sigma * noise) / spread)
    assert seen[1].tolist() == [float(SCHEDULE.sigma_to_t(sigma))] * 3


def test_an_unknown_prediction_is_refused() -> None:
    with pytest.raises(OptionsError, match="prediction 'sample': expected one of epsilon"):
        eps_from(lambda x, t, c: x, SCHEDULE, "sample")


@pytest.mark.parametrize("scale", [0.0, 0.5, 1.0, 7.5, 24.0])
@pytest.mark.parametrize("batched", [True, False])
@pytest.mark.parametrize("length", [77, 154])
def test_guidance_is_its_formula(scale: float, batched: bool, length: int) -> None:
    eps = Pictures()
    x = eps.latents(2) + 1.5
    cond, uncond = prompt(0.5, length), prompt(-0.2)
    wanted = eps(x, 1.5, cond.expand(2))
    if scale != 1:
        without = eps(x, 1.5, uncond.expand(2))
        wanted = without + scale * (wanted - without)
    eps.calls.clear()
    found = guided_eps(eps, cond, uncond, scale, batched=batched)(x, 1.5)
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)
    one, both, apart = [(2, 1.5)], [(4, 1.5)], [(2, 1.5), (2, 1.5)]
    assert eps.calls == (one if scale == 1 else both if batched and length == 77 else apart)


@pytest.mark.parametrize("share", [0.3, 0.7, 1.0])
def test_guidance_is_scaled_back_as_diffusers_scales_v(share: float) -> None:
    def eps(x: Tensor, sigma: float, conditioning: Conditioning) -> Tensor:
        return (x * (1 + conditioning.crossattn[:, 0, 0].reshape(-1, 1, 1, 1))).sin()

    sigma, scale = 1.5, 7.5
    x = Pictures().latents(2) + 1.5
    cond, uncond = prompt(0.5), prompt(-0.2)
    spread = (1 + sigma**2) ** 0.5
    cond_v, uncond_v = (
        eps(x, sigma, text.expand(2)) * spread - x * sigma / spread for text in (cond, uncond)
    )
    wanted = rescale_noise_cfg(uncond_v + scale * (cond_v - uncond_v), cond_v, share)
    found = guided_eps(eps, cond, uncond, scale, rescale=share)(x, sigma)
    torch.testing.assert_close(found * spread - x * sigma / spread, wanted, rtol=1e-4, atol=1e-4)
    plain = guided_eps(eps, cond, uncond, scale)(x, sigma)
    assert float((found - plain).abs().max()) > 0.05
    alone = guided_eps(eps, cond, uncond, scale, rescale=share)(x[1:], sigma)
    torch.testing.assert_close(alone, found[1:], rtol=1e-4, atol=1e-4)


def test_each_image_may_have_its_own_prompt() -> None:
    eps = Pictures()
    x = eps.latents(2)
    prompts = prompt(0.5).concatenate(prompt(-0.5))
    together = guided_eps(eps, prompts, prompt(0), 3.0)(x, 1.0)
    for i, value in enumerate((0.5, -0.5)):
        alone = guided_eps(eps, prompt(value), prompt(0), 3.0)(x[i : i + 1], 1.0)
        torch.testing.assert_close(together[i : i + 1], alone)


def test_conditioning_carries_all_its_parts() -> None:
    one = Conditioning(torch.zeros(1, 77, 8), torch.ones(1, 5), torch.full((1, 6), 2.0))
    both = one.expand(3).concatenate(one)
    assert both.crossattn.shape == (4, 77, 8)
    assert both.pooled is not None
    assert both.pooled.shape == (4, 5)
    assert both.time_ids is not None
    assert both.time_ids.unique().tolist() == [2.0]
    bare = prompt(0).expand(2).concatenate(prompt(1))
    assert bare.pooled is None
    assert bare.time_ids is None


def test_outside_the_mask_the_latent_stays() -> None:
    latent, mask = torch.full((2, 4, 8, 8), 3.0), torch.zeros(1, 1, 8, 8)
    mask[..., :4] = 1
    denoise = keep_unmasked(denoiser_from(lambda x, sigma: torch.zeros_like(x)), latent, mask)
    clean = denoise(torch.full((2, 4, 8, 8), 5.0), 1.0)
    assert clean[..., :4].unique().tolist() == [5]
    assert clean[..., 4:].unique().tolist() == [3]
