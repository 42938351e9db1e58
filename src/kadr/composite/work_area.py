"""Which part of the frames passes have to work on: a window of one size, and tiles in each.

Tiles are coarse on purpose: what a pass computes depends on them and on nothing finer, so that a
mask whose edge is touched up, or a feather that is changed, needs no new passes.
"""

from __future__ import annotations

import hashlib
import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
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
_WORTH_FOLLOWING = 0.7
"""A window that follows is used if it is smaller than this part of one that stands still: each of
its moves leaves the border of what was found behind."""
_WORTH_IT = 0.85
"""The largest share of the frame for which a window saves more than it costs in context."""


@dataclass(frozen=True)
class WorkArea:
    """Where passes work.

    size: (width, height) of frames. window: x, y, width and height of the part of frames that is
    worked on. tile: side of a tile in pixels. tiles: by frame, its packed tiles, or those of all
    frames under EVERY; frames without any need the whole window.
    corners: by frame, x and y of its window if that lies elsewhere: it follows what is styled.
    """

    size: Size
    window: tuple[int, int, int, int]
    tile: int
    tiles: Mapping[int, str] = field(default_factory=dict)
    corners: Mapping[int, tuple[int, int]] = field(default_factory=dict)

    def window_of(self, index: int) -> tuple[int, int, int, int]:
        """x, y, width and height of the window of a frame."""
        x, y = self.corners.get(index, self.window[:2])
        return x, y, *self.window[2:]

    def without_tiles(self) -> WorkArea:
        """Only the windows."""
        return replace(self, tiles={})

    def part(self, indices: Iterable[int]) -> WorkArea:
        """The same for some frames, to be sent to a task."""
        chosen = [*indices, EVERY]
        return replace(
            self,
            tiles={index: self.tiles[index] for index in chosen if index in self.tiles},
            corners={index: self.corners[index] for index in chosen if index in self.corners},
        )

    def to_values(self) -> dict[str, Any]:
        """Itself as plain values."""
        return {
            "size": self.size,
            "window": self.window,
            "tile": self.tile,
            "tiles": tuple(sorted(self.tiles.items())),
            "corners": tuple(sorted(self.corners.items())),
        }

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """Read what ``to_values`` made."""
        size, window = tuple(values["size"]), tuple(values["window"])
        corners = {index: (x, y) for index, (x, y) in values["corners"]}
        return cls(size, window, values["tile"], dict(values["tiles"]), corners)

    @property
    def digest(self) -> str:
        """A hash of all that the passes of a clip have in common: not of tiles and corners."""
        place = () if self.corners else self.window[:2]
        parts = (self.size, place, self.window[2:], self.tile)
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]

    def digests(self, frames: Iterable[int], length: int) -> tuple[str, ...]:
        """A hash for each ``length`` frames, of the tiles and corners of these and all before them.

        A pass that makes the frames in this order depends on its frames up to each, and no others.
        """
        digest, digests = hashlib.sha256(), list[str]()
        for count, index in enumerate(frames):
            if count and count % length == 0:
                digests.append(digest.hexdigest()[:16])
            digest.update(self._frame_bytes(index))
        return (*digests, digest.hexdigest()[:16])

    def _frame_bytes(self, index: int) -> bytes:
        """What a frame's part of a pass depends on, of a length that follows from the area."""
        x, y, *_ = self.window_of(index)
        packed = self.tiles.get(index, self.tiles.get(EVERY))
        rows, columns = grid_shape(self.size, self.tile)
        # of the tiles themselves: another zlib packs them into another text
        tiles = (
            np.zeros((rows, columns), np.bool_)
            if packed is None
            else _unpack_tiles(packed, (rows, columns))
        )
        return f"{x},{y},{packed is None}:".encode() + np.packbits(tiles).tobytes()

    @property
    def is_whole(self) -> bool:
        """Whether the window is the whole frame."""
        return self.window == (0, 0, *self.size)

    def crop(self, image: NDArray[Pixel], index: int) -> NDArray[Pixel]:
        """The window of a frame's image of full size, (H, W) or (H, W, C), contiguous."""
        if self.is_whole:
            return image
        x, y, width, height = self.window_of(index)
        return np.ascontiguousarray(image[y : y + height, x : x + width])

    def needed(self, index: int, size: Size) -> NDArray[np.bool_] | None:
        """(h, w) bool, what of the window at ``size`` (width, height) a frame needs; None: all."""
        packed = self.tiles.get(index, self.tiles.get(EVERY))
        if packed is None:
            return None
        tiles = _unpack_tiles(packed, grid_shape(self.size, self.tile))
        x, y, width, height = self.window_of(index)
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
    """Tiles as text; a hundred times shorter than they are many, as masks are simple shapes."""
    return b64encode(zlib.compress(np.packbits(tiles).tobytes())).decode()


