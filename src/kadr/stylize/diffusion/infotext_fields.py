"""A model and the options of a run in, the fields of A1111's infotext for a frame out."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from kadr.stylize.diffusion.model.model import Model
from kadr.stylize.diffusion.options import DiffusionOptions
from kadr.stylize.diffusion.sampling.inversion import Inversion
from kadr.stylize.diffusion.sampling.samplers import find_sampler
from kadr.stylize.diffusion.sampling_settings import create_sampling_settings
from kadr.stylize.infotext import LIST_SEPARATOR, SCHEDULE_FIELD
from kadr.stylize.layout.sizes import Size

InfotextFields = dict[str, str | int | float | None]
"""A1111's name of a setting → its value; None: the field is left out."""

_NOISE_SCHEDULES = {"yes": "Zero Terminal SNR", "no": "Default"}
"""Option → A1111's name; a model that says it itself needs none."""

_MASK_BLUR, _REFINEMENTS = DiffusionOptions.mask_blur, DiffusionOptions.refinements


def build_infotext_fields(
    model: Model, options: DiffusionOptions, size: Size, seed: int
) -> InfotextFields:
    """How a frame is made, under A1111's names and in its order; kadr's own fields at the end."""
    settings = create_sampling_settings(options)
    multiplier, sampler = settings.noise_multiplier, find_sampler(settings.sampler)
    is_uniform = sampler.schedule == "uniform"
    fields: InfotextFields = {
        "Steps": settings.steps,
        "Sampler": sampler.full_name,
        # every A1111 reads a schedule in the sampler's name, but a bare name as the sampler's own
        SCHEDULE_FIELD: "Uniform" if is_uniform and sampler.default_schedule != "uniform" else None,
        "CFG scale": settings.cfg_scale,
        "CFG rescale": settings.cfg_rescale or None,
        "Seed": seed,
        "Size": f"{size[0]}x{size[1]}",
        "Model hash": model.digest,
        "Model": model.name,
        "VAE": options.vae.name if options.vae else None,
        "Denoising strength": settings.denoising_strength,
        "Conditional mask weight": options.inpainting_mask_weight if model.channels == 9 else None,
        "Clip skip": options.clip_skip if options.clip_skip > 1 else None,
        "ENSD": settings.reseed or None,
        "RNG": "NV" if settings.noise_source == "nv" else "CPU",
        "Noise multiplier": multiplier if multiplier != 1 else None,
    }
    if settings.inversion is not None:
        fields |= _inversion_fields(options, settings.inversion, settings.steps)
    return fields | _additional_fields(options) | build_shared_fields(options)


def build_shared_fields(options: DiffusionOptions) -> InfotextFields:
    """The fields for layout and temporal consistency, which every pipeline uses."""
    joint = options.joint != "none"
    return _layout_fields(options) | {
        "Carry noise": options.carry_noise or None,
        "Previous start": options.previous_start or None,
        "Previous blend": options.previous_blend or None,
        "Cross frame": options.cross_frame if options.cross_frame != "none" else None,
        "Anchor every": options.anchor_every,
        "Joint": options.joint if joint else None,
        "Joint size": options.joint_size if joint else None,
    }


def _layout_fields(options: DiffusionOptions) -> InfotextFields:
    """How a frame and its mask are laid out; A1111 has the same names for masks."""
    only_masked = options.inpaint_area == "mask"
    write_blur = only_masked or options.mask_blur != _MASK_BLUR
    return {
        "Mask blur": options.mask_blur if write_blur else None,
        "Inpaint area": "Only masked" if only_masked else None,
        "Masked area padding": options.mask_padding if only_masked else None,
        "Resize mode": options.resize_mode or None,
    }


def _additional_fields(options: DiffusionOptions) -> InfotextFields:
    """Other options that change an image, where they differ from the default.

    Files are written without their folders, which are private.
    """
    controls = bool(options.controlnet)
    return {
        "Exact steps": options.exact_steps or None,
        "Color correction": options.color_correction or None,
        "Lora": _join_names(options.lora),
        "Embedding": _join_names(options.embedding),
        "ControlNets": _join_names(options.controlnet),
        "Controls": LIST_SEPARATOR.join(options.control) if controls else None,
        "Control until": options.control_until if controls else None,
        "Noise Schedule": _NOISE_SCHEDULES.get(options.zero_terminal_snr),
        "Prediction": options.prediction if options.prediction != "auto" else None,
        "VAE tiling": options.vae_tiling or None,
    }


def _join_names(paths: Iterable[str | Path]) -> str | None:
    """The names of files, each with the weight that may follow its path; None for no files."""
    return LIST_SEPARATOR.join(Path(path).name for path in paths) or None


def _inversion_fields(
    options: DiffusionOptions, inversion: Inversion, steps: int
) -> InfotextFields:
    # Without decode steps, A1111's kinds use as many steps as sampling. "refined" then uses the
    # exact noise levels of sampling, which the same number of decode steps may not reproduce.
    decode_steps = inversion.steps or (None if inversion.kind == "refined" else steps)
    refinements = inversion.refinements if inversion.kind == "refined" else _REFINEMENTS
    return {
        "Decode prompt": options.original_prompt or None,
        "Decode negative prompt": options.original_negative_prompt or None,
        "Decode CFG scale": inversion.cfg_scale,
        "Decode steps": decode_steps,
        "Randomness": inversion.randomness,
        "Sigma Adjustment": inversion.kind == "adjusted",
        "Inversion": inversion.kind,
        "Refinements": refinements if refinements != _REFINEMENTS else None,
    }
