"""Outputs that would replace their inputs, or be taken for them, are refused; others are not."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from kadr.errors import OutputError
from kadr.video.outputs_apart import check_outputs_apart


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with inputs of each kind."""
    for name in (
        "clip.mp4",
        "style.png",
        "loop.webp",
        "sheet_001.png",
        "seq/shot_0001.png",
        "seq/shot_0002.png",
        "seq/clip.mov",
        "keys/00012.png",
        "project/keys/00012.png",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


REFUSED = [
    ("clip.mp4", "clip.mp4", "is the input itself"),
    ("style.png", "style.png", "is the input itself"),
    ("seq/../clip.mp4", "clip.mp4", "is the input itself"),
    ("keys/%05d.png", "keys", "is the input folder"),
    ("keys/f_[####].jpg", "keys/", "is the input folder"),
    ("keys", "keys", "is the input folder"),
    ("keys/", "./keys", "is the input folder"),
    ("keys/new/", "keys", "lies in the input folder"),
    ("keys/a/b/%05d.png", "keys", "lies in the input folder"),
    ("keys/00013.png", "keys", "lies in the input"),
    ("keys/deep/sheet.png", "keys", "lies in the input"),
    ("keys/out.webp", "keys", "lies in the input"),
    ("seq/shot_%04d.png", "seq", "is the input folder"),
    ("seq/styled_%04d.png", "seq", "is the input folder"),
    ("seq/", "seq/shot_%04d.png", "holds the input"),
    ("seq/shot_%04d.png", "seq/shot_%04d.png", "holds the input"),
    ("seq/shot_%05d.png", "seq/shot_[####].png", "holds the input"),
    ("seq/shot_%04d.png", "seq/*.png", "holds the input"),
    ("seq/shot_0003.png", "seq/shot_####.png", "lies in the input"),
    ("./", "sheet_001.png", "holds the input"),
    ("keys", "keys/00012.png", "holds the input"),
    ("keys/f_%05d.png", "keys/00012.png", "holds the input"),
    ("project/keys/", "project", "lies in the input folder"),
]

ALLOWED = [
    ("out.mp4", "clip.mp4"),
    ("out/", "clip.mp4"),
    ("frame_%05d.png", "clip.mp4"),
    ("./", "clip.mp4"),
    ("seq/out.mp4", "seq"),
    ("seq/out.mov", "seq/shot_%04d.png"),
    ("seq/styled_%04d.png", "seq/shot_%04d.png"),
    ("seq/styled_%04d.png", "seq/shot*.png"),
    ("seq/out/", "seq/shot_%04d.png"),
    ("seq/still.png", "seq/shot_%04d.png"),
    ("project/out/", "project/keys"),
    ("project/f_%05d.png", "project/keys"),
    ("keys2/", "keys"),
    ("result.png", "style.png"),
    ("frame_%05d.png", "style.png"),
    ("./", "loop.webp"),
    ("keys/", "missing"),
]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(("output", "path", "message"), REFUSED)
def test_these_are_refused(output: str, path: str, message: str) -> None:
    with pytest.raises(OutputError, match=f"{message}.*; choose another (folder|name)"):
        check_outputs_apart(["elsewhere/", output], [Path("other.mp4"), Path(path)])


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(("output", "path"), ALLOWED)
def test_these_are_not(output: str, path: str) -> None:
    check_outputs_apart([output], [Path(path)])


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
def test_links_are_followed(folder: Path) -> None:
    (folder / "linked").symlink_to("keys")
    (folder / "linked.mp4").symlink_to("clip.mp4")
    for output in ("linked/%05d.png", "linked/", "linked/deep/"):
        with pytest.raises(OutputError, match="the input folder"):
            check_outputs_apart([output], [Path("keys")])
        with pytest.raises(OutputError, match="the input folder"):
            check_outputs_apart([output.replace("linked", "keys")], [Path("linked")])
    with pytest.raises(OutputError, match="is the input itself"):
        check_outputs_apart(["linked.mp4"], [Path("clip.mp4")])


def test_another_spelling_of_a_name_is_the_same_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on disks that do not tell capital letters from small ones."""
    real = Path.samefile

    def samefile(first: Path, second: Path) -> bool:
        return real(*(Path(str(path).replace("Keys", "keys")) for path in (first, second)))

    monkeypatch.setattr(Path, "samefile", samefile)
    with pytest.raises(OutputError, match="is the input folder"):
        check_outputs_apart(["Keys/%05d.png"], [Path("keys")])


@pytest.mark.usefixtures("folder")
def test_a_folder_of_folders_may_hold_no_input_at_any_depth() -> None:
    for tree in ("project", "project/keys", "project/keys/deep"):
        with pytest.raises(OutputError, match="choose another folder"):
            check_outputs_apart([], [Path("project/keys")], trees=[Path(tree)])
    check_outputs_apart([], [Path("project/keys")], trees=[Path("project/out")])
