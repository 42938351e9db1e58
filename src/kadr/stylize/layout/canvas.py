"""A frame in, the picture that a model works on out; and what it made of it back on the frame.

All that A1111 does around a model: resize modes, masks whole or "only masked", colour correction.
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
    Mask,
    blur_mask,
    composite,
    mask_box,
    overlay_mask,
)
from kadr.stylize.layout.sizes import RESIZE_MODES, Size, fit, on_white, unfit


@dataclass(frozen=True)
class CanvasLayout:
    """How frames become pictures of a model's size.

    size: (width, height), multiples of 8. mode: one of ``RESIZE_MODES``.
    mask_blur: softening of mask edges, in pixels of the frame.
    only_masked: work on the masked part alone, at full size, with ``mask_padding`` pixels around.
    correct_colours: give pictures back the colours of their frame.
    """

    size: Size
    mode: str = "stretch"
    mask_blur: float = 4.0
    only_masked: bool = False
    mask_padding: int = 32
    correct_colours: bool = False

    def __post_init__(self) -> None:
        if any(side < 8 or side % 8 for side in self.size):
            wanted = f"{self.size[0]}×{self.size[1]}"
            raise OptionsError(f"size {wanted}: expected multiples of 8 pixels, at least 8")
        if self.mode not in RESIZE_MODES:
            raise OptionsError(f"resize mode {self.mode!r}: expected one of {RESIZE_MODES}")


@dataclass(frozen=True, eq=False)
class Canvas:
    """One frame laid out for a model.

    picture: (h, w, 3) uint8 for the model to restyle. mask: (h, w) uint8, 255 where it may change,
    or None for everywhere.
    """

    picture: Image
    mask: Mask | None
    _frame: Image
    _frame_mask: Mask | None
    _box: Box | None
    _layout: CanvasLayout

    @property
    def latent_size(self) -> Size | None:
        """(width, height) to resize the latent to, in pixels; None: it has its size."""
        return self._layout.size if self._layout.mode == "latent" and self._box is None else None

    def restore(self, restyled: Image) -> Image:
        """The restyled picture on its frame, (H, W, 3 or 4) uint8 with the frame's own alpha."""
        if self._layout.correct_colours:
            restyled = correct_colours(restyled, self.picture)
        frame = self._frame[..., :3]
        if self._box is None:
            height, width = frame.shape[:2]
            image = unfit(restyled, (width, height), self._layout.mode)
        else:
            left, top, right, bottom = self._box
            image = frame.copy()
            image[top:bottom, left:right] = unfit(restyled, (right - left, bottom - top), "fill")
        if self._frame_mask is not None:
            image = composite(image, frame, self._frame_mask)
        return np.concatenate([image, self._frame[..., 3:]], axis=2)


def lay_out(frame: Image, mask: NDArray[np.bool_] | None, layout: CanvasLayout) -> Canvas | None:
    """Lay out a frame, (H, W, 3 or 4) uint8; None if its mask is empty and nothing may change.

    mask: (H, W), True where the frame may change; None: everywhere.
    """
    seen = on_white(frame)
    if mask is None:
        return Canvas(fit(seen, layout.size, layout.mode), None, frame, None, None, layout)
    soft = blur_mask(mask.astype(np.uint8) * 255, layout.mask_blur)
    if not layout.only_masked:
        picture, small = (fit(x, layout.size, layout.mode) for x in (seen, soft))
        canvas = Canvas(picture, small, frame, overlay_mask(soft), None, layout)
        return canvas if soft.any() else None
    box = mask_box(soft, layout.size, padding=layout.mask_padding)
    if box is None:
        return None
    left, top, right, bottom = box
    picture, small = (fit(x[top:bottom, left:right], layout.size, "fill") for x in (seen, soft))
    return Canvas(picture, small, frame, soft, box, layout)
