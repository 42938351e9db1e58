"""A frame as passes need it: cropped to what is worked on, and reduced to the work size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from kadr.composite import WorkArea
from kadr.core.frames import Frame
from kadr.core.resize import shrink_to_side
from kadr.guides.flow import gray
from kadr.options import PropagateOptions

_REGISTERED = 2
"""Transport and matches are corrected at so many times the work size."""

Gray = NDArray[np.uint8]
Pixel = TypeVar("Pixel", bound=np.generic)


@dataclass(frozen=True, eq=False)
class WorkFrame:
    """A frame at the work size.

    reduced: (h, w, 3) uint8. registered: (H, W) uint8, gray, larger, on which transport and matches
    are corrected; None if the frame has its full size already. full: the frame itself, where it
    was decoded.
    """

    reduced: Frame
    registered: Gray | None
    full: Frame | None = None

    @property
    def index(self) -> int:
        """The frame's index in the clip."""
        return self.reduced.index


class FrameReducer:
    """Crops and reduces the frames of a clip."""

    def __init__(
        self, size: tuple[int, int], options: PropagateOptions, area: WorkArea | None = None
    ) -> None:
        """size: (width, height) of the clip. area: what of its frames is worked on."""
        self.size, self.area = size, area
        self.side = options.pass_side(max(size))
        """The longest side of whole frames at the work size."""
        self._scale = self.side / max(size)
        self.is_reduced = self._scale < 1
        """Whether frames get smaller."""
        cropped = size if area is None else area.window[2:]
        self._cropped_side = max(1, round(max(cropped) * self._scale))

    def make(self, frame: Frame) -> WorkFrame:
        """A decoded frame at the work size."""
        image = self.crop(frame.rgb, frame.index)
        reduced = Frame(frame.index, self.shrink(image), frame.time)
        return WorkFrame(reduced, self._registered(image), frame)

    def crop(self, image: NDArray[Pixel], index: int) -> NDArray[Pixel]:
        """What of an image of the clip's size is worked on in a frame."""
        return image if self.area is None else self.area.crop(image, index)

    def shrink(self, image: NDArray[Pixel]) -> NDArray[Pixel]:
        """A cropped image at the work size."""
        return shrink_to_side(image, self._cropped_side)

    def _registered(self, image: NDArray[np.uint8]) -> Gray | None:
        if not self.is_reduced:
            return None
        return gray(shrink_to_side(image, _REGISTERED * self._cropped_side))
