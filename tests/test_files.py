"""Images in and out, and writes that are whole or not there."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as PillowImage

from kadr.errors import InputError, OutputError
from kadr.files import (
    atomic_file,
    list_folder,
    make_folder,
    read_json_object,
    remove_empty,
    write_json_object,
)
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


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failed_write_leaves_the_old_file(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "new" / "x.txt"
    path.parent.mkdir()
    path.write_text("old")

    def fail() -> None:
        with atomic_file(path) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        fail()
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]


def test_a_finished_write_has_the_usual_permissions(tmp_path: Path) -> None:
    with atomic_file(tmp_path / "deep" / "er" / "x.txt") as temporary:
        temporary.write_text("new")
    (tmp_path / "plain").write_text("")
    path = tmp_path / "deep" / "er" / "x.txt"
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_file_where_a_folder_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"x\.txt"), atomic_file(tmp_path / "file" / "x.txt"):
        pass
    with pytest.raises(OutputError, match="file is a file"):
        make_folder(tmp_path / "file" / "deep")


def test_only_folders_that_were_made_are_removed(tmp_path: Path) -> None:
    folders = make_folder(tmp_path / "a" / "b" / "c")
    assert folders == [tmp_path / "a" / "b" / "c", tmp_path / "a" / "b", tmp_path / "a"]
    assert make_folder(tmp_path / "a") == []
    (tmp_path / "a" / "mine").write_text("")
    remove_empty(folders)
    assert os.listdir(tmp_path) == ["a"]  # noqa: PTH208
    assert os.listdir(tmp_path / "a") == ["mine"]  # noqa: PTH208


def test_json_is_trusted_by_its_checksum_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    content = {"b": [1, 2.5, None], "10": {"ü": "x"}, "9": True}
    write_json_object(path, content)
    assert read_json_object(path) == content
    text = path.read_text(encoding="utf-8")
    for damaged in (text.replace("2.5", "2.6"), text.replace('"9"', '"8"'), "{}", "[1]", text[:-9]):
        path.write_text(damaged, encoding="utf-8")
        assert read_json_object(path) == {}
    assert read_json_object(tmp_path / "none.json") == {}


def test_a_folder_that_may_not_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("b", "a"):
        (tmp_path / name).touch()
    assert [path.name for path in list_folder(tmp_path)] == ["a", "b"]

    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(InputError, match=r"cannot be read \(Permission denied\); check who may"):
        list_folder(tmp_path)
