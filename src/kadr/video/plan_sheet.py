"""Draw a plan as one image: the chosen keyframes above the coverage of every frame."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFont

from kadr.core.frames import Frame, FrameRange, Image
from kadr.core.resize import fit_width
from kadr.errors import OptionsError
from kadr.video.contact_sheet import contact_sheet

_BACKGROUND = (24, 24, 26)
_TEXT = (214, 214, 210)
_FAINT = (88, 88, 92)
_FILL = (52, 96, 120)
_LINE = (128, 196, 226)
_MARK = (255, 190, 60)
_FEWEST_COLUMNS, _MOST_COLUMNS = 5, 10
_SUPERSAMPLING = 2
"""Factor of supersampling, which smooths slanted lines."""


def plan_sheet(
    frames: Iterable[Frame],
    covered: NDArray[np.float64],
    shots: Sequence[FrameRange],
    *,
    painted: Collection[int] = (),
    width: int = 1344,
    number: Callable[[int], int] = int,
) -> Image:
    """A contact sheet of keyframes with the coverage of every frame drawn under it.

    frames: the keyframes in order; they are read one by one and reduced. covered: the part of each
    frame of ``shots`` that the keys explain, 0–1, (n,). shots: consecutive ranges. painted:
    keyframes to mark as painted already. width: of the sheet in pixels, approximately. number:
    frame index → the number that people know it by. Returns (H, W, 3) uint8.
    Raises OptionsError if there is no frame, or if the curve is not as long as the shots.
    """
    count = shots[-1].stop - shots[0].start if shots else 0
    if covered.shape != (count,):
        raise OptionsError(f"plan sheet: a curve of {covered.shape} for {count} frames")
    small = [_reduce(frame, width // _FEWEST_COLUMNS) for frame in frames]
    keys = [frame.index for frame in small]
    columns = max(_FEWEST_COLUMNS, min(_MOST_COLUMNS, math.ceil(math.sqrt(2 * len(small)))))
    sheet = contact_sheet(
        small, keys=painted, columns=columns, cell_width=width // columns, number=number
    )
    if len(small) < columns:  # the curve needs the whole width
        missing = round(width * 1.02) - sheet.shape[1]
        sheet = np.pad(sheet, ((0, 0), (0, max(0, missing)), (0, 0)), mode="edge")
    return np.concatenate([sheet, _curve(covered, keys, shots, sheet.shape[1], number)])


def _reduce(frame: Frame, width: int) -> Frame:
    """Reduce a frame to the widest cell, so that large frames are not kept in memory."""
    if frame.size[0] <= width:
        return frame
    size = fit_width(frame.size, width)
    return replace(frame, image=cv2.resize(frame.image, size, interpolation=cv2.INTER_AREA))


def _curve(
    covered: NDArray[np.float64],
    keys: Sequence[int],
    shots: Sequence[FrameRange],
    width: int,
    number: Callable[[int], int],
) -> Image:
    """(H, width, 3): percent over frames, keys as marks, cuts as lines from top to bottom."""
    text = max(11, min(18, width // 70))
    left, right, top = round(text * 3.2), round(text * 1.2), round(text * 1.0)
    plot = max(6 * text, min(width // 7, 200))
    first, last = shots[0].start, shots[-1].stop - 1
    inner = max(1, width - left - right)

    def x(index: float) -> float:
        return left + (index - first) / max(1, last - first) * inner

    def y(share: float) -> float:
        return top + (1 - share) * plot

    size = (width, top + plot + round(text * 2.2))
    canvas = PillowImage.new(
        "RGB", (size[0] * _SUPERSAMPLING, size[1] * _SUPERSAMPLING), _BACKGROUND
    )
    draw = ImageDraw.Draw(canvas)
    for share in (0.0, 0.5, 1.0):
        draw.line(_points([(left, y(share)), (left + inner, y(share))]), _FAINT, 1)
    for shot in shots:
        _area(draw, covered[shot.start - first : shot.stop - first], shot, x, y)
    for shot in shots[1:]:
        cut = x(shot.start - 0.5)
        draw.line(_points([(cut, top), (cut, top + plot)]), _TEXT, _SUPERSAMPLING)
    for key in keys:
        draw.line(_points([(x(key), y(1)), (x(key), y(0))]), _MARK, _SUPERSAMPLING)
    canvas = canvas.resize(size, PillowImage.Resampling.BOX)
    _labels(ImageDraw.Draw(canvas), keys, x, y, text, number)
    return np.array(canvas)


def _points(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    return [(x * _SUPERSAMPLING, y * _SUPERSAMPLING) for x, y in points]


def _area(
    draw: ImageDraw.ImageDraw,
    covered: NDArray[np.float64],
    shot: FrameRange,
    x: Callable[[float], float],
    y: Callable[[float], float],
) -> None:
    """The curve of one shot; of frames in the same column the worst is shown."""
    columns: dict[int, tuple[float, float]] = {}
    for index, share in zip(shot, covered.tolist(), strict=True):
        column = round(x(index) * _SUPERSAMPLING)
        if column not in columns or share < columns[column][1]:
            columns[column] = (x(index), share)
    line = _points([(position, y(share)) for position, share in columns.values()])
    ends = _points([(x(shot.stop - 1), y(0)), (x(shot.start), y(0))])
    draw.polygon([*line, *ends], fill=_FILL)
    draw.line(line, _LINE, 2 * _SUPERSAMPLING, joint="curve")


def _labels(
    draw: ImageDraw.ImageDraw,
    keys: Sequence[int],
    x: Callable[[float], float],
    y: Callable[[float], float],
    text: int,
    number: Callable[[int], int],
) -> None:
    """Percent at the left and key numbers below, as many as fit."""
    font = ImageFont.load_default(size=text)
    for share in (0.0, 0.5, 1.0):
        draw.text((text * 2.8, y(share)), f"{share:.0%}", _TEXT, font, anchor="rm")
    free_from = -float(text)
    for key in sorted(keys):
        label = str(number(key))
        half = draw.textlength(label, font) / 2
        if x(key) - half >= free_from:
            draw.text((x(key), y(0) + text * 0.5), label, _MARK, font, anchor="mt")
            free_from = x(key) + half + text * 0.5
