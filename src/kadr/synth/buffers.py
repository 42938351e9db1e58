"""Large arrays that are used again for the next frame.

The system hands out fresh memory page by page, which takes longer than to clear it.
"""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray

_MOST_SPARE = 4
"""Arrays that are kept: the features and the modulation of a frame, of two threads."""


class Buffers:
    """Hands out int16 arrays of zeros and takes them back; safe to use from several threads."""

    def __init__(self) -> None:
        self._spare: list[NDArray[np.int16]] = []
        self._lock = threading.Lock()

    def take(self, shape: tuple[int, ...]) -> NDArray[np.int16]:
        """An array of zeros."""
        with self._lock:
            for index, array in enumerate(self._spare):
                if array.shape == shape:
                    del self._spare[index]
                    break
            else:
                return np.zeros(shape, np.int16)
        array.fill(0)
        return array

    def give(self, array: NDArray[np.int16]) -> None:
        """Take back an array that nobody uses any more."""
        with self._lock:
            self._spare = [*self._spare, array][-_MOST_SPARE:]
