"""The size at which errors and flow of pass frames are stored."""

from __future__ import annotations

import pytest

from kadr.render.pass_frame import small_size


@pytest.mark.parametrize(
    ("shape", "side", "expected"),
    [
        ((540, 960), 960, (240, 135)),
        ((448, 432), 960, (108, 112)),
        ((100, 200), 200, (200, 100)),
        ((8, 8), 960, (2, 2)),
        ((1, 3), 960, (1, 1)),
    ],
)
def test_a_window_is_reduced_as_the_whole_frame_is(
    shape: tuple[int, int], side: int, expected: tuple[int, int]
) -> None:
    assert small_size(shape, side) == expected