def _unpack_tiles(packed: str, shape: tuple[int, int]) -> NDArray[np.bool_]:
    bits = np.frombuffer(zlib.decompress(b64decode(packed)), np.uint8)
    return np.unpackbits(bits, count=shape[0] * shape[1]).reshape(shape).astype(np.bool_)


def make_work_area(
    size: Size, tile: int, tiles: Mapping[int, str], *, follow: bool = False
) -> WorkArea:
    """The work area of frames from the tiles of each, as ``touched_tiles`` and ``pack_tiles`` give.

    The window has room for the tiles of all frames; or, with ``follow``, is as large as the largest
    of them needs and goes where they are, if that is much smaller. A key is then seen only through
    the window of its own frame.
    """
    shape = grid_shape(size, tile)
    unpacked = {index: _unpack_tiles(packed, shape) for index, packed in sorted(tiles.items())}
    boxes = {index: _box(touched) for index, touched in unpacked.items() if touched.any()}
    whole = WorkArea(size, (0, 0, *size), tile, dict(tiles))
    if not boxes:
        return whole
    edges = np.array(list(boxes.values()))
    left, top = edges[:, 0].min(), edges[:, 1].min()
    union = (int(edges[:, 2].max() - left), int(edges[:, 3].max() - top))
    # it moves by two tiles at a time: one more than the largest box has room for that
    moving = tuple(int(side) + 1 for side in (edges[:, 2:] - edges[:, :2]).max(axis=0))
    follows = follow and moving[0] * moving[1] < _WORTH_FOLLOWING * union[0] * union[1]
    sides = moving if follows else union
    width, height = (min(all_, side * tile) for all_, side in zip(size, sides, strict=True))
    if width * height > _WORTH_IT * size[0] * size[1]:
        return whole
    if not follows:
        corner = _corner((left, top), (width, height), size, tile)
        return replace(whole, window=(*corner, width, height))
    first = next(iter(boxes.values()))
    corners: dict[int, tuple[int, int]] = {}
    for index in unpacked:
        first = boxes.get(index, first)  # a frame without any stays where the one before was
        aligned = (first[0] // 2 * 2, first[1] // 2 * 2)
        corners[index] = _corner(aligned, (width, height), size, tile)
    return replace(whole, window=(*corners[min(corners)], width, height), corners=corners)


def _box(tiles: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the tiles, the latter exclusive."""
    down, across = np.flatnonzero(tiles.any(axis=1)), np.flatnonzero(tiles.any(axis=0))
    return int(across[0]), int(down[0]), int(across[-1]) + 1, int(down[-1]) + 1


def _corner(tiles: tuple[int, int], window: Size, size: Size, tile: int) -> tuple[int, int]:
    """x and y of a window that begins at a tile, or before it so that it fits into the frame."""
    x, y = (
        min(int(start) * tile, all_ - side)
        for start, side, all_ in zip(tiles, window, size, strict=True)
    )
    return x, y
