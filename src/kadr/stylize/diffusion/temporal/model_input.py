"""The input of a model: one value for each frame, or several frames joined into one sheet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from kadr.core.frames import Image
from kadr.stylize.diffusion.sampling.noise import NoiseSource
from kadr.stylize.diffusion.temporal.pixel_tracks import NoiseCells
from kadr.stylize.diffusion.temporal.sheets import (
    SheetNoise,
    assemble_sheet,
    sheet_shape,
    split_sheet,
)
from kadr.stylize.layout.masks import SoftMask
from kadr.stylize.layout.sizes import Size


@dataclass(frozen=True, eq=False)
class ReferenceImage:
    """A finished image (h, w, 3) that a frame attends to; reused: later frames attend to it too."""

    image: Image
    reused: bool


@dataclass(frozen=True, eq=False)
class ModelInput:
    """What a model needs of one frame, or of several frames on one sheet.

    indices: the frames in it.
    image: (h, w, 3) uint8 to start from. mask: (h, w) uint8, 255 where it may change; None:
    everywhere. controls: the images for the ControlNets. latent_size: (width, height) in pixels to
    resize the latent to, or None. noise_cells: where its noise comes from; None: from the seed.
    references: the images that it attends to.
    """

    indices: tuple[int, ...]
    image: Image
    mask: SoftMask | None
    seed: int
    controls: tuple[Image, ...] = ()
    latent_size: Size | None = None
    noise_cells: NoiseCells | None = None
    references: tuple[ReferenceImage, ...] = ()


@dataclass(frozen=True, eq=False)
class ModelSheet:
    """Several inputs joined into one.

    split: cuts the restyled sheet into the image of each input.
    repeat_noise: makes the noise of all images on the sheet the same.
    """

    model_input: ModelInput
    split: Callable[[Image], list[Image]]
    repeat_noise: Callable[[NoiseSource], NoiseSource]


def create_sheet(inputs: Sequence[ModelInput], anchor: Image | None) -> ModelSheet:
    """One input with all of them, after an anchor image that must not change.

    Free positions of the sheet repeat the last image.
    """
    anchor_count = int(anchor is not None)
    images = [item.image for item in inputs]
    height, width = images[0].shape[:2]
    columns, rows = sheet_shape(anchor_count + len(inputs), (width, height))
    masks: list[SoftMask] | None = collect_masks(inputs)
    controls = [list(row) for row in zip(*(item.controls for item in inputs))]
    if anchor is not None:
        masks = masks or [np.full((height, width), 255, np.uint8) for _ in inputs]
        masks = [np.zeros((height, width), np.uint8), *masks]
        images = [anchor, *images]
        controls = [[row[0], *row] for row in controls]
    size = inputs[0].latent_size
    sheet_input = replace(
        inputs[0],
        indices=tuple(index for item in inputs for index in item.indices),
        image=assemble_sheet(images, columns, rows),
        mask=None if masks is None else assemble_sheet(masks, columns, rows),
        controls=tuple(assemble_sheet(row, columns, rows) for row in controls),
        latent_size=None if size is None else (size[0] * columns, size[1] * rows),
    )
    count = anchor_count + len(inputs)
    return ModelSheet(
        sheet_input,
        lambda sheet: split_sheet(sheet, columns, rows, count)[anchor_count:],
        lambda source: SheetNoise(source, columns, rows),
    )


def collect_masks(inputs: Sequence[ModelInput]) -> list[SoftMask] | None:
    """A mask for each input, full for those without one; None if no input has a mask."""
    if all(item.mask is None for item in inputs):
        return None
    return [
        np.full(item.image.shape[:2], 255, np.uint8) if item.mask is None else item.mask
        for item in inputs
    ]
