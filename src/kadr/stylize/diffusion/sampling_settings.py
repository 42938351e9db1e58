"""The options of a run in, the settings of its sampling loop out."""

from __future__ import annotations

from kadr.stylize.diffusion.options import DiffusionOptions
from kadr.stylize.diffusion.sampling.img2img import SamplingSettings
from kadr.stylize.diffusion.sampling.inversion import Inversion

DEFAULT_STEPS, DEFAULT_CFG = 20, 7.0


def create_sampling_settings(options: DiffusionOptions) -> SamplingSettings:
    """How latents are sampled; raises OptionsError for a bad name."""
    inversion = None
    if options.inversion != "none":
        inversion = Inversion(
            options.inversion,
            steps=options.decode_steps,
            cfg_scale=options.decode_cfg_scale,
            randomness=options.randomness,
            refinements=options.refinements,
        )
    return SamplingSettings(
        sampler=options.sampler,
        steps=options.steps or DEFAULT_STEPS,
        denoising_strength=options.denoising_strength,
        cfg_scale=DEFAULT_CFG if options.cfg_scale is None else options.cfg_scale,
        cfg_rescale=options.cfg_rescale,
        exact_steps=options.exact_steps,
        noise_source=options.noise_source,
        noise_multiplier=options.noise_multiplier,
        reseed=options.eta_noise_seed_delta,
        inversion=inversion,
    )
