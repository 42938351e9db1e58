"""Enlarging planes row by row: as OpenCV enlarges them whole, whichever rows are asked for."""

from __future__ import annotations

import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kadr.core.enlarge import enlarge_rows


@given(
    seed=st.integers(0, 999),
    small=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    factors=st.tuples(st.floats(1, 6), st.floats(1, 6)),
    cut=st.floats(0, 1),
)
def test_rows_are_those_of_the_enlarged_plane(
    seed: int, small: tuple[int, int], factors: tuple[float, float], cut: float
) -> None:
    planes = np.random.default_rng(seed).random((2, *small)).astype(np.float32)
    height, width = (max(1, round(s * factor)) for s, factor in zip(small, factors, strict=True))
    middle = round(cut * height)
    top, bottom = (
        enlarge_rows(planes, (width, height), start, stop)
        for start, stop in ((0, middle), (middle, height))
    )
    enlarged = np.concatenate([top, bottom], axis=1)
    assert np.array_equal(enlarged, enlarge_rows(planes, (width, height), 0, height))
    for plane, result in zip(planes, enlarged, strict=True):
        expected = cv2.resize(plane, (width, height), interpolation=cv2.INTER_LINEAR)
        assert np.abs(result - expected.reshape(height, width)).max() < 1e-3
