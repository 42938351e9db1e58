"""Frames, ranges and spans: what they accept and what they count."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kadr.core.frames import Frame, FrameRange, Span
from kadr.errors import KadrError, OptionsError


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [3, 4])
def test_a_frame_has_size_channels_and_dtype(dtype: type, channels: int) -> None:
    frame = Frame(7, np.zeros((4, 6, channels), dtype))
    assert frame.size == (6, 4)
    assert frame.channels == channels
    assert frame.dtype == dtype
    assert frame.time == 0


@pytest.mark.parametrize("channels", [3, 4])
def test_the_colours_of_a_frame_have_8_bits(channels: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (5, 7, channels)).astype(np.uint8)
    assert np.array_equal(Frame(0, image).rgb, image[..., :3])
    deep = image.astype(np.uint16) * 257  # 255 becomes 65535
    for offset in (-128, 0, 128):  # to the nearest
        shifted = np.clip(deep.astype(np.int32) + offset, 0, 65535).astype(np.uint16)
        assert Frame(0, shifted).rgb.dtype == np.uint8
        assert np.array_equal(Frame(0, shifted).rgb, image[..., :3])


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 6), np.uint8),
        np.zeros((4, 6, 1), np.uint8),
        np.zeros((4, 6, 5), np.uint8),
        np.zeros((1, 4, 6, 3), np.uint8),
        np.zeros((4, 6, 3), np.float32),
        np.zeros((4, 6, 3), np.int16),
    ],
    ids=lambda image: f"{image.shape}{image.dtype}",
)
def test_a_frame_rejects_other_arrays(image: np.ndarray) -> None:
    with pytest.raises(ValueError, match="frame 7: expected"):
        Frame(7, image)


@given(start=st.integers(0, 50), length=st.integers(1, 50))
def test_a_range_is_pythons_range(start: int, length: int) -> None:
    frames, expected = FrameRange(start, start + length), range(start, start + length)
    assert list(frames) == list(expected)
    assert len(frames) == len(expected)
    for index in range(start - 2, start + length + 2):
        assert (index in frames) == (index in expected)
    assert "3" not in frames


@pytest.mark.parametrize(("start", "stop"), [(0, 0), (5, 5), (6, 5), (-1, 4)])
def test_an_empty_or_negative_range_is_rejected(start: int, stop: int) -> None:
    with pytest.raises(OptionsError, match=rf"\[{start}, {stop}\)"):
        FrameRange(start, stop)


@given(st.data())
def test_a_span_is_its_key_and_two_passes(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, 30))
    stop = data.draw(st.integers(start + 1, start + 30))
    key = data.draw(st.integers(start, stop - 1))
    span = Span(key, start, stop)
    assert sorted([key, *span.forward, *span.backward]) == list(span.range)
    assert all(abs(a - b) == 1 for a, b in zip([key, *span.forward], span.forward, strict=False))
    assert all(abs(a - b) == 1 for a, b in zip([key, *span.backward], span.backward, strict=False))


@pytest.mark.parametrize(("key", "start", "stop"), [(5, 6, 9), (5, 0, 5), (0, -1, 3), (9, 3, 9)])
def test_a_span_must_contain_its_key(key: int, start: int, stop: int) -> None:
    with pytest.raises(OptionsError, match=f"key {key}"):
        Span(key, start, stop)


def test_a_rejection_is_a_kadr_error_and_a_value_error() -> None:
    with pytest.raises(KadrError) as caught:
        FrameRange(3, 2)
    assert isinstance(caught.value, ValueError)
    assert "\n" not in str(caught.value)
