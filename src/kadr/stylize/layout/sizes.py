"""A frame and a size in, the frame in the size that a model works at out; and back again."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture

from kadr.core.frames import Image
from kadr.errors import OptionsError

Size = tuple[int, int]
"""(width, height) in pixels."""

RESIZE_MODES = ("stretch", "crop", "fill", "latent")
"""A1111's modes 0 to 3: stretch; cover and cut off; fit and fill the bars; stretch the latent."""

_SMALLEST = 64

_AMOUNT = 0.25
"""How much a size's number of pixels counts against its aspect, both as ratios."""


def nearest_size(size: Size, *, pixels: int, multiple: int = 64) -> Size:
    """The working size for a frame of ``size``: sides of multiples, near its aspect and ``pixels``.

    512 × 512 pixels suit Stable Diffusion 1, 1024 × 1024 XL. Aspect counts four times as much as
    the number of pixels, so that people are not squeezed, but that may at most be doubled.
    Raises OptionsError for a multiple that is not one of 8, or fewer than 64 × 64 pixels.
    """
    if multiple < 8 or multiple % 8:
        raise OptionsError(f"size multiple {multiple}: expected a multiple of 8")
    if pixels < _SMALLEST**2:
        raise OptionsError(f"{pixels} pixels: expected at least {_SMALLEST}×{_SMALLEST}")
    aspect = size[0] / size[1]
    middle = max(1, round(math.sqrt(pixels / aspect) / multiple))
    found: list[tuple[float, Size]] = []
    for rows in range(max(1, middle // 2), 2 * middle + 1):
        columns = math.floor(rows * aspect)
        most = max(1, 2 * pixels // (rows * multiple**2))
        for n in (columns, columns + 1):
            width, height = min(max(1, n), most) * multiple, rows * multiple
            shape = abs(math.log(width / height / aspect))
            amount = abs(math.log(width * height / pixels))
            found.append((shape + _AMOUNT * amount, (width, height)))
    return min(found)[1]


def resize(image: Image, size: Size) -> Image:
    """(H, W) or (H, W, C) uint8 in another size by Lanczos; itself where the size is its own."""
    if (image.shape[1], image.shape[0]) == size:
        return image
    return np.asarray(Picture.fromarray(image).resize(size, Picture.Resampling.LANCZOS))


def fit(image: Image, size: Size, mode: str) -> Image:
    """A frame in a working size, as A1111 does it.

    image: (H, W) or (H, W, C) uint8. mode: one of ``RESIZE_MODES``; with "latent" the frame only
    goes to the multiples of 8 nearest to its own size, and its latent is to be resized.
    Raises OptionsError for another mode.
    """
    own = image.shape[1], image.shape[0]
    if mode == "stretch":
        return resize(image, size)
    if mode == "latent":
        return resize(image, _eights(own))
    inner = _placed(own, size, mode)
    resized = resize(image, (inner[2], inner[3]))
    return _laid(resized, inner, size)


def unfit(image: Image, size: Size, mode: str) -> Image:
    """A picture in working size back on the frame of ``size`` that ``fit`` made it from.

    What "crop" cut off is filled with the rows or columns at the edge.
    """
    own = image.shape[1], image.shape[0]
    if mode in ("stretch", "latent"):
        return resize(image, size)
    x, y, width, height = _placed(size, own, mode)
    return resize(_laid(image, (-x, -y, *own), (width, height)), size)


def frame_points(size: Size, own: Size, mode: str, step: int) -> NDArray[np.float32]:
    """Where in a frame the middles of a working picture's cells lie, (h, w, 2) float32 (x, y).

    size: (width, height) of the picture; own: the frame's. mode: one of ``RESIZE_MODES``. step:
    pixels from one cell to the next. Pixel centres are whole numbers; some cells may lie outside.
    """
    x, y, width, height = 0, 0, *size
    if mode in ("crop", "fill"):
        x, y, width, height = _placed(own, size, mode)
    middles = np.mgrid[: size[1] // step, : size[0] // step].astype(np.float32)
    rows, columns = (middles + np.float32(0.5)) * step
    return np.stack(
        [(columns - x) * own[0] / width - 0.5, (rows - y) * own[1] / height - 0.5], axis=2
    ).astype(np.float32)


def on_white(image: Image) -> Image:
    """(H, W, 3) uint8 of (H, W, 3 or 4): what is transparent shows white, as in A1111."""
    if image.shape[2] == 3:
        return image
    alpha = image[..., 3:].astype(np.uint16)
    mixed = image[..., :3] * alpha + 255 * (255 - alpha)
    return ((mixed + 127) // 255).astype(np.uint8)


def _eights(size: Size) -> Size:
    return max(8, round(size[0] / 8) * 8), max(8, round(size[1] / 8) * 8)


def _placed(own: Size, size: Size, mode: str) -> tuple[int, int, int, int]:
    """Where a picture of its ``own`` size lies on one of ``size``: (x, y, width, height)."""
    if mode not in RESIZE_MODES:
        raise OptionsError(f"resize mode {mode!r}: expected one of {', '.join(RESIZE_MODES)}")
    wider = own[0] * size[1] > size[0] * own[1]
    if wider == (mode == "crop"):
        width, height = max(1, own[0] * size[1] // own[1]), size[1]
    else:
        width, height = size[0], max(1, own[1] * size[0] // own[0])
    return size[0] // 2 - width // 2, size[1] // 2 - height // 2, width, height


def _laid(image: Image, place: tuple[int, int, int, int], size: Size) -> Image:
    """An image laid on a canvas of ``size`` at (x, y); its edges reach over what stays free."""
    x, y, width, height = place
    columns = np.clip(np.arange(size[0]) - x, 0, width - 1)
    rows = np.clip(np.arange(size[1]) - y, 0, height - 1)
    return image[rows[:, None], columns[None, :]]
