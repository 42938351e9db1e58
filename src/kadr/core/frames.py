"""Frames, frame ranges and spans: the values that the steps of a run exchange."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from kadr.errors import OptionsError

Image = NDArray[np.uint8]
"""(H, W, C) uint8; C is 3 (RGB) or 4 (RGBA, straight alpha)."""

DeepImage = NDArray[np.uint8] | NDArray[np.uint16]
"""The same with 8 or 16 bits a channel."""


def to_8_bits(image: NDArray[np.uint8] | NDArray[np.uint16]) -> Image:
    """uint16 rounded to uint8, uint8 unchanged; any shape."""
    if image.dtype == np.uint16:
        return ((image.astype(np.uint32) + 128) // 257).astype(np.uint8)
    return image.astype(np.uint8, copy=False)


def to_16_bits(image: DeepImage) -> NDArray[np.uint16]:
    """uint8 widened to uint16, uint16 unchanged; any shape."""
    if image.dtype == np.uint8:
        return image.astype(np.uint16) * np.uint16(257)
    return image.astype(np.uint16, copy=False)


@dataclass(frozen=True, eq=False)
class Frame:
    """One image of a clip with its index and time.

    index: 0-based position in the clip, counted in presentation order.
    image: (H, W, C) uint8 or uint16, RGB or RGBA, upright.
    time: presentation time in seconds from the clip's first frame, exact.
    texts: text entries to store in an image file of the frame, by name.
    """

    index: int
    image: NDArray[np.uint8] | NDArray[np.uint16]
    time: Fraction = Fraction(0)
    texts: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shape, dtype = self.image.shape, self.image.dtype
        if len(shape) != 3 or shape[2] not in (3, 4):
            raise ValueError(f"frame {self.index}: expected (H, W, 3 or 4), got {shape}")
        if dtype not in (np.uint8, np.uint16):
            raise ValueError(f"frame {self.index}: expected uint8 or uint16, got {dtype}")

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.image.shape[1], self.image.shape[0]

    @property
    def rgb(self) -> Image:
        """(H, W, 3) uint8: the colours without alpha, 16 bits rounded to 8."""
        return to_8_bits(self.image[..., :3])

    @property
    def channels(self) -> int:
        """3 for RGB, 4 for RGBA."""
        return int(self.image.shape[2])

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """uint8 or uint16."""
        return self.image.dtype


@dataclass(frozen=True, order=True)
class FrameRange:
    """Frames ``[start, stop)``, half-open, as Python's range."""

    start: int
    stop: int

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.stop:
            raise OptionsError(
                f"frame range [{self.start}, {self.stop}): expected 0 <= start < stop"
            )

    def __len__(self) -> int:
        return self.stop - self.start

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.start, self.stop))

    def __contains__(self, index: object) -> bool:
        return isinstance(index, int) and self.start <= index < self.stop


@dataclass(frozen=True, order=True)
class Span:
    """The frames that one keyframe styles: ``[start, stop)`` with ``start <= key < stop``."""

    key: int
    start: int
    stop: int

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.key < self.stop:
            raise OptionsError(
                f"key {self.key}: its range [{self.start}, {self.stop}) must contain the key"
            )

    @property
    def range(self) -> FrameRange:
        """The span's frames."""
        return FrameRange(self.start, self.stop)

    @property
    def forward(self) -> Sequence[int]:
        """The frames after the key, in the order of the forward pass."""
        return range(self.key + 1, self.stop)

    @property
    def backward(self) -> Sequence[int]:
        """The frames before the key, in the order of the backward pass."""
        return range(self.key - 1, self.start - 1, -1)
