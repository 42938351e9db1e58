"""Refine the matches of a pass on a larger image of its key and of the frame.

Matches are whole pixels of the work size: several pixels of a large clip. Patches that vote there
with such steps between them blur, and strokes jump by a step from frame to frame.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kadr.core.row_bands import run_bands
from kadr.core.warp import Field
from kadr.finish.fields import FrameFields, near_votes
from kadr.finish.refine_kernels import refine_rows

_REFINED = 0.73
"""Sureness above which what is voted weighs too little to be refined."""


def refine_matches(
    fields: FrameFields,
    key_gray: NDArray[np.uint8],
    frame_gray: NDArray[np.uint8],
    *,
    threads: int | None = None,
) -> Field:
    """The matches of ``fields`` (h, w, 2) where patches vote, to a pixel of the larger images.

    key_gray, frame_gray: (H, W) uint8 of any larger size. Each match may become that of a
    neighbour, or the position of the transport, and then moves by up to a larger pixel.
    """
    # writable and contiguous: to Numba another layout is another type, and kernels compile again
    key_gray, frame_gray = (
        np.require(image, requirements=["C", "W"]) for image in (key_gray, frame_gray)
    )
    matches, positions = (
        np.require(field, requirements=["C", "W"]) for field in (fields.matches, fields.positions)
    )
    needed, refined = near_votes(fields.sure, _REFINED), np.empty_like(fields.matches)
    run_bands(
        lambda start, stop: refine_rows(
            matches, positions, needed, key_gray, frame_gray, refined, start, stop
        ),
        needed.shape[0],
        band=32,
        threads=threads,
    )
    return refined
