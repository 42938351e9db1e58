"""What a run provides to stylizers: flow, occlusion, previous outputs, controls, masks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from kadr.core.events import CancelToken
from kadr.core.warp import warp
from kadr.errors import InputError, OptionsError
from kadr.image_files import write_image
from kadr.render import masks as masks_module
from kadr.render.masks import FrameMasks
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


def test_masks_are_matched_to_frames_by_number(clip: Clip, tmp_path: Path) -> None:
    white = np.zeros((120, 160, 3), np.uint8)
    white[:, :80] = 255
    folder = tmp_path / "masks"
    write_image(folder / "m_0011.png", white)
    write_image(folder / "m_0013.png", white[:60, :80])  # half the size, all white
    masks = FrameMasks(folder, clip, [0, 2])
    assert np.array_equal(masks.mask(0), white[..., 0] > 0)
    assert masks.mask(2).all()
    assert masks.digest(0) != masks.digest(2)
    single = FrameMasks(folder / "m_0011.png", clip, [0, 5])
    assert np.array_equal(single.mask(5), single.mask(0))
    assert FrameMasks(None, clip, [0]).mask(0) is None
    write_image(tmp_path / "square.png", white[:100, :100])
    with pytest.raises(InputError, match=r"square\.png: is a mask of 100×100, the clip is 160×120"):
        FrameMasks(tmp_path / "square.png", clip, [0]).mask(0)
    with pytest.raises(InputError, match="no mask for frame 16; add one named by that number"):
        FrameMasks(folder, clip, [0, 5])


def _masks(folder: Path, clip: Clip, levels: dict[int, np.ndarray]) -> FrameMasks:
    """Masks of frames 11, 12 and so on."""
    for index, image in levels.items():
        write_image(folder / f"{11 + index}.png", image)
    return FrameMasks(folder, clip, sorted(levels))


def test_masks_of_zeros_and_ones_are_white_where_one(clip: Clip, tmp_path: Path) -> None:
    half = np.zeros((120, 160), np.uint8)
    half[:, :80] = 1
    masks = _masks(tmp_path / "masks", clip, {0: half, 1: half * 0, 2: half * 0 + 1})
    assert np.array_equal(masks.mask(0), half > 0)
    assert not masks.mask(1).any()
    assert masks.mask(2).all()
    assert "11.png, " in masks.notices()[-1]
    assert masks.notices()[-1].endswith("13.png: the level above 0 counts as white")
    deep = _masks(tmp_path / "deep", clip, {0: half.astype(np.uint16) * 255})
    assert np.array_equal(deep.mask(0), half > 0)


def test_noise_of_a_black_mask_is_not_white(clip: Clip, tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 4, (120, 160), np.uint8)
    masks = _masks(tmp_path / "masks", clip, {0: noise})
    assert not masks.mask(0).any()
    text = f"{tmp_path / 'masks'}: no mask is white anywhere; nothing is stylized"
    assert masks.notices() == [text]
    masks = _masks(tmp_path / "masks", clip, {0: noise, 1: noise})
    assert not masks.mask(0).any()
    assert masks.notices() == [], "the other one was not read"
    noise[:40] = 255
    masks = _masks(tmp_path / "other", clip, {0: noise})
    assert masks.mask(0).sum() == 40 * 160
    assert masks.notices() == []


def test_soft_masks_stay_soft(clip: Clip, tmp_path: Path) -> None:
    ramp = np.tile(np.linspace(0, 255, 160).astype(np.uint8), (120, 1))
    levels = {0: ramp, 1: ramp // 3, 2: ramp.astype(np.uint16) * 257, 3: ramp[::2, ::2].copy()}
    masks = _masks(tmp_path / "masks", clip, levels)
    assert masks.matte(0) is None, "no stylizer has asked for the mask"
    for index in (0, 2):
        assert np.array_equal(masks.mask(index), ramp > 2)
        assert np.allclose(masks.matte(index), ramp / 255, atol=1e-6)
    assert np.array_equal(masks.mask(1), ramp // 3 > 2)
    assert masks.matte(1).max() == pytest.approx(1 / 3)
    assert masks.mask(3).shape == masks.matte(3).shape == (120, 160)
    assert np.abs(masks.matte(3) - ramp / 255).max() < 0.02
    (notice,) = masks.notices()
    assert notice.endswith("12.png: soft without white: the film shows through everywhere")


def test_each_mask_is_read_once_while_there_is_room(
    clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ramp = np.tile(np.linspace(0, 255, 160).astype(np.uint8), (120, 1))
    masks = _masks(tmp_path / "masks", clip, dict.fromkeys(range(3), ramp))
    read: list[str] = []
    original = masks_module.read_image_bytes

    def count(path: Path) -> bytes:
        read.append(path.name)
        return original(path)

    monkeypatch.setattr(masks_module, "read_image_bytes", count)
    for index in range(3):
        masks.mask(index)[:] = False  # whoever asks may change what they get
        masks.matte(index)[:] = 0
        assert np.allclose(masks.matte(index), ramp / 255, atol=1e-6)
        assert np.array_equal(masks.mask(index), ramp > 2)
    masks.mask(0)
    assert read == ["11.png", "12.png", "13.png"]
    monkeypatch.setattr(masks_module, "_CACHED_BYTES", 5 * ramp.size)
    for index in (1, 1, 2, 1):
        masks.mask(index)
    assert read[3:] == ["13.png", "12.png"], "only the last one fits"


def test_grey_lines_without_white_are_named(clip: Clip, tmp_path: Path) -> None:
    lines = np.zeros((120, 160), np.uint8)
    lines[::10] = 90
    lines[5::10] = 60
    masks = _masks(tmp_path / "masks", clip, {0: lines})
    assert not masks.mask(0).any()
    grey, none = masks.notices()
    assert grey.endswith("11.png: no white, only darker grey, which is not stylized")
    assert none.endswith("no mask is white anywhere; nothing is stylized")


def test_smooth_edges_are_not_soft(clip: Clip, tmp_path: Path) -> None:
    disc = np.zeros((120, 160), np.uint8)
    cv2.circle(disc, (80, 60), 40, 255, -1, cv2.LINE_AA)
    masks = _masks(tmp_path / "masks", clip, {0: disc})
    assert masks.mask(0).any()
    assert masks.matte(0) is None
    assert masks.notices() == []


def test_masks_of_other_frames_are_named(clip: Clip, tmp_path: Path) -> None:
    white = np.full((120, 160), 255, np.uint8)
    _masks(tmp_path / "masks", clip, dict.fromkeys(range(4), white))
    assert FrameMasks(tmp_path / "masks", clip, [0, 1, 2, 3]).notices() == []
    (notice,) = FrameMasks(tmp_path / "masks", clip, [0, 2]).notices()
    assert notice.endswith(
        f"4 masks for a clip of {len(clip)} frames; each is for the frame of its number, 11 to 14"
    )


def test_a_video_is_no_mask_yet(clip: Clip, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"m\.mp4: a video cannot be a mask yet; .*kadr frames"):
        FrameMasks(tmp_path / "m.mp4", clip, [0])
