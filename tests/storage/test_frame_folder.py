"""Finished frames: files with the fingerprint of their inputs, and files edited by hand."""

from __future__ import annotations

import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from kadr.errors import InputError
from kadr.image_files import read_image, write_image
from kadr.storage.frame_folder import FrameFolder, FrameState
from scenes import texture

IMAGE = texture(12, 20)
NAME = "0123456789abcdef"


@pytest.fixture
def folder(tmp_path: Path) -> FrameFolder:
    """A folder whose frames are named by their index."""
    return FrameFolder(tmp_path / "frames", lambda index: f"shot 100% {index:03d}")


@pytest.mark.parametrize("channels", [3, 4])
def test_a_frame_is_a_plain_png_that_can_be_read_back(folder: FrameFolder, channels: int) -> None:
    image = np.dstack([IMAGE, np.full((12, 20), 90, np.uint8)])[..., :channels]
    assert folder.find(7, NAME) is FrameState.MISSING
    folder.put(7, image, NAME, 0.125)
    assert folder.find(7, NAME) is FrameState.CURRENT
    assert folder.find(7, "another") is FrameState.STALE
    assert folder.error(7) == 0.125
    assert np.array_equal(folder.get(7, (20, 12)), image)
    assert np.array_equal(read_image(folder.folder / "shot 100% 007.png"), image)
    assert cv2.imread(str(folder.path(7)), cv2.IMREAD_UNCHANGED).shape == image.shape


def test_the_same_frame_is_stored_as_the_same_bytes(folder: FrameFolder) -> None:
    folder.put(1, IMAGE, NAME, 0.5)
    first = folder.path(1).read_bytes()
    folder.put(1, IMAGE, NAME, 0.5)
    assert folder.path(1).read_bytes() == first


def test_a_frame_saved_by_another_program_is_edited(folder: FrameFolder) -> None:
    write_image(folder.path(2), IMAGE)
    assert folder.find(2, NAME) is FrameState.EDITED
    assert folder.error(2) is None


def test_a_frame_file_of_another_length_is_edited(folder: FrameFolder) -> None:
    # some editors keep unknown metadata and change the image
    folder.put(3, IMAGE, NAME, 0.5)
    with folder.path(3).open("ab") as file:
        file.write(b"more")
    assert folder.find(3, NAME) is FrameState.EDITED


@pytest.mark.parametrize("content", [b"no picture at all" * 40, b"8BPS\0\1" * 9])
def test_a_file_that_is_not_a_png_is_edited(folder: FrameFolder, content: bytes) -> None:
    folder.folder.mkdir()
    folder.path(4).write_bytes(content)
    assert folder.find(4, NAME) is FrameState.EDITED
    with pytest.raises(InputError, match="shot 100% 004"):
        folder.get(4, (20, 12))


@pytest.mark.parametrize("length", [0, 300, -1])
def test_a_truncated_frame_is_stale(
    folder: FrameFolder, length: int, caplog: pytest.LogCaptureFixture
) -> None:
    # as after a power failure
    folder.put(8, texture(60, 80), NAME, 0.5)
    content = folder.path(8).read_bytes()
    folder.path(8).write_bytes(content[:length])
    assert folder.find(8, NAME) is FrameState.STALE
    assert "008.png: damaged, it was cut short" in caplog.text
    folder.path(8).write_bytes(content)
    assert folder.find(8, NAME) is FrameState.CURRENT


@pytest.mark.parametrize("content", [b"\x89PNG", b"", b"\0" * 4000])
def test_what_a_power_cut_leaves_is_stale(folder: FrameFolder, content: bytes) -> None:
    folder.folder.mkdir()
    folder.path(4).write_bytes(content)
    assert folder.find(4, NAME) is FrameState.STALE


def _offsets(content: bytes) -> dict[str, int]:
    """Places of a byte in each part of a finished frame's file."""
    pixels = content.index(b"IDAT")
    return {
        "signature": 2,
        "size": 18,
        "pixels": (pixels + len(content)) // 2,
        "checksum of pixels": len(content) - 14,
    }


