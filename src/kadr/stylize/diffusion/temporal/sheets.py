"""Several images of one size in, one sheet with all of them side by side out; and back again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kadr.core.frames import Image
from kadr.stylize.diffusion.sampling.noise import NoiseSource


def sheet_shape(count: int, size: tuple[int, int]) -> tuple[int, int]:
    """(columns, rows) for ``count`` images of ``size`` (width, height).

    The sheet is as square as possible, with few free positions.
    """
    shapes = [(columns, math.ceil(count / columns)) for columns in range(1, count + 1)]

    def cost(shape: tuple[int, int]) -> tuple[float, int]:
        columns, rows = shape
        aspect = abs(math.log(columns * size[0] / (rows * size[1])))
        return round(aspect + (columns * rows - count) / count, 6), columns

    return min(shapes, key=cost)


def assemble_sheet(images: Sequence[Any], columns: int, rows: int) -> Any:
    """(rows * h, columns * w, …) of (h, w, …) images row by row; the last fills free positions."""
    filled = [*images, *[images[-1]] * (columns * rows - len(images))]
    lines = [np.concatenate(filled[row * columns : (row + 1) * columns], 1) for row in range(rows)]
    return np.concatenate(lines)


def split_sheet(sheet: Image, columns: int, rows: int, count: int) -> list[Image]:
    """The first ``count`` images of a sheet."""
    height, width = sheet.shape[0] // rows, sheet.shape[1] // columns
    return [
        np.ascontiguousarray(
            sheet[row * height : (row + 1) * height, column * width : (column + 1) * width]
        )
        for row, column in (divmod(index, columns) for index in range(count))
    ]


class SheetNoise:
    """The noise of one image, repeated at every position of a sheet, so that images look alike."""

    def __init__(self, source: NoiseSource, columns: int, rows: int) -> None:
        self._source, self._columns, self._rows = source, columns, rows

    def draw(self) -> Tensor:
        """The next (B, C, rows * h, columns * w) of a source's (B, C, rows * h, columns * w)."""
        drawn = self._source.draw()
        height, width = drawn.shape[-2] // self._rows, drawn.shape[-1] // self._columns
        return torch.tile(drawn[..., :height, :width], (1, 1, self._rows, self._columns))
