"""A frame and a working size in, the frame resized to it out; and back again."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from kadr.core.frames import Image
from kadr.errors import OptionsError

Size = tuple[int, int]
"""(width, height) in pixels."""

RESIZE_MODES = ("stretch", "crop", "fill", "latent")
"""A1111's modes 0 to 3: stretch; cover and crop; fit inside, fill the bars; resize the latent."""

_SMALLEST = 64

_MULTIPLE = 64
"""The networks work on an eighth of the size and halve that three times: other sizes do not come
back as they went in, and programs differ in how they resize on the way. XL was trained on multiples
of 64."""

_AREA_WEIGHT = 0.25
"""Weight of a wrong number of pixels against a wrong aspect, both measured as log ratios."""


def nearest_size(size: Size, *, pixels: int) -> Size:
    """The working size for a frame: sides are multiples of 64, near its aspect and ``pixels``.

    512 × 512 pixels suit Stable Diffusion 1, 1024 × 1024 XL. Aspect counts four times as much as
    the number of pixels, so that shapes are not distorted; that number may at most double.
    Raises OptionsError if ``pixels`` is below 64 × 64.
    """
    if pixels < _SMALLEST**2:
        raise OptionsError(f"{pixels} pixels: expected at least {_SMALLEST}×{_SMALLEST}")
    aspect = size[0] / size[1]
    middle = max(1, round(math.sqrt(pixels / aspect) / _MULTIPLE))
    candidates: list[tuple[float, Size]] = []
    for rows in range(max(1, middle // 2), 2 * middle + 1):
        columns = math.floor(rows * aspect)
        max_columns = max(1, 2 * pixels // (rows * _MULTIPLE**2))
        for n in (columns, columns + 1):
            width, height = min(max(1, n), max_columns) * _MULTIPLE, rows * _MULTIPLE
            aspect_error = abs(math.log(width / height / aspect))
            area_error = abs(math.log(width * height / pixels))
            candidates.append((aspect_error + _AREA_WEIGHT * area_error, (width, height)))
    return min(candidates)[1]


def resize(image: Image, size: Size) -> Image:
    """Resize (H, W) or (H, W, C) uint8 by Lanczos; the same array if it has that size already."""
    if (image.shape[1], image.shape[0]) == size:
        return image
    return np.asarray(PillowImage.fromarray(image).resize(size, PillowImage.Resampling.LANCZOS))


def fit_to_size(image: Image, size: Size, mode: str) -> Image:
    """Bring a frame to a working size, as A1111 does.

    image: (H, W) or (H, W, C) uint8. mode: one of ``RESIZE_MODES``; "latent" only resizes the frame
    to the nearest multiples of 8, and its latent must be resized afterwards.
    Raises OptionsError for another mode.
    """
    frame_size = image.shape[1], image.shape[0]
    if mode == "stretch":
        return resize(image, size)
    if mode == "latent":
        return resize(image, _round_to_eight(frame_size))
    box = _fitted_box(frame_size, size, mode)
    resized = resize(image, (box[2], box[3]))
    return _place_on_canvas(resized, box, size)


def restore_size(image: Image, size: Size, mode: str) -> Image:
    """Undo ``fit_to_size``: bring an image of working size back to the frame's ``size``.

    What "crop" cut off is filled with the outermost rows or columns.
    """
    working_size = image.shape[1], image.shape[0]
    if mode in ("stretch", "latent"):
        return resize(image, size)
    x, y, width, height = _fitted_box(size, working_size, mode)
    return resize(_place_on_canvas(image, (-x, -y, *working_size), (width, height)), size)


def frame_points(size: Size, frame_size: Size, mode: str, step: int) -> NDArray[np.float32]:
    """Positions in the frame of the cell centres of a working image, (h, w, 2) float32 (x, y).

    size: (width, height) of the image. mode: one of ``RESIZE_MODES``. step: pixels of the image
    from one cell to the next. Pixel centres are whole numbers; some cells may lie outside.
    """
    x, y, width, height = 0, 0, *size
    if mode in ("crop", "fill"):
        x, y, width, height = _fitted_box(frame_size, size, mode)
    centres = np.mgrid[: size[1] // step, : size[0] // step].astype(np.float32)
    rows, columns = (centres + np.float32(0.5)) * step
    return np.stack(
        [
            (columns - x) * frame_size[0] / width - 0.5,
            (rows - y) * frame_size[1] / height - 0.5,
        ],
        axis=2,
    ).astype(np.float32)


def flatten_on_white(image: Image) -> Image:
    """(H, W, 3) uint8 of (H, W, 3 or 4): transparent parts become white, as in A1111."""
    if image.shape[2] == 3:
        return image
    alpha = image[..., 3:].astype(np.uint16)
    mixed = image[..., :3] * alpha + 255 * (255 - alpha)
    return ((mixed + 127) // 255).astype(np.uint8)


def _round_to_eight(size: Size) -> Size:
    return max(8, round(size[0] / 8) * 8), max(8, round(size[1] / 8) * 8)


def _fitted_box(frame_size: Size, size: Size, mode: str) -> tuple[int, int, int, int]:
    """Where a frame lies on a canvas of ``size`` after "crop" or "fill": (x, y, width, height)."""
    if mode not in RESIZE_MODES:
        raise OptionsError(f"resize mode {mode!r}: expected one of {', '.join(RESIZE_MODES)}")
    wider = frame_size[0] * size[1] > size[0] * frame_size[1]
    if wider == (mode == "crop"):
        width, height = max(1, frame_size[0] * size[1] // frame_size[1]), size[1]
    else:
        width, height = size[0], max(1, frame_size[1] * size[0] // frame_size[0])
    return size[0] // 2 - width // 2, size[1] // 2 - height // 2, width, height


def _place_on_canvas(image: Image, box: tuple[int, int, int, int], size: Size) -> Image:
    """An image at (x, y) on a canvas of ``size``; its edge pixels fill what stays free."""
    x, y, width, height = box
    columns = np.clip(np.arange(size[0]) - x, 0, width - 1)
    rows = np.clip(np.arange(size[1]) - y, 0, height - 1)
    return image[rows[:, None], columns[None, :]]
