"""Write the frames and weights of each key into its folders: all, or none after an error."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from kadr.errors import OutputError
from kadr.image_files import read_image, read_image_header, write_image
from kadr.render.key_layers import KeyLayer
from kadr.render.per_key import PerKeyWriter
from kadr.video.base import Clip
from kadr.video.clips import open_clip
from scenes import texture, write_sequence

IMAGES = [texture(12, 16, seed=seed) for seed in range(3)]
WEIGHTS = np.arange(12 * 16, dtype=np.uint16).reshape(12, 16) * np.uint16(342)


@pytest.fixture
def clip(tmp_path: Path) -> Iterator[Clip]:
    """Three images numbered from 71."""
    with open_clip(write_sequence(tmp_path / "clip", IMAGES, 71)) as clip:
        yield clip


def _write_all(writer: PerKeyWriter) -> None:
    for index in (2, 0, 1):  # any order is accepted
        writer.write(KeyLayer(1, index, 255 - IMAGES[index], WEIGHTS + np.uint16(index)))


def _files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


NAMES = [f"key_00072/frame_{number:05d}.png" for number in (71, 72, 73)]
WEIGHT_NAMES = [name.replace("key", "weights") for name in NAMES]


def test_frames_appear_at_the_end_and_are_named_as_in_the_clip(clip: Clip, tmp_path: Path) -> None:
    folder = tmp_path / "a" / "per key"
    with PerKeyWriter(folder, clip, False) as writer:
        _write_all(writer)
        assert not [name for name in _files(folder) if not name.startswith(".kadr-")]
    assert _files(folder) == [*NAMES, *WEIGHT_NAMES]
    for name, image in zip(NAMES, IMAGES, strict=True):
        assert np.array_equal(read_image(folder / name), 255 - image)
    for index, name in enumerate(WEIGHT_NAMES):
        header, weights = read_image_header(folder / name), read_image(folder / name)
        assert (header.mode, header.bits) == ("I;16", 16), "gray, 16 bits"
        assert np.array_equal(weights[..., 0], WEIGHTS + np.uint16(index))


def test_without_a_folder_nothing_is_written(clip: Clip, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    with PerKeyWriter(None, clip, False) as writer:
        _write_all(writer)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("existed", [False, True])
def test_an_exception_leaves_no_new_files(clip: Clip, tmp_path: Path, existed: bool) -> None:
    folder = tmp_path / "a" / "per key"
    if existed:
        folder.mkdir(parents=True)
    before = sorted(tmp_path.rglob("*"))

    def fail() -> None:
        with PerKeyWriter(folder, clip, False) as writer:
            _write_all(writer)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_with_files_is_refused_without_overwrite(clip: Clip, tmp_path: Path) -> None:
    folder = tmp_path / "per key"
    write_image(folder / NAMES[0], IMAGES[0])
    write_image(folder / "notes.png", IMAGES[1])
    with pytest.raises(OutputError, match="per key: is not empty; use --overwrite"):
        PerKeyWriter(folder, clip, False).__enter__()
    with PerKeyWriter(folder, clip, True) as writer:
        _write_all(writer)
    assert _files(folder) == [*NAMES, "notes.png", *WEIGHT_NAMES]
    assert np.array_equal(read_image(folder / NAMES[0]), 255 - IMAGES[0])


@pytest.mark.parametrize("path", ["file", "file/below"])
def test_a_file_in_place_of_a_folder_is_an_error(clip: Clip, tmp_path: Path, path: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="file; choose another folder"):
        PerKeyWriter(tmp_path / path, clip, False).__enter__()
    assert (tmp_path / "file").is_file()


def test_a_full_disk_is_an_error_that_names_the_folder_and_leaves_no_files(
    clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    def run() -> None:
        with PerKeyWriter(tmp_path / "per key", clip, False) as writer:
            monkeypatch.setattr(Path, "write_bytes", full)
            _write_all(writer)

    with pytest.raises(OutputError, match="No space left") as caught:
        run()
    assert ".kadr-" not in str(caught.value)
    assert "per key" in str(caught.value)
    assert not (tmp_path / "per key").exists()
