"""Frames in, frames restyled by any other image-to-image pipeline of diffusers out.

Pipelines accept different arguments. A pipeline gets an argument only if its signature has it.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image as PillowImage

from kadr.core.frames import Image, to_8_bits
from kadr.errors import BackendError, InputError, KadrError, OptionsError
from kadr.stylize.base import StylizeJob
from kadr.stylize.diffusion.infotext_fields import InfotextFields, build_shared_fields
from kadr.stylize.diffusion.model.library_logging import quiet_libraries
from kadr.stylize.diffusion.model.location import ModelLocation
from kadr.stylize.diffusion.model.pipeline_lora import add_loras
from kadr.stylize.diffusion.model.precision import is_flat
from kadr.stylize.diffusion.model.weights import has_bfloat16, pick_device, pick_dtype
from kadr.stylize.diffusion.options import DiffusionOptions
from kadr.stylize.diffusion.prompt.lora_tags import split_lora_tags
from kadr.stylize.diffusion.prompt.notation import find_notation
from kadr.stylize.diffusion.temporal.previous_frames import PreviousFrames
from kadr.stylize.layout.canvas import CanvasLayout, create_canvas
from kadr.stylize.layout.sizes import RESIZE_MODES, Size, nearest_size, resize
from kadr.stylize.option_hints import with_option

_log = logging.getLogger(__name__)

_PIXELS = 1024 * 1024
"""Number of pixels that most of today's models were trained at."""

_UNSUPPORTED_OPTIONS = (
    "inversion",
    "controlnet",
    "embedding",
    "lora_dir",
    "vae",
    "noise_cache",
    "color_correction",
    "carry_noise",
    "cross_frame",
    "joint",
    "sampler",
    "exact_steps",
    "noise_source",
    "noise_multiplier",
    "eta_noise_seed_delta",
    "clip_skip",
    "inpainting_mask_weight",
    "prediction",
    "zero_terminal_snr",
    "cfg_rescale",
    "batch",
    "compile",
)
"""Options of kadr's own sampling loop, which other pipelines do not have."""


