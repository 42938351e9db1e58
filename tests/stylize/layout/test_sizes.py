"""Working sizes, resize modes, and the way back."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kadr.core.frames import Image
from kadr.errors import OptionsError
from kadr.stylize.layout.sizes import (
    RESIZE_MODES,
    fit_to_size,
    flatten_on_white,
    nearest_size,
    resize,
    restore_size,
)
from kadr.stylize.servers.a1111_options import A1111Options
from kadr.stylize.servers.comfyui_options import ComfyUIOptions


def _slope(width: int, height: int) -> Image:
    """Red tells x, green tells y."""
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return np.stack([x, y, np.full_like(x, 90)], axis=2).round().astype(np.uint8)


@pytest.mark.parametrize(
    ("size", "pixels", "wanted"),
    [
        ((1920, 1080), 512 * 512, (704, 384)),
        ((1080, 1920), 512 * 512, (384, 704)),
        ((1920, 1080), 1024 * 1024, (1344, 768)),
        ((640, 640), 512 * 512, (512, 512)),
        ((4000, 100), 64 * 64, (128, 64)),
    ],
)
def test_known_working_sizes(size: tuple[int, int], pixels: int, wanted: tuple[int, int]) -> None:
    assert nearest_size(size, pixels=pixels) == wanted


def test_servers_make_images_of_the_size_that_kadr_makes_itself() -> None:
    options = A1111Options(), ComfyUIOptions()
    assert {option.working_size((1920, 1080)) for option in options} == {(704, 384)}
    workflow = ComfyUIOptions(workflow=Path("graph.json"))
    assert workflow.working_size((1918, 1080)) == (1920, 1080)


@given(
    st.tuples(st.integers(100, 4000), st.integers(100, 4000)).filter(
        lambda size: 0.3 < size[0] / size[1] < 3.4
    ),
    st.integers(256, 1024),
)
def test_working_sizes_keep_aspect_and_amount(size: tuple[int, int], side: int) -> None:
    width, height = nearest_size(size, pixels=side**2)
    assert width % 64 == height % 64 == 0
    step = 64 / min(width, height)
    assert abs(math.log(width / height / (size[0] / size[1]))) < step
    assert abs(math.log(width * height / side**2)) < 2 * step + 0.05


def test_odd_sizes_are_refused() -> None:
    with pytest.raises(OptionsError, match="100 pixels: expected at least 64×64"):
        nearest_size((100, 100), pixels=100)
    with pytest.raises(OptionsError, match="resize mode 'squeeze': expected one of stretch"):
        fit_to_size(_slope(20, 20), (64, 64), "squeeze")


@pytest.mark.parametrize("mode", RESIZE_MODES)
@pytest.mark.parametrize("own", [(150, 90), (90, 150), (128, 64)])
def test_what_is_seen_comes_back_where_it_was(own: tuple[int, int], mode: str) -> None:
    image = _slope(*own)
    fitted = fit_to_size(image, (128, 64), mode)
    if mode == "latent":
        assert fitted.shape == (round(own[1] / 8) * 8, round(own[0] / 8) * 8, 3)
    else:
        assert fitted.shape == (64, 128, 3)
    back = restore_size(fitted, own, mode)
    assert back.shape == image.shape
    off = np.abs(back.astype(int) - image)
    if mode == "crop":
        seen = off[: own[1], : own[0]]
        cut_rows = max(0, round(own[1] / 2 - own[0] / 4)) + 2
        cut_columns = max(0, round(own[0] / 2 - own[1])) + 2
        off = seen[cut_rows : own[1] - cut_rows, cut_columns : own[0] - cut_columns]
    assert off.max() <= 6


def test_bars_are_filled_with_the_edge() -> None:
    image = np.zeros((64, 64, 3), np.uint8)
    image[:, :32], image[:, 32:] = (200, 0, 0), (0, 0, 200)
    fitted = fit_to_size(image, (128, 64), "fill")
    assert (fitted[:, :60] == (200, 0, 0)).all()
    assert (fitted[:, 68:] == (0, 0, 200)).all()


def test_what_is_cut_off_comes_back_as_the_edge() -> None:
    image = np.zeros((64, 128, 3), np.uint8)
    image[:, :40], image[:, 40:88], image[:, 88:] = 50, 100, 150
    fitted = fit_to_size(image, (64, 64), "crop")
    assert fitted.shape == (64, 64, 3)
    assert fitted[32, 1, 0] == 50
    back = restore_size(np.full((64, 64, 3), 77, np.uint8), (128, 64), "crop")
    assert (back == 77).all()


def test_the_same_size_is_left_alone() -> None:
    image = _slope(64, 64)
    assert resize(image, (64, 64)) is image


def test_what_is_transparent_shows_white() -> None:
    image = np.zeros((1, 3, 4), np.uint8)
    image[0, :, 3] = 0, 128, 255
    assert flatten_on_white(image)[0, :, 0].tolist() == [255, 127, 0]
    assert flatten_on_white(image[..., :3]).base is image
