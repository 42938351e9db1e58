"""What a frame takes over from those before it: which of them, which pixels; after a stop too."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from lending import Lender

from kadr.core.frames import Frame, Image
from kadr.stylize.base import StylizeContext, StylizeJob
from kadr.stylize.diffusion.temporal.previous_frames import PreviousFrames, seen, warp_back

SIZE = 32


@dataclass(frozen=True)
class Choice:
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
def lender() -> Lender:
    frames = [_flat(index) for index in range(12)]
    made = {index: _flat(100 + index) for index in range(12)}
    return Lender(frames, indices=(0, 2, 4, 6, 8, 9, 11), cuts=(8,), made=made, find_flow=_shift)


def _job(lender: Lender, index: int) -> StylizeJob:
    return StylizeJob(Frame(index, lender.frames[index]), 0, seed=1)


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
def test_which_outputs_a_frame_looks_at(lender: Lender, cross_frame, every, expected) -> None:
    choice = Choice(cross_frame=cross_frame, anchor_every=every)
    in_order = PreviousFrames(lender.context, choice)
    for index, wanted in expected.items():
        # a run that goes on has seen no frame before
        for past in (in_order, PreviousFrames(lender.context, choice)):
            shown = past.references(_job(lender, index))
            assert [int(image[0, 0, 0]) - 100 for image, _ in shown] == wanted
            anchors = {0, 8} if every is None else {0, 4, 8, 11}
            assert [again for _, again in shown] == [other in anchors for other in wanted]


def test_an_anchor_is_read_once(lender: Lender) -> None:
    past = PreviousFrames(lender.context, Choice(cross_frame="anchor"))
    for index in (2, 4, 6):
        past.references(_job(lender, index))
    assert lender.asked == [0]


def test_a_start_is_part_frame_part_output_moved_along(lender: Lender) -> None:
    lender.made[2] = np.zeros((SIZE, SIZE, 3), np.uint8)
    lender.made[2][:, 10] = 200
    hidden = np.zeros((SIZE, SIZE), bool)
    hidden[:6] = True
    context = replace(lender.context, occlusion=lambda a, b: hidden)
    start = PreviousFrames(context, Choice(previous_start=0.25)).start(_job(lender, 4))
    # frame 4's pixel p shows what was at p - 2 in frame 2
    assert start[20, 12].tolist() == [53] * 3  # 4 + (200 - 4) / 4
    assert start[20, 25].tolist() == [3] * 3
    # where nothing was seen before there is nothing to take over
    assert (start[:6] == 4).all()
    assert start[7, 12, 0] < 53


def test_frames_that_start_as_filmed(lender: Lender) -> None:
    past = PreviousFrames(lender.context, Choice(previous_start=1.0, anchor_every=2))
    starts = [int(past.start(_job(lender, index))[9, 9, 0]) for index in (0, 2, 4, 6, 8)]
    assert starts == [0, 100, 4, 104, 8]
    frame = lender.frames[6]
    assert PreviousFrames(lender.context, Choice()).start(_job(lender, 6)) is frame


def test_a_blend_leaves_alpha_and_what_is_masked(lender: Lender) -> None:
    mask = np.zeros((SIZE, SIZE), bool)
    mask[:, 16:] = True
    context = replace(lender.context, mask=lambda index: mask)
    made = np.concatenate([_flat(50), _flat(33, 1)], axis=2)
    lender.made[2] = np.concatenate([_flat(90), _flat(7, 1)], axis=2)
    mixed = PreviousFrames(context, Choice(previous_blend=0.5)).blend(_job(lender, 4), made)
    assert (mixed[..., 3] == 33).all()
    assert (mixed[:, :16, :3] == 50).all()
    assert (mixed[:, 16:, :3] == 70).all()
    assert PreviousFrames(context, Choice()).blend(_job(lender, 4), made) is made


def test_moving_along_keeps_a_fine_line_over_many_frames() -> None:
    image = _flat(40)
    image[:, 16] = 200
    flow = np.full((SIZE, SIZE, 2), (0.5, 0), np.float32)
    moved = image
    for _ in range(4):
        moved = warp_back(moved, flow)
    assert moved[9, 14, 0] > 130  # linear: 100
    assert np.array_equal(warp_back(image, np.zeros_like(flow)), image)


def test_edges_of_what_is_hidden_are_soft_and_never_reach_into_it() -> None:
    hidden = np.zeros((SIZE, SIZE), bool)
    hidden[10:20, 10:20] = True
    weight = seen(hidden)[..., 0]
    assert (weight[hidden] == 0).all()
    assert weight[0, 0] == pytest.approx(1)
    across = weight[15, :11][::-1]
    assert (np.diff(across) >= 0).all()
    assert 0 < across[1] < 1


def test_noise_is_carried_the_same_after_a_stop(lender: Lender) -> None:
    choice = Choice(carry_noise=True)
    past = PreviousFrames(lender.context, choice)
    for index in (0, 2, 4, 6, 8, 9, 11):
        drift = past.drift(_job(lender, index))
        again = PreviousFrames(lender.context, choice).drift(_job(lender, index))
        assert drift is not None
        assert again is not None
        np.testing.assert_array_equal(drift.born, again.born)
        np.testing.assert_array_equal(drift.position, again.position)
        first = 0 if index < 8 else 8
        assert drift.first == first
        assert (drift.born[:, SIZE // 2] == first).all()
        assert drift.position[5, 20].tolist() == [20 - (index - first), 5]
    assert PreviousFrames(StylizeContext(), Choice()).drift(_job(lender, 4)) is None
