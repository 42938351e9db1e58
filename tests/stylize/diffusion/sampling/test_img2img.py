"""The loop from latents to latents: steps, seeds, masks, inversion; and against diffusers' own."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import Any

import pytest
import torch
from analytic_models import NO_PROMPT, SCHEDULE, Pictures, gaussian_eps, prompt, relative_error
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion_img2img import (
    StableDiffusionImg2ImgPipeline,
)
from diffusers.schedulers.scheduling_euler_ancestral_discrete import (
    EulerAncestralDiscreteScheduler,
)
from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler
from tiny_models import TinyNetworks
from torch import Tensor

from kadr.core.generators import consume
from kadr.errors import Cancelled
from kadr.stylize.diffusion.sampling.guidance import Conditioning, Eps, eps_from
from kadr.stylize.diffusion.sampling.img2img import (
    Prompts,
    SamplingProgress,
    SamplingSettings,
    invert_latents,
    resize_latents,
    restyle_latents,
)
from kadr.stylize.diffusion.sampling.inversion import Inversion
from kadr.stylize.diffusion.sampling.noise import create_noise

PLAIN = Prompts(NO_PROMPT, NO_PROMPT, NO_PROMPT, NO_PROMPT)
EULER = SamplingSettings("Euler", steps=20, denoising_strength=0.5, cfg_scale=1)


def _latent(count: int = 2, size: int = 8) -> Tensor:
    return torch.randn(count, 4, size, size, generator=torch.Generator().manual_seed(2))


def _run(
    eps: Eps,
    latent: Tensor,
    prompts: Prompts,
    seeds: list[int],
    settings: SamplingSettings,
    **more: Any,
) -> Tensor:
    steps = restyle_latents(eps, SCHEDULE, latent, prompts, seeds, settings, **more)
    return consume(steps, lambda progress: None)


def _errors_of(eps: Eps, latent: Tensor, settings: SamplingSettings) -> float:
    prompts = Prompts(prompt(0), prompt(0), prompt(0), prompt(0))
    return relative_error(_run(eps, latent, prompts, [1] * len(latent), settings), latent)


@pytest.mark.parametrize(
    ("settings", "run"),
    [
        (EULER, 11),
        (replace(EULER, denoising_strength=0), 1),
        (replace(EULER, denoising_strength=0, exact_steps=True), 0),
        (replace(EULER, exact_steps=True), 20),
    ],
)
def test_every_step_is_shown(settings: SamplingSettings, run: int) -> None:
    shown: list[SamplingProgress] = []
    latent = _latent()
    steps = restyle_latents(gaussian_eps, SCHEDULE, latent, PLAIN, [1, 2], settings)
    result = consume(steps, shown.append)
    assert [(p.step, p.index, p.total) for p in shown] == [
        ("sample", i + 1, run) for i in range(run)
    ]
    assert torch.equal(result, shown[-1].x if shown else latent)


@pytest.mark.parametrize("source", ["cpu", "nv"])
@pytest.mark.parametrize("strength", [0.5, 1.0])
def test_sampling_starts_from_the_latent_and_the_first_noise(source: str, strength: float) -> None:
    first: list[Tensor] = []

    def eps(x: Tensor, sigma: float, conditioning: Conditioning) -> Tensor:
        first.append(x)
        return gaussian_eps(x, sigma)

    settings = replace(
        EULER, denoising_strength=strength, noise_source=source, noise_multiplier=0.9
    )
    _run(eps, _latent(), PLAIN, [3, 4], settings)
    noise = create_noise(source, [3, 4], (4, 8, 8)).draw()
    sigma = SCHEDULE.get_sigmas(20)[9 if strength == 0.5 else 0]
    torch.testing.assert_close(first[0], _latent() + 0.9 * noise * sigma)


@pytest.mark.parametrize("name", ["Euler a", "DPM++ 2M Karras"])
@pytest.mark.parametrize("kind", [None, "plain", "adjusted", "refined"])
def test_no_image_depends_on_its_batch(name: str, kind: str | None) -> None:
    eps = Pictures()
    inversion = kind and Inversion(kind, randomness=0.3)
    settings = SamplingSettings(name, steps=6, cfg_scale=3, inversion=inversion or None)
    prompts = Prompts(prompt(0.2), prompt(0), prompt(0), prompt(0))
    latent = eps.latents(3)
    together = _run(eps, latent, prompts, [7, 8, 9], settings)
    for i in range(3):
        alone = _run(eps, latent[i : i + 1], prompts, [7 + i], settings)
        torch.testing.assert_close(together[i : i + 1], alone, rtol=1e-4, atol=1e-4)
    assert torch.equal(together, _run(eps, latent, prompts, [7, 8, 9], settings))


@pytest.mark.parametrize("steps", [None, 30])
def test_found_noise_gives_the_picture_back_at_any_strength(steps: int | None) -> None:
    eps = Pictures()
    latent = eps.latents(2)
    for strength in (0.3, 1.0):
        settings = replace(EULER, denoising_strength=strength, inversion=Inversion(steps=steps))
        back = _errors_of(eps, latent, settings)
        assert back < (0.02 if steps is None else 0.2)
        assert back < _errors_of(eps, latent, replace(settings, inversion=None)) / 3


@pytest.mark.parametrize("kind", ["plain", "adjusted", "refined"])
def test_the_new_prompt_takes_effect(kind: str) -> None:
    eps = Pictures()
    latent = eps.latents(2)
    settings = replace(EULER, denoising_strength=1, inversion=Inversion(kind))
    prompts = Prompts(prompt(0.5), prompt(0), prompt(0), prompt(0))
    same = Prompts(prompt(0), prompt(0), prompt(0), prompt(0))
    moved = _run(eps, latent, prompts, [1, 1], settings) - _run(eps, latent, same, [1, 1], settings)
    assert float(moved.mean()) == pytest.approx(0.5, abs=0.1)


def test_a1111s_kinds_start_as_the_script_does() -> None:
    first: list[Tensor] = []

    def eps(x: Tensor, sigma: float, conditioning: Conditioning) -> Tensor:
        first.append(x)
        return gaussian_eps(x, sigma)

    latent = _latent()
    inversion = Inversion("adjusted", steps=12, randomness=0.4)
    settings = replace(EULER, inversion=inversion)
    inverted = consume(
        invert_latents(eps, SCHEDULE, latent, PLAIN, settings), lambda progress: None
    )
    random = create_noise("cpu", [5, 6], (4, 8, 8)).draw()
    combined = (0.6 * inverted + 0.4 * random) / (0.4**2 + 0.6**2) ** 0.5
    noise = combined - latent / SCHEDULE.sigma_max
    first.clear()
    _run(eps, latent, PLAIN, [5, 6], settings, inverted_noise=inverted)
    wanted = latent + noise * SCHEDULE.get_sigmas(20)[9]
    torch.testing.assert_close(first[0], wanted, rtol=0, atol=1e-5)


def test_noise_found_before_need_not_be_found_again() -> None:
    eps = Pictures()
    latent = eps.latents(2)
    prompts = Prompts(prompt(0.3), prompt(0), prompt(0), prompt(0))
    settings = replace(EULER, cfg_scale=2, inversion=Inversion(randomness=0.2))
    whole = _run(eps, latent, prompts, [1, 2], settings)
    inverted = consume(
        invert_latents(eps, SCHEDULE, latent, prompts, settings), lambda progress: None
    )
    eps.calls.clear()
    assert torch.equal(_run(eps, latent, prompts, [1, 2], settings, inverted_noise=inverted), whole)
    assert len(eps.calls) == 11
    with pytest.raises(ValueError, match="with an inversion"):
        next(invert_latents(eps, SCHEDULE, latent, prompts, EULER))
    with pytest.raises(ValueError, match="the original prompts"):
        next(invert_latents(eps, SCHEDULE, latent, Prompts(prompt(0), prompt(0)), settings))


def test_outside_the_mask_nothing_changes() -> None:
    latent, mask = _latent(), torch.zeros(2, 1, 8, 8)
    mask[..., :4] = 1
    result = _run(gaussian_eps, latent, PLAIN, [1, 2], EULER, mask=mask)
    torch.testing.assert_close(result[..., 4:], latent[..., 4:], rtol=0, atol=0)
    whole = _run(gaussian_eps, latent, PLAIN, [1, 2], EULER)
    torch.testing.assert_close(result[..., :4], whole[..., :4], rtol=0, atol=1e-5)
    assert float((whole - latent)[..., 4:].abs().max()) > 0.1


def test_a_given_first_noise_is_used() -> None:
    noise = create_noise("cpu", [9], (4, 8, 8)).draw()
    given = _run(gaussian_eps, _latent(), PLAIN, [1, 2], EULER, first_noise=noise)
    torch.testing.assert_close(given, _run(gaussian_eps, _latent(), PLAIN, [9, 9], EULER))


def test_the_loop_stops_between_steps() -> None:
    eps = Pictures()
    steps = restyle_latents(
        eps, SCHEDULE, eps.latents(1), Prompts(prompt(0), prompt(0)), [1], EULER
    )

    def check(progress: SamplingProgress) -> None:
        if progress.index == 3:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        consume(steps, check)
    assert len(eps.calls) == 3
    assert isinstance(steps, Generator)
    assert steps.gi_frame is None


def test_latents_are_resized_as_in_a1111() -> None:
    latent = torch.arange(4.0).reshape(1, 1, 1, 4).expand(1, 4, 2, 4)
    wide = resize_latents(latent, 64, 16)
    assert wide.shape == (1, 4, 2, 8)
    assert wide[0, 0, 0].tolist() == [0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3]


@pytest.fixture(scope="module")
def calm_parts() -> TinyNetworks:
    """Random networks whose weights are halved: whole ones turn rounding errors into anything."""
    parts = TinyNetworks("sd1", layers=1)
    for values in parts.unet.parameters():
        values.data.mul_(0.5)
    return parts


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize(
    ("name", "kind"),
    [("Euler", EulerDiscreteScheduler), ("Euler a", EulerAncestralDiscreteScheduler)],
)
@pytest.mark.parametrize("strength", [0.5, 0.9])
def test_latents_are_those_of_diffusers(
    name: str, kind: Any, strength: float, calm_parts: TinyNetworks
) -> None:
    parts = calm_parts
    scheduler = kind(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        timestep_spacing="linspace",
        steps_offset=1,  # heeded by other spacings only, but asked for
    )
    pipeline = StableDiffusionImg2ImgPipeline(
        vae=parts.vae,
        text_encoder=parts.encoders[0],
        tokenizer=None,
        unet=parts.unet,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    text = torch.randn(2, 77, 32, generator=torch.Generator().manual_seed(0))
    latent = _latent(1)
    steps, scale = 10, 7.5
    theirs = pipeline(
        image=latent,
        prompt_embeds=text[:1],
        negative_prompt_embeds=text[1:],
        # diffusers runs one step fewer at the same strength
        strength=min(1, (int(strength * steps) + 1.5) / steps),
        num_inference_steps=steps,
        guidance_scale=scale,
        generator=torch.Generator().manual_seed(11),
        output_type="latent",
    ).images

    def network(x: Tensor, timestep: Tensor, conditioning: Conditioning) -> Tensor:
        found: Tensor = parts.unet(x, timestep, conditioning.crossattn).sample
        return found

    prompts = Prompts(Conditioning(text[:1]), Conditioning(text[1:]))
    settings = SamplingSettings(name, steps, strength, scale)
    with torch.inference_mode():
        ours = _run(eps_from(network, SCHEDULE), latent, prompts, [11], settings)
    torch.testing.assert_close(ours, theirs, rtol=2e-6, atol=3e-5)
