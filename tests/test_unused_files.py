"""Files that are passed over are named; files of the system are not."""

from __future__ import annotations

from pathlib import Path

from kadr.unused_files import unused_file_notices


def _touch(folder: Path, *names: str) -> None:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"")


def test_images_of_other_types_and_subfolders_are_named(tmp_path: Path) -> None:
    _touch(tmp_path, "1.png", "2.exr", "3.EXR")
    (tmp_path / "old").mkdir()
    assert unused_file_notices([tmp_path]) == [
        f"{tmp_path}: not used, no type that is read: 2.exr, 3.EXR",
        f"{tmp_path}: subfolders are not read: old",
    ]


def test_what_is_no_image_or_beside_one_says_nothing(tmp_path: Path) -> None:
    _touch(tmp_path, "1.png", "1.psd", "Thumbs.db", ".DS_Store", "._2.psd", "notes 9.txt")
    (tmp_path / "__MACOSX").mkdir()
    (tmp_path / ".git").mkdir()
    assert unused_file_notices([tmp_path]) == []


def test_many_names_are_counted(tmp_path: Path) -> None:
    _touch(tmp_path, *(f"{number:02d}.exr" for number in range(15)))
    (notice,) = unused_file_notices([tmp_path])
    assert notice.endswith("00.exr, 01.exr, 02.exr and 12 more")


def test_files_given_by_themselves(tmp_path: Path) -> None:
    _touch(tmp_path, "1.png", "2.psd")
    (notice,) = unused_file_notices([tmp_path / "1.png", tmp_path / "2.psd"])
    assert notice == f"{tmp_path / '2.psd'}: not used, no type of image that is read"
