"""Frames in, one image out that shows them side by side: a contact sheet."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import cv2
import numpy as np
from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFont

from kadr.core.frames import Frame, Image, to_8_bits
from kadr.core.resize import fit_in_box, fit_width
from kadr.errors import OptionsError

_PAPER = (24, 24, 26)
_INK = (214, 214, 210)
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

    tracks: one or more sequences of frames, as many frames in each; the frames at one place, such
    as the filmed and the painted one, stand above one another in a cell, in the order of the
    tracks. Labels and keys go by the first track. Larger or smaller frames are fitted in the cell.
    keys: frame indices to mark. cell_width: pixels; its height follows from the first frame.
    number: the number people know a frame index by (``clip.number``).
    Gives (H, W, 3) uint8. Raises OptionsError if there is no frame or the tracks differ in length.
    """
    counts = [len(track) for track in tracks]
    if not counts or min(counts) == 0 or min(counts) != max(counts):
        raise OptionsError(f"contact sheet: tracks of {counts} frames; expected as many in each")
    if columns < 1 or cell_width < 16:
        raise OptionsError(
            f"contact sheet: {columns} columns of {cell_width} pixels; expected at least 1 of 16"
        )
    width, height = tracks[0][0].size
    size = fit_width((width, height), cell_width)
    cells = []
    for frames in zip(*tracks, strict=True):
        first = frames[0]
        label = f"{number(first.index)}  {_clock(float(first.time))}"
        images = [_fit(_opaque(frame), size) for frame in frames]
        cells.append(_cell(images, label, marked=first.index in keys))
    return _grid(cells, min(columns, len(cells)))


def labelled_sheet(
    *rows: Sequence[tuple[Image, str]], columns: int, cell_width: int = 320
) -> Image:
    """Lay images out in a grid, each with its own label; each of ``rows`` begins a new row.

    images: (H, W, 3 or 4) uint8, fitted into cells of the first one's shape.
    Gives (H, W, 3) uint8. Raises OptionsError if there is no image.
    """
    if not rows or not rows[0]:
        raise OptionsError("contact sheet: no image to show; expected at least one")
    height, width = rows[0][0][0].shape[:2]
    size = fit_width((width, height), cell_width)
    cells: list[Image] = []
    for row in rows:
        made = [
            _cell([_fit(_opaque(Frame(0, image)), size)], label, marked=False)
            for image, label in row
        ]
        rest = -len(made) % columns if row is not rows[-1] else 0
        cells += made + [np.full_like(made[0], _PAPER) for _ in range(rest)]
    return _grid(cells, columns)


def _clock(seconds: float) -> str:
    """1:02.37 for 62.37 seconds."""
    hundredths = round(seconds * 100)
    return f"{hundredths // 6000}:{hundredths % 6000 // 100:02d}.{hundredths % 100:02d}"


def _opaque(frame: Frame) -> Image:
    """(H, W, 3) uint8; what is transparent shows a chequered ground."""
    image = to_8_bits(frame.image)
    if image.shape[2] == 3:
        return image
    y, x = np.indices(image.shape[:2])
    ground = np.where((y // 8 + x // 8) % 2 == 0, *_CHECKER)[..., None].astype(np.float32)
    alpha = image[..., 3:].astype(np.float32) / 255
    mixed: Image = np.rint(ground + alpha * (image[..., :3] - ground)).astype(np.uint8)
    return mixed


def _fit(image: Image, size: tuple[int, int]) -> Image:
    """Scale into (width, height), aspect kept, the rest filled with paper."""
    width, height = fit_in_box((image.shape[1], image.shape[0]), size, enlarge=True)
    shrinks = width * height < image.shape[0] * image.shape[1]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    fitted = np.full((size[1], size[0], 3), _PAPER, np.uint8)
    x, y = (size[0] - width) // 2, (size[1] - height) // 2
    fitted[y : y + height, x : x + width] = cv2.resize(image, (width, height), interpolation=method)
    return fitted


def _cell(images: Sequence[Image], label: str, *, marked: bool) -> Image:
    """Images above one another with a label below; a marked cell has a bright frame and "key"."""
    width = images[0].shape[1]
    border, text_size = max(2, width // 80), max(11, width // 18)
    strip = round(text_size * 1.7)
    stack = np.concatenate(images)
    color = _MARK if marked else _PAPER
    cell = np.full((stack.shape[0] + border + strip, width + 2 * border, 3), color, np.uint8)
    cell[border : border + stack.shape[0], border : border + width] = stack
    canvas = PillowImage.fromarray(cell)
    draw = ImageDraw.Draw(canvas)
    font, ink = ImageFont.load_default(size=text_size), _PAPER if marked else _INK
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
        (gap + rows * (height + gap), gap + columns * (width + gap), 3), _PAPER, np.uint8
    )
    for at, cell in enumerate(cells):
        y = gap + at // columns * (height + gap)
        x = gap + at % columns * (width + gap)
        sheet[y : y + height, x : x + width] = cell
    return sheet
