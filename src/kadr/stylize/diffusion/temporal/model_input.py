"""Frames laid out in, the plates that a model works from out: one for each frame, or a sheet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from kadr.core.frames import Image
from kadr.stylize.diffusion.sampling.noise import NoiseSource
from kadr.stylize.diffusion.temporal.drift import Cells
from kadr.stylize.diffusion.temporal.sheets import SheetNoise, cut_sheet, lay_sheet, sheet_shape
from kadr.stylize.layout.masks import Mask
from kadr.stylize.layout.sizes import Size


@dataclass(frozen=True, eq=False)
class ReferenceImage:
    """A finished picture (h, w, 3) that a frame looks at; again: others will look at it too."""

    picture: Image
    again: bool


@dataclass(frozen=True, eq=False)
class ModelInput:
    """What a model is given of one frame.

    indices: the frames that it holds.
    picture: (h, w, 3) uint8 that it starts from. mask: (h, w) uint8, 255 where it may change;
    None: everywhere. hints: what steers ControlNets. latent_size: (width, height) that its latent
    is resized to, in pixels, or None. cells: where its noise comes from, or None for the seed's.
    """

    indices: tuple[int, ...]
    picture: Image
    mask: Mask | None
    seed: int
    hints: tuple[Image, ...] = ()
    latent_size: Size | None = None
    cells: Cells | None = None
    shown: tuple[ReferenceImage, ...] = ()


@dataclass(frozen=True, eq=False)
class ModelSheet:
    """Several plates in one, and how to get at them again; noise: the same in every place."""

    plate: ModelInput
    cut: Callable[[Image], list[Image]]
    noise: Callable[[NoiseSource], NoiseSource]


def sheet_of(plates: Sequence[ModelInput], anchor: Image | None) -> ModelSheet:
    """One plate with all of them, after an anchor that stays as it is.

    What is left free shows the last of them again.
    """
    held = int(anchor is not None)
    pictures = [plate.picture for plate in plates]
    height, width = pictures[0].shape[:2]
    columns, rows = sheet_shape(held + len(plates), (width, height))
    masks: list[Mask] | None = masks_of(plates)
    hints = [list(images) for images in zip(*(plate.hints for plate in plates))]
    if anchor is not None:
        masks = masks or [np.full((height, width), 255, np.uint8) for _ in plates]
        masks = [np.zeros((height, width), np.uint8), *masks]
        pictures = [anchor, *pictures]
        hints = [[images[0], *images] for images in hints]
    size = plates[0].latent_size
    plate = replace(
        plates[0],
        indices=tuple(index for plate in plates for index in plate.indices),
        picture=lay_sheet(pictures, columns, rows),
        mask=None if masks is None else lay_sheet(masks, columns, rows),
        hints=tuple(lay_sheet(images, columns, rows) for images in hints),
        latent_size=None if size is None else (size[0] * columns, size[1] * rows),
    )
    count = held + len(plates)
    return ModelSheet(
        plate,
        lambda made: cut_sheet(made, columns, rows, count)[held:],
        lambda source: SheetNoise(source, columns, rows),
    )


def masks_of(plates: Sequence[ModelInput]) -> list[Mask] | None:
    """A mask for each plate, whole for those without one; None if none has one."""
    if all(plate.mask is None for plate in plates):
        return None
    return [
        np.full(plate.picture.shape[:2], 255, np.uint8) if plate.mask is None else plate.mask
        for plate in plates
    ]
