"""Build the fields of the img2img request for one frame."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kadr.core.frames import Image
from kadr.stylize.base import StylizeContext, StylizeJob
from kadr.stylize.servers.a1111_options import A1111Options
from kadr.stylize.servers.a1111_resolve import CONTEXT_PREFIX, INVERSION_SCRIPT, ResolvedOptions
from kadr.stylize.servers.images import encode_base64, mask_image


def frame_request(
    options: A1111Options, resolved: ResolvedOptions, job: StylizeJob, context: StylizeContext
) -> dict[str, Any]:
    """All fields for one frame. Fields of the user's payload replace the others."""
    width, height = options.working_size(job.frame.size)
    request: dict[str, Any] = {
        "init_images": [encode_base64(job.frame.rgb)],
        "resize_mode": 0,
        "width": width,
        "height": height,
        "prompt": options.prompt,
        "negative_prompt": options.negative_prompt,
        "denoising_strength": options.denoising_strength,
        "cfg_scale": options.cfg_scale,
        "sampler_name": resolved.sampler,
        "steps": options.steps,
        "seed": frame_seed(options.seed, job),
        "batch_size": 1,
        "n_iter": 1,
        "send_images": True,
        "save_images": False,
        "include_init_images": False,
        "override_settings": dict(resolved.override_settings),
        "override_settings_restore_afterwards": True,
    }
    if resolved.scheduler:
        request["scheduler"] = resolved.scheduler
    if options.inversion != "none":
        request |= {"script_name": INVERSION_SCRIPT, "script_args": _script_arguments(options)}
    if resolved.controlnet:
        units = _controlnet_units(options, resolved, job, context)
        request["alwayson_scripts"] = {"ControlNet": {"args": units}}
    if options.send_mask:
        request |= _mask_fields(options, job, context)
    return _merge(request, resolved.payload)


def frame_seed(seed: int | None, job: StylizeJob) -> int:
    """The seed of a frame's noise in 32 bits, as the web interface takes it."""
    return job.seed & 0xFFFFFFFF if seed is None else seed


def _script_arguments(options: A1111Options) -> list[Any]:
    """The inversion script's arguments, in its order; the first one is its help text.

    All its overrides are off: the prompt and the other values that they would replace are sent
    as they should be.
    """
    override = False
    return [
        None,
        override,
        override,
        options.original_prompt,
        options.original_negative_prompt,
        override,
        options.decode_steps or options.steps,
        override,
        options.decode_cfg_scale,
        options.randomness,
        options.inversion == "adjusted",
    ]


def _controlnet_units(
    options: A1111Options, resolved: ResolvedOptions, job: StylizeJob, context: StylizeContext
) -> list[dict[str, Any]]:
    units = []
    for (model, weight), control in zip(resolved.controlnet, options.control, strict=True):
        image: Image = job.frame.rgb
        module = control
        if control.startswith(CONTEXT_PREFIX):
            image = context.control(control.removeprefix(CONTEXT_PREFIX), job.index)
            module = "none"
        units.append(
            {
                "enabled": True,
                "module": module,
                "model": model,
                "weight": weight,
                "image": encode_base64(image),
                "resize_mode": "Just Resize",
                "control_mode": "Balanced",
                "pixel_perfect": True,
                "guidance_start": 0.0,
                "guidance_end": 1.0,
            }
        )
    return units


def _mask_fields(options: A1111Options, job: StylizeJob, context: StylizeContext) -> dict[str, Any]:
    """White is stylized; the masked area starts from the frame itself."""
    mask = context.mask(job.index)
    if mask is None:
        return {}
    return {
        "mask": encode_base64(mask_image(mask)),
        "mask_blur": options.mask_blur,
        "inpainting_fill": 1,
        "inpaint_full_res": False,
        "inpainting_mask_invert": 0,
    }


def _merge(request: dict[str, Any], payload: Mapping[str, Any]) -> dict[str, Any]:
    """Merge objects field by field, and replace other fields."""
    merged = dict(request)
    for name, value in payload.items():
        if isinstance(value, Mapping) and isinstance(merged.get(name), dict):
            merged[name] = _merge(merged[name], value)
        else:
            merged[name] = value
    return merged
