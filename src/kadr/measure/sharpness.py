"""A gray image in; how much fine detail it holds out."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def laplacian_deviation(image: NDArray[np.uint8]) -> float:
    """Standard deviation of the Laplacian of a (H, W) gray image, in grey levels.

    Blur lowers it; sharpening and noise raise it.
    """
    return float(cv2.Laplacian(image.astype(np.float32), cv2.CV_32F).std())
