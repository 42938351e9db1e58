"""What a run provides to stylizers: flow, occlusion, previous outputs, controls, masks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from kadr.core.events import CancelToken
from kadr.core.warp import warp
from kadr.errors import OptionsError
from kadr.render.stylize_context import CONTROLS, ContextProvider
from kadr.stylize.base import StyledFrame
from kadr.video.base import Clip
from kadr.video.clips import open_clip
from scenes import sliding, write_sequence

STEP = 3
IMAGES = sliding(9, float(STEP), height=120, width=160)


@pytest.fixture
def clip(tmp_path: Path) -> Iterator[Clip]:
    """Nine frames, numbered from 11, that slide to the right."""
    with open_clip(write_sequence(tmp_path / "clip", IMAGES, 11)) as clip:
        yield clip


def _provider(clip: Clip, stored: dict[int, np.ndarray] | None = None) -> ContextProvider:
    groups = {0: 0, 4: 0, 6: 1, 8: 1}
    return ContextProvider(clip, sorted(groups), groups, (stored or {}).get, lambda index: None)


@pytest.mark.parametrize(("start", "end"), [(0, 1), (1, 0), (0, 4), (4, 0), (8, 6), (3, 3)])
def test_flow_points_from_one_frame_to_the_other(clip: Clip, start: int, end: int) -> None:
    flow = _provider(clip).flow(start, end)
    inner = (slice(20, -20), slice(40, -40))
    assert flow.shape == (120, 160, 2)
    assert np.abs(flow[inner] - [STEP * (end - start), 0]).mean() < 0.3
    pulled = warp(IMAGES[end], flow)
    assert np.abs(pulled[inner].astype(int) - IMAGES[start][inner]).mean() < 5


def test_large_frames_get_flow_of_full_size(tmp_path: Path) -> None:
    images = [cv2.resize(image, (1280, 960)) for image in IMAGES[:2]]
    with open_clip(write_sequence(tmp_path / "large", images)) as clip:
        provider = ContextProvider(
            clip, [0, 1], {0: 0, 1: 0}, lambda index: None, lambda index: None
        )
        flow = provider.flow(0, 1)
        assert flow.shape == (960, 1280, 2)
        assert np.abs(flow[200:-200, 300:-300] - [8 * STEP, 0]).mean() < 2
        assert provider.occlusion(0, 1).shape == (960, 1280)


def test_pixels_that_leave_the_frame_are_occluded(clip: Clip) -> None:
    occlusion = _provider(clip).occlusion(0, 4)  # the right edge slides out by twelve pixels
    assert occlusion[10:-10, -10:].mean() > 0.9
    assert occlusion[20:-20, 30:-30].mean() < 0.05


def test_the_previous_output_comes_from_memory_or_the_store(clip: Clip, tmp_path: Path) -> None:
    stored = {0: IMAGES[0] // 2}
    provider = _provider(clip, stored)
    context = provider.context(CancelToken(), 1, tmp_path)
    assert context.folder == tmp_path
    assert context.previous(0) is None
    assert context.previous(6) is None, "the first frame of a shot"
    assert context.previous_index(4) == 0
    assert context.previous_index(6) is None
    assert np.array_equal(context.previous(4), stored[0])
    provider.add_output(StyledFrame(0, IMAGES[0] // 3))
    assert np.array_equal(context.previous(4), IMAGES[0] // 3)


def test_controls_belong_to_the_requested_frame(clip: Clip) -> None:
    provider = _provider(clip, {0: IMAGES[0] // 2})
    assert np.array_equal(provider.control("filmed", 4), IMAGES[4])
    assert np.array_equal(provider.control("previous", 4), IMAGES[0] // 2)
    assert np.array_equal(provider.control("previous", 0), IMAGES[0]), (
        "the first frame is its own control"
    )
    edges = provider.control("edges", 4)
    assert edges.shape == IMAGES[4].shape
    assert edges.std() > 3
    with pytest.raises(OptionsError, match=f"control 'depth': this run provides {CONTROLS[0]}"):
        provider.control("depth", 4)