class PipelineAdapter:
    """One pipeline, called with the arguments that it accepts.

    pipeline: any callable that takes ``image`` and returns an object with ``images``.
    """

    def __init__(self, pipeline: Any, options: DiffusionOptions, name: str) -> None:
        self._pipeline, self._options, self.name = pipeline, options, name
        parameters = inspect.signature(type(pipeline).__call__).parameters
        self._parameters = set(parameters)
        if "image" not in self._parameters:
            raise InputError(
                f"{name}: {type(pipeline).__name__} takes no image, so it cannot restyle one; "
                "use an image-to-image model"
            )
        self._warn_of_ignored_options()
        self._warn_of_notation()

    @classmethod
    def load(cls, location: ModelLocation, options: DiffusionOptions) -> PipelineAdapter:
        """Load a folder through AutoPipelineForImage2Image, or as the pipeline that it names.

        Raises InputError if it cannot be loaded, OptionsError for options that it does not support.
        """
        check_supported(options, location)
        device = pick_device(options.device)
        with quiet_libraries():
            dtype = pick_dtype(options.dtype, device)
            if options.dtype == "auto" and dtype == torch.float16 and has_bfloat16(device):
                dtype = torch.bfloat16  # most of these models were trained in it
            pipeline = _load_pipeline(location, dtype=dtype)
        pipeline.set_progress_bar_config(disable=True)
        add_loras(pipeline, options.lora)
        for enabled, feature in ((options.vae_tiling, "tiling"), (options.vae_slicing, "slicing")):
            if enabled:
                _enable_vae_feature(pipeline, feature, location)
        if options.offload == "parts":
            pipeline.enable_model_cpu_offload(device=device)
        elif options.offload == "layers":
            pipeline.enable_sequential_cpu_offload(device=device)
        else:
            pipeline.to(device)
        return cls(pipeline, options, location.name)

    def with_options(self, options: DiffusionOptions) -> PipelineAdapter:
        """The same pipeline with other options, which load no other one."""
        return PipelineAdapter(self._pipeline, options, self.name)

    def restyle(self, jobs: Sequence[StylizeJob], previous_frames: PreviousFrames) -> list[Image]:
        """Restyle each job's frame, (H, W, 3 or 4) uint8 of the frame's size.

        Raises BackendError if the pipeline fails or returns another number of images.
        """
        images, context = [], previous_frames.context
        for job in jobs:
            context.cancel.check()
            frame = to_8_bits(job.frame.image)
            layout, mask = self._layout(job.frame.size), context.mask(job.index)
            canvas = create_canvas(frame, mask, layout)
            if canvas is None:
                images.append(frame)
                continue

            def after_step(share: float, index: int = job.index) -> None:
                context.cancel.check()
                context.progress(index, share)

            start_canvas = create_canvas(previous_frames.start_image(job), mask, layout) or canvas
            restyled = self._run_pipeline(start_canvas.image, self.seed(job), after_step)
            images.append(previous_frames.blend(job, canvas.restore(restyled)))
        return images

    def seed(self, job: StylizeJob) -> int:
        """The seed of a frame's noise."""
        return job.seed % 2**32 if self._options.seed is None else self._options.seed

    def infotext_fields(self, job: StylizeJob) -> InfotextFields:
        """How a frame is made, under A1111's names; only what the pipeline uses."""
        options, layout = self._options, self._layout(job.frame.size)
        accepts = self._parameters.__contains__
        return {
            "Steps": options.steps if accepts("num_inference_steps") else None,
            "CFG scale": options.cfg_scale,
            "Seed": self.seed(job),
            "Size": f"{layout.size[0]}x{layout.size[1]}",
            "Model": self.name,
            "Denoising strength": options.denoising_strength if accepts("strength") else None,
            "Pipeline": type(self._pipeline).__name__,
        } | build_shared_fields(options)

    def _layout(self, frame_size: Size) -> CanvasLayout:
        options = self._options
        size = nearest_size(frame_size, pixels=options.pixels or _PIXELS)
        if options.width is not None and options.height is not None:
            size = options.width, options.height
        mode = RESIZE_MODES[options.resize_mode]
        return CanvasLayout(
            size,
            # a pipeline takes images, not latents
            "stretch" if mode == "latent" else mode,
            options.mask_blur,
            only_masked=options.inpaint_area == "mask",
            mask_padding=options.mask_padding,
        )

    def _run_pipeline(
        self, image: Image, seed: int, after_step: Callable[[float], object]
    ) -> Image:
        arguments = self.build_arguments(image, seed)
        if "callback_on_step_end" in self._parameters:
            arguments["callback_on_step_end"] = _create_callback(after_step)
        try:
            with torch.inference_mode():
                results = self._pipeline(**arguments).images
        except KadrError:
            raise
        except (RuntimeError, ValueError, TypeError, OSError) as error:
            reason = str(error).strip().split("\n")[0]
            raise BackendError(f"{self.name}: {type(self._pipeline).__name__}: {reason}") from error
        if len(results) != 1:
            raise BackendError(f"{self.name}: returned {len(results)} images for one frame")
        restyled = np.asarray(results[0].convert("RGB"), dtype=np.uint8)
        if is_flat(restyled) and not is_flat(image) and self._upcast():
            return self._run_pipeline(image, seed, after_step)
        # some pipelines round the requested size
        return resize(restyled, (image.shape[1], image.shape[0]))

    def _upcast(self) -> bool:
        """Use float32 from now on; False if it is used already."""
        if getattr(self._pipeline, "dtype", torch.float32) == torch.float32:
            return False
        _log.warning(
            "%s: an image came out in one colour in half precision; float32 is used from here on",
            self.name,
        )
        self._pipeline.to(torch.float32)
        return True

    def build_arguments(self, image: Image, seed: int) -> dict[str, Any]:
        """The arguments of a call: all known ones that the pipeline's signature has."""
        options, size = self._options, (image.shape[1], image.shape[0])
        guidance, negative_prompt = options.cfg_scale, options.negative_prompt or None
        true_guidance = None
        if "true_cfg_scale" in self._parameters and not self._is_guidance_distilled():
            # this guidance needs a second prompt, and is off without one
            true_guidance, guidance = guidance, None
            negative_prompt = negative_prompt or " "
        arguments: dict[str, Any] = {
            "image": PillowImage.fromarray(image),
            "prompt": options.prompt,
            "negative_prompt": negative_prompt,
            "strength": options.denoising_strength,
            "guidance_scale": guidance,
            "true_cfg_scale": true_guidance,
            "num_inference_steps": options.steps,
            "generator": torch.Generator().manual_seed(seed),
            "width": size[0],
            "height": size[1],
            "output_type": "pil",
        }
        return {
            name: value
            for name, value in arguments.items()
            if name in self._parameters and value is not None
        }

    def _is_guidance_distilled(self) -> bool:
        """Whether the model takes the guidance scale as an input of its network.

        Such a model uses ``guidance_scale``; its ``true_cfg_scale`` would take twice the time.
        """
        config = getattr(getattr(self._pipeline, "transformer", None), "config", None)
        distilled = getattr(config, "guidance_embeds", None)
        return "guidance_scale" in self._parameters if distilled is None else bool(distilled)

    def _warn_of_ignored_options(self) -> None:
        arguments = {
            "negative-prompt": (self._options.negative_prompt, "negative_prompt"),
            "steps": (self._options.steps, "num_inference_steps"),
        }
        for name, (value, argument) in arguments.items():
            if value and argument not in self._parameters:
                _log.warning("%s: %s has no use for %s", self.name, type(self._pipeline), name)

    def _warn_of_notation(self) -> None:
        for name in ("prompt", "negative_prompt"):
            notation = find_notation(getattr(self._options, name))
            if notation:
                _log.warning(
                    "%s: takes the %s as plain text, so %s is not read as A1111 does",
                    self.name,
                    name.replace("_", "-"),
                    notation,
                )


