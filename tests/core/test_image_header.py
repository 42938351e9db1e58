"""Headers of image files: what they say, that nothing beyond the limits passes, hostile bytes."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as PillowImage
from PIL import features

from core.image_samples import (
    SAMPLES,
    SIZE,
    big_tiff,
    bmp,
    chunk,
    encode,
    gif,
    jpeg,
    png,
    tiff,
    webp,
)
from kadr.core.colour_space import BROKEN
from kadr.core.image_header.header import ImageHeader
from kadr.core.image_header.read import read_header
from kadr.errors import InputError

PROFILE = bytes(range(200)) * 10


def header(data: bytes) -> ImageHeader:
    return read_header("x", io.BytesIO(data))


@pytest.mark.parametrize(
    ("image_type", "mode"),
    [
        *(("PNG", mode) for mode in ("1", "L", "LA", "P", "RGB", "RGBA")),
        *(("JPEG", mode) for mode in ("L", "RGB", "CMYK")),
        *(("TIFF", mode) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK")),
        *(("WEBP", mode) for mode in ("RGB", "RGBA")),
        ("BMP", "RGB"),
        ("GIF", "P"),
    ],
)
def test_headers_say_what_pillow_says(image_type: str, mode: str) -> None:
    data = encode(mode, image_type)
    with PillowImage.open(io.BytesIO(data)) as image:
        expected = (image.format.lower(), image.size, image.mode)  # type: ignore[union-attr]
    result = header(data)
    assert (result.type.lower(), result.size, result.mode) == expected
    assert result.has_alpha == (mode in ("LA", "RGBA") or (image_type, mode) == ("PNG", "P"))


@pytest.mark.parametrize("image_type", ["PNG", "JPEG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_orientation_and_profile(image_type: str, orientation: int) -> None:
    exif = PillowImage.Exif()
    exif[274] = orientation
    result = header(encode("RGB", image_type, exif=exif, icc_profile=PROFILE))
    assert result.orientation == orientation
    assert result.size == (SIZE if orientation < 5 else SIZE[::-1])
    assert result.profile == PROFILE


def test_exif_behind_the_pixels_of_a_png() -> None:
    exif = PillowImage.Exif()
    exif[274] = 8
    late = chunk(b"eXIf", exif.tobytes()[6:]) + chunk(b"tEXt", b"a\0eXIf") + chunk(b"IEND", b"")
    assert header(png(2, 1, bytes(7), end=late)).orientation == 8


def test_more_frames_and_pages() -> None:
    frames = [PillowImage.new("RGB", (8, 8), (shade, 0, 0)) for shade in (0, 90, 200)]
    for image_type in ("PNG", "WEBP", *(["AVIF"] if features.check("avif") else [])):
        file = io.BytesIO()
        frames[0].save(file, image_type, save_all=True, append_images=frames[1:])
        assert header(file.getvalue()).frames == 3, image_type
    file = io.BytesIO()
    frames[0].save(file, "TIFF", save_all=True, append_images=frames[1:])
    assert header(file.getvalue()).pages == 2


@pytest.mark.skipif(not features.check("avif"), reason="Pillow without AVIF")
def test_avif() -> None:
    result = header(encode("RGBA", "AVIF"))
    assert (result.type, result.size, result.mode) == ("AVIF", SIZE, "RGBA")


@pytest.mark.parametrize("make", [png, jpeg, bmp, webp, tiff, big_tiff])
def test_a_size_beyond_the_limit_is_refused(make: Callable[[int, int], bytes]) -> None:
    with pytest.raises(InputError, match=r"x: 16000×16000 pixels .*KADR_MAX_PIXELS=256000000"):
        header(make(16_000, 16_000))
    assert header(make(12_000, 12_000)).size == (12_000, 12_000)


def test_a_gif_beyond_the_limit_is_refused() -> None:
    with pytest.raises(InputError, match="60000×60000"):
        header(gif(60_000, 60_000, 1))


def test_tiles_larger_than_the_picture_count() -> None:
    with pytest.raises(InputError, match="60000×60000"):
        header(tiff(8, 8, (322, 60_000), (323, 60_000)))


def test_frames_of_an_animated_png_count() -> None:
    animation = chunk(b"acTL", struct.pack(">II", 20_000, 0))
    with pytest.raises(InputError, match=r"20,000 frames .*10,000"):
        header(png(8, 8, chunks=animation))


def test_a_jpeg_with_two_frame_headers_is_refused() -> None:
    data = encode("RGB", "JPEG")
    start = data.index(b"\xff\xc0")
    frame = data[start : start + 19]
    with pytest.raises(InputError, match="two frame headers"):
        header(data[:start] + frame + data[start:])


def test_a_directory_that_makes_decoders_read_the_file_often_is_refused() -> None:
    data = encode("RGB", "TIFF")
    entries = [struct.pack("<HHII", 40_000 + tag, 1, len(data), 0) for tag in range(100)]
    start = len(data)
    directory = struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)
    with pytest.raises(InputError, match="tags are longer than the file"):
        header(data[:4] + struct.pack("<I", start) + data[8:] + directory)


def test_a_profile_that_inflates_to_gigabytes_is_not_read_whole() -> None:
    bomb = zlib.compressobj(9)
    body = b"".join(bomb.compress(bytes(1 << 24)) for _ in range(4)) + bomb.flush()
    assert header(png(1, 1, chunks=chunk(b"iCCP", b"x\0\0" + body))).profile == BROKEN


def test_endless_chunks_and_markers_are_refused() -> None:
    with pytest.raises(InputError, match="10000 chunks"):
        header(png(1, 1, chunks=chunk(b"teXt", b"") * 20_000))
    data = encode("RGB", "JPEG")
    with pytest.raises(InputError, match="10000 markers"):
        header(data[:2] + b"\xff\xee\0\2" * 20_000 + data[2:])


@pytest.mark.parametrize(
    ("start", "name"),
    [
        (b"8BPS\0\1", "Photoshop"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
        (b"v/1\x01\2\0\0\0", "OpenEXR"),
        (b"#?RADIANCE\n", "Radiance HDR"),
        (b"\0\0\x01\0\1\0", "an icon"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIF"),
        (b"\0\0\0\x18ftypisom\0\0\0\0isommp41", "a video"),
        (b"P6\n1 1\n255\n", "a portable pixmap"),
        (b"", "x: not an image"),
        (b"nothing", "x: not an image"),
    ],
)
def test_other_types_are_refused_by_name(start: bytes, name: str) -> None:
    with pytest.raises(InputError, match=f"{name}.*expected PNG, JPEG, WebP, TIFF, BMP or AVIF"):
        header(start.ljust(len(start) and 64, b"\0"))


@settings(max_examples=300)
@given(st.sampled_from(sorted(SAMPLES)), st.data())
def test_hostile_bytes_give_a_header_or_an_input_error(name: str, data: st.DataObject) -> None:
    mutated = bytearray(SAMPLES[name])
    for _ in range(data.draw(st.integers(1, 4))):
        # most of what decides stands in front
        position = data.draw(st.integers(0, min(len(mutated), 200) - 1))
        mutated[position : position + data.draw(st.integers(0, 4))] = data.draw(
            st.binary(max_size=4) | st.sampled_from([b"\xff" * 4, b"\xff" * 8, bytes(4)])
        )
        if not mutated:
            return
    try:
        result = header(bytes(mutated[: data.draw(st.integers(1, len(mutated)))]))
    except InputError as error:
        assert "\n" not in str(error)  # noqa: PT017 - no error is right too
    else:
        assert 0 < result.width * result.height <= 200_000_000


@given(
    st.sampled_from([b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"II+\0", b"BM"])
    | st.sampled_from([b"RIFF\x10\0\0\0WEBP", b"GIF89a", b"\0\0\0\x18ftypavif"]),
    st.binary(max_size=200),
)
def test_any_bytes_behind_a_signature(start: bytes, rest: bytes) -> None:
    try:
        header(start + rest)
    except InputError as error:
        assert "\n" not in str(error)  # noqa: PT017 - no error is right too
