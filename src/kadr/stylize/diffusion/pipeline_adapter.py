"""Any other diffusers pipeline that takes a picture and text: frames in, what it makes of them out.

Pipelines differ in what they take. One is given an argument only if its signature has it.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image as Picture

from kadr.core.frames import Image, to_8_bits
from kadr.errors import BackendError, InputError, KadrError, OptionsError
from kadr.stylize.base import StylizeJob
from kadr.stylize.diffusion.facts import company_facts
from kadr.stylize.diffusion.model.addons import split_weight
from kadr.stylize.diffusion.model.precision import is_flat
from kadr.stylize.diffusion.model.quiet import quiet
from kadr.stylize.diffusion.model.sources import ModelSource
from kadr.stylize.diffusion.model.weights import has_bfloat16, pick_device, pick_dtype
from kadr.stylize.diffusion.options import DiffusionOptions
from kadr.stylize.diffusion.temporal.previous_frames import PreviousFrames
from kadr.stylize.layout.canvas import CanvasLayout, lay_out
from kadr.stylize.layout.sizes import RESIZE_MODES, Size, nearest_size, resize

_log = logging.getLogger(__name__)

_PIXELS = 1024 * 1024
"""What most of today's models were trained at."""

_NOT_HEEDED = (
    "inversion",
    "controlnet",
    "embedding",
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
    "batch",
    "compile",
)
"""Options that are of kadr's own loop and mean nothing to a pipeline of another kind."""


class PipelineAdapter:
    """One pipeline, called with what it understands.

    pipeline: any callable that takes ``image`` and gives an object with ``images``.
    """

    def __init__(self, pipeline: Any, options: DiffusionOptions, name: str) -> None:
        self._pipeline, self._options, self.name = pipeline, options, name
        parameters = inspect.signature(type(pipeline).__call__).parameters
        self._known = set(parameters)
        if "image" not in self._known:
            raise InputError(
                f"{name}: {type(pipeline).__name__} takes no image, so it restyles none; "
                "give an image-to-image model"
            )
        self._warn_of_unheeded()

    @classmethod
    def load(cls, source: ModelSource, options: DiffusionOptions) -> PipelineAdapter:
        """Load a folder through AutoPipelineForImage2Image, or as the pipeline that it names.

        Raises InputError if it cannot be loaded, OptionsError for options that it cannot heed.
        """
        refuse_own_options(options, source)
        device = pick_device(options.device)
        with quiet():
            dtype = pick_dtype(options.dtype, device)
            if options.dtype == "auto" and dtype == torch.float16 and has_bfloat16(device):
                dtype = torch.bfloat16  # most of these models were trained in it
            pipeline = _load(source, dtype=dtype)
        pipeline.set_progress_bar_config(disable=True)
        for text in options.lora:
            path, weight = split_weight(text)
            if not path.exists():
                raise InputError(f"{path}: not found; give the path of a LoRA")
            pipeline.load_lora_weights(str(path), adapter_name=path.stem)
            pipeline.set_adapters([path.stem], [weight])
        for wanted, part in ((options.vae_tiling, "tiling"), (options.vae_slicing, "slicing")):
            if wanted:
                _enable(pipeline, part, source)
        if options.offload == "parts":
            pipeline.enable_model_cpu_offload(device=device)
        elif options.offload == "layers":
            pipeline.enable_sequential_cpu_offload(device=device)
        else:
            pipeline.to(device)
        return cls(pipeline, options, source.name)

    def restyle(self, jobs: Sequence[StylizeJob], past: PreviousFrames) -> list[Image]:
        """Each job's frame restyled, (H, W, 3 or 4) uint8 of its own size.

        Raises BackendError if the pipeline fails or gives another number of pictures.
        """
        made, context = [], past.context
        for job in jobs:
            context.cancel.check()
            frame = to_8_bits(job.frame.image)
            layout, mask = self._layout(job.frame.size), context.mask(job.index)
            canvas = lay_out(frame, mask, layout)
            if canvas is None:
                made.append(frame)
                continue

            def check(share: float, index: int = job.index) -> None:
                context.cancel.check()
                context.progress(index, share)

            start = lay_out(past.start(job), mask, layout) or canvas
            picture = self._one(start.picture, self.seed(job), check)
            made.append(past.blend(job, canvas.restore(picture)))
        return made

    def seed(self, job: StylizeJob) -> int:
        """The number that a frame's noise is drawn by."""
        return job.seed % 2**32 if self._options.seed is None else self._options.seed

    def facts(self, job: StylizeJob) -> dict[str, str | int | float | None]:
        """How a frame is made, in A1111's words; only what the pipeline heeds."""
        chosen, layout = self._options, self._layout(job.frame.size)
        heeds = self._known.__contains__
        return {
            "Steps": chosen.steps if heeds("num_inference_steps") else None,
            "CFG scale": chosen.cfg_scale,
            "Seed": self.seed(job),
            "Size": f"{layout.size[0]}x{layout.size[1]}",
            "Model": self.name,
            "Denoising strength": chosen.denoising_strength if heeds("strength") else None,
            "Pipeline": type(self._pipeline).__name__,
        } | company_facts(chosen)

    def _layout(self, frame: Size) -> CanvasLayout:
        chosen = self._options
        size = nearest_size(frame, pixels=chosen.pixels or _PIXELS)
        if chosen.width is not None and chosen.height is not None:
            size = chosen.width, chosen.height
        mode = RESIZE_MODES[chosen.resize_mode]
        return CanvasLayout(
            size,
            # a pipeline takes pictures, not latents
            "stretch" if mode == "latent" else mode,
            chosen.mask_blur,
            only_masked=chosen.inpaint_area == "mask",
            mask_padding=chosen.mask_padding,
        )

    def _one(self, picture: Image, seed: int, check: Callable[[float], object]) -> Image:
        arguments = self.arguments(picture, seed)
        if "callback_on_step_end" in self._known:
            arguments["callback_on_step_end"] = _after_step(check)
        try:
            with torch.inference_mode():
                pictures = self._pipeline(**arguments).images
        except KadrError:
            raise
        except (RuntimeError, ValueError, TypeError, OSError) as error:
            first = str(error).strip().split("\n")[0]
            raise BackendError(f"{self.name}: {type(self._pipeline).__name__}: {first}") from error
        if len(pictures) != 1:
            raise BackendError(f"{self.name}: gave {len(pictures)} pictures for one frame")
        made = np.asarray(pictures[0].convert("RGB"), dtype=np.uint8)
        if is_flat(made) and not is_flat(picture) and self._upcast():
            return self._one(picture, seed, check)
        # some round the size that they are asked for
        return resize(made, (picture.shape[1], picture.shape[0]))

    def _upcast(self) -> bool:
        """Work in float32 from now on; False if that is done already."""
        if getattr(self._pipeline, "dtype", torch.float32) == torch.float32:
            return False
        _log.warning(
            "%s: a picture of one colour in half precision; all is done in float32 from here",
            self.name,
        )
        self._pipeline.to(torch.float32)
        return True

    def arguments(self, image: Image, seed: int) -> dict[str, Any]:
        """What the pipeline is called with: of all that is known, what its signature has."""
        chosen, size = self._options, (image.shape[1], image.shape[0])
        guidance, negative = chosen.cfg_scale, chosen.negative_prompt or None
        true_guidance = None
        if "true_cfg_scale" in self._known and not self._distilled():
            # guided by two prompts, and only if there is a second
            true_guidance, guidance = guidance, None
            negative = negative or " "
        wanted: dict[str, Any] = {
            "image": Picture.fromarray(image),
            "prompt": chosen.prompt,
            "negative_prompt": negative,
            "strength": chosen.denoising_strength,
            "guidance_scale": guidance,
            "true_cfg_scale": true_guidance,
            "num_inference_steps": chosen.steps,
            "generator": torch.Generator().manual_seed(seed),
            "width": size[0],
            "height": size[1],
            "output_type": "pil",
        }
        return {
            name: value
            for name, value in wanted.items()
            if name in self._known and value is not None
        }

    def _distilled(self) -> bool:
        """Whether the model was trained to be told how firmly to follow the prompt.

        Such a model takes ``guidance_scale``; its ``true_cfg_scale`` would cost twice the time.
        """
        config = getattr(getattr(self._pipeline, "transformer", None), "config", None)
        told = getattr(config, "guidance_embeds", None)
        return "guidance_scale" in self._known if told is None else bool(told)

    def _warn_of_unheeded(self) -> None:
        given = {
            "negative-prompt": (self._options.negative_prompt, "negative_prompt"),
            "steps": (self._options.steps, "num_inference_steps"),
        }
        for name, (value, argument) in given.items():
            if value and argument not in self._known:
                _log.warning("%s: %s has no use for %s", self.name, type(self._pipeline), name)


