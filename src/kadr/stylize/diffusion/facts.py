"""A run's options in, how its latents are sampled and what its pictures say of themselves out."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from kadr.stylize.diffusion.model.model import Model
from kadr.stylize.diffusion.options import DiffusionOptions
from kadr.stylize.diffusion.sampling.img2img import Sampling
from kadr.stylize.diffusion.sampling.inversion import Inversion
from kadr.stylize.diffusion.sampling.samplers import find_sampler
from kadr.stylize.infotext import LIST_SEPARATOR
from kadr.stylize.layout.sizes import Size

Facts = dict[str, str | int | float | None]
"""A1111's words for how a picture was made; None: not told."""

DEFAULT_STEPS, DEFAULT_CFG = 20, 7.0

_MASK_BLUR, _REFINEMENTS = DiffusionOptions.mask_blur, DiffusionOptions.refinements


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
    }
    if sampling.inversion is not None:
        facts |= _inversion_facts(options, sampling.inversion, sampling.steps)
    return facts | _own_facts(options) | company_facts(options)


def company_facts(options: DiffusionOptions) -> Facts:
    """How a frame is laid out and held together with others; what is off is not told."""
    joint = options.joint != "none"
    return _layout_facts(options) | {
        "Carry noise": options.carry_noise or None,
        "Previous start": options.previous_start or None,
        "Previous blend": options.previous_blend or None,
        "Cross frame": options.cross_frame if options.cross_frame != "none" else None,
        "Anchor every": options.anchor_every,
        "Joint": options.joint if joint else None,
        "Joint size": options.joint_size if joint else None,
    }


def _layout_facts(options: DiffusionOptions) -> Facts:
    """What a model sees of a frame and its mask; A1111 has the same words for masks."""
    masked = options.inpaint_area == "mask"
    return {
        "Mask blur": options.mask_blur if masked or options.mask_blur != _MASK_BLUR else None,
        "Inpaint area": "Only masked" if masked else None,
        "Masked area padding": options.mask_padding if masked else None,
        "Resize mode": options.resize_mode or None,
    }


def _own_facts(options: DiffusionOptions) -> Facts:
    """What else changes a picture, where it is not as it is by default. Files go by their names:
    where they are is nobody else's business."""
    controls = bool(options.controlnet)
    return {
        "Exact steps": options.exact_steps or None,
        "Color correction": options.color_correction or None,
        "Lora": _names(options.lora),
        "Embedding": _names(options.embedding),
        "ControlNets": _names(options.controlnet),
        "Controls": LIST_SEPARATOR.join(options.control) if controls else None,
        "Control until": options.control_until if controls else None,
        "Prediction": options.prediction if options.prediction != "auto" else None,
        "VAE tiling": options.vae_tiling or None,
    }


def _names(paths: Iterable[str | Path]) -> str | None:
    """The names of files, each with the weight that may follow its path; None for no files."""
    return LIST_SEPARATOR.join(Path(path).name for path in paths) or None


def _inversion_facts(options: DiffusionOptions, inversion: Inversion, steps: int) -> Facts:
    # A1111's kinds take as many steps as sampling does, unless told; "refined" then takes the very
    # levels of sampling, which that many steps of its own are not where a schedule is a sampler's
    decode = inversion.steps or (None if inversion.kind == "refined" else steps)
    again = inversion.refinements if inversion.kind == "refined" else _REFINEMENTS
    return {
        "Decode prompt": options.original_prompt or None,
        "Decode negative prompt": options.original_negative_prompt or None,
        "Decode CFG scale": inversion.cfg_scale,
        "Decode steps": decode,
        "Randomness": inversion.randomness,
        "Sigma Adjustment": inversion.kind == "adjusted",
        "Inversion": inversion.kind,
        "Refinements": again if again != _REFINEMENTS else None,
    }
