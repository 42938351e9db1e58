"""Images on one sheet and back; the same noise at every position of the sheet."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kadr.stylize.diffusion.sampling.noise import create_noise
from kadr.stylize.diffusion.temporal.model_input import ModelInput, create_sheet
from kadr.stylize.diffusion.temporal.sheets import (
    SheetNoise,
    assemble_sheet,
    sheet_shape,
    split_sheet,
)


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
def test_splitting_a_sheet_returns_its_images(count: int, width: int, height: int) -> None:
    columns, rows = sheet_shape(count, (width, height))
    assert count <= columns * rows < 2 * count + 1
    images = [np.full((height, width, 3), place, np.uint8) for place in range(count)]
    sheet = assemble_sheet(images, columns, rows)
    assert sheet.shape == (height * rows, width * columns, 3)
    for image, part in zip(images, split_sheet(sheet, columns, rows, count), strict=True):
        np.testing.assert_array_equal(image, part)


def test_an_anchor_has_the_first_place_and_may_not_change() -> None:
    anchor = np.full((16, 24, 3), 9, np.uint8)
    mask = np.full((16, 24), 77, np.uint8)
    inputs = [
        ModelInput(
            (4,), np.full((16, 24, 3), 1, np.uint8), None, 5, (np.full((16, 24, 3), 2, np.uint8),)
        ),
        ModelInput(
            (8,), np.full((16, 24, 3), 3, np.uint8), mask, 6, (np.full((16, 24, 3), 4, np.uint8),)
        ),
    ]
    sheet = create_sheet(inputs, anchor)
    sheet_input = sheet.model_input
    assert sheet_input.indices == (4, 8)
    assert sheet_input.seed == 5
    assert sheet_input.mask is not None
    assert [int(sheet_input.mask[0, x]) for x in (0,)] == [0]
    assert set(np.unique(sheet_input.mask)) == {0, 77, 255}
    assert [int(part[0, 0, 0]) for part in sheet.split(sheet_input.image)] == [1, 3]
    assert [int(part[0, 0, 0]) for part in sheet.split(sheet_input.controls[0])] == [2, 4]
    assert create_sheet(inputs[:1], None).model_input.mask is None


def test_noise_is_the_same_at_every_position() -> None:
    noise = SheetNoise(create_noise("cpu", [3], (4, 6, 8)), columns=2, rows=3)
    first, second = noise.draw(), noise.draw()
    assert first.shape == (1, 4, 6, 8)
    assert not torch.equal(first, second)
    part = first[..., :2, :4]
    for row in range(3):
        for column in range(2):
            there = first[..., 2 * row : 2 * row + 2, 4 * column : 4 * column + 4]
            assert torch.equal(there, part)
