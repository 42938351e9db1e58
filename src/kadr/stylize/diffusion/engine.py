"""A batch of frames in, the same frames restyled by a loaded model out: one run's settings applied.

What is done for one batch stands in ``Engine._sample``, which reads like the list of its steps.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kadr.core.frames import Image, to_8_bits
from kadr.errors import BackendError, OptionsError
from kadr.stylize.base import Context, Job
from kadr.stylize.diffusion.canvas import Canvas, Layout, lay_out
from kadr.stylize.diffusion.controls import OWN_CONTROLS, control_image
from kadr.stylize.diffusion.guidance import Conditioning, Eps, eps_from
from kadr.stylize.diffusion.img2img import (
    Progress,
    Prompts,
    Sampling,
    find_noise,
    finish,
    resize_latent,
    restyle_latent,
)
from kadr.stylize.diffusion.inversion import Inversion
from kadr.stylize.diffusion.masks import latent_mask
from kadr.stylize.diffusion.model import Model
from kadr.stylize.diffusion.noise_cache import NoiseCache
from kadr.stylize.diffusion.options import DiffusionOptions
from kadr.stylize.diffusion.precision import check_latents, decode_soundly, with_fallback
from kadr.stylize.diffusion.prompts import TextSource, encode_prompt
from kadr.stylize.diffusion.samplers import find_sampler
from kadr.stylize.diffusion.sizes import RESIZE_MODES, Size, nearest_size, resize

_log = logging.getLogger(__name__)

DEFAULT_STEPS, DEFAULT_CFG = 20, 7.0

_PIXELS = 512 * 512
_PIXELS_XL = 1024 * 1024
"""What the families were trained at."""


@dataclass(frozen=True, eq=False)
class _Item:
    """One frame laid out, with its seed and the images that steer ControlNets."""

    index: int
    canvas: Canvas
    seed: int
    hints: tuple[Image, ...]


class Engine:
    """A model with the settings of a run; not for two threads at once."""

    def __init__(self, model: Model, options: DiffusionOptions) -> None:
        self.model, self._options = model, options
        self.sampling = sampling_of(options)
        self._prompts: dict[Size, Prompts] = {}
        self._most = options.batch

    @staticmethod
    def check(options: DiffusionOptions) -> None:
        """Raise OptionsError for names that only torch's side knows, before a model is loaded."""
        find_sampler(sampling_of(options).sampler)

    def size(self, frame: Size) -> Size:
        """(width, height) at which frames of this size are worked on."""
        chosen = self._options
        if chosen.width is not None and chosen.height is not None:
            return chosen.width, chosen.height
        own = _PIXELS_XL if self.model.is_xl else _PIXELS
        return nearest_size(frame, pixels=chosen.pixels or own)

    def seed(self, job: Job) -> int:
        """The number that a frame's noise is drawn by."""
        return job.seed % 2**32 if self._options.seed is None else self._options.seed

    def restyle(self, jobs: Sequence[Job], context: Context) -> list[Image]:
        """Each job's frame restyled, (H, W, 3 or 4) uint8; frames are of one size.

        Raises BackendError if memory is too small even for one frame, or the values are not
        numbers even in float32.
        """
        layout = self._layout(jobs[0].frame.size)
        images: dict[int, Image] = {}
        items = []
        for job in jobs:
            canvas = lay_out(to_8_bits(job.frame.image), context.mask(job.index), layout)
            if canvas is None:
                images[job.index] = to_8_bits(job.frame.image)
            else:
                hints = self._hints(job, canvas, layout, context)
                items.append(_Item(job.index, canvas, self.seed(job), hints))
        for item, picture in zip(items, self._halving(items, context)):
            images[item.index] = item.canvas.restore(picture)
        return [images[job.index] for job in jobs]

    def facts(self, job: Job) -> dict[str, str | int | float | None]:
        """How a frame is made, in A1111's words and order."""
        chosen, model, sampling = self._options, self.model, self.sampling
        width, height = self.size(job.frame.size)
        facts: dict[str, str | int | float | None] = {
            "Steps": sampling.steps,
            "Sampler": find_sampler(sampling.sampler).name,
            "CFG scale": sampling.cfg_scale,
            "Seed": self.seed(job),
            "Size": f"{width}x{height}",
            "Model hash": model.digest,
            "Model": model.name,
            "VAE": chosen.vae.name if chosen.vae else None,
            "Denoising strength": sampling.denoising_strength,
            "Conditional mask weight": chosen.inpainting_mask_weight
            if model.channels == 9
            else None,
            "Clip skip": chosen.clip_skip if chosen.clip_skip > 1 else None,
            "ENSD": sampling.reseed or None,
            "RNG": "NV" if sampling.noise_source == "nv" else "CPU",
            "Noise multiplier": sampling.noise_multiplier
            if sampling.noise_multiplier != 1
            else None,
            "Mask blur": chosen.mask_blur if chosen.inpaint_area == "mask" else None,
        }
        if sampling.inversion is not None:
            facts |= _inversion_facts(chosen, sampling.inversion, sampling.steps)
        return facts

    # --- one batch ----------------------------------------------------------------------------

    def _sample(self, items: Sequence[_Item], context: Context) -> list[Image]:
        """Encode, find or draw noise, sample, decode."""
        model, schedule = self.model, self.model.schedule
        pixels, masks = self._pixels(items)
        latent, concat = (
            model.encode_pixels(pixels),
            model.concat(pixels, masks, mask_weight=self._options.inpainting_mask_weight),
        )
        size = items[0].canvas.latent_size
        if size is not None:
            latent = resize_latent(latent, *size)
            concat = None if concat is None else resize_latent(concat, *size)
        predict = model.predict(concat, self._hint_pixels(items))
        eps = eps_from(predict, schedule, model.prediction)
        prompts = self._prompts_for((latent.shape[-1] * 8, latent.shape[-2] * 8))
        check = _checker([item.index for item in items], context, self.sampling)
        found = self._find(items, eps, latent, prompts, check)
        steps = restyle_latent(
            eps,
            schedule,
            latent,
            prompts,
            [item.seed for item in items],
            self.sampling,
            mask=self._latent_masks(items, latent),
            found=found,
        )
        return decode_soundly(model, finish(steps, check))

    def _find(
        self,
        items: Sequence[_Item],
        eps: Eps,
        latent: Tensor,
        prompts: Prompts,
        check: Callable[[Progress], object],
    ) -> Tensor | None:
        """Found noise, from the cache where it holds that of all frames; None without inversion."""
        sampling = self.sampling
        if sampling.inversion is None or self._no_steps():
            return None
        cache = None
        if self._options.noise_cache is not None:
            cache = NoiseCache(self._options.noise_cache, self._facts(latent))
            kept = [cache.get(item.canvas.picture) for item in items]
            known = [noise for noise in kept if noise is not None]
            if len(known) == len(items):
                return torch.stack(known).to(latent)
        steps: Generator[Progress, None, Tensor] = find_noise(
            eps, self.model.schedule, latent, prompts, sampling
        )
        found = finish(steps, check)
        check_latents(found)
        if cache is not None:
            for item, noise in zip(items, found):
                cache.put(item.canvas.picture, noise)
        return found

    def _no_steps(self) -> bool:
        return self.sampling.exact_steps and self.sampling.denoising_strength == 0

    def _facts(self, latent: Tensor) -> str:
        """All that decides what noise is found, beside the picture."""
        chosen, model = self._options, self.model
        named = (
            "model digest vae lora embedding controlnet control control_until clip_skip prediction "
            "original_prompt original_negative_prompt denoising_strength sampler steps exact_steps "
            "inpainting_mask_weight mask_blur inpaint_area mask_padding"
        )
        values = {name: getattr(chosen, name, None) for name in named.split()}
        values |= {"digest": model.digest, "dtype": model.dtype, "shape": latent.shape[1:]}
        if not (chosen.original_prompt or chosen.original_negative_prompt):
            values |= {"prompt": chosen.prompt, "negative": chosen.negative_prompt}
        # how much of it is replaced afterwards does not change what is found
        assert self.sampling.inversion is not None
        values["inversion"] = replace(self.sampling.inversion, randomness=0.0)
        return repr(sorted(values.items()))

    # --- memory -------------------------------------------------------------------------------

    def _halving(self, items: Sequence[_Item], context: Context) -> list[Image]:
        """All items, in as many batches as memory asks for; what did not fit is not tried again."""
        made: list[Image] = []
        start = 0
        while start < len(items):
            part = items[start : start + self._most]
            try:
                with torch.inference_mode():
                    made += with_fallback(self.model, partial(self._sample, part, context))
            except (torch.OutOfMemoryError, RuntimeError) as error:
                if not _is_out_of_memory(error):
                    raise
                self._most = self._fewer(len(part), part[0].canvas.picture, error)
                continue
            start += len(part)
        return made

    def _fewer(self, count: int, picture: Image, error: Exception) -> int:
        if self.model.device.type == "cuda":
            torch.cuda.empty_cache()
        if count > 1:
            _log.warning(
                "%d frames at once do not fit into memory; %d from here", count, count // 2
            )
            return count // 2
        height, width = picture.shape[:2]
        fitting = nearest_size((width, height), pixels=max(64 * 64, width * height // 2))
        raise BackendError(
            f"{self.model.device}: one frame at {width}×{height} does not fit into memory; try "
            f"width={fitting[0]} height={fitting[1]}, vae_tiling=yes, offload=parts or "
            "dtype=float16"
        ) from error

    # --- what goes in -------------------------------------------------------------------------

    def _layout(self, frame: Size) -> Layout:
        chosen = self._options
        return Layout(
            self.size(frame),
            RESIZE_MODES[chosen.resize_mode],
            chosen.mask_blur,
            only_masked=chosen.inpaint_area == "mask",
            mask_padding=chosen.mask_padding,
            correct_colours=chosen.color_correction,
        )

    def _pixels(self, items: Sequence[_Item]) -> tuple[Tensor, Tensor | None]:
        """(B, 3, h, w) from -1 to 1, and (B, 1, h, w) from 0 to 1 if any has a mask."""
        stacked = torch.from_numpy(np.stack([item.canvas.picture for item in items]))
        pixels = stacked.to(self.model.device, torch.float32).permute(0, 3, 1, 2) / 127.5 - 1
        masks = _masks(items)
        if masks is None:
            return pixels, None
        whole = torch.from_numpy(np.stack(masks))[:, None].to(self.model.device, torch.float32)
        return pixels, whole / 255

    def _latent_masks(self, items: Sequence[_Item], latent: Tensor) -> Tensor | None:
        masks = _masks(items)
        if masks is None:
            return None
        return latent_mask(masks, (latent.shape[-2], latent.shape[-1])).to(latent)

    def _hints(
        self, job: Job, canvas: Canvas, layout: Layout, context: Context
    ) -> tuple[Image, ...]:
        """What the ControlNets are shown of a frame, at the size of the result."""
        seen = resize(canvas.picture, layout.size)
        lent = [name for name in self._options.control if name not in OWN_CONTROLS]
        if lent and layout.only_masked:
            raise OptionsError(
                f"control {lent[0]!r}: shows whole frames; with inpaint-area mask give one of "
                f"{', '.join(OWN_CONTROLS)}"
            )
        return tuple(
            control_image(name, seen, lambda name: context.control(name, job.index), layout.size)
            for name in self._options.control
        )

    def _hint_pixels(self, items: Sequence[_Item]) -> list[Tensor]:
        hints = []
        for place in range(len(self._options.control)):
            images = torch.from_numpy(np.stack([item.hints[place] for item in items]))
            hints.append(images.to(self.model.device, torch.float32).permute(0, 3, 1, 2) / 255)
        return hints

    def _prompts_for(self, size: Size) -> Prompts:
        """The four prompts encoded; once for each size, as SDXL is told the size as well."""
        if size not in self._prompts:
            chosen = self._options
            given = bool(chosen.original_prompt or chosen.original_negative_prompt)
            self._prompts[size] = Prompts(
                self._encoded(chosen.prompt, size),
                self._encoded(chosen.negative_prompt, size, negative=True),
                self._encoded(chosen.original_prompt, size) if given else None,
                self._encoded(chosen.original_negative_prompt, size, negative=True)
                if given
                else None,
            )
        return self._prompts[size]

    def _encoded(self, text: str, size: Size, *, negative: bool = False) -> Conditioning:
        model, skip = self.model, self._options.clip_skip

        def encoder(place: int) -> Callable[..., tuple[Tensor, Tensor | None]]:
            return lambda chunks: model.encode_text(place, chunks, skip)

        sources = [
            TextSource(part.tokenizer, encoder(place), part.pad)
            for place, part in enumerate(model.networks.encoders)
        ]
        made = encode_prompt(text, sources)
        if negative and model.networks.zero_empty and not text.strip():
            pooled = None if made.pooled is None else torch.zeros_like(made.pooled)
            made = Conditioning(torch.zeros_like(made.crossattn), pooled)
        if not model.is_xl:
            return Conditioning(made.crossattn)
        # as large as it is, nothing cut off, to be this large
        ids = torch.tensor([[size[1], size[0], 0, 0, size[1], size[0]]], dtype=torch.float32)
        return Conditioning(made.crossattn, made.pooled, ids.to(made.crossattn.device))


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


def _inversion_facts(
    options: DiffusionOptions, inversion: Inversion, steps: int
) -> dict[str, str | int | float | None]:
    return {
        "Decode prompt": options.original_prompt or None,
        "Decode negative prompt": options.original_negative_prompt or None,
        "Decode CFG scale": inversion.cfg_scale,
        "Decode steps": inversion.steps or steps,
        "Randomness": inversion.randomness,
        "Sigma Adjustment": inversion.kind == "adjusted",
        "Inversion": inversion.kind,
    }


def _checker(
    indices: Sequence[int], context: Context, sampling: Sampling
) -> Callable[[Progress], None]:
    """After each step: stop if asked, notice lost precision, tell how far the frames are."""

    def check(progress: Progress) -> None:
        context.cancel.check()
        check_latents(progress.x)
        share = progress.index / progress.total
        if sampling.inversion is not None:
            share = share / 2 if progress.step == "invert" else 0.5 + share / 2
        for index in indices:
            context.progress(index, share)

    return check


def _masks(items: Sequence[_Item]) -> list[np.ndarray[Any, np.dtype[np.uint8]]] | None:
    """A mask for each item, whole for those without one; None if none has one."""
    if all(item.canvas.mask is None for item in items):
        return None
    return [
        np.full(item.canvas.picture.shape[:2], 255, np.uint8)
        if item.canvas.mask is None
        else item.canvas.mask
        for item in items
    ]


def _is_out_of_memory(error: Exception) -> bool:
    said = str(error).lower()
    return isinstance(error, torch.OutOfMemoryError) or "not enough memory" in said
