"""A frame in, the image that a model restyles out; and the restyled image put back on the frame.

Does what A1111 does around a model: resize modes, masks ("whole picture" or "only masked"), colour
correction.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kadr.core.frames import Image
from kadr.errors import OptionsError
from kadr.stylize.layout.colour import correct_colours
from kadr.stylize.layout.masks import (
    Box,
    SoftMask,
    blur_mask,
    composite,
    find_mask_box,
    overlay_mask,
)
from kadr.stylize.layout.sizes import (
    RESIZE_MODES,
    Size,
    fit_to_size,
    flatten_on_white,
    restore_size,
)


@dataclass(frozen=True)
class CanvasLayout:
    """How frames become images of a model's size.

    size: (width, height), multiples of 8. mode: one of ``RESIZE_MODES``.
    mask_blur: blur of mask edges, in pixels of the frame.
    only_masked: restyle only the masked part, at full size, with ``mask_padding`` pixels around it.
    correct_colours: match the colours of the restyled image to those of its frame.
    """

    size: Size
    mode: str = "stretch"
    mask_blur: float = 4.0
    only_masked: bool = False
    mask_padding: int = 32
    correct_colours: bool = False

    def __post_init__(self) -> None:
        if any(side < 8 or side % 8 for side in self.size):
            width, height = self.size
            raise OptionsError(f"size {width}×{height}: expected multiples of 8 pixels, at least 8")
        if self.mode not in RESIZE_MODES:
            raise OptionsError(f"resize mode {self.mode!r}: expected one of {RESIZE_MODES}")


@dataclass(frozen=True, eq=False)
class Canvas:
    """One frame prepared for a model.

    image: (h, w, 3) uint8 for the model to restyle. mask: (h, w) uint8, 255 where it may change;
    None: everywhere.
    """

    image: Image
    mask: SoftMask | None
    _frame: Image
    _frame_mask: SoftMask | None
    _box: Box | None
    _layout: CanvasLayout

    @property
    def latent_size(self) -> Size | None:
        """(width, height) in pixels to resize the latent to; None: it has the right size."""
        return self._layout.size if self._layout.mode == "latent" and self._box is None else None

    def restore(self, restyled: Image) -> Image:
        """Put the restyled image on its frame: (H, W, 3 or 4) uint8 with the frame's own alpha."""
        if self._layout.correct_colours:
            restyled = correct_colours(restyled, self.image)
        frame = self._frame[..., :3]
        if self._box is None:
            height, width = frame.shape[:2]
            image = restore_size(restyled, (width, height), self._layout.mode)
        else:
            left, top, right, bottom = self._box
            image = frame.copy()
            box_size = right - left, bottom - top
            image[top:bottom, left:right] = restore_size(restyled, box_size, "fill")
        if self._frame_mask is not None:
            image = composite(image, frame, self._frame_mask)
        return np.concatenate([image, self._frame[..., 3:]], axis=2)


def create_canvas(
    frame: Image, mask: NDArray[np.bool_] | None, layout: CanvasLayout
) -> Canvas | None:
    """Prepare a frame, (H, W, 3 or 4) uint8; None if its mask is empty and nothing may change.

    mask: (H, W), True where the frame may change; None: everywhere.
    """
    opaque = flatten_on_white(frame)
    if mask is None:
        image = fit_to_size(opaque, layout.size, layout.mode)
        return Canvas(image, None, frame, None, None, layout)
    soft_mask = blur_mask(mask.astype(np.uint8) * 255, layout.mask_blur)
    if not layout.only_masked:
        image, canvas_mask = (
            fit_to_size(pixels, layout.size, layout.mode) for pixels in (opaque, soft_mask)
        )
        canvas = Canvas(image, canvas_mask, frame, overlay_mask(soft_mask), None, layout)
        return canvas if soft_mask.any() else None
    box = find_mask_box(soft_mask, layout.size, padding=layout.mask_padding)
    if box is None:
        return None
    left, top, right, bottom = box
    image, canvas_mask = (
        fit_to_size(pixels[top:bottom, left:right], layout.size, "fill")
        for pixels in (opaque, soft_mask)
    )
    return Canvas(image, canvas_mask, frame, soft_mask, box, layout)
