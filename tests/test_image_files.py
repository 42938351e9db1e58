"""Images in and out: types, depths, orientation, colours, and what is refused."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as PillowImage

from kadr.errors import InputError, OutputError
from kadr.image_files import read_image, write_image

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
