"""Occlusion: on the side that will be covered, and outside the frame."""

from __future__ import annotations

import numpy as np
import pytest

from kadr.guides.flow import flow_pair, gray
from kadr.guides.occlusion import find_occlusion
from scenes import texture

TOP, BOTTOM, LEFT, RIGHT = 20, 50, 30, 60


def _flows(step: int) -> tuple[np.ndarray, np.ndarray]:
    """Exact flow, and its reverse, of a square that goes ``step`` pixels to the right."""
    flow = np.zeros((70, 100, 2), np.float32)
    reverse = flow.copy()
    flow[TOP:BOTTOM, LEFT:RIGHT, 0] = step
    reverse[TOP:BOTTOM, LEFT + step : RIGHT + step, 0] = -step
    return flow, reverse


@pytest.mark.parametrize("step", [4, 8, -8])
def test_what_the_square_will_cover_is_occluded_and_nothing_else(step: int) -> None:
    flow, reverse = _flows(step)
    expected = np.zeros((70, 100), np.bool_)
    strip = slice(RIGHT, RIGHT + step) if step > 0 else slice(LEFT + step, LEFT)
    expected[TOP:BOTTOM, strip] = True
    assert np.array_equal(find_occlusion(flow, reverse), expected)


def test_what_leaves_the_frame_is_occluded() -> None:
    flow = np.zeros((20, 30, 2), np.float32) + np.float32([5, -2])
    expected = np.zeros((20, 30), np.bool_)
    expected[:, 25:] = True
    expected[:2] = True
    assert np.array_equal(find_occlusion(flow, -flow), expected)


def test_small_disagreement_is_no_occlusion() -> None:
    flow = np.zeros((20, 30, 2), np.float32)
    reverse = flow + np.float32([0.5, 0.4])
    assert not find_occlusion(flow, reverse).any()
    assert find_occlusion(flow, reverse, absolute=0.1).all()


def test_rows_do_not_depend_on_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    flow, reverse = rng.normal(0, 3, (2, 300, 40, 2)).astype(np.float32)
    results = []
    for threads in (1, 3):
        monkeypatch.setattr("kadr.core.row_bands.default_threads", lambda threads=threads: threads)
        results.append(find_occlusion(flow, reverse).tobytes())
    assert results[0] == results[1]


def test_estimated_flow_finds_the_covered_side() -> None:
    def frame(x: int) -> np.ndarray:
        image = texture(120, 160)
        image[40:80, x : x + 40] = texture(40, 40, seed=5)
        return gray(image)

    occlusion = flow_pair(frame(50), frame(58)).occlusion
    assert occlusion[44:76, 91:97].mean() > 0.75  # to be covered
    assert occlusion[44:76, 54:86].mean() < 0.05  # the square itself
    assert occlusion[:30].mean() < 0.02
    assert occlusion[:, :40].mean() < 0.02
