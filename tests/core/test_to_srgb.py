"""Conversion to sRGB: known colours of other spaces, sRGB left alone, what cannot be converted."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import ImageCms

from kadr.core.colour_space import (
    BROKEN,
    HDR,
    profile_of_chromaticities,
    profile_of_code_points,
)
from kadr.core.to_srgb import to_srgb
from kadr.errors import InputError

P3 = profile_of_code_points(12, 13)
LINEAR = profile_of_chromaticities(None, 1.0)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
COLOURS = np.array([[[201, 62, 54], [128, 128, 128], [255, 255, 255], [0, 0, 0]]], np.uint8)


def _never(text: str) -> None:
    raise AssertionError(text)


def test_display_p3_becomes_srgb() -> None:
    expected = [[[218, 44, 44], [128, 128, 128], [255, 255, 255], [0, 0, 0]]]
    assert np.abs(to_srgb("x", COLOURS, P3, _never).astype(int) - expected).max() <= 1


def test_linear_light_becomes_srgb() -> None:
    gray = np.full((1, 1, 3), 55, np.uint8)  # 0.2157 of the light
    assert np.abs(to_srgb("x", gray, LINEAR, _never).astype(int) - 128).max() <= 1


@pytest.mark.parametrize("profile", [None, SRGB])
def test_srgb_changes_nothing(profile: bytes | None) -> None:
    image = np.random.default_rng(0).integers(0, 65535, (9, 9, 4), dtype=np.uint16)
    for stored in (image, image.astype(np.uint8), image[..., 0]):
        assert to_srgb("x", stored, profile, _never) is stored


def test_alpha_stays_and_gray_is_converted() -> None:
    image = np.dstack([COLOURS, np.array([[0, 1, 99, 255]], np.uint8)])
    result = to_srgb("x", image, P3, _never)
    assert np.array_equal(result[..., 3], image[..., 3])
    assert to_srgb("x", COLOURS[..., 0], LINEAR, _never).shape == (1, 4, 3)


def test_sixteen_bits_are_told() -> None:
    messages: list[str] = []
    result = to_srgb("x.png", COLOURS.astype(np.uint16) * 257, P3, messages.append)
    assert np.array_equal(result, to_srgb("x.png", COLOURS, P3, _never))
    assert messages == ["converted to 8 bits together with its colour profile"]


@pytest.mark.parametrize("profile", [BROKEN, b"nonsense" * 50, SRGB[:200]])
def test_a_broken_profile_is_told(profile: bytes) -> None:
    messages: list[str] = []
    assert to_srgb("x.png", COLOURS, profile, messages.append) is COLOURS
    assert messages == [
        "its colour profile is damaged or does not fit; its colours are taken for sRGB"
    ]


def test_high_dynamic_range_is_refused() -> None:
    assert profile_of_code_points(9, 16) == HDR
    with pytest.raises(InputError, match="high dynamic range"):
        to_srgb("x.png", COLOURS, HDR, _never)


def test_values_that_mean_srgb_make_no_profile() -> None:
    points = (0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)
    assert profile_of_chromaticities(points, 0.45455) is None
    assert profile_of_code_points(1, 13) is None
    assert profile_of_chromaticities((0.3,) * 8, None) == BROKEN
    assert profile_of_chromaticities((0.0,) * 8, None) == BROKEN
    assert profile_of_chromaticities(None, 0.0) == BROKEN
