"""The change of each step in; how much larger it is where a key meets its neighbours out."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

_REACH = 12
"""Steps on both sides of a key whose median is what the key is compared with."""
_FLOOR = 0.05
"""Grey levels: a smaller change counts as this much, so that a still clip gives no infinity."""


def key_visibility(changes: Sequence[float | None], keys: Collection[int]) -> dict[int, float]:
    """Change into and out of each key divided by the change elsewhere; 1 is an invisible key.

    changes: of each frame since the one before, in grey levels; None where nothing was measured.
    keys: positions in it. Elsewhere is the median of the steps within 12 of the key that touch no
    key; a key without such steps is left out.
    """
    touching = {step for key in keys for step in (key, key + 1)}
    visibility = {}
    for key in sorted(keys):
        own = [_change(changes, step) for step in (key, key + 1)]
        elsewhere = [
            _change(changes, step)
            for step in range(key - _REACH, key + _REACH + 2)
            if step not in touching
        ]
        at_key = [change for change in own if change is not None]
        around = [change for change in elsewhere if change is not None]
        if at_key and around:
            visibility[key] = max(float(np.mean(at_key)), _FLOOR) / max(
                float(np.median(around)), _FLOOR
            )
    return visibility


def _change(changes: Sequence[float | None], step: int) -> float | None:
    return changes[step] if 0 <= step < len(changes) else None
