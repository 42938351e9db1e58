"""Optical flow between two frames in both directions, as estimated, in 16 bits.

Both passes that cover two neighbouring frames need both directions, so it is computed once and
stored. It is always rounded to what is stored, so that a pass gives the same bytes either way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.warp import Field

_UNITS = 128
"""Units in a pixel: a rounding error is a hundredth of the noise of the flow."""
_ZERO = 1 << 15


@dataclass(frozen=True, eq=False)
class TwoWayFlow:
    """Flow between frames a and b: ``forward`` a→b, ``backward`` b→a, (h, w, 2) float32.

    The size and the pixels are those of the frames as reduced for the estimate.
    """

    forward: Field
    backward: Field

    @property
    def reversed(self) -> TwoWayFlow:
        """The same for b and a."""
        return TwoWayFlow(self.backward, self.forward)

    def pack(self) -> NDArray[np.uint16]:
        """(4h, w) uint16 planes, which image formats compress well: x and y of each direction.

        Rounded to 1/128 of a pixel and clipped to ±256 pixels, 512 of a frame of 1280.
        """
        stacked = np.concatenate([*cv2.split(self.forward), *cv2.split(self.backward)])
        # saturates, and rounds to the nearest unit
        packed: NDArray[np.uint16] = cv2.addWeighted(
            stacked, _UNITS, stacked, 0, _ZERO, dtype=cv2.CV_16U
        )
        return packed

    @classmethod
    def unpack(cls, packed: NDArray[np.uint16], shape: tuple[int, ...]) -> Self:
        """The flow of ``pack``, of frames reduced to ``shape`` (h, w).

        Raises ValueError if the array is not that of such a flow.
        """
        height, width = shape
        if packed.shape != (4 * height, width) or packed.dtype != np.uint16:
            raise ValueError(f"not the flow of frames reduced to {width}×{height} pixels")
        planes = packed.astype(np.float32).reshape(4, height, width)
        planes -= np.float32(_ZERO)
        planes /= np.float32(_UNITS)
        return cls(cv2.merge([planes[0], planes[1]]), cv2.merge([planes[2], planes[3]]))

    def rounded(self) -> TwoWayFlow:
        """The flow as it is after storing it."""
        return self.unpack(self.pack(), self.forward.shape[:2])
