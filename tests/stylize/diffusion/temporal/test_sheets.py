"""Pictures laid on one sheet and cut out of it again; the same noise in every place."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kadr.stylize.diffusion.sampling.noise import create_noise
from kadr.stylize.diffusion.temporal.model_input import ModelInput, sheet_of
from kadr.stylize.diffusion.temporal.sheets import SheetNoise, cut_sheet, lay_sheet, sheet_shape


@pytest.mark.parametrize(
    ("count", "size", "shape"),
    [
        (4, (512, 512), (2, 2)),
        (9, (512, 512), (3, 3)),
        (2, (768, 432), (1, 2)),
        (2, (432, 768), (2, 1)),
        (6, (512, 512), (2, 3)),
        (1, (64, 64), (1, 1)),
    ],
)
def test_sheets_are_square_and_full(count: int, size, shape) -> None:
    assert sheet_shape(count, size) == shape


@given(count=st.integers(1, 20), width=st.integers(1, 5), height=st.integers(1, 5))
def test_cut_gives_back_what_was_laid(count: int, width: int, height: int) -> None:
    columns, rows = sheet_shape(count, (width, height))
    assert count <= columns * rows < 2 * count + 1
    pictures = [np.full((height, width, 3), place, np.uint8) for place in range(count)]
    sheet = lay_sheet(pictures, columns, rows)
    assert sheet.shape == (height * rows, width * columns, 3)
    for picture, piece in zip(pictures, cut_sheet(sheet, columns, rows, count), strict=True):
        np.testing.assert_array_equal(picture, piece)


def test_an_anchor_has_the_first_place_and_may_not_change() -> None:
    anchor = np.full((16, 24, 3), 9, np.uint8)
    mask = np.full((16, 24), 77, np.uint8)
    plates = [
        ModelInput(
            (4,), np.full((16, 24, 3), 1, np.uint8), None, 5, (np.full((16, 24, 3), 2, np.uint8),)
        ),
        ModelInput(
            (8,), np.full((16, 24, 3), 3, np.uint8), mask, 6, (np.full((16, 24, 3), 4, np.uint8),)
        ),
    ]
    sheet = sheet_of(plates, anchor)
    made = sheet.plate
    assert made.indices == (4, 8)
    assert made.seed == 5
    assert made.mask is not None
    assert [int(made.mask[0, x]) for x in (0,)] == [0]
    assert set(np.unique(made.mask)) == {0, 77, 255}
    assert [int(piece[0, 0, 0]) for piece in sheet.cut(made.picture)] == [1, 3]
    assert [int(piece[0, 0, 0]) for piece in sheet.cut(made.hints[0])] == [2, 4]
    assert sheet_of(plates[:1], None).plate.mask is None


def test_noise_is_the_same_in_every_place() -> None:
    noise = SheetNoise(create_noise("cpu", [3], (4, 6, 8)), columns=2, rows=3)
    first, second = noise.draw(), noise.draw()
    assert first.shape == (1, 4, 6, 8)
    assert not torch.equal(first, second)
    piece = first[..., :2, :4]
    for row in range(3):
        for column in range(2):
            there = first[..., 2 * row : 2 * row + 2, 4 * column : 4 * column + 4]
            assert torch.equal(there, piece)
