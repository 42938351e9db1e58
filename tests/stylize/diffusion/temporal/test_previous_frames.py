"""What a frame takes from previous frames: which frames and pixels, also in a resumed run."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from fake_context import FakeContext

from kadr.core.frames import Frame, Image
from kadr.stylize.base import StylizeContext, StylizeJob
from kadr.stylize.diffusion.temporal.previous_frames import (
    PreviousFrames,
    soft_visibility,
    warp_cubic,
)

SIZE = 32


@dataclass(frozen=True)
class Options:
    previous_start: float = 0.0
    previous_blend: float = 0.0
    cross_frame: str = "none"
    anchor_every: int | None = None
    carry_noise: bool = False


def _flat(level: int, channels: int = 3) -> Image:
    return np.full((SIZE, SIZE, channels), level, np.uint8)


def _shift(a: Image, b: Image) -> np.ndarray:
    """Frames are numbered by their level; each is a pixel further to the right."""
    step = int(b[0, 0, 0]) - int(a[0, 0, 0])
    return np.full((SIZE, SIZE, 2), (step, 0), np.float32)


@pytest.fixture
def fake() -> FakeContext:
    frames = [_flat(index) for index in range(12)]
    outputs = {index: _flat(100 + index) for index in range(12)}
    return FakeContext(
        frames, indices=(0, 2, 4, 6, 8, 9, 11), cuts=(8,), outputs=outputs, find_flow=_shift
    )


def _job(fake: FakeContext, index: int) -> StylizeJob:
    return StylizeJob(Frame(index, fake.frames[index]), 0, seed=1)


@pytest.mark.parametrize(
    ("cross_frame", "every", "expected"),
    [
        ("none", None, {0: [], 2: [], 9: []}),
        ("anchor", None, {0: [], 2: [0], 4: [0], 6: [0], 8: [], 9: [8], 11: [8]}),
        ("anchor", 2, {2: [0], 4: [0], 6: [4], 8: [], 9: [8], 11: [8]}),
        ("previous", None, {0: [], 2: [0], 4: [2], 6: [4], 8: [], 11: [9]}),
        ("both", 2, {2: [0], 4: [0, 2], 6: [4], 11: [8, 9]}),
    ],
)
def test_which_outputs_a_frame_looks_at(fake: FakeContext, cross_frame, every, expected) -> None:
    options = Options(cross_frame=cross_frame, anchor_every=every)
    in_order = PreviousFrames(fake.context, options)
    for index, indices in expected.items():
        # a resumed run has not processed the earlier frames
        for previous_frames in (in_order, PreviousFrames(fake.context, options)):
            references = previous_frames.references(_job(fake, index))
            assert [int(image[0, 0, 0]) - 100 for image, _ in references] == indices
            anchors = {0, 8} if every is None else {0, 4, 8, 11}
            assert [reused for _, reused in references] == [other in anchors for other in indices]


def test_an_anchor_is_read_once(fake: FakeContext) -> None:
    previous_frames = PreviousFrames(fake.context, Options(cross_frame="anchor"))
    for index in (2, 4, 6):
        previous_frames.references(_job(fake, index))
    assert fake.loaded_outputs == [0]


def test_a_start_is_part_frame_part_output_moved_along(fake: FakeContext) -> None:
    fake.outputs[2] = np.zeros((SIZE, SIZE, 3), np.uint8)
    fake.outputs[2][:, 10] = 200
    hidden = np.zeros((SIZE, SIZE), bool)
    hidden[:6] = True
    context = replace(fake.context, occlusion=lambda a, b: hidden)
    start = PreviousFrames(context, Options(previous_start=0.25)).start_image(_job(fake, 4))
    # frame 4's pixel p shows what was at p - 2 in frame 2
    assert start[20, 12].tolist() == [53] * 3  # 4 + (200 - 4) / 4
    assert start[20, 25].tolist() == [3] * 3
    # nothing is taken where pixels are occluded
    assert (start[:6] == 4).all()
    assert start[7, 12, 0] < 53


def test_frames_that_start_as_filmed(fake: FakeContext) -> None:
    previous_frames = PreviousFrames(fake.context, Options(previous_start=1.0, anchor_every=2))
    starts = [
        int(previous_frames.start_image(_job(fake, index))[9, 9, 0]) for index in (0, 2, 4, 6, 8)
    ]
    assert starts == [0, 100, 4, 104, 8]
    frame = fake.frames[6]
    assert PreviousFrames(fake.context, Options()).start_image(_job(fake, 6)) is frame


def test_a_blend_leaves_alpha_and_what_is_masked(fake: FakeContext) -> None:
    mask = np.zeros((SIZE, SIZE), bool)
    mask[:, 16:] = True
    context = replace(fake.context, mask=lambda index: mask)
    made = np.concatenate([_flat(50), _flat(33, 1)], axis=2)
    fake.outputs[2] = np.concatenate([_flat(90), _flat(7, 1)], axis=2)
    mixed = PreviousFrames(context, Options(previous_blend=0.5)).blend(_job(fake, 4), made)
    assert (mixed[..., 3] == 33).all()
    assert (mixed[:, :16, :3] == 50).all()
    assert (mixed[:, 16:, :3] == 70).all()
    assert PreviousFrames(context, Options()).blend(_job(fake, 4), made) is made


def test_moving_along_keeps_a_fine_line_over_many_frames() -> None:
    image = _flat(40)
    image[:, 16] = 200
    flow = np.full((SIZE, SIZE, 2), (0.5, 0), np.float32)
    warped = image
    for _ in range(4):
        warped = warp_cubic(warped, flow)
    assert warped[9, 14, 0] > 130  # linear: 100
    assert np.array_equal(warp_cubic(image, np.zeros_like(flow)), image)


def test_edges_of_what_is_hidden_are_soft_and_never_reach_into_it() -> None:
    hidden = np.zeros((SIZE, SIZE), bool)
    hidden[10:20, 10:20] = True
    weight = soft_visibility(hidden)[..., 0]
    assert (weight[hidden] == 0).all()
    assert weight[0, 0] == pytest.approx(1)
    across = weight[15, :11][::-1]
    assert (np.diff(across) >= 0).all()
    assert 0 < across[1] < 1


def test_a_resumed_run_tracks_the_same_pixels(fake: FakeContext) -> None:
    options = Options(carry_noise=True)
    previous_frames = PreviousFrames(fake.context, options)
    for index in (0, 2, 4, 6, 8, 9, 11):
        tracks = previous_frames.track_pixels(_job(fake, index))
        again = PreviousFrames(fake.context, options).track_pixels(_job(fake, index))
        assert tracks is not None
        assert again is not None
        np.testing.assert_array_equal(tracks.origin_index, again.origin_index)
        np.testing.assert_array_equal(tracks.origin_position, again.origin_position)
        first = 0 if index < 8 else 8
        assert tracks.first_index == first
        assert (tracks.origin_index[:, SIZE // 2] == first).all()
        assert tracks.origin_position[5, 20].tolist() == [20 - (index - first), 5]
    assert PreviousFrames(StylizeContext(), Options()).track_pixels(_job(fake, 4)) is None
