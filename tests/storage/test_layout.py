"""Every file name of a work folder has a kind; other file names have none."""

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
    LAYOUT.store / "propagate" / FINGERPRINT / "000012-state.zip",
    LAYOUT.store / "propagate" / FINGERPRINT / "1000012.zip",
    LAYOUT.store / "stylize" / f"{FINGERPRINT}.zip",
    LAYOUT.folder / f"masks-{FINGERPRINT}.zip",
    LAYOUT.noise / f"{FINGERPRINT}.npy",
    LAYOUT.frames / "frame_00012.png",
    LAYOUT.blended / "frame_00012.png",
    LAYOUT.frames / f"{HIDDEN}x1y2z3_4.png",
]


@pytest.mark.parametrize("file", FILES, ids=str)
def test_every_work_file_has_a_kind(file: Path) -> None:
    relative = file.relative_to(LAYOUT.folder)
    assert file_kind(relative) is not None
    for work in (*map(LAYOUT.method, METHODS), LAYOUT.layer("room")):
        nested = work.folder / relative
        assert file_kind(nested.relative_to(LAYOUT.folder)) == file_kind(relative)


def test_a_lock_has_a_kind_only_in_the_folder_of_a_method() -> None:
    for file in (LAYOUT.lock, LAYOUT.lock_holder, LAYOUT.marker):
        assert file_kind(file.relative_to(LAYOUT.folder)) is None
        for work in (LAYOUT.method(METHODS[0]), LAYOUT.layer("room")):
            nested = work.folder / file.name
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
        "store/textures.zip",
        "store/stylize/old.zip",
        "store/backup/2024/000012.zip",
        f"store/{FINGERPRINT}/12.zip",
        f"store/a/b/{FINGERPRINT}.zip",
        f"store/stylize/{FINGERPRINT}.zip.zip",
        "shots-1.json",
        "survey-0a.zip",
        "masks-0a.zip",
        ".kadr-notes.txt",
        "mine/.kadr-a1b2c3d4.png",
        "layers/notes.txt",
        "layers/room/notes.txt",
    ],
)
def test_other_files_have_no_kind(name: str) -> None:
    assert file_kind(PurePath(name)) is None
