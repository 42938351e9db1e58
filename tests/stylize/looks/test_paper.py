"""Grain of paper: the same for a seed, of the same size in every frame."""

from __future__ import annotations

import numpy as np
import pytest

from kadr.stylize.looks.paper import paper_grain, smooth_noise


@pytest.mark.parametrize("scale", [0.2, 1.0, 4.0])
def test_grain_has_mean_0_and_spread_1(scale: float) -> None:
    grain = paper_grain((200, 300), scale, 3)
    assert abs(grain.mean()) < 0.35
    assert grain.std() == pytest.approx(1, abs=0.01)


def test_grain_follows_the_seed_and_cannot_be_written_to() -> None:
    grain = paper_grain((40, 50), 1.0, 3)
    paper_grain.cache_clear()
    np.testing.assert_array_equal(grain, paper_grain((40, 50), 1.0, 3))
    assert not np.array_equal(grain, paper_grain((40, 50), 1.0, 4))
    with pytest.raises(ValueError, match="read-only"):
        grain[0, 0] = 1


@pytest.mark.parametrize("cell", [1.0, 3.7, 20.0])
def test_hills_of_noise_are_a_cell_wide(cell: float) -> None:
    noise = smooth_noise((300, 300), cell, 1)
    assert noise.std() == pytest.approx(1, abs=0.25)
    near, far = max(1, round(0.2 * cell)), round(2.5 * cell)
    alike = [float((noise[:, n:] * noise[:, :-n]).mean() / noise.var()) for n in (near, far)]
    assert abs(alike[1]) < 0.2
    if cell > 2:
        assert alike[0] > 0.8


def test_noise_of_any_size() -> None:
    for size in ((1, 1), (1, 90), (7, 2)):
        assert smooth_noise(size, 40.0, 0).shape == size
