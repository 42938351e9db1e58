"""A batch of frames in, the same frames restyled by a loaded model out: one run's settings applied.

What is done for one batch stands in ``Engine._sample``, which reads like the list of its steps.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Generator, Sequence
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from kadr.core.frames import Image, to_8_bits
from kadr.errors import BackendError, OptionsError
from kadr.stylize.base import StylizeContext, StylizeJob
from kadr.stylize.diffusion.controls import OWN_CONTROLS, control_image
from kadr.stylize.diffusion.encoded_prompts import EncodedPrompts
from kadr.stylize.diffusion.facts import Facts, facts_of, sampling_of
from kadr.stylize.diffusion.model.model import Model
from kadr.stylize.diffusion.model.precision import (
    check_latents,
    decode_soundly,
    is_flat,
    with_fallback,
)
from kadr.stylize.diffusion.model.weights import is_out_of_memory
from kadr.stylize.diffusion.noise_cache import NoiseCache, noise_facts
from kadr.stylize.diffusion.options import DiffusionOptions
from kadr.stylize.diffusion.sampling.guidance import Eps, eps_from
from kadr.stylize.diffusion.sampling.img2img import (
    Prompts,
    SamplingProgress,
    find_noise,
    finish,
    resize_latent,
    restyle_latent,
    sampling_sigmas,
)
from kadr.stylize.diffusion.sampling.noise import NoiseSource, create_noise
from kadr.stylize.diffusion.sampling.samplers import find_sampler
from kadr.stylize.diffusion.steps import step_checker
from kadr.stylize.diffusion.temporal.attention import AttentionReference, FrameAttention
from kadr.stylize.diffusion.temporal.carried_noise import CarriedNoise
from kadr.stylize.diffusion.temporal.drift import noise_cells
from kadr.stylize.diffusion.temporal.model_input import (
    ModelInput,
    ReferenceImage,
    masks_of,
    sheet_of,
)
from kadr.stylize.diffusion.temporal.previous_frames import PreviousFrames
from kadr.stylize.layout.canvas import Canvas, CanvasLayout, lay_out
from kadr.stylize.layout.masks import latent_mask
from kadr.stylize.layout.sizes import RESIZE_MODES, Size, fit, frame_points, nearest_size, resize

_log = logging.getLogger(__name__)

_PIXELS = 512 * 512
_PIXELS_XL = 1024 * 1024
"""What the families were trained at."""

_REFERENCES = 4
"""How many references are kept encoded."""


class Engine:
    """A model with the settings of a run; not for two threads at once."""

    def __init__(self, model: Model, options: DiffusionOptions) -> None:
        self.model, self._options = model, options
        if model.channels == 4 and options.inpainting_mask_weight != 1:
            raise OptionsError(
                f"inpainting-mask-weight: is for inpainting models of 9 channels; {model.name} has "
                "4; leave it out"
            )
        self.sampling = sampling_of(options)
        sigmas = sampling_sigmas(model.schedule, self.sampling)
        self._first = float(model.schedule.sigma_to_t(sigmas[0]))
        self._prompts = EncodedPrompts(model, options)
        self._most = options.batch if options.joint == "none" else options.joint_size
        self._attention = FrameAttention(model.unet, model.device) if options.attends else None
        self._references: dict[str, AttentionReference] = {}

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

    def seed(self, job: StylizeJob) -> int:
        """The number that a frame's noise is drawn by."""
        return job.seed % 2**32 if self._options.seed is None else self._options.seed

    def restyle(self, jobs: Sequence[StylizeJob], past: PreviousFrames) -> list[Image]:
        """Each job's frame restyled, (H, W, 3 or 4) uint8; frames are of one size.

        Raises BackendError if memory is too small even for one frame, or the values are not
        numbers even in float32.
        """
        layout = self._layout(jobs[0].frame.size)
        images: dict[int, Image] = {}
        made: list[tuple[StylizeJob, Canvas]] = []
        plates = []
        for job in jobs:
            frame = to_8_bits(job.frame.image)
            canvas = lay_out(frame, past.context.mask(job.index), layout)
            if canvas is None:
                images[job.index] = frame
            else:
                made.append((job, canvas))
                plates.append(self._plate(job, canvas, layout, past))
        for (job, canvas), picture in zip(made, self._halving(plates, past.context)):
            images[job.index] = past.blend(job, canvas.restore(picture))
        return [images[job.index] for job in jobs]

    def facts(self, job: StylizeJob) -> Facts:
        """How a frame is made, in A1111's words and order."""
        return facts_of(self.model, self._options, self.size(job.frame.size), self.seed(job))

    # --- one batch ----------------------------------------------------------------------------

    def _sample(
        self, plates: Sequence[ModelInput], anchor: Image | None, context: StylizeContext
    ) -> list[Image]:
        """Encode, find or draw noise, sample, decode. anchor: what a group was begun with."""
        if self._options.joint == "grid":
            return self._sample_sheet(plates, anchor, context)
        return self._sample_plates(plates, anchor, context)

    def _sample_sheet(
        self, plates: Sequence[ModelInput], anchor: Image | None, context: StylizeContext
    ) -> list[Image]:
        """All of a batch as one picture, the anchor in it as it is."""
        if anchor is not None:
            height, width = plates[0].picture.shape[:2]
            anchor = resize(anchor, (width, height))
        sheet = sheet_of(plates, anchor)
        made = self._sample_plates([sheet.plate], None, context, sheet.noise)
        return sheet.cut(made[0])

    def _sample_plates(
        self,
        plates: Sequence[ModelInput],
        anchor: Image | None,
        context: StylizeContext,
        around: Callable[[NoiseSource], NoiseSource] | None = None,
    ) -> list[Image]:
        model, schedule = self.model, self.model.schedule
        latent, eps = self._encode(plates)
        prompts = self._prompts.of_size((latent.shape[-1] * 8, latent.shape[-2] * 8))
        check = step_checker([i for plate in plates for i in plate.indices], context, self.sampling)
        found = self._find(plates, eps, latent, prompts, check, context.folder)
        steps = restyle_latent(
            self._company(eps, plates, anchor),
            schedule,
            latent,
            prompts,
            [plate.seed for plate in plates],
            self.sampling,
            mask=self._latent_masks(plates, latent),
            found=found,
            around=around or self._carrying(plates),
        )
        flat = [is_flat(plate.picture) for plate in plates]
        return decode_soundly(model, finish(steps, check), flat)

    def _encode(self, plates: Sequence[ModelInput], *, steered: bool = True) -> tuple[Tensor, Eps]:
        """Latents of a batch, and the network as a function of them alone."""
        model = self.model
        pixels, masks = self._pixels(plates)
        latent, concat = (
            model.encode_pixels(pixels),
            model.concat(pixels, masks, mask_weight=self._options.inpainting_mask_weight),
        )
        size = plates[0].latent_size
        if size is not None:
            latent = resize_latent(latent, *size)
            concat = None if concat is None else resize_latent(concat, *size)
        predict = model.predict(
            concat, self._hint_pixels(plates) if steered else None, first=self._first
        )
        return latent, eps_from(predict, model.schedule, model.prediction)

    def _carrying(
        self, plates: Sequence[ModelInput]
    ) -> Callable[[NoiseSource], NoiseSource] | None:
        cells = [plate.cells for plate in plates if plate.cells is not None]
        if not cells:
            return None
        return lambda source: CarriedNoise(source, cells, plates[0].seed)

    def _find(
        self,
        plates: Sequence[ModelInput],
        eps: Eps,
        latent: Tensor,
        prompts: Prompts,
        check: Callable[[SamplingProgress], object],
        folder: Path | None,
    ) -> Tensor | None:
        """Found noise, from the cache where it holds that of all frames; None without inversion.

        folder: the cache, unless the options name one.
        """
        sampling = self.sampling
        if sampling.inversion is None or self._no_steps():
            return None
        cache, folder = None, self._options.noise_cache or folder
        if folder is not None:
            cache = NoiseCache(
                folder, f"{self._noise_facts} {self.model.dtype} {tuple(latent.shape[1:])}"
            )
            seen = [(plate.picture, plate.mask, *plate.hints) for plate in plates]
            kept = [cache.get(*images) for images in seen]
            known = [noise for noise in kept if noise is not None]
            if len(known) == len(plates):
                return torch.stack(known).to(latent)
        steps: Generator[SamplingProgress, None, Tensor] = find_noise(
            eps, self.model.schedule, latent, prompts, sampling
        )
        found = finish(steps, check)
        check_latents(found)
        if cache is not None:
            for images, noise in zip(seen, found):
                cache.put(noise, *images)
        return found

    def _no_steps(self) -> bool:
        return self.sampling.exact_steps and self.sampling.denoising_strength == 0

    @cached_property
    def _noise_facts(self) -> str:
        return noise_facts(self.model.digest, self._options, self.sampling.inversion)

    # --- company ------------------------------------------------------------------------------

    def _company(self, eps: Eps, plates: Sequence[ModelInput], anchor: Image | None) -> Eps:
        """The network, its frames looking at those that the options name."""
        if self._attention is None:
            return eps
        shared = self._options.joint == "attention"
        shown = plates[0].shown if anchor is None else (ReferenceImage(anchor, again=True),)
        references = [self._reference(item, plates[0].latent_size) for item in shown]
        return self._attention.attend(eps, len(plates), references, shared)

    def _reference(self, shown: ReferenceImage, latent_size: Size | None) -> AttentionReference:
        """A finished picture for frames to look at; encoded once if it is shown again."""
        digest = hashlib.sha256(f"{shown.picture.shape} {latent_size} {self.model.dtype}".encode())
        digest.update(shown.picture.tobytes())
        key = digest.hexdigest()
        if key not in self._references:
            plate = ModelInput((), shown.picture, None, 0, latent_size=latent_size)
            latent, eps = self._encode([plate], steered=False)
            noise = create_noise(
                self.sampling.noise_source,
                [self._options.seed or 0],
                tuple(latent.shape[1:]),
                device=latent.device,
            ).draw()
            made = AttentionReference(latent, noise, eps, key if shown.again else None)
            if not shown.again:
                return made
            while len(self._references) >= _REFERENCES:
                del self._references[next(iter(self._references))]
            self._references[key] = made
        return self._references[key]

    # --- memory -------------------------------------------------------------------------------

    def _halving(self, plates: Sequence[ModelInput], context: StylizeContext) -> list[Image]:
        """All plates, in as many batches as memory asks for; what did not fit is not tried again.

        What is made jointly in several batches has its first picture for an anchor in all of them.
        """
        made: list[Image] = []
        joint = self._options.joint
        while len(made) < len(plates):
            anchor = made[0] if made and joint != "none" else None
            most = self._most
            if anchor is not None and joint == "grid":
                most = max(1, most - 1)  # it has its own place
            part = plates[len(made) : len(made) + most]
            try:
                with torch.inference_mode():
                    sample = partial(self._sample, part, anchor, context)
                    made += with_fallback(self.model, sample)
            except (torch.OutOfMemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                self._most = self._fewer(len(part), part[0].picture, error)
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

    def _layout(self, frame: Size) -> CanvasLayout:
        chosen = self._options
        return CanvasLayout(
            self.size(frame),
            RESIZE_MODES[chosen.resize_mode],
            chosen.mask_blur,
            only_masked=chosen.inpaint_area == "mask",
            mask_padding=chosen.mask_padding,
            correct_colours=chosen.color_correction,
        )

    def _plate(
        self, job: StylizeJob, canvas: Canvas, layout: CanvasLayout, past: PreviousFrames
    ) -> ModelInput:
        """All that a model needs of one frame."""
        start, mask = past.start(job), past.context.mask(job.index)
        laid = canvas if start is job.frame.image else lay_out(start, mask, layout) or canvas
        shown = []
        for image, again in past.references(job):
            seen = lay_out(image, None, layout)
            assert seen is not None  # nothing is masked
            shown.append(ReferenceImage(seen.picture, again))
        drift, cells = past.drift(job), None
        if drift is not None:
            points = frame_points(layout.size, job.frame.size, layout.mode, 8)
            between = points[1, 1] - points[0, 0] if min(points.shape[:2]) > 1 else (1, 1)
            cells = noise_cells(drift, points, (float(between[0]), float(between[1])))
        return ModelInput(
            (job.index,),
            laid.picture,
            laid.mask,
            self.seed(job),
            self._hints(job, canvas, layout, past.context),
            canvas.latent_size,
            cells,
            tuple(shown),
        )

    def _pixels(self, plates: Sequence[ModelInput]) -> tuple[Tensor, Tensor | None]:
        """(B, 3, h, w) from -1 to 1, and (B, 1, h, w) from 0 to 1 if any has a mask."""
        stacked = torch.from_numpy(np.stack([plate.picture for plate in plates]))
        pixels = stacked.to(self.model.device).permute(0, 3, 1, 2).float() / 127.5 - 1
        masks = masks_of(plates)
        if masks is None:
            return pixels, None
        whole = torch.from_numpy(np.stack(masks))[:, None].to(self.model.device, torch.float32)
        return pixels, whole / 255

    def _latent_masks(self, plates: Sequence[ModelInput], latent: Tensor) -> Tensor | None:
        masks = masks_of(plates)
        if masks is None:
            return None
        return latent_mask(masks, (latent.shape[-2], latent.shape[-1])).to(latent)

    def _hints(
        self, job: StylizeJob, canvas: Canvas, layout: CanvasLayout, context: StylizeContext
    ) -> tuple[Image, ...]:
        """What the ControlNets are shown of a frame, at the size of the result."""
        seen = resize(canvas.picture, layout.size)
        lent = [name for name in self._options.control if name not in OWN_CONTROLS]
        if lent and layout.only_masked:
            raise OptionsError(
                f"control {lent[0]!r}: shows whole frames; with inpaint-area mask give one of "
                f"{', '.join(OWN_CONTROLS)}"
            )
        # laid out as the frame is, so that they lie on each other
        mode = "stretch" if layout.mode == "latent" else layout.mode

        def lent_image(name: str) -> Image:
            return fit(context.control(name, job.index)[..., :3], layout.size, mode)

        return tuple(
            control_image(name, seen, lent_image, layout.size) for name in self._options.control
        )

    def _hint_pixels(self, plates: Sequence[ModelInput]) -> list[Tensor]:
        hints = []
        for place in range(len(self._options.control)):
            images = torch.from_numpy(np.stack([plate.hints[place] for plate in plates]))
            hints.append(images.to(self.model.device, torch.float32).permute(0, 3, 1, 2) / 255)
        return hints
