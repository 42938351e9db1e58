"""Images in and out: types, depths, orientation, colours, and what is refused."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as PillowImage
from PIL import ImageOps

from core.image_samples import SAMPLES, chunk, encode, gif, jpeg, png
from kadr.core.colour_space import profile_of_code_points
from kadr.errors import InputError, OutputError
from kadr.image_files import decode_image, read_image, write_image

NAMES = ["a b.png", 'it\'s "q".png', "100%d.png", "füße 日本.png", "[##] *.png"]


def _image(channels: int = 3, dtype: type = np.uint8) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(0, np.iinfo(dtype).max, (20, 30, channels), dtype=dtype)


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif", ".tiff", ".bmp"])
@pytest.mark.parametrize("channels", [3, 4])
def test_lossless_types_give_back_what_was_written(
    tmp_path: Path, suffix: str, channels: int
) -> None:
    if suffix == ".bmp" and channels == 4:
        pytest.skip("BMP has no agreed alpha")
    image = _image(channels)
    image[..., 3:] |= 1  # WebP drops the colour of clear pixels
    write_image(tmp_path / f"x{suffix}", image)
    np.testing.assert_array_equal(read_image(tmp_path / f"x{suffix}"), image)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits(tmp_path: Path, suffix: str) -> None:
    image = _image(dtype=np.uint16)
    write_image(tmp_path / f"x{suffix}", image)
    np.testing.assert_array_equal(read_image(tmp_path / f"x{suffix}"), image)


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGB", "RGBA", "1"])
def test_every_kind_of_png_comes_as_rgb_or_rgba(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "x.png"
    PillowImage.fromarray(_image(4), "RGBA").convert(mode).save(path)
    image = read_image(path)
    assert image.shape in ((20, 30, 3), (20, 30, 4))
    assert image.dtype == np.uint8
    expected = np.asarray(PillowImage.open(path).convert("RGB" if image.shape[2] == 3 else "RGBA"))
    np.testing.assert_array_equal(image, expected)


def test_jpeg_is_turned_by_its_exif(tmp_path: Path) -> None:
    image = np.zeros((20, 30, 3), np.uint8)
    image[:10, :10] = 255
    exif = PillowImage.Exif()
    exif[274] = 6  # a quarter turn clockwise puts it upright
    PillowImage.fromarray(image).save(tmp_path / "x.jpg", exif=exif, quality=95)
    image = read_image(tmp_path / "x.jpg")
    assert image.shape == (30, 20, 3)
    assert image[3, 16].min() > 200
    assert image[3, 3].max() < 50


@pytest.mark.parametrize("name", NAMES)
def test_awkward_names(tmp_path: Path, name: str) -> None:
    write_image(tmp_path / name, _image())
    np.testing.assert_array_equal(read_image(tmp_path / name), _image())
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("content", [b"", b"not an image", None])
def test_what_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "x.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"x\.png: ") as caught:
        read_image(path)
    assert "\n" not in str(caught.value)


def test_float_images_are_refused(tmp_path: Path) -> None:
    _, data = cv2.imencode(".tif", np.zeros((4, 4, 3), np.float32))
    (tmp_path / "x.tif").write_bytes(data.tobytes())
    with pytest.raises(InputError, match="float32"):
        read_image(tmp_path / "x.tif")


def test_unknown_types_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"\.xyz"):
        write_image(tmp_path / "x.xyz", _image())


@pytest.mark.parametrize("image_type", ["PNG", "WEBP", "TIFF", "JPEG"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_type_is_turned_by_its_exif(
    tmp_path: Path, image_type: str, orientation: int
) -> None:
    exif = PillowImage.Exif()
    exif[274] = orientation
    options = {"lossless": True} if image_type == "WEBP" else {}
    stored = PillowImage.fromarray(cv2.resize(_image(), (30, 20), interpolation=cv2.INTER_AREA))
    stored.save(tmp_path / "x", image_type, exif=exif, **options)
    with PillowImage.open(tmp_path / "x") as image:
        expected = np.asarray(ImageOps.exif_transpose(image).convert("RGB")).astype(int)
    result = read_image(tmp_path / "x")
    assert result.shape == expected.shape
    assert np.abs(result - expected).max() <= 1


def test_a_profile_is_converted_but_not_as_stored(tmp_path: Path) -> None:
    image = np.full((4, 4, 3), (201, 62, 54), np.uint8)
    PillowImage.fromarray(image).save(
        tmp_path / "x.png", icc_profile=profile_of_code_points(12, 13)
    )
    assert np.abs(read_image(tmp_path / "x.png").astype(int) - (218, 44, 44)).max() <= 1
    assert np.array_equal(read_image(tmp_path / "x.png", as_stored=True), image)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "CMYK"])
def test_tiff_alpha_and_cmyk_are_as_pillow_reads_them(tmp_path: Path, mode: str) -> None:
    (tmp_path / "x.tif").write_bytes(encode(mode, "TIFF"))
    with PillowImage.open(tmp_path / "x.tif") as image:
        expected = np.asarray(image.convert("RGB" if mode == "CMYK" else "RGBA"))
    assert np.array_equal(read_image(tmp_path / "x.tif"), expected)


def test_a_gray_level_that_is_transparent(tmp_path: Path) -> None:
    data = png(2, 1, b"\0\1\2", colour=0, chunks=chunk(b"tRNS", b"\0\2"))
    (tmp_path / "x.png").write_bytes(data)
    assert read_image(tmp_path / "x.png").tolist() == [[[1, 1, 1, 255], [2, 2, 2, 0]]]


@pytest.mark.parametrize("name", ["png", "jpeg", "webp", "tiff", "bmp"])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_cut_off_images_are_refused(tmp_path: Path, name: str, share: float) -> None:
    data = SAMPLES[name]
    (tmp_path / "x").write_bytes(data[: int(len(data) * share)])
    with pytest.raises(InputError, match=r"x: "):
        read_image(tmp_path / "x")


@pytest.mark.parametrize("name", ["png", "jpeg"])
def test_an_image_without_its_end_is_refused_before_it_is_decoded(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cv2, "imdecode", None)
    with pytest.raises(InputError, match="cut off"):
        decode_image("x", SAMPLES[name][:-12])


@pytest.mark.parametrize("data", [png(60_000, 60_000), jpeg(60_000, 60_000), gif(4, 4, 2)])
def test_nothing_is_decoded_that_the_header_forbids(
    tmp_path: Path, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cv2, "imdecode", None)
    (tmp_path / "x.png").write_bytes(data)
    with pytest.raises(InputError, match=r"x\.png: (60000×60000|is a GIF)"):
        read_image(tmp_path / "x.png")


def test_a_sparse_file_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "x.png").open("wb") as file:
        file.truncate(100_000_000_000)
    with pytest.raises(InputError, match="100,000,000,000 bytes"):
        read_image(tmp_path / "x.png")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.png")
    with pytest.raises(InputError, match="not a regular file"):
        read_image(tmp_path / "x.png")


@settings(max_examples=150)
@given(st.sampled_from(sorted(set(SAMPLES) - {"gif"})), st.integers(0, 400), st.binary(max_size=4))
def test_hostile_bytes_are_decoded_or_refused(name: str, position: int, change: bytes) -> None:
    data = bytearray(SAMPLES[name])
    data[position : position + len(change)] = change
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KADR_MAX_PIXELS", "100000")
        with contextlib.suppress(InputError):
            assert decode_image("x", bytes(data)).shape[2] in (3, 4)
