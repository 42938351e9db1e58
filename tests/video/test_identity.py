"""The name of a clip's content: from the content alone, and read once."""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path

import pytest

from kadr.errors import InputError
from kadr.storage.layout import WorkLayout
from kadr.storage.ownership import adopt_folder
from kadr.video import identity
from kadr.video.identity import clip_identity, clip_size

LONG_AGO = 1_000_000_000


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A file that has not changed lately; nobody asks here whether it is a video."""
    path = tmp_path / "película 1.mp4"
    path.write_bytes(b"frames")
    os.utime(path, (LONG_AGO, LONG_AGO))
    return path


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(3):
        (folder / f"f_{number:03d}.png").write_bytes(bytes([number]) * 10)
    return folder


def test_a_files_identity_is_its_sha256(clip: Path) -> None:
    assert clip_identity(clip) == hashlib.sha256(b"frames").hexdigest()
    assert clip_size(clip) == 6


def test_a_copy_elsewhere_is_the_same_clip(clip: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / "x.mov"
    other.parent.mkdir()
    other.write_bytes(clip.read_bytes())
    assert clip_identity(other) == clip_identity(clip)


def test_a_sequence_counts_names_and_contents(images: Path, tmp_path: Path) -> None:
    first = clip_identity(images)
    assert clip_identity(images / "f_%03d.png") == first
    assert clip_size(images) == 30
    moved = images.rename(tmp_path / "moved")
    assert clip_identity(moved) == first
    (moved / "f_002.png").rename(moved / "f_003.png")
    (moved / "f_001.png").rename(moved / "f_002.png")
    (moved / "f_000.png").rename(moved / "f_001.png")
    assert clip_identity(moved) != first


def test_one_pixel_changes_a_sequence(images: Path) -> None:
    first = clip_identity(images)
    (images / "f_001.png").write_bytes(b"\1" * 9 + b"\2")
    assert clip_identity(images) != first


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are taken to be complete at once: a test cannot make one that changed long ago."""
    monkeypatch.setattr(identity, "_STABLE_AFTER", 0.0)


@pytest.mark.usefixtures("settled")
def test_what_was_read_is_not_read_again(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "deep" / "cache"
    first = clip_identity(clip, cache)
    monkeypatch.setattr(identity, "file_digest", lambda file: pytest.fail("read again"))
    assert clip_identity(clip, cache) == first


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("in_place", [False, True])
def test_other_content_of_the_same_size_and_time_is_read_again(
    clip: Path, tmp_path: Path, in_place: bool
) -> None:
    assert clip_identity(clip, tmp_path) == hashlib.sha256(b"frames").hexdigest()
    time.sleep(0.02)  # a tick of the file system's clock
    other = clip if in_place else tmp_path / "other"
    other.write_bytes(b"FRAMES")
    os.utime(other, (LONG_AGO, LONG_AGO))
    other.replace(clip)
    assert clip_identity(clip, tmp_path) == hashlib.sha256(b"FRAMES").hexdigest()


@pytest.mark.usefixtures("settled")
def test_a_change_of_size_or_time_is_read_again(clip: Path, tmp_path: Path) -> None:
    clip_identity(clip, tmp_path / "work")
    clip.write_bytes(b"FRAMES")
    os.utime(clip, (LONG_AGO + 1, LONG_AGO + 1))
    assert clip_identity(clip, tmp_path / "work") == hashlib.sha256(b"FRAMES").hexdigest()
    clip.write_bytes(b"more frames")
    os.utime(clip, (LONG_AGO + 1, LONG_AGO + 1))
    assert clip_identity(clip, tmp_path / "work") == hashlib.sha256(b"more frames").hexdigest()


def test_a_fresh_file_is_not_trusted_to_stay(clip: Path, tmp_path: Path) -> None:
    """Two writes within one tick of the clock leave size and time as they were."""
    now = time.time_ns()
    os.utime(clip, ns=(now, now))
    clip_identity(clip, tmp_path / "work")
    clip.write_bytes(b"FRAMES")
    os.utime(clip, ns=(now, now))
    assert clip_identity(clip, tmp_path / "work") == hashlib.sha256(b"FRAMES").hexdigest()


def test_an_old_time_of_change_does_not_make_a_fresh_file_old(clip: Path, tmp_path: Path) -> None:
    clip_identity(clip, tmp_path)
    assert not WorkLayout(tmp_path).clips.exists()


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"x": 3}', b"\xff\xfe"])
def test_a_damaged_memory_is_done_without(clip: Path, tmp_path: Path, damage: bytes) -> None:
    adopt_folder(tmp_path / "work")
    WorkLayout(tmp_path / "work").clips.write_bytes(damage)
    assert clip_identity(clip, tmp_path / "work") == hashlib.sha256(b"frames").hexdigest()
    assert str(clip) in json.loads(WorkLayout(tmp_path / "work").clips.read_text("utf-8"))


@pytest.mark.usefixtures("settled")
def test_a_wrong_entry_is_read_again(clip: Path, tmp_path: Path) -> None:
    clip_identity(clip, tmp_path / "work")
    entries = json.loads(WorkLayout(tmp_path / "work").clips.read_text("utf-8"))
    entries[str(clip)]["identity"] = 7
    WorkLayout(tmp_path / "work").clips.write_text(json.dumps(entries), "utf-8")
    assert clip_identity(clip, tmp_path / "work") == hashlib.sha256(b"frames").hexdigest()


def test_a_place_that_cannot_be_written_is_done_without(clip: Path) -> None:
    assert clip_identity(clip, clip / "cache") == hashlib.sha256(b"frames").hexdigest()


def test_a_folder_of_somebody_else_is_done_without(clip: Path, tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "notes.txt").write_text("mine")
    assert clip_identity(clip, tmp_path / "theirs") == hashlib.sha256(b"frames").hexdigest()
    assert [path.name for path in (tmp_path / "theirs").iterdir()] == ["notes.txt"]


def test_a_clip_that_grows_meanwhile_is_refused(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(file: Path) -> str:
        file.write_bytes(b"frames and more")
        return "half"

    monkeypatch.setattr(identity, "file_digest", slow)
    with pytest.raises(InputError, match=r"película 1\.mp4: changes while it is read; wait"):
        clip_identity(clip)


def test_a_missing_clip_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.mp4: no such file; check the path"):
        clip_identity(tmp_path / "none.mp4")
    with pytest.raises(InputError, match="no images found"):
        clip_identity(tmp_path)
