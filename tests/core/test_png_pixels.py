"""PNG files: any decoder reads the pixels, they come back as they were, other files are left."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from kadr.core.png import png_chunk, with_text
from kadr.core.png_pixels import decode_png, encode_png

SHAPES = st.tuples(st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 3, 4])).map(
    lambda shape: shape[:2] if shape[2] == 1 else shape
)
IMAGES = st.sampled_from([np.uint8, np.uint16]).flatmap(lambda dtype: arrays.arrays(dtype, SHAPES))
IMAGE = np.random.default_rng(0).integers(0, 256, (12, 15, 3), np.uint8)


@given(IMAGES)
def test_pixels_come_back(image: np.ndarray) -> None:
    decoded = decode_png(encode_png(image))
    assert decoded is not None
    assert decoded.dtype == image.dtype
    assert decoded.dtype.isnative
    assert np.array_equal(decoded, image)


@given(IMAGES)
def test_opencv_reads_the_same_pixels(image: np.ndarray) -> None:
    read = cv2.imdecode(np.frombuffer(encode_png(image), np.uint8), cv2.IMREAD_UNCHANGED)
    assert read.dtype == image.dtype
    order = [2, 1, 0, 3][: image.shape[2]] if image.ndim == 3 else slice(None)
    assert np.array_equal(read, image if image.ndim == 2 else image[..., order])


def test_rows_that_are_not_contiguous_are_encoded_as_they_are() -> None:
    part = IMAGE[::2, 3:9]
    assert encode_png(part) == encode_png(part.copy())


def test_text_does_not_matter() -> None:
    decoded = decode_png(with_text(encode_png(IMAGE), "parameters", "a fox"))
    assert decoded is not None
    assert np.array_equal(decoded, IMAGE)


@pytest.mark.parametrize("filter_type", [0, 1, 3, 4])
def test_another_layout_is_left_to_other_decoders(filter_type: int) -> None:
    flags = {0: cv2.IMWRITE_PNG_FILTER_NONE, 1: cv2.IMWRITE_PNG_FILTER_SUB,
             3: cv2.IMWRITE_PNG_FILTER_AVG, 4: cv2.IMWRITE_PNG_FILTER_PAETH}  # fmt: skip
    options = [cv2.IMWRITE_PNG_FILTER, flags[filter_type]]
    assert decode_png(cv2.imencode(".png", IMAGE, options)[1].tobytes()) is None


def test_chunks_that_change_the_meaning_are_left_to_other_decoders() -> None:
    png = encode_png(IMAGE)
    transparent = png_chunk(b"tRNS", bytes(6))
    assert decode_png(png[:33] + transparent + png[33:]) is None


def test_damage_is_left_to_other_decoders() -> None:
    png = encode_png(IMAGE)
    for position in range(len(png)):
        damaged = bytearray(png)
        damaged[position] ^= 0x55
        assert decode_png(bytes(damaged)) is None, position
    for length in range(0, len(png), 7):
        assert decode_png(png[:length]) is None


@pytest.mark.parametrize(
    "image",
    [np.zeros((0, 4), np.uint8), np.zeros((4, 4, 2), np.uint8), np.zeros((4, 4), np.float32),
     np.zeros(4, np.uint8)],
)  # fmt: skip
def test_what_png_cannot_hold_is_refused(image: np.ndarray) -> None:
    with pytest.raises(ValueError, match="cannot be stored as PNG"):
        encode_png(image)