def _enable(pipeline: Any, part: str, source: ModelSource) -> None:
    vae = getattr(pipeline, "vae", None)
    if not hasattr(vae, f"enable_{part}"):
        raise OptionsError(f"vae-{part}: {source.name} has no autoencoder for it; leave it out")
    getattr(vae, f"enable_{part}")()


def _load(source: ModelSource, **settings: Any) -> Any:
    from diffusers import AutoPipelineForImage2Image, DiffusionPipeline

    where = str(source.path)
    try:
        try:
            return AutoPipelineForImage2Image.from_pretrained(
                where, local_files_only=True, **settings
            )
        except ValueError:
            # a pipeline that the table of image-to-image pipelines does not know
            return DiffusionPipeline.from_pretrained(where, local_files_only=True, **settings)
    except (OSError, ValueError, RuntimeError, AttributeError) as error:
        first = str(error).strip().split("\n")[0]
        raise InputError(f"{where}: cannot be loaded by diffusers ({first})") from error


def refuse_own_options(options: DiffusionOptions, source: ModelSource) -> None:
    """Raise OptionsError for options that only kadr's own loop heeds."""
    plain = DiffusionOptions(model=options.model)
    for name in _NOT_HEEDED:
        if getattr(options, name) != getattr(plain, name):
            raise OptionsError(
                f"{name.replace('_', '-')}: is for Stable Diffusion 1, 2 and XL; "
                f"{source.name} is a {source.index.get('_class_name')}; leave it out"
            )


def _after_step(check: Callable[[float], object]) -> Callable[..., dict[str, Any]]:
    """A callback of diffusers that tells how much is done."""

    def after(pipeline: Any, step: int, timestep: Any, values: dict[str, Any]) -> dict[str, Any]:
        total = max(1, int(getattr(pipeline, "num_timesteps", 0) or step + 1))
        check(min(1.0, (step + 1) / total))
        return values

    return after
