"""Images of every kind that people save: read upright, in sRGB, grey as grey, with their alpha."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image as PillowImage
from PIL import ImageCms, features

from kadr import open_clip
from kadr.core.colour_space import profile_of_code_points
from kadr.image_files import read_image
from kadr.stylize.external import KeyFile, find_keys, load_key
from scenes import texture

IMAGE = cv2.GaussianBlur(texture(48, 64, seed=5), (0, 0), 2)
GRAY = IMAGE[..., 1]
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
P3 = profile_of_code_points(12, 13)


def _save(path: Path, pixels: np.ndarray | PillowImage.Image, **options: Any) -> Path:
    image = pixels if isinstance(pixels, PillowImage.Image) else PillowImage.fromarray(pixels)
    image.save(path, {".jfif": "JPEG", ".jpe": "JPEG"}.get(path.suffix), **options)
    return path


@pytest.mark.parametrize(
    ("name", "tolerance", "options"),
    [
        ("1.png", 0, {}),
        ("1.bmp", 0, {}),
        ("1.tif", 0, {}),
        ("1.tiff", 0, {"compression": "tiff_lzw"}),
        ("1.webp", 0, {"lossless": True}),
        ("1.jpg", 8, {"quality": 95, "subsampling": 0}),
        ("1.jpeg", 8, {"quality": 95, "subsampling": 0, "progressive": True}),
        ("1.jfif", 8, {"quality": 95, "subsampling": 0}),
        ("1.jpe", 8, {"quality": 95, "subsampling": 0}),
        ("1.JPG", 8, {"quality": 95, "subsampling": 0}),
        ("1.avif", 12, {"quality": 95, "subsampling": "4:4:4"}),
    ],
)
@pytest.mark.parametrize("gray", [False, True])
def test_every_file_type_is_a_key(
    name: str, tolerance: int, options: dict[str, Any], gray: bool, tmp_path: Path
) -> None:
    if name.endswith("avif") and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    _save(tmp_path / name, GRAY if gray else IMAGE, **options)

    class _Clip:
        def __len__(self) -> int:
            return 3

        def number(self, index: int) -> int:
            return index

        def index_of(self, number: int) -> int | None:
            return number if 0 <= number < 3 else None

    (key,) = find_keys(tmp_path, _Clip())
    assert key == KeyFile(1, tmp_path / name)
    expected = np.repeat(GRAY[..., None], 3, axis=2) if gray else IMAGE
    image = load_key(key, (64, 48)).astype(int)
    assert np.abs(image - expected).max() <= tolerance
    if gray:
        assert np.abs(image - image[..., :1]).max() <= (1 if tolerance else 0)


@pytest.mark.parametrize("name", ["1.png", "1.tif", "1.webp", "1.jpg", "1.avif"])
def test_a_profile_becomes_srgb_in_every_type(name: str, tmp_path: Path) -> None:
    options: dict[str, Any] = {"lossless": True} if name.endswith("webp") else {"quality": 100}
    if name.endswith(("jpg", "avif")):
        options["subsampling"] = 0 if name.endswith("jpg") else "4:4:4"
    if name.endswith(("png", "tif")):
        options = {}
    assert P3 is not None
    path = _save(tmp_path / name, np.full((48, 64, 3), (201, 62, 54), np.uint8), icc_profile=P3)
    # what (220, 40, 40) in sRGB is in Display P3
    assert np.abs(read_image(path).astype(int) - (220, 40, 40)).max() <= 6
    srgb = _save(tmp_path / f"s{path.suffix}", IMAGE, icc_profile=SRGB, **options)
    bare = _save(tmp_path / f"b{path.suffix}", IMAGE, **options)
    assert np.array_equal(read_image(srgb), read_image(bare))


@pytest.mark.parametrize("name", ["1.png", "1.tif", "1.webp", "1.jpg"])
def test_a_profile_that_cannot_be_read_is_told(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    options = {"lossless": True} if name.endswith("webp") else {}
    broken = _save(tmp_path / name, IMAGE, icc_profile=b"no profile" * 20, **options)
    with caplog.at_level(logging.WARNING):
        image = read_image(broken)
    assert f"{broken}: its colour profile is damaged or does not fit" in caplog.text
    bare = _save(tmp_path / f"b{broken.suffix}", IMAGE, **options)
    assert np.array_equal(image, read_image(bare))


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_sixteen_bits_keep_their_values(suffix: str, channels: int, tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 48 * 64).astype(np.uint16).reshape(48, 64)
    image = ramp if channels == 1 else np.dstack([ramp, ramp[::-1], ramp // 2, ~ramp][:channels])
    order = {1: image, 3: image[..., ::-1] if channels == 3 else image}.get(channels)
    if channels == 4:
        order = image[..., [2, 1, 0, 3]]
    assert order is not None
    (tmp_path / f"1{suffix}").write_bytes(cv2.imencode(suffix, order)[1].tobytes())
    read = read_image(tmp_path / f"1{suffix}")
    assert read.dtype == np.uint16
    expected = np.repeat(image[..., None], 3, axis=2) if channels == 1 else image
    assert np.array_equal(read, expected)
    eight = load_key(KeyFile(1, tmp_path / f"1{suffix}"), (64, 48))
    assert np.abs(eight - expected / 257).max() <= 0.5


@pytest.mark.parametrize("name", ["1.jpg", "1.tif"])
def test_cmyk_is_as_littlecms_has_it(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Without a profile its colours are a guess, which is told."""
    options = {"quality": 100, "subsampling": 0} if name.endswith("jpg") else {}
    cmyk = PillowImage.fromarray(IMAGE).convert("CMYK")
    with caplog.at_level(logging.WARNING):
        image = read_image(_save(tmp_path / name, cmyk, **options))
    assert "is CMYK and has no colour profile" in caplog.text
    assert np.abs(image.astype(int) - IMAGE).mean() <= 2


def test_an_avif_stands_upright(tmp_path: Path) -> None:
    if not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    exif = PillowImage.Exif()
    for orientation in range(1, 9):
        exif[274] = orientation
        path = _save(tmp_path / f"{orientation}.avif", IMAGE, exif=exif, quality=95)
        upright = _turned(IMAGE, orientation)
        image = read_image(path)
        assert image.shape == upright.shape
        assert np.abs(image.astype(int) - upright).mean() < 8, orientation


def _turned(image: np.ndarray, orientation: int) -> np.ndarray:
    """What EXIF's orientation makes of an image."""
    steps = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.swapaxes(0, 1),
        6: lambda a: np.rot90(a, -1),
        7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
        8: lambda a: np.rot90(a, 1),
    }
    turned: np.ndarray = steps[orientation](image)
    return turned


@pytest.mark.parametrize("suffix", [".jfif", ".tif", ".webp", ".png"])
def test_a_sequence_of_turned_wide_gamut_images(suffix: str, tmp_path: Path) -> None:
    exif = PillowImage.Exif()
    exif[274] = 6
    options: dict[str, Any] = {"lossless": True} if suffix == ".webp" else {}
    for index in range(3):
        pixels = np.full((48, 64, 3), (201, 62, 54), np.uint8)
        _save(tmp_path / f"f_{index}{suffix}", pixels, exif=exif, icc_profile=P3, **options)
    with open_clip(tmp_path) as clip:
        assert (clip.info.width, clip.info.height, len(clip)) == (48, 64, 3)
        for frame in clip.frames():
            assert np.abs(frame.rgb.astype(int) - (220, 40, 40)).max() <= 6
