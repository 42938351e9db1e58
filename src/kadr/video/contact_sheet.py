"""Lay frames out in one image: a contact sheet."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import cv2
import numpy as np
from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFont

from kadr.core.frames import Frame, Image, to_8_bits
from kadr.core.resize import fit_in_box, fit_width
from kadr.errors import OptionsError

_BACKGROUND = (24, 24, 26)
_TEXT = (214, 214, 210)
_MARK = (255, 190, 60)
_CHECKER = (90, 120)
"""Levels of the squares behind transparent pixels."""


def contact_sheet(
    *tracks: Sequence[Frame],
    keys: Collection[int] = (),
    columns: int = 4,
    cell_width: int = 320,
    number: Callable[[int], int] = int,
) -> Image:
    """Lay frames out in a grid, each labelled with its number and time; keys are framed and named.

    tracks: one or more sequences of frames of the same length. A cell shows the frames of all
    tracks at one position, such as the source and the result, in the order of the tracks, from top
    to bottom. Labels and keys follow the first track. All frames are scaled to fit the cell.
    keys: frame indices to mark. cell_width: pixels; its height follows from the first frame.
    number: frame index → the number that people know it by (``clip.number``).
    Returns (H, W, 3) uint8. Raises OptionsError if there is no frame or the lengths differ.
    """
    counts = [len(track) for track in tracks]
    if not counts or min(counts) == 0 or min(counts) != max(counts):
        raise OptionsError(
            f"contact sheet: tracks of {counts} frames; expected the same number in each"
        )
    if columns < 1 or cell_width < 16:
        raise OptionsError(
            f"contact sheet: {columns} columns of {cell_width} pixels; expected at least 1 of 16"
        )
    width, height = tracks[0][0].size
    size = fit_width((width, height), cell_width)
    cells = []
    for frames in zip(*tracks, strict=True):
        first = frames[0]
        label = f"{number(first.index)}  {_format_time(float(first.time))}"
        images = [_fit(_opaque(frame), size) for frame in frames]
        cells.append(_cell(images, label, marked=first.index in keys))
    return _grid(cells, min(columns, len(cells)))


def labelled_sheet(
    *rows: Sequence[tuple[Image, str]], columns: int, cell_width: int = 320
) -> Image:
    """Lay images out in a grid, each with its own label; each of ``rows`` begins a new row.

    images: (H, W, 3 or 4) uint8, fitted into cells of the first one's shape.
    Returns (H, W, 3) uint8. Raises OptionsError if there is no image.
    """
    if not rows or not rows[0]:
        raise OptionsError("contact sheet: no image to show; expected at least one")
    height, width = rows[0][0][0].shape[:2]
    size = fit_width((width, height), cell_width)
    cells: list[Image] = []
    for row in rows:
        row_cells = [
            _cell([_fit(_opaque(Frame(0, image)), size)], label, marked=False)
            for image, label in row
        ]
        empty = -len(row_cells) % columns if row is not rows[-1] else 0
        cells += row_cells + [np.full_like(row_cells[0], _BACKGROUND) for _ in range(empty)]
    return _grid(cells, columns)


def _format_time(seconds: float) -> str:
    """1:02.37 for 62.37 seconds."""
    hundredths = round(seconds * 100)
    return f"{hundredths // 6000}:{hundredths % 6000 // 100:02d}.{hundredths % 100:02d}"


def _opaque(frame: Frame) -> Image:
    """(H, W, 3) uint8; transparent pixels show a checkerboard."""
    image = to_8_bits(frame.image)
    if image.shape[2] == 3:
        return image
    y, x = np.indices(image.shape[:2])
    checker = np.where((y // 8 + x // 8) % 2 == 0, *_CHECKER)[..., None].astype(np.float32)
    alpha = image[..., 3:].astype(np.float32) / 255
    opaque: Image = np.rint(checker + alpha * (image[..., :3] - checker)).astype(np.uint8)
    return opaque


def _fit(image: Image, size: tuple[int, int]) -> Image:
    """Scale into (width, height) with the same aspect; fill the rest with the background."""
    width, height = fit_in_box((image.shape[1], image.shape[0]), size, enlarge=True)
    shrinks = width * height < image.shape[0] * image.shape[1]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    fitted = np.full((size[1], size[0], 3), _BACKGROUND, np.uint8)
    x, y = (size[0] - width) // 2, (size[1] - height) // 2
    fitted[y : y + height, x : x + width] = cv2.resize(image, (width, height), interpolation=method)
    return fitted


def _cell(images: Sequence[Image], label: str, *, marked: bool) -> Image:
    """Images from top to bottom, a label below; a marked cell has a bright border and "key"."""
    width = images[0].shape[1]
    border, text_size = max(2, width // 80), max(11, width // 18)
    strip = round(text_size * 1.7)
    stack = np.concatenate(images)
    color = _MARK if marked else _BACKGROUND
    cell = np.full((stack.shape[0] + border + strip, width + 2 * border, 3), color, np.uint8)
    cell[border : border + stack.shape[0], border : border + width] = stack
    canvas = PillowImage.fromarray(cell)
    draw = ImageDraw.Draw(canvas)
    font, ink = ImageFont.load_default(size=text_size), _BACKGROUND if marked else _TEXT
    middle = border + stack.shape[0] + strip / 2
    draw.text((2 * border, middle), label, ink, font, anchor="lm")
    if marked:
        draw.text((width, middle), "key", ink, font, anchor="rm")
    return np.array(canvas)


def _grid(cells: Sequence[Image], columns: int) -> Image:
    height, width = cells[0].shape[:2]
    gap = max(4, width // 40)
    rows = -(-len(cells) // columns)
    sheet = np.full(
        (gap + rows * (height + gap), gap + columns * (width + gap), 3), _BACKGROUND, np.uint8
    )
    for position, cell in enumerate(cells):
        y = gap + position // columns * (height + gap)
        x = gap + position % columns * (width + gap)
        sheet[y : y + height, x : x + width] = cell
    return sheet
