"""Every name of a work folder has a kind, and no other name has one."""

from __future__ import annotations

from pathlib import Path, PurePath

import pytest

from kadr.files import HIDDEN
from kadr.storage.layout import METHODS, WorkLayout, file_kind

FINGERPRINT = "0a" * 16
LAYOUT = WorkLayout(Path("work"))
FILES = [
    LAYOUT.record,
    LAYOUT.pass_history,
    LAYOUT.clips,
    LAYOUT.shots(FINGERPRINT),
    LAYOUT.folder / f"{LAYOUT.survey_entry(FINGERPRINT)}.zip",
    LAYOUT.store / "propagate" / FINGERPRINT / "000012.zip",
    LAYOUT.noise / f"{FINGERPRINT}.npy",
    LAYOUT.frames / "frame_00012.png",
    LAYOUT.blended / "frame_00012.png",
    LAYOUT.frames / f"{HIDDEN}x1y2.png",
]


@pytest.mark.parametrize("file", FILES, ids=str)
def test_every_file_has_a_kind(file: Path) -> None:
    relative = file.relative_to(LAYOUT.folder)
    assert file_kind(relative) is not None
    for method in METHODS:
        nested = LAYOUT.method(method).folder / relative
        assert file_kind(nested.relative_to(LAYOUT.folder)) == file_kind(relative)


def test_the_lock_has_none_except_of_a_method() -> None:
    for file in (LAYOUT.lock, LAYOUT.lock_holder):
        assert file_kind(file.relative_to(LAYOUT.folder)) is None
        nested = LAYOUT.method(METHODS[0]).folder / file.name
        assert file_kind(nested.relative_to(LAYOUT.folder)) is not None


@pytest.mark.parametrize(
    "name",
    [
        "notes.txt",
        "my run.json",
        "store/notes.txt",
        "frames/a/b.png",
        "noise/mine.npy",
        "keys/1.png",
    ],
)
def test_other_files_have_none(name: str) -> None:
    assert file_kind(PurePath(name)) is None
