"""Steps of output and input in; the step that stands out most out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_FLOOR = 0.05
"""Grey levels: a smaller step counts as this much, so that a still clip gives no infinity."""


def relative_steps(
    steps: Sequence[float | None], input_steps: Sequence[float | None]
) -> list[float | None]:
    """Step of the output over that of the input, divided by the median of these ratios.

    steps: mean change from frame to frame in grey levels; None where nothing was measured.
    """
    ratios = [
        None if a is None or b is None else max(a, _FLOOR) / max(b, _FLOOR)
        for a, b in zip(steps, input_steps, strict=True)
    ]
    measured = [ratio for ratio in ratios if ratio is not None]
    median = float(np.median(measured)) if measured else 1.0
    return [None if ratio is None else ratio / median for ratio in ratios]
