"""Which part of the frames passes have to work on: a window for all of them, tiles in each.

Tiles are coarse on purpose: what a pass computes depends on them and on nothing finer, so that a
mask whose edge is touched up, or a feather that is changed, needs no new passes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

Size = tuple[int, int]
"""(width, height)"""

EVERY = -1
"""Stands for all frames where one mask is for all of them."""

Pixel = TypeVar("Pixel", bound=np.generic)

_CELLS = 4
"""Cells along the side of a tile: the margin around a mask is a number of cells."""
_WORTH_IT = 0.85
"""The largest share of the frame for which a window saves more than it costs in context."""


@dataclass(frozen=True)
class WorkArea:
    """Where passes work.

    size: (width, height) of frames. window: x, y, width and height of the part of all frames that
    is worked on. tile: side of a tile in pixels. tiles: by frame, the bits of its tiles row by row
    in hexadecimal digits, or of all frames under EVERY; frames without any need the whole window.
    """

    size: Size
    window: tuple[int, int, int, int]
    tile: int
    tiles: Mapping[int, str] = field(default_factory=dict)

    def part(self, indices: Iterable[int]) -> WorkArea:
        """The same for some frames, to be sent to a task."""
        tiles = {index: self.tiles[index] for index in (*indices, EVERY) if index in self.tiles}
        return WorkArea(self.size, self.window, self.tile, tiles)

    def to_values(self) -> dict[str, Any]:
        """Itself as plain values."""
        return {
            "size": self.size,
            "window": self.window,
            "tile": self.tile,
            "tiles": tuple(sorted(self.tiles.items())),
        }

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """Read what ``to_values`` made."""
        size, window = tuple(values["size"]), tuple(values["window"])
        return cls(size, window, values["tile"], dict(values["tiles"]))

    @cached_property
    def digest(self) -> str:
        """A hash of all that passes depend on."""
        text = repr((self.size, self.window, self.tile, sorted(self.tiles.items())))
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    @property
    def is_whole(self) -> bool:
        """Whether the window is the whole frame."""
        return self.window == (0, 0, *self.size)

    def crop(self, image: NDArray[Pixel]) -> NDArray[Pixel]:
        """The window of an image of the frames' size, (H, W) or (H, W, C), contiguous."""
        if self.is_whole:
            return image
        x, y, width, height = self.window
        return np.ascontiguousarray(image[y : y + height, x : x + width])

    def needed(self, index: int, size: Size) -> NDArray[np.bool_] | None:
        """(h, w) bool, what of the window at ``size`` (width, height) a frame needs; None: all."""
        packed = self.tiles.get(index, self.tiles.get(EVERY))
        if packed is None:
            return None
        tiles = _unpack_tiles(packed, grid_shape(self.size, self.tile))
        x, y, width, height = self.window
        across = (x + (np.arange(size[0]) + 0.5) * width / size[0]).astype(np.intp) // self.tile
        down = (y + (np.arange(size[1]) + 0.5) * height / size[1]).astype(np.intp) // self.tile
        needed: NDArray[np.bool_] = tiles[down[:, None], across[None, :]]
        return needed


def grid_shape(size: Size, tile: int) -> tuple[int, int]:
    """Rows and columns of tiles that cover a frame."""
    return -(-size[1] // tile), -(-size[0] // tile)


def touched_tiles(is_set: NDArray[np.bool_], tile: int, reach: int) -> NDArray[np.bool_]:
    """(rows, columns) bool: the tiles that what is set touches, with a margin around it.

    is_set: (H, W). reach: pixels by which a matte may extend beyond it.
    """
    height, width = is_set.shape
    cell = max(1, tile // _CELLS)
    rows, columns = grid_shape((width, height), tile)
    cell_rows, cell_columns = grid_shape((width, height), cell)
    padded = np.zeros((cell_rows * cell, cell_columns * cell), np.float32)
    padded[:height, :width] = is_set
    mean = cv2.resize(padded, (cell_columns, cell_rows), interpolation=cv2.INTER_AREA)
    cells = (mean > 0).astype(np.uint8)
    radius = margin_cells(reach, tile)
    side = 2 * radius + 1
    grown = cv2.dilate(cells, np.ones((side, side), np.uint8))
    tiles = np.zeros((rows, columns), np.bool_)
    down, across = np.nonzero(grown)
    down, across = np.minimum(down * cell // tile, rows - 1), across * cell // tile
    tiles[down, np.minimum(across, columns - 1)] = True
    return tiles


def margin_cells(reach: int, tile: int) -> int:
    """The margin around what is set, in cells: at least a cell more than the reach of the matte.

    It grows in steps of a tile, so most changes of the feather need no new passes.
    """
    return _CELLS // 2 + _CELLS * max(0, -(-(_CELLS * reach - tile) // (_CELLS * tile)))


def pack_tiles(tiles: NDArray[np.bool_]) -> str:
    """The bits of tiles as hexadecimal digits."""
    return np.packbits(tiles).tobytes().hex()


def _unpack_tiles(packed: str, shape: tuple[int, int]) -> NDArray[np.bool_]:
    bits = np.frombuffer(bytes.fromhex(packed), np.uint8)
    return np.unpackbits(bits, count=shape[0] * shape[1]).reshape(shape).astype(np.bool_)


def make_work_area(size: Size, tile: int, tiles: Mapping[int, str]) -> WorkArea:
    """The work area of frames from the tiles of each, as ``touched_tiles`` and ``pack_tiles`` give.

    The window has room for the tiles of all frames.
    """
    shape = grid_shape(size, tile)
    union = np.zeros(shape, np.bool_)
    for packed in tiles.values():
        union |= _unpack_tiles(packed, shape)
    whole = (0, 0, *size)
    window = _window(union, size, tile) if union.any() else whole
    if window[2] * window[3] > _WORTH_IT * size[0] * size[1]:
        window = whole
    return WorkArea(size, window, tile, dict(tiles))


def _window(union: NDArray[np.bool_], size: Size, tile: int) -> tuple[int, int, int, int]:
    """The box of all tiles; their own margin shows the motion around what is styled."""
    down, across = np.flatnonzero(union.any(axis=1)), np.flatnonzero(union.any(axis=0))
    left, top = int(across[0]) * tile, int(down[0]) * tile
    right = min(size[0], (int(across[-1]) + 1) * tile)
    bottom = min(size[1], (int(down[-1]) + 1) * tile)
    return left, top, right - left, bottom - top
