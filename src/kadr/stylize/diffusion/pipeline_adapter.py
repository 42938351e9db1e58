"""Any other diffusers pipeline that takes a picture and text: frames in, what it makes of them out.

Pipelines differ in what they take. One is given an argument only if its signature has it.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image as Picture

from kadr.core.frames import Image
from kadr.errors import BackendError, InputError, OptionsError
from kadr.stylize.diffusion.addons import split_weight
from kadr.stylize.diffusion.options import DiffusionOptions
from kadr.stylize.diffusion.sources import Source
from kadr.stylize.diffusion.weights import pick_device, pick_dtype

_log = logging.getLogger(__name__)

_NOT_HEEDED = ("inversion", "controlnet", "embedding", "vae", "noise_cache", "color_correction")
"""Options that are of kadr's own loop and mean nothing to a pipeline of another kind."""


class PipelineAdapter:
    """One pipeline, called with what it understands.

    pipeline: any callable that takes ``image`` and gives an object with ``images``.
    """

    def __init__(self, pipeline: Any, options: DiffusionOptions, name: str) -> None:
        self._pipeline, self._options, self.name = pipeline, options, name
        parameters = inspect.signature(type(pipeline).__call__).parameters
        self._known = set(parameters)
        if not {"image", "prompt"} & self._known or "image" not in self._known:
            raise InputError(
                f"{name}: {type(pipeline).__name__} takes no image, so it restyles none; "
                "give an image-to-image model"
            )
        self._warn_of_unheeded()

    @classmethod
    def load(cls, source: Source, options: DiffusionOptions) -> PipelineAdapter:
        """Load a folder through AutoPipelineForImage2Image, or as the pipeline that it names.

        Raises InputError if it cannot be loaded, OptionsError for options that it cannot heed.
        """
        from diffusers import AutoPipelineForImage2Image, DiffusionPipeline

        refuse_own_options(options, source)
        device = pick_device(options.device)
        settings = {
            "torch_dtype": pick_dtype(options.dtype, device),
            "local_files_only": True,
        }
        try:
            try:
                pipeline = AutoPipelineForImage2Image.from_pretrained(str(source.path), **settings)
            except ValueError:
                # a pipeline that the table of image-to-image pipelines does not know
                pipeline = DiffusionPipeline.from_pretrained(str(source.path), **settings)
        except (OSError, ValueError, RuntimeError, AttributeError, ImportError) as error:
            first = str(error).strip().split("\n")[0]
            raise InputError(f"{source.path}: cannot be loaded by diffusers ({first})") from error
        pipeline.set_progress_bar_config(disable=True)
        for text in options.lora:
            path, weight = split_weight(text)
            if not path.exists():
                raise InputError(f"{path}: not found; give the path of a LoRA")
            pipeline.load_lora_weights(str(path), adapter_name=path.stem)
            pipeline.set_adapters([path.stem], [weight])
        if options.offload == "parts":
            pipeline.enable_model_cpu_offload(device=device)
        elif options.offload == "layers":
            pipeline.enable_sequential_cpu_offload(device=device)
        else:
            pipeline.to(device)
        return cls(pipeline, options, source.name)

    def restyle(
        self,
        images: Sequence[Image],
        seeds: Sequence[int],
        check: Callable[[float], object],
    ) -> list[Image]:
        """One picture for each image, (H, W, 3) uint8 of the size that the pipeline chose.

        check: told the share that is done, 0 to 1, after each step; what it raises stops the work.
        Raises BackendError if the pipeline fails or gives another number of pictures.
        """
        made = []
        for place, (image, seed) in enumerate(zip(images, seeds)):
            share = place / len(images)

            def each(part: float, share: float = share) -> None:
                check(share + part / len(images))

            made.append(self._one(image, seed, each))
        return made

    def _one(self, image: Image, seed: int, check: Callable[[float], object]) -> Image:
        arguments = self.arguments(image, seed)
        if "callback_on_step_end" in self._known:
            arguments["callback_on_step_end"] = _after_step(check)
        try:
            with torch.inference_mode():
                result = self._pipeline(**arguments)
        except (RuntimeError, ValueError, TypeError) as error:
            first = str(error).strip().split("\n")[0]
            raise BackendError(f"{self.name}: {type(self._pipeline).__name__}: {first}") from error
        pictures = result.images
        if len(pictures) != 1:
            raise BackendError(f"{self.name}: gave {len(pictures)} pictures for one frame")
        return np.asarray(pictures[0].convert("RGB"), dtype=np.uint8)

    def arguments(self, image: Image, seed: int) -> dict[str, Any]:
        """What the pipeline is called with: of all that is known, what its signature has."""
        chosen, size = self._options, (image.shape[1], image.shape[0])
        guidance = chosen.cfg_scale
        wanted: dict[str, Any] = {
            "image": Picture.fromarray(image),
            "prompt": chosen.prompt,
            "negative_prompt": chosen.negative_prompt or None,
            "strength": chosen.denoising_strength,
            "guidance_scale": guidance,
            # models that distil guidance take the real one apart from it
            "true_cfg_scale": guidance if "guidance_scale" not in self._known else None,
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

    def _warn_of_unheeded(self) -> None:
        given = {
            "negative-prompt": (self._options.negative_prompt, "negative_prompt"),
            "steps": (self._options.steps, "num_inference_steps"),
        }
        for name, (value, argument) in given.items():
            if value and argument not in self._known:
                _log.warning("%s: %s has no use for %s", self.name, type(self._pipeline), name)


def refuse_own_options(options: DiffusionOptions, source: Source) -> None:
    """Raise OptionsError for options that only kadr's own loop heeds."""
    unset: Mapping[str, Any] = {"inversion": "none"}
    for name in _NOT_HEEDED:
        if getattr(options, name) not in (unset.get(name), None, (), False):
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
