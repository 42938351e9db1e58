"""Text entries in PNG files: pixels unchanged, entries replaced, any alphabet, read by Pillow."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as PillowImage

from kadr.core.png import png_chunks, with_text

IMAGE = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
PNG = cv2.imencode(".png", IMAGE)[1].tobytes()
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), min_size=1)


@given(TEXT)
def test_pillow_reads_the_text_and_the_same_image(text: str) -> None:
    with PillowImage.open(io.BytesIO(with_text(PNG, "parameters", text))) as image:
        assert image.info["parameters"] == text
        assert np.array_equal(np.asarray(image.convert("RGB"))[..., ::-1], IMAGE)


@given(TEXT, TEXT)
def test_a_text_replaces_the_one_before(first: str, second: str) -> None:
    once = with_text(with_text(PNG, "other", "stays"), "parameters", first)
    twice = with_text(once, "parameters", second)
    assert twice == with_text(with_text(PNG, "other", "stays"), "parameters", second)


def test_the_text_follows_the_header() -> None:
    kinds = [kind for kind, _ in png_chunks(with_text(PNG, "parameters", "a fox"))]
    assert kinds[:2] == [b"IHDR", b"tEXt"]
    assert kinds[-1] == b"IEND"


def test_other_bytes_are_rejected() -> None:
    with pytest.raises(ValueError, match="PNG"):
        with_text(b"GIF89a", "parameters", "a fox")
