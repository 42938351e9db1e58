"""Styled images in, finished frames out: by the matte, and the keys' own alpha, over a background.

The styled image covers the window that passes work on, or the whole frame.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.composite import WorkArea, extend_colours, over
from kadr.core.closing import Closing
from kadr.core.frames import Image
from kadr.render.backdrop import Backdrop, BackdropSource
from kadr.render.matte_reader import MaskSource, MatteReader

VERSION = 1

_KEPT_EDGE = 8
"""Pixels around what is visible whose hidden colours are kept: encoders with reduced or lossy
colours, and programs that scale straight alpha, mix them into the edge."""


@dataclass(frozen=True)
class CompositeWork:
    """How the frames of a run are composited; plain values only.

    size: (width, height) of frames. area: the windows that passes work on; None: whole frames.
    masks: None if only the keys' alpha counts.
    """

    size: tuple[int, int]
    area: WorkArea | None
    backdrop: BackdropSource
    masks: MaskSource | None = None

    def part(self, indices: Sequence[int], keys: Sequence[int]) -> CompositeWork:
        """The same for some frames and the keys that they are made from, to be sent to a task."""
        return replace(
            self,
            area=None if self.area is None else self.area.part([*indices, *keys]),
            masks=None if self.masks is None else self.masks.part(indices),
        )

    def to_values(self) -> dict[str, Any]:
        """Itself as values that a task can have."""
        area = None if self.area is None else self.area.to_values()
        return {**asdict(replace(self, area=None)), "area": area}

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """Read what ``to_values`` made."""
        masks, area = values["masks"], values["area"]
        return cls(
            tuple(values["size"]),
            None if area is None else WorkArea.from_values(area),
            BackdropSource.from_values(values["backdrop"]),
            None if masks is None else MaskSource.from_values(masks),
        )

    def window_of(self, index: int) -> tuple[int, int, int, int]:
        """x, y, width and height of what passes work on in a frame."""
        return (0, 0, *self.size) if self.area is None else self.area.window_of(index)

    def crop(self, image: Image, index: int) -> Image:
        """The window of a frame's image of full size."""
        return image if self.area is None else self.area.crop(image, index)

    def name(self, styled: str, index: int) -> str:
        """The fingerprint of a finished frame from that of its styled image."""
        matte = "" if self.masks is None else self.masks.digest(index)
        parts = (VERSION, styled, self.backdrop.text, self.backdrop.digest, matte)
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


class Compositor(Closing):
    """Composites the frames of a run; for one thread at a time."""

    def __init__(self, work: CompositeWork) -> None:
        self._work = work
        self._backdrop = Backdrop(work.backdrop, work.size)
        self._mattes = None if work.masks is None else MatteReader(work.masks, cached_bytes=0)

    def finish(self, index: int, styled: Image) -> Image:
        """The finished frame, (H, W, 3 or 4) uint8.

        styled: (h, w, 3 or 4) uint8, straight alpha, of the window or of the whole frame.
        """
        colours, alpha = np.ascontiguousarray(styled[..., :3]), _alpha(styled)
        left, top, width, height = self._work.window_of(index)
        if styled.shape[:2] == self._work.size[::-1]:
            left, top, (width, height) = 0, 0, self._work.size
        part = np.s_[top : top + height, left : left + width]
        if self._mattes is not None:
            alpha = alpha * self._mattes.matte(index)[part]
        behind = self._backdrop.image(index)
        if behind is None:
            finished = np.zeros((*self._work.size[::-1], 4), np.uint8)
            if styled.shape[2] == 4:
                colours = extend_colours(styled)
        else:
            finished = behind.copy()
        finished[part] = over(colours, alpha, None if behind is None else behind[part])
        if behind is None:
            _clear_hidden(finished)
        return finished

    def close(self) -> None:
        """Close the clips that it reads."""
        self._backdrop.close()
        if self._mattes is not None:
            self._mattes.close()


def _alpha(image: Image) -> NDArray[np.float32]:
    """(H, W) float32, 0–1."""
    if image.shape[2] == 3:
        return np.ones(image.shape[:2], np.float32)
    return image[..., 3].astype(np.float32) / np.float32(255)


def _clear_hidden(image: Image) -> None:
    """Make the colours of an RGBA image black where nothing near is visible."""
    side = 2 * _KEPT_EDGE + 1
    near = cv2.dilate(np.ascontiguousarray(image[..., 3]), np.ones((side, side), np.uint8))
    image[near == 0] = 0
