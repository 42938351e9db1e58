"""A frame and options in, the fields of one img2img request out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kadr.core.frames import Image
from kadr.stylize.base import StylizeContext, StylizeJob
from kadr.stylize.servers.a1111_options import A1111Options
from kadr.stylize.servers.a1111_probe import ALTERNATIVE, Probe
from kadr.stylize.servers.images import mask_image, to_base64

_LENT = "@"
"""Begins the name of a control that the run lends."""


def frame_request(
    options: A1111Options, known: Probe, job: StylizeJob, context: StylizeContext
) -> dict[str, Any]:
    """All that is sent for one frame. What the user's payload names is as it says there."""
    width, height = options.working_size(job.frame.size)
    request: dict[str, Any] = {
        "init_images": [to_base64(job.frame.rgb)],
        "resize_mode": 0,
        "width": width,
        "height": height,
        "prompt": options.prompt,
        "negative_prompt": options.negative_prompt,
        "denoising_strength": options.denoising_strength,
        "cfg_scale": options.cfg_scale,
        "sampler_name": options.sampler,
        "steps": options.steps,
        "seed": frame_seed(options.seed, job),
        "batch_size": 1,
        "n_iter": 1,
        "send_images": True,
        "save_images": False,
        "include_init_images": False,
        "override_settings": dict(known.settings),
        "override_settings_restore_afterwards": True,
    }
    if options.scheduler:
        request["scheduler"] = options.scheduler
    if options.inversion != "none":
        request |= {"script_name": ALTERNATIVE, "script_args": _alternative(options)}
    if known.controlnet:
        units = _units(options, known, job, context)
        request["alwayson_scripts"] = {"ControlNet": {"args": units}}
    if options.send_mask:
        request |= _mask(options, job, context)
    return _merged(request, known.payload)


def frame_seed(seed: int | None, job: StylizeJob) -> int:
    """The seed of a frame's noise in 32 bits, as the web interface shows and takes it."""
    return job.seed & 0xFFFFFFFF if seed is None else seed


def _alternative(options: A1111Options) -> list[Any]:
    """The script's arguments, its help text first. All its overrides are off: what it would
    override, the prompt before all, is sent as it is meant."""
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


def _units(
    options: A1111Options, known: Probe, job: StylizeJob, context: StylizeContext
) -> list[dict[str, Any]]:
    units = []
    for (model, weight), control in zip(known.controlnet, options.control, strict=True):
        lent = control.startswith(_LENT)
        shown: Image = (
            context.control(control.removeprefix(_LENT), job.index) if lent else job.frame.rgb
        )
        units.append(
            {
                "enabled": True,
                "module": "none" if lent else control,
                "model": model,
                "weight": weight,
                "image": to_base64(shown),
                "resize_mode": "Just Resize",
                "control_mode": "Balanced",
                "pixel_perfect": True,
                "guidance_start": 0.0,
                "guidance_end": 1.0,
            }
        )
    return units


def _mask(options: A1111Options, job: StylizeJob, context: StylizeContext) -> dict[str, Any]:
    """White is painted; what is under the mask at first is the frame itself."""
    mask = context.mask(job.index)
    if mask is None:
        return {}
    return {
        "mask": to_base64(mask_image(mask)),
        "mask_blur": options.mask_blur,
        "inpainting_fill": 1,
        "inpaint_full_res": False,
        "inpainting_mask_invert": 0,
    }


def _merged(request: dict[str, Any], further: Mapping[str, Any]) -> dict[str, Any]:
    """Objects are merged field by field; all else is replaced, but never the frame."""
    merged = dict(request)
    for name, value in further.items():
        if isinstance(value, Mapping) and isinstance(merged.get(name), dict):
            merged[name] = _merged(merged[name], value)
        elif name != "init_images":
            merged[name] = value
    return merged
