"""Which files of a listing are read, before any server is asked."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kadr.errors import InputError
from kadr.remote.connection import Connection, connect
from kadr.remote.listing import RemoteFile, is_pattern, list_images
from kadr.video.sequence import sequence_pattern


class _Folder:
    """A file system with one folder."""

    def __init__(self, *names: str) -> None:
        self._names = names

    def ls(self, key: str, **_: Any) -> list[dict[str, Any]]:
        return [
            {"name": f"{key}/{name.rstrip('/')}", "size": 3, "ETag": f"of {name}",
             "type": "directory" if name.endswith("/") else "file"}
            for name in self._names
        ]  # fmt: skip


def _names(pattern: str, *names: str) -> list[str]:
    folder = Connection("s3://bucket/dir", _Folder(*names), "bucket/dir")
    images = list_images(folder, pattern)
    assert images is not None
    return [image.name for image in images]


def test_images_of_a_folder_are_read_and_other_files_are_not() -> None:
    listed = ("a_1.png", "a_2.JPG", "notes.txt", ".hidden.png", "more/", "clip.mp4")
    assert _names("", *listed) == ["a_1.png", "a_2.JPG"]


@given(
    st.sampled_from(["f_%05d.png", "f_%d.png", "f_[####].png", "####.png", "v2_##_x.png"]),
    st.lists(st.integers(0, 99999), min_size=1, max_size=8, unique=True),
)
def test_a_pattern_reads_at_least_what_it_means(pattern: str, numbers: list[int]) -> None:
    parsed = sequence_pattern(pattern)
    assert parsed is not None
    own = [parsed.name(number) for number in numbers]
    others = ["other_00001.png", "f_00001.jpg"]
    assert _names(pattern, *own, *others) == sorted(own)


def test_a_glob_reads_what_it_names() -> None:
    assert _names("a_*.png", "a_1.png", "b_1.png") == ["a_1.png"]
    assert is_pattern("a_*.png")
    assert not is_pattern("a_1.png")


def test_an_upload_that_was_not_finished_is_refused() -> None:
    with pytest.raises(InputError, match=r"s3://bucket/dir: an upload to it was not finished; run"):
        _names("", "a_1.png", ".kadr-unfinished")


@pytest.mark.parametrize("name", ["x\\evil.png", "a:b.png", "a\n.png"])
def test_names_that_no_disk_can_have_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="is no name for a file on a disk"):
        _names("", name)


def test_a_version_tells_content_apart() -> None:
    first = RemoteFile.of("a", {"size": 3, "ETag": '"1"'})
    assert first == RemoteFile.of("a", {"size": 3, "ETag": '"1"', "LastModified": datetime.now()})
    assert first.version != RemoteFile.of("a", {"size": 3, "ETag": '"2"'}).version
    assert RemoteFile.of("a", {"size": None}) == RemoteFile("a", None, "")


def test_a_password_in_a_url_is_refused_without_being_shown() -> None:
    with pytest.raises(InputError) as error:
        connect("s3://key:hidden@bucket/a.mp4")
    assert str(error.value).startswith("s3://***@bucket/a.mp4: holds a password; take it out")


def test_a_missing_library_is_named() -> None:
    with pytest.raises(Exception, match=r"gs://b/a.mp4: needs gcsfs; .*'kadr\[gcs\]'"):
        connect("gs://b/a.mp4")