@pytest.mark.parametrize("place", ["signature", "size", "pixels", "checksum of pixels"])
def test_a_flipped_bit_makes_a_frame_stale(
    folder: FrameFolder, place: str, caplog: pytest.LogCaptureFixture
) -> None:
    folder.put(8, texture(60, 80), NAME, 0.5)
    assert folder.find(8, NAME) is FrameState.CURRENT
    content = bytearray(folder.path(8).read_bytes())
    content[_offsets(content)[place]] ^= 1
    folder.path(8).write_bytes(content)
    assert folder.find(8, NAME) is FrameState.STALE
    assert "008.png: damaged; it will be made again" in caplog.text
    folder.put(8, texture(60, 80), NAME, 0.5)
    assert folder.find(8, NAME) is FrameState.CURRENT


def test_a_changed_frame_of_the_same_length_with_its_mark_is_edited(folder: FrameFolder) -> None:
    # bitmaps that are stored without compression keep their length
    folder.put(3, IMAGE, NAME, 0.5)
    content = folder.path(3).read_bytes()
    other = IMAGE.copy()
    for value in range(256):
        other[4, 7] = value, 255 - value, 3
        folder.put(4, other, NAME, 0.5)
        changed = folder.path(4).read_bytes()
        if len(changed) == len(content) and changed != content:
            break
    mark = slice(33, 33 + 12 + int.from_bytes(content[33:37], "big"))
    folder.path(3).write_bytes(changed[: mark.start] + content[mark] + changed[mark.stop :])
    assert folder.find(3, NAME) is FrameState.EDITED


def test_a_frame_of_an_older_version_is_current_if_it_can_be_decoded(folder: FrameFolder) -> None:
    """Its mark has no hash."""
    png = cv2.imencode(".png", texture(60, 80))[1].tobytes()
    length = len(png) + 12 + len(f"kadr\0{NAME} {0:012d} 0.500000")
    data = f"kadr\0{NAME} {length:012d} 0.500000".encode()
    mark = len(data).to_bytes(4, "big") + b"tEXt" + data
    mark += zlib.crc32(b"tEXt" + data).to_bytes(4, "big")
    folder.folder.mkdir()
    content = png[:33] + mark + png[33:]
    folder.path(2).write_bytes(content)
    assert folder.find(2, NAME) is FrameState.CURRENT
    assert folder.find(2, "another") is FrameState.STALE
    folder.path(2).write_bytes(content[:-40] + bytes(40))
    assert folder.find(2, "another") is FrameState.STALE
    assert folder.find(2, NAME) is FrameState.STALE


def test_an_unchanged_file_is_read_once(
    folder: FrameFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.put(1, IMAGE, NAME, 0.5)
    assert folder.find(1, NAME) is FrameState.CURRENT
    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", lambda path: pytest.fail("read again"))
        assert folder.find(1, NAME) is FrameState.CURRENT
    folder.put(1, IMAGE, "another", 0.5)
    assert folder.find(1, NAME) is FrameState.STALE


def test_a_shorter_but_complete_frame_is_edited(folder: FrameFolder) -> None:
    folder.put(9, texture(60, 80), NAME, 0.5)
    content = folder.path(9).read_bytes()
    other = cv2.imencode(".png", np.zeros((60, 80, 3), np.uint8))[1].tobytes()
    header, text = content[:33], content[33 : 33 + 12 + int.from_bytes(content[33:37], "big")]
    folder.path(9).write_bytes(header + text + other[33:])
    assert folder.find(9, NAME) is FrameState.EDITED


def test_a_frame_of_another_size_or_depth_is_an_error_that_names_it(folder: FrameFolder) -> None:
    folder.put(5, IMAGE, NAME, 0.0)
    with pytest.raises(InputError, match=r"005\.png: 20×12 pixels, expected 40×30; delete it"):
        folder.get(5, (40, 30))
    write_image(folder.path(6), IMAGE.astype(np.uint16) * 257)
    with pytest.raises(InputError, match=r"006\.png: uint16 pixels, expected 8 bits"):
        folder.get(6, (20, 12))
