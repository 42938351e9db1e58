"""A batch of frames in, the same frames restyled by a loaded model out.

``Engine._restyle_inputs`` shows all steps for one batch.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Generator, Sequence
from functools import cached_property, partial
from pathlib import Path

import torch
from torch import Tensor

from kadr.core.frames import Image, to_8_bits
from kadr.core.generators import consume
from kadr.errors import BackendError, OptionsError
from kadr.stylize.base import StylizeContext, StylizeJob
from kadr.stylize.diffusion.encoded_prompts import EncodedPrompts
from kadr.stylize.diffusion.infotext_fields import InfotextFields, build_infotext_fields
from kadr.stylize.diffusion.inputs import (
    InputBuilder,
    control_tensors,
    latent_mask_tensor,
    pixel_tensors,
)
from kadr.stylize.diffusion.model.model import Model
from kadr.stylize.diffusion.model.precision import (
    check_latents,
    decode_checked,
    is_flat,
    run_with_fallback,
)
from kadr.stylize.diffusion.model.weights import is_out_of_memory
from kadr.stylize.diffusion.noise_cache import NoiseCache, describe_inversion
from kadr.stylize.diffusion.options import DiffusionOptions
from kadr.stylize.diffusion.prompt.lora_tags import split_lora_tags
from kadr.stylize.diffusion.prompt.subprompts import split_subprompts
from kadr.stylize.diffusion.sampling.guidance import Eps, eps_from
from kadr.stylize.diffusion.sampling.img2img import (
    Prompts,
    SamplingProgress,
    invert_latents,
    resize_latents,
    restyle_latents,
    sampling_sigmas,
)
from kadr.stylize.diffusion.sampling.noise import NoiseSource, create_noise
from kadr.stylize.diffusion.sampling.samplers import find_sampler
from kadr.stylize.diffusion.sampling_settings import create_sampling_settings
from kadr.stylize.diffusion.step_callback import create_step_callback
from kadr.stylize.diffusion.temporal.attention import AttentionReference, FrameAttention
from kadr.stylize.diffusion.temporal.carried_noise import CarriedNoise
from kadr.stylize.diffusion.temporal.model_input import (
    ModelInput,
    ReferenceImage,
    create_sheet,
)
from kadr.stylize.diffusion.temporal.previous_frames import PreviousFrames
from kadr.stylize.layout.canvas import Canvas, create_canvas
from kadr.stylize.layout.sizes import (
    Size,
    nearest_size,
    resize,
)
from kadr.stylize.option_hints import with_option

_log = logging.getLogger(__name__)

_PIXELS = 512 * 512
_PIXELS_XL = 1024 * 1024
"""Number of pixels that the model families were trained at."""

_MAX_REFERENCES = 4
"""How many encoded references are cached."""


class Engine:
    """A model with the options of a run; not thread-safe."""

    def __init__(
        self, model: Model, options: DiffusionOptions, attention: FrameAttention | None = None
    ) -> None:
        """attention: the one that the network has already; None: it is added if it is needed."""
        self.model, self._options = model, options
        if model.channels == 4 and options.inpainting_mask_weight != 1:
            raise OptionsError(
                f"inpainting-mask-weight: is for inpainting models of 9 channels; {model.name} has "
                "4; leave it out"
            )
        self.settings = create_sampling_settings(options)
        sigmas = sampling_sigmas(model.schedule, self.settings)
        self._first_timestep = float(model.schedule.sigma_to_t(sigmas[0]))
        self._prompts = EncodedPrompts(model, options)
        self._input_builder = InputBuilder(options, self.size, self.seed)
        self._max_batch = options.batch if options.joint == "none" else options.joint_size
        self._attention = attention
        if options.attends and attention is None:
            self._attention = FrameAttention(model.unet, model.device)
        self._references: dict[str, AttentionReference] = {}

    @staticmethod
    def check(options: DiffusionOptions) -> None:
        """Raise OptionsError for names that only torch modules know, before a model is loaded."""
        find_sampler(create_sampling_settings(options).sampler)
        text, _ = split_lora_tags(options.prompt)
        (first, *others) = split_subprompts(text)
        if first.weight != 1 and not others:
            _log.warning(
                "prompt: the number after the last colon, %g, is its weight, as in A1111; to have "
                "it as text, put a comma after it",
                first.weight,
            )

    def with_options(self, options: DiffusionOptions) -> Engine:
        """The same model with other options, which load no other one."""
        return Engine(self.model, options, self._attention)

    def size(self, frame_size: Size) -> Size:
        """The working size (width, height) for frames of this size."""
        options = self._options
        if options.width is not None and options.height is not None:
            return options.width, options.height
        model_pixels = _PIXELS_XL if self.model.is_xl else _PIXELS
        return nearest_size(frame_size, pixels=options.pixels or model_pixels)

    def seed(self, job: StylizeJob) -> int:
        """The seed of a frame's noise."""
        return job.seed % 2**32 if self._options.seed is None else self._options.seed

    def restyle(self, jobs: Sequence[StylizeJob], previous_frames: PreviousFrames) -> list[Image]:
        """Restyle each job's frame, (H, W, 3 or 4) uint8; all frames have one size.

        Raises BackendError if memory is too small even for one frame, or if values are not finite
        even in float32.
        """
        layout = self._input_builder.layout(jobs[0].frame.size)
        images: dict[int, Image] = {}
        canvases: list[tuple[StylizeJob, Canvas]] = []
        inputs = []
        for job in jobs:
            frame = to_8_bits(job.frame.image)
            canvas = create_canvas(frame, previous_frames.context.mask(job.index), layout)
            if canvas is None:
                images[job.index] = frame
            else:
                canvases.append((job, canvas))
                inputs.append(self._input_builder.build(job, canvas, layout, previous_frames))
        restyled = self._restyle_in_batches(inputs, previous_frames.context)
        for (job, canvas), image in zip(canvases, restyled):
            images[job.index] = previous_frames.blend(job, canvas.restore(image))
        return [images[job.index] for job in jobs]

    def infotext_fields(self, job: StylizeJob) -> InfotextFields:
        """How a frame is made, under A1111's names and in its order."""
        size = self.size(job.frame.size)
        return build_infotext_fields(self.model, self._options, size, self.seed(job))

    # --- one batch ----------------------------------------------------------------------------

    def _restyle_batch(
        self, inputs: Sequence[ModelInput], anchor: Image | None, context: StylizeContext
    ) -> list[Image]:
        """Restyle one batch. anchor: the first image of a group whose earlier batches are done."""
        if self._options.joint == "grid":
            return self._restyle_sheet(inputs, anchor, context)
        return self._restyle_inputs(inputs, anchor, context)

    def _restyle_sheet(
        self, inputs: Sequence[ModelInput], anchor: Image | None, context: StylizeContext
    ) -> list[Image]:
        """Restyle a batch as one sheet; the anchor is on it and does not change."""
        if anchor is not None:
            height, width = inputs[0].image.shape[:2]
            anchor = resize(anchor, (width, height))
        sheet = create_sheet(inputs, anchor)
        restyled = self._restyle_inputs([sheet.model_input], None, context, sheet.repeat_noise)
        return sheet.split(restyled[0])

    def _restyle_inputs(
        self,
        inputs: Sequence[ModelInput],
        anchor: Image | None,
        context: StylizeContext,
        transform_noise: Callable[[NoiseSource], NoiseSource] | None = None,
    ) -> list[Image]:
        """Encode, invert or draw noise, sample, decode."""
        model, schedule = self.model, self.model.schedule
        latents, eps = self._encode(inputs)
        prompts = self._prompts.for_size((latents.shape[-1] * 8, latents.shape[-2] * 8))
        indices = [index for item in inputs for index in item.indices]
        after_step = create_step_callback(indices, context, self.settings)
        inverted = self._invert(inputs, eps, latents, prompts, after_step, context.folder)
        steps = restyle_latents(
            self._attend(eps, inputs, anchor),
            schedule,
            latents,
            prompts,
            [item.seed for item in inputs],
            self.settings,
            mask=latent_mask_tensor(inputs, latents),
            inverted_noise=inverted,
            transform_noise=transform_noise or self._noise_carrier(inputs),
        )
        flat = [is_flat(item.image) for item in inputs]
        return decode_checked(model, consume(steps, after_step), flat)

    def _encode(
        self, inputs: Sequence[ModelInput], *, use_controls: bool = True
    ) -> tuple[Tensor, Eps]:
        """The latents of a batch, and the network as a function of latents alone."""
        model = self.model
        pixels, masks = pixel_tensors(inputs, model.device)
        latents = model.encode_pixels(pixels)
        concat = model.concat(pixels, masks, mask_weight=self._options.inpainting_mask_weight)
        size = inputs[0].latent_size
        if size is not None:
            latents = resize_latents(latents, *size)
            concat = None if concat is None else resize_latents(concat, *size)
        controls = control_tensors(inputs, model.device) if use_controls else None
        predict = model.predict(concat, controls, first_timestep=self._first_timestep)
        return latents, eps_from(predict, model.schedule, model.prediction)

    def _noise_carrier(
        self, inputs: Sequence[ModelInput]
    ) -> Callable[[NoiseSource], NoiseSource] | None:
        cells = [item.noise_cells for item in inputs if item.noise_cells is not None]
        if not cells:
            return None
        return lambda source: CarriedNoise(source, cells, inputs[0].seed)

    def _invert(
        self,
        inputs: Sequence[ModelInput],
        eps: Eps,
        latents: Tensor,
        prompts: Prompts,
        after_step: Callable[[SamplingProgress], object],
        folder: Path | None,
    ) -> Tensor | None:
        """The noise of the frames by inversion, or from the cache if it has all; else None.

        folder: of the cache, unless the options name one.
        """
        settings = self.settings
        if settings.inversion is None or self._has_no_steps():
            return None
        cache, folder = None, self._options.noise_cache or folder
        if folder is not None:
            cache = NoiseCache(
                folder,
                f"{self._inversion_description} {self.model.dtype} {tuple(latents.shape[1:])}",
            )
            images = [(item.image, item.mask, *item.controls) for item in inputs]
            entries = [cache.get(*frame_images) for frame_images in images]
            cached = [noise for noise in entries if noise is not None]
            if len(cached) == len(inputs):
                return torch.stack(cached).to(latents)
        steps: Generator[SamplingProgress, None, Tensor] = invert_latents(
            eps, self.model.schedule, latents, prompts, settings
        )
        inverted = consume(steps, after_step)
        check_latents(inverted)
        if cache is not None:
            for frame_images, noise in zip(images, inverted):
                cache.put(noise, *frame_images)
        return inverted

    def _has_no_steps(self) -> bool:
        return self.settings.exact_steps and self.settings.denoising_strength == 0

    @cached_property
    def _inversion_description(self) -> str:
        return describe_inversion(self.model.digest, self._options, self.settings.inversion)

    # --- attention ----------------------------------------------------------------------------

    def _attend(self, eps: Eps, inputs: Sequence[ModelInput], anchor: Image | None) -> Eps:
        """The network whose frames attend to the images that the options name."""
        if self._attention is None:
            return eps
        shared = self._options.joint == "attention"
        images = inputs[0].references
        if anchor is not None:
            images = (ReferenceImage(anchor, reused=True),)
        references = [self._encode_reference(image, inputs[0].latent_size) for image in images]
        return self._attention.attend(eps, len(inputs), references, shared)

    def _encode_reference(
        self, reference: ReferenceImage, latent_size: Size | None
    ) -> AttentionReference:
        """A finished image for frames to attend to; cached if it will be reused."""
        image = reference.image
        digest = hashlib.sha256(f"{image.shape} {latent_size} {self.model.dtype}".encode())
        digest.update(image.tobytes())
        key = digest.hexdigest()
        if key not in self._references:
            reference_input = ModelInput((), image, None, 0, latent_size=latent_size)
            latent, eps = self._encode([reference_input], use_controls=False)
            noise = create_noise(
                self.settings.noise_source,
                [self._options.seed or 0],
                tuple(latent.shape[1:]),
                device=latent.device,
            ).draw()
            encoded = AttentionReference(latent, noise, eps, key if reference.reused else None)
            if not reference.reused:
                return encoded
            while len(self._references) >= _MAX_REFERENCES:
                del self._references[next(iter(self._references))]
            self._references[key] = encoded
        return self._references[key]

    # --- memory -------------------------------------------------------------------------------

    def _restyle_in_batches(
        self, inputs: Sequence[ModelInput], context: StylizeContext
    ) -> list[Image]:
        """Restyle all inputs, in batches as large as memory allows; remembers that size.

        If joint keys need several batches, their first image is the anchor of all later batches.
        """
        images: list[Image] = []
        joint = self._options.joint
        while len(images) < len(inputs):
            anchor = images[0] if images and joint != "none" else None
            max_batch = self._max_batch
            if anchor is not None and joint == "grid":
                max_batch = max(1, max_batch - 1)  # the anchor takes one position of the sheet
            batch = inputs[len(images) : len(images) + max_batch]
            try:
                with torch.inference_mode():
                    restyle = partial(self._restyle_batch, batch, anchor, context)
                    images += run_with_fallback(self.model, restyle)
            except (torch.OutOfMemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                self._max_batch = self._halve_batch(len(batch), batch[0].image, error)
        return images

    def _halve_batch(self, count: int, image: Image, error: Exception) -> int:
        if self.model.device.type == "cuda":
            torch.cuda.empty_cache()
        if count > 1:
            _log.warning(
                "%d frames at once do not fit into memory; continuing with %d", count, count // 2
            )
            return count // 2
        height, width = image.shape[:2]
        smaller = nearest_size((width, height), pixels=max(64 * 64, width * height // 2))
        raise BackendError(
            f"{self.model.device}: one frame at {width}×{height} does not fit into memory; try "
            f"{with_option('width', str(smaller[0]))} {with_option('height', str(smaller[1]))}, "
            f"{with_option('vae_tiling')}, {with_option('offload', 'parts')} or "
            f"{with_option('dtype', 'float16')}"
        ) from error
