"""Decoding the images of masks."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as PillowImage

from fuzz_settings import fuzz
from kadr.errors import InputError
from kadr.video.mask_image import decode_mask, lowest_channel
from scenes import texture

LEVELS = np.tile(np.arange(0, 256, 8, dtype=np.uint8), (24, 1))


def _encoded(image: PillowImage.Image, suffix: str = "png", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, suffix, **options)  # type: ignore[arg-type]
    return file.getvalue()


def _palette(*colours: tuple[int, int, int]) -> bytes:
    image = PillowImage.fromarray((LEVELS // 64).astype(np.uint8), "P")
    image.putpalette([level for colour in colours for level in colour])
    return _encoded(image)


@pytest.mark.parametrize("mode", ["L", "RGB", "1"])
def test_levels_are_those_of_the_file(mode: str) -> None:
    drawn = LEVELS if mode != "1" else np.where(LEVELS > 99, 255, 0).astype(np.uint8)
    image = decode_mask("m.png", _encoded(PillowImage.fromarray(drawn).convert(mode)))
    assert np.array_equal(image.levels, drawn)
    assert image.alpha is None
    assert image.exact


def test_alpha_beside_levels() -> None:
    rgba = np.dstack([LEVELS] * 3 + [255 - LEVELS])
    image = decode_mask("m.png", _encoded(PillowImage.fromarray(rgba)))
    assert image.alpha is not None
    assert np.array_equal(image.levels, LEVELS)
    assert np.array_equal(image.alpha, 255 - LEVELS)


def test_lossy_types_are_not_exact() -> None:
    assert not decode_mask("m.jpg", _encoded(PillowImage.fromarray(LEVELS), "jpeg")).exact
    assert not decode_mask("m.webp", _encoded(PillowImage.fromarray(LEVELS), "webp")).exact


@pytest.mark.parametrize("white", [1, 255, 65535])
def test_sixteen_bits(white: int) -> None:
    deep = np.where(LEVELS > 99, white, 0).astype(np.uint16)
    image = decode_mask("m.png", _encoded(PillowImage.fromarray(deep)))
    assert np.array_equal(image.levels, np.where(deep > 0, min(white, 255), 0))


def test_palettes_of_colours_and_of_greys() -> None:
    indices = LEVELS // 64
    colours = decode_mask("m.png", _palette((9, 9, 9), (0, 0, 0), (80, 0, 0), (0, 99, 0)))
    assert np.array_equal(colours.levels, np.where(indices > 0, 255, 0))
    greys = decode_mask("m.png", _palette((255,) * 3, (0,) * 3, (80,) * 3, (9,) * 3))
    assert np.array_equal(greys.levels, np.array([255, 0, 80, 9])[indices])


def test_the_lowest_channel() -> None:
    image = texture(20, 30)
    assert np.array_equal(lowest_channel(image), image.min(axis=2))


@fuzz(60)
@given(
    start=st.integers(8, 300), piece=st.binary(max_size=6), stop=st.integers(0, 8),
    content=st.sampled_from([_palette((1, 2, 3), (4, 5, 6), (7, 8, 9), (0, 0, 0)),
                             _encoded(PillowImage.fromarray(LEVELS))]),
)  # fmt: skip
def test_damaged_files_are_read_or_refused(
    start: int, piece: bytes, stop: int, content: bytes
) -> None:
    with contextlib.suppress(InputError):
        image = decode_mask("m.png", content[:start] + piece + content[start + stop :])
        assert image.levels.dtype == np.uint8
