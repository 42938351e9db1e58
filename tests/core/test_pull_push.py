"""Filling by pull-push."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kadr.core.pull_push import pull_push


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 1000))
def test_values_stay_where_they_hold_and_others_lie_between_them(
    height: int, width: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    values = rng.uniform(-5, 5, (height, width, 2)).astype(np.float32)
    weight = (rng.uniform(size=(height, width)) < 0.3).astype(np.float32)
    weight[rng.integers(height), rng.integers(width)] = 1
    filled = pull_push(values * weight[..., None], weight)
    held = weight == 1
    assert np.allclose(filled[held], values[held], atol=1e-5)
    assert (filled >= values[held].min(axis=0) - 1e-3).all()
    assert (filled <= values[held].max(axis=0) + 1e-3).all()