def _enable_vae_feature(pipeline: Any, feature: str, location: ModelLocation) -> None:
    vae = getattr(pipeline, "vae", None)
    if not hasattr(vae, f"enable_{feature}"):
        raise OptionsError(
            f"vae-{feature}: the autoencoder of {location.name} does not support it; leave it out"
        )
    getattr(vae, f"enable_{feature}")()


def _load_pipeline(location: ModelLocation, **settings: Any) -> Any:
    from diffusers import AutoPipelineForImage2Image, DiffusionPipeline

    folder = str(location.path)
    try:
        try:
            return AutoPipelineForImage2Image.from_pretrained(
                folder, local_files_only=True, **settings
            )
        except ValueError:
            # the pipeline is not in diffusers' table of image-to-image pipelines
            return DiffusionPipeline.from_pretrained(folder, local_files_only=True, **settings)
    except (OSError, ValueError, RuntimeError, AttributeError) as error:
        reason = str(error).strip().split("\n")[0]
        raise InputError(f"{folder}: cannot be loaded by diffusers ({reason})") from error


def check_supported(options: DiffusionOptions, location: ModelLocation) -> None:
    """Raise OptionsError for options that only kadr's own sampling loop supports."""
    if split_lora_tags(options.prompt)[1]:
        raise OptionsError(
            f"prompt: <lora:…> is for Stable Diffusion 1, 2 and XL; for {location.name} give the "
            f"file with {with_option('lora', 'PATH:WEIGHT')}"
        )
    defaults = DiffusionOptions(model=options.model)
    for name in _UNSUPPORTED_OPTIONS:
        if getattr(options, name) != getattr(defaults, name):
            raise OptionsError(
                f"{name.replace('_', '-')}: is for Stable Diffusion 1, 2 and XL; "
                f"{location.name} is a {location.index.get('_class_name')}; leave it out"
            )


def _create_callback(after_step: Callable[[float], object]) -> Callable[..., dict[str, Any]]:
    """A callback for diffusers that passes on the share of steps that are done."""

    def callback(pipeline: Any, step: int, timestep: Any, values: dict[str, Any]) -> dict[str, Any]:
        total = max(1, int(getattr(pipeline, "num_timesteps", 0) or step + 1))
        after_step(min(1.0, (step + 1) / total))
        return values

    return callback
