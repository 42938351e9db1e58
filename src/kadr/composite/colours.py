"""Extend the colours of an RGBA image into its transparent parts.

What lies under alpha 0 is arbitrary: black, white, or what the paint program left there. Any
resampling near the edge would take it in, as a dark or light fringe. Resampling colours that go on
beyond the edge, and alpha beside them, gives what resampling premultiplied colours gives, without
its loss of precision where alpha is low.
"""

from __future__ import annotations

import numpy as np

from kadr.core.frames import Image
from kadr.core.pull_push import pull_push


def extend_colours(image: Image) -> Image:
    """(H, W, 4) uint8 straight alpha → (H, W, 3) uint8; where alpha is 0 the colours around.

    Colours where alpha is not 0 stay as they are; see ``pull_push``.
    """
    colours, alpha = image[..., :3], image[..., 3].astype(np.float32) / np.float32(255)
    hidden = alpha == 0
    if not hidden.any() or hidden.all():
        return np.ascontiguousarray(colours)
    filled = pull_push(colours * alpha[..., None], alpha)
    return np.where(hidden[..., None], np.rint(filled).astype(np.uint8), colours)
