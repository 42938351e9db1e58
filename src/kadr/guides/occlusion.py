"""Find the pixels that have no match in the neighbour frame, from flow in both directions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kadr.core.row_bands import run_bands
from kadr.core.warp import Field
from kadr.guides.kernels import occlusion_rows

RELATIVE, ABSOLUTE = 0.01, 0.5
"""Disagreement of the flows that is none yet: see ``find_occlusion``."""


def find_occlusion(
    flow: Field, reverse: Field, *, relative: float = RELATIVE, absolute: float = ABSOLUTE
) -> NDArray[np.bool_]:
    """True where forward and backward flow disagree (Sundaram et al. 2010), or leave the frame.

    |f + r|² > relative · (|f|² + |r|²) + absolute, all in pixels, r sampled at p + f[p].
    """
    occlusion = np.empty(flow.shape[:2], np.bool_)
    run_bands(
        lambda start, stop: occlusion_rows(
            flow, reverse, occlusion, relative, absolute, start, stop
        ),
        flow.shape[0],
        band=64,
    )
    return occlusion
