"""Flow both ways in, the pixels that have no match in the neighbour out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kadr.guides.warp import Field, warp


def find_occlusion(
    flow: Field, reverse: Field, *, relative: float = 0.01, absolute: float = 0.5
) -> NDArray[np.bool_]:
    """True where going there and back misses the start (Sundaram et al. 2010), or leaves the frame.

    |f + r|² > relative · (|f|² + |r|²) + absolute, all in pixels, r taken where f leads.
    """
    back = warp(reverse, flow)
    miss = np.square(flow + back).sum(axis=2)
    size = np.square(flow).sum(axis=2) + np.square(back).sum(axis=2)
    height, width = flow.shape[:2]
    x = flow[..., 0] + np.arange(width, dtype=np.float32)
    y = flow[..., 1] + np.arange(height, dtype=np.float32)[:, None]
    outside = (x < -0.5) | (y < -0.5) | (x > width - 0.5) | (y > height - 0.5)
    return (miss > relative * size + absolute) | outside
