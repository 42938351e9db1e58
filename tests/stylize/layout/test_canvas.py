"""Frames laid out for a model and put together again."""

from __future__ import annotations

import numpy as np
import pytest
from stylize_samples import picture

from kadr.core.frames import Image
from kadr.errors import OptionsError
from kadr.stylize.layout.canvas import Canvas, CanvasLayout, create_canvas
from kadr.stylize.layout.sizes import RESIZE_MODES


def _laid(frame: Image, layout: CanvasLayout, mask: np.ndarray | None = None) -> Canvas:
    canvas = create_canvas(frame, mask, layout)
    assert canvas is not None
    return canvas


@pytest.mark.parametrize("mode", RESIZE_MODES)
@pytest.mark.parametrize("alpha", [False, True])
def test_what_a_model_leaves_alone_comes_back(mode: str, alpha: bool) -> None:
    frame = picture(64, 96, alpha=alpha)
    frame[..., 3:] = 255
    canvas = _laid(frame, CanvasLayout((192, 128), mode))
    assert canvas.mask is None
    assert canvas.image.shape == ((64, 96, 3) if mode == "latent" else (128, 192, 3))
    assert canvas.latent_size == ((192, 128) if mode == "latent" else None)
    back = canvas.restore(canvas.image)
    assert back.shape == frame.shape
    assert np.abs(back.astype(int) - frame).mean() < 2


def test_a_frame_keeps_its_alpha_and_shows_white_where_it_is_clear() -> None:
    frame = picture(64, 64, alpha=True)
    frame[:32, :, 3], frame[32:, :, 3] = 0, 255
    canvas = _laid(frame, CanvasLayout((64, 64)))
    assert (canvas.image[:32] == 255).all()
    restored = canvas.restore(np.zeros((64, 64, 3), np.uint8))
    assert (restored[..., 3] == frame[..., 3]).all()
    assert not restored[..., :3].any()


@pytest.mark.parametrize("only_masked", [False, True])
def test_outside_the_mask_the_frame_stays(only_masked: bool) -> None:
    frame = picture(96, 128)
    mask = np.zeros((96, 128), bool)
    mask[40:60, 50:80] = True
    layout = CanvasLayout((64, 64), mask_blur=2, only_masked=only_masked, mask_padding=4)
    canvas = _laid(frame, layout, mask)
    assert canvas.mask is not None
    assert canvas.mask.shape == (64, 64)
    restored = canvas.restore(np.full((64, 64, 3), 255, np.uint8))
    reach = 6
    outside = np.ones((96, 128), bool)
    outside[40 - reach : 60 + reach, 50 - reach : 80 + reach] = False
    assert (restored[outside] == frame[outside]).all()
    assert (restored[48:52, 60:70] == 255).all()


def test_only_the_masked_part_is_shown_larger() -> None:
    frame = np.zeros((96, 128, 3), np.uint8)
    frame[30:50, 40:60] = 200
    mask = frame[..., 0] > 0
    layout = CanvasLayout((64, 64), mask_blur=0, only_masked=True, mask_padding=0)
    canvas = _laid(frame, layout, mask)
    assert canvas.image.min() == 200
    assert canvas.mask is not None
    assert canvas.mask.min() == 255
    restored = canvas.restore(np.full((64, 64, 3), 90, np.uint8))
    assert (restored[30:50, 40:60] == 90).all()
    assert restored.sum() == 90 * 20 * 20 * 3


@pytest.mark.parametrize("only_masked", [False, True])
def test_nothing_masked_is_nothing_to_do(only_masked: bool) -> None:
    layout = CanvasLayout((64, 64), only_masked=only_masked)
    assert create_canvas(picture(), np.zeros((48, 64), bool), layout) is None


def test_colours_are_corrected_on_request() -> None:
    frame = np.clip(picture(64, 64) // 4 + np.array([110, 80, 60]), 0, 255).astype(np.uint8)
    restyled = frame[..., ::-1].copy()
    plain = _laid(frame, CanvasLayout((64, 64))).restore(restyled)
    corrected = _laid(frame, CanvasLayout((64, 64), correct_colours=True)).restore(restyled)
    assert np.array_equal(plain, restyled)
    off = [np.abs(x.mean(axis=(0, 1)) - frame.mean(axis=(0, 1))).max() for x in (plain, corrected)]
    assert off[1] < off[0] / 2


def test_bad_layouts_are_refused() -> None:
    with pytest.raises(OptionsError, match="size 60×64: expected multiples of 8"):
        CanvasLayout((60, 64))
    with pytest.raises(OptionsError, match="resize mode 'odd'"):
        CanvasLayout((64, 64), "odd")
