"""A run's options in, how its latents are sampled and what its pictures say of themselves out."""

from __future__ import annotations

from kadr.stylize.diffusion.img2img import Sampling
from kadr.stylize.diffusion.inversion import Inversion
from kadr.stylize.diffusion.model import Model
from kadr.stylize.diffusion.options import DiffusionOptions
from kadr.stylize.diffusion.samplers import find_sampler
from kadr.stylize.diffusion.sizes import Size

Facts = dict[str, str | int | float | None]
"""A1111's words for how a picture was made; None: not told."""

DEFAULT_STEPS, DEFAULT_CFG = 20, 7.0


def sampling_of(options: DiffusionOptions) -> Sampling:
    """How latents are sampled, from a run's options; raises OptionsError for a bad name."""
    inversion = None
    if options.inversion != "none":
        inversion = Inversion(
            options.inversion,
            steps=options.decode_steps,
            cfg_scale=options.decode_cfg_scale,
            randomness=options.randomness,
            refinements=options.refinements,
        )
    return Sampling(
        sampler=options.sampler,
        steps=options.steps or DEFAULT_STEPS,
        denoising_strength=options.denoising_strength,
        cfg_scale=DEFAULT_CFG if options.cfg_scale is None else options.cfg_scale,
        exact_steps=options.exact_steps,
        noise_source=options.noise_source,
        noise_multiplier=options.noise_multiplier,
        reseed=options.eta_noise_seed_delta,
        inversion=inversion,
    )


def facts_of(model: Model, options: DiffusionOptions, size: Size, seed: int) -> Facts:
    """How a frame is made, in A1111's words and order; kadr's own ways at the end."""
    sampling = sampling_of(options)
    facts: Facts = {
        "Steps": sampling.steps,
        "Sampler": find_sampler(sampling.sampler).name,
        "CFG scale": sampling.cfg_scale,
        "Seed": seed,
        "Size": f"{size[0]}x{size[1]}",
        "Model hash": model.digest,
        "Model": model.name,
        "VAE": options.vae.name if options.vae else None,
        "Denoising strength": sampling.denoising_strength,
        "Conditional mask weight": options.inpainting_mask_weight if model.channels == 9 else None,
        "Clip skip": options.clip_skip if options.clip_skip > 1 else None,
        "ENSD": sampling.reseed or None,
        "RNG": "NV" if sampling.noise_source == "nv" else "CPU",
        "Noise multiplier": sampling.noise_multiplier if sampling.noise_multiplier != 1 else None,
        "Mask blur": options.mask_blur if options.inpaint_area == "mask" else None,
    }
    if sampling.inversion is not None:
        facts |= _inversion_facts(options, sampling.inversion, sampling.steps)
    return facts | company_facts(options)


def company_facts(options: DiffusionOptions) -> Facts:
    """How a frame is held together with others; what is off is not told."""
    joint = options.joint != "none"
    return {
        "Carry noise": options.carry_noise or None,
        "Previous start": options.previous_start or None,
        "Previous blend": options.previous_blend or None,
        "Cross frame": options.cross_frame if options.cross_frame != "none" else None,
        "Anchor every": options.anchor_every,
        "Joint": options.joint if joint else None,
        "Joint size": options.joint_size if joint else None,
    }


def _inversion_facts(options: DiffusionOptions, inversion: Inversion, steps: int) -> Facts:
    return {
        "Decode prompt": options.original_prompt or None,
        "Decode negative prompt": options.original_negative_prompt or None,
        "Decode CFG scale": inversion.cfg_scale,
        "Decode steps": inversion.steps or steps,
        "Randomness": inversion.randomness,
        "Sigma Adjustment": inversion.kind == "adjusted",
        "Inversion": inversion.kind,
    }
