"""Guide channels: signed edges, and positions finer than a tenth of a pixel."""

from __future__ import annotations

import numpy as np
import pytest

from kadr.guides.channels import edge_guide, position_guide
from kadr.guides.transport import identity
from scenes import texture


def test_flat_areas_are_in_the_middle() -> None:
    edges = edge_guide(np.full((20, 30, 3), 200, np.uint8))
    assert (edges.dtype, edges.shape) == (np.float32, (20, 30, 1))
    assert np.abs(edges - 128).max() < 0.01


def test_both_sides_of_an_edge_stay() -> None:
    image = np.full((40, 60, 3), 60, np.uint8)
    image[:, 30:] = 160
    edges = edge_guide(image)[20, :, 0]
    dark, light = edges[29] - 128, edges[30] - 128
    assert dark < -20
    assert light > 20
    assert abs(dark + light) < 1  # neither side is cut
    assert abs(edges[5] - 128) < 0.5


def test_a_thin_line_and_its_negative_are_opposite() -> None:
    image = np.full((40, 60, 3), 128, np.uint8)
    image[:, 30] = 200
    negative = (256 - image.astype(int)).astype(np.uint8)
    assert np.allclose(edge_guide(image) + edge_guide(negative), 256, atol=1e-3)


@pytest.mark.parametrize("value", [0, 255])
def test_alpha_is_no_edge(value: int) -> None:
    image = texture(20, 30)
    alpha = np.zeros((20, 30, 1), np.uint8)
    alpha[5:9] = value
    assert np.array_equal(edge_guide(np.concatenate([image, alpha], axis=2)), edge_guide(image))


def test_the_longer_side_spans_the_scale() -> None:
    guide = position_guide(identity(50, 100), 100)
    assert (guide.dtype, guide.shape) == (np.float32, (50, 100, 2))
    assert guide[0, 0].tolist() == [0, 0]
    assert guide[-1, -1] == pytest.approx([255 * 0.99, 255 * 0.49])


def test_both_axes_have_one_scale() -> None:
    guide = position_guide(identity(50, 100), 100)
    assert np.allclose(np.diff(guide[..., 0], axis=1), 2.55, atol=1e-3)
    assert np.allclose(np.diff(guide[..., 1], axis=0), 2.55, atol=1e-3)


def test_a_hundredth_of_a_pixel_is_resolved_in_a_large_frame() -> None:
    position = np.float32([[[3000.00, 2000]]])
    shifted = np.float32([[[3000.01, 2000]]])
    size = (2160, 3840)
    step = position_guide(shifted, max(size)) - position_guide(position, max(size))
    assert step[0, 0, 0] == pytest.approx(0.01 * 255 / 3840, rel=0.1)
