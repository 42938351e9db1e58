"""Build what a model needs of each frame: its canvas, start image, references, noise, controls."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from kadr.core.frames import Image
from kadr.errors import OptionsError
from kadr.stylize.base import StylizeContext, StylizeJob
from kadr.stylize.diffusion.controls import OWN_CONTROLS, control_image
from kadr.stylize.diffusion.options import DiffusionOptions
from kadr.stylize.diffusion.temporal.model_input import ModelInput, ReferenceImage, collect_masks
from kadr.stylize.diffusion.temporal.pixel_tracks import NoiseCells, find_noise_cells
from kadr.stylize.diffusion.temporal.previous_frames import PreviousFrames
from kadr.stylize.layout.canvas import Canvas, CanvasLayout, create_canvas
from kadr.stylize.layout.masks import latent_mask
from kadr.stylize.layout.sizes import RESIZE_MODES, Size, fit_to_size, frame_points, resize


class InputBuilder:
    """Builds the inputs of frames under the options of a run.

    size: returns the working size for frames of a size. seed: returns the seed of a frame's noise.
    """

    def __init__(
        self,
        options: DiffusionOptions,
        size: Callable[[Size], Size],
        seed: Callable[[StylizeJob], int],
    ) -> None:
        self._options, self._size, self._seed = options, size, seed

    def layout(self, frame_size: Size) -> CanvasLayout:
        """How frames of a size lie on the canvas that the model works on."""
        options = self._options
        return CanvasLayout(
            self._size(frame_size),
            RESIZE_MODES[options.resize_mode],
            options.mask_blur,
            only_masked=options.inpaint_area == "mask",
            mask_padding=options.mask_padding,
            correct_colours=options.color_correction,
        )

    def build(
        self,
        job: StylizeJob,
        canvas: Canvas,
        layout: CanvasLayout,
        previous_frames: PreviousFrames,
    ) -> ModelInput:
        """Everything that the model needs of one frame."""
        mask = previous_frames.context.mask(job.index)
        start = previous_frames.start_image(job)
        start_canvas = canvas
        if start is not job.frame.image:
            start_canvas = create_canvas(start, mask, layout) or canvas
        references = []
        for image, reused in previous_frames.references(job):
            reference_canvas = create_canvas(image, None, layout)
            assert reference_canvas is not None  # nothing is masked
            references.append(ReferenceImage(reference_canvas.image, reused))
        return ModelInput(
            (job.index,),
            start_canvas.image,
            start_canvas.mask,
            self._seed(job),
            self._controls(job, canvas, layout, previous_frames.context),
            canvas.latent_size,
            _noise_cells(job, layout, previous_frames),
            tuple(references),
        )

    def _controls(
        self, job: StylizeJob, canvas: Canvas, layout: CanvasLayout, context: StylizeContext
    ) -> tuple[Image, ...]:
        """The ControlNets' images for a frame, at the working size."""
        image = resize(canvas.image, layout.size)
        external = [name for name in self._options.control if name not in OWN_CONTROLS]
        if external and layout.only_masked:
            raise OptionsError(
                f"control {external[0]!r}: covers the whole frame; with inpaint-area mask use one "
                f"of {', '.join(OWN_CONTROLS)}"
            )
        # same layout as the frame, so that both match pixel by pixel
        mode = "stretch" if layout.mode == "latent" else layout.mode

        def load_control(name: str) -> Image:
            return fit_to_size(context.control(name, job.index)[..., :3], layout.size, mode)

        return tuple(
            control_image(name, image, load_control, layout.size) for name in self._options.control
        )


def _noise_cells(
    job: StylizeJob, layout: CanvasLayout, previous_frames: PreviousFrames
) -> NoiseCells | None:
    """Where the noise of a frame comes from; None unless noise is carried."""
    tracks = previous_frames.track_pixels(job)
    if tracks is None:
        return None
    points = frame_points(layout.size, job.frame.size, layout.mode, 8)
    scale = points[1, 1] - points[0, 0] if min(points.shape[:2]) > 1 else (1, 1)
    return find_noise_cells(tracks, points, (float(scale[0]), float(scale[1])))


def pixel_tensors(
    inputs: Sequence[ModelInput], device: torch.device
) -> tuple[Tensor, Tensor | None]:
    """(B, 3, h, w) from -1 to 1, and (B, 1, h, w) from 0 to 1 if any input has a mask."""
    stacked = torch.from_numpy(np.stack([item.image for item in inputs]))
    pixels = stacked.to(device).permute(0, 3, 1, 2).float() / 127.5 - 1
    masks = collect_masks(inputs)
    if masks is None:
        return pixels, None
    stacked_masks = torch.from_numpy(np.stack(masks))[:, None]
    return pixels, stacked_masks.to(device, torch.float32) / 255


def latent_mask_tensor(inputs: Sequence[ModelInput], latents: Tensor) -> Tensor | None:
    """The masks of the inputs at the size of their latents; None if none has a mask."""
    masks = collect_masks(inputs)
    if masks is None:
        return None
    return latent_mask(masks, (latents.shape[-2], latents.shape[-1])).to(latents)


def control_tensors(inputs: Sequence[ModelInput], device: torch.device) -> list[Tensor]:
    """The images of each ControlNet, (B, 3, h, w) from 0 to 1."""
    tensors = []
    for images in zip(*(item.controls for item in inputs), strict=True):
        stacked = torch.from_numpy(np.stack(images))
        tensors.append(stacked.to(device, torch.float32).permute(0, 3, 1, 2) / 255)
    return tensors
