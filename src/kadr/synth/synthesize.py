"""Guided synthesis of one image from one style: the simple entry point of the engine."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kadr.options import SynthOptions
from kadr.synth.prepare import prepare
from kadr.synth.types import Guide, StyleSource, Synthesis


def synthesize(
    style: NDArray[np.uint8],
    guides: Sequence[Guide],
    *,
    options: SynthOptions | None = None,
    style_weight: float = 1.0,
    start_nnf: NDArray[np.generic] | None = None,
    modulation: NDArray[np.generic] | None = None,
    target_mask: NDArray[np.bool_] | None = None,
    source_mask: NDArray[np.bool_] | None = None,
    threads: int | None = None,
) -> Synthesis:
    """Paint the guides' targets in the manner of ``style`` (guided PatchMatch, coarse to fine).

    style: (H, W, C) uint8, of the size of the guides' sources; the targets may have another size.
    start_nnf: (H, W, 2) source positions (x, y) to start from. modulation: (H, W, guides), 0–1 or
    uint8. target_mask, source_mask: (H, W) bool, the pixels to synthesize and those to take patches
    from.
    threads: number of threads; the result does not depend on it.

    Raises InputError if shapes do not fit. Sources: Fišer et al. 2016; Jamriška et al. 2019.
    """
    source = StyleSource(style, [guide.source for guide in guides], source_mask)
    prepared = prepare(
        [source],
        [guide.weight for guide in guides],
        options=options,
        style_weight=style_weight,
        threads=threads,
    )
    return prepared.synthesize(
        [guide.target for guide in guides],
        start_nnf=start_nnf,
        modulation=modulation,
        mask=target_mask,
    )
