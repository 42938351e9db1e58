"""Paths on the command line: home folders, names that no disk takes, names that are not text."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_samples import Call

from kadr import open_clip, open_project

Refused = Callable[..., str]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, video: Path, keys: Path) -> Path:
    """A home folder with a clip and keys, and another folder to work in."""
    folder = tmp_path / "home"
    folder.mkdir()
    shutil.copy(video, folder / "clip.mp4")
    shutil.copytree(keys, folder / "keys")
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("USERPROFILE", str(folder))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return folder


def test_home_folders_are_expanded_in_arguments_and_options(kadr: Call, home: Path) -> None:
    files = sorted(path.name for path in (home / "keys").iterdir())
    for words in (
        ("run", "~/clip.mp4", "--keys=~/keys", "-o~/out/a.mp4", "--work=~/work", "--report=~/rep"),
        ("run", "~/clip.mp4", "--keys", f"~/keys/{files[0]}", f"~/keys/{files[1]}", "-o", "~/b/"),
        ("frames", "~/clip.mp4", "~/frames"),
        ("encode", "~/frames", "--output=~/c.mp4", "--like=~/clip.mp4"),
        ("new", "~/clip.mp4", "--keys=~/keys", "--output=~/p.kadr", "--to=~/to.mp4"),
        ("status", "~/p.kadr"),
        ("export", "~/p.kadr", "--ebs=~/p.ebs"),
        ("plan", "~/clip.mp4", "--output=~/plan"),
        ("clean", "~/p.kadr", "--dry-run"),
    ):
        extra = ("--detail", "draft") if words[0] == "run" else ()
        assert kadr(*words, *extra).code == 0, words
    made = {"out/a.mp4", "work/run.json", "rep/report.html", "b/frame_00000.png", "c.mp4", "p.ebs"}
    assert [name for name in made | {"p.kadr/project.toml"} if not (home / name).exists()] == []
    assert list(Path().iterdir()) == []
    assert Path(open_project(home / "p.kadr").output).resolve() == home.resolve() / "to.mp4"


def test_other_names_are_left_as_they_are(refused: Refused, home: Path) -> None:
    assert "~there.is.nobody/clip.mp4: no such file" in refused("info", "~there.is.nobody/clip.mp4")


@pytest.mark.parametrize("name", ["run", "info", "new", "plan", "frames", "status"])
def test_a_null_character_is_refused(refused: Refused, name: str) -> None:
    assert r"a\x00b: holds a null character, which no name may have" in refused(name, "a\0b")


@pytest.mark.skipif(os.name == "nt", reason="Windows has other limits")
def test_names_that_no_disk_takes_are_refused(
    refused: Refused, video: Path, tmp_path: Path
) -> None:
    long = tmp_path / ("a" * 300)
    for words in (
        ("info", long),
        ("run", video, "--keys", long, "-o", tmp_path / "x.mp4"),
        ("run", video, "--stylizer", "paint", "-o", long / "x.mp4"),
        ("frames", video, long),
        ("status", long),
        ("new", video, "-o", long),
        ("presets", f"{long}.toml"),
        ("import", long),
    ):
        assert "name too long" in refused(*words).lower(), words


@pytest.mark.parametrize(
    "number", [errno.EACCES, errno.EPERM, errno.EIO, errno.ELOOP, errno.EMFILE]
)
def test_what_the_system_refuses_is_one_line(
    refused: Refused, video: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(path: str, **_: object) -> None:
        raise OSError(number, os.strerror(number), path)

    monkeypatch.setattr("kadr.video.clips.open_clip", refuse)
    line = refused("info", video)
    assert line.startswith(f"error: {video}: {os.strerror(number).lower()}; ")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems allow only text in names")
def test_names_in_an_unknown_encoding_work(
    kadr: Call, refused: Refused, home: Path, tmp_path: Path
) -> None:
    name = os.fsdecode(b"caf\xe9")
    clip = shutil.copy(home / "clip.mp4", tmp_path / f"{name}.mp4")
    out, report = tmp_path / f"{name}-out.mp4", tmp_path / "report"
    words = ("--keys", home / "keys", "--detail", "draft")
    done = kadr("run", clip, *words, "-o", out, "--report", report)
    assert (done.code, done.err) == (0, "")
    assert r"caf\udce9-out.mp4: 6 frames" in done.out
    with open_clip(out) as opened:
        assert len(opened) == 6
    assert r"caf\udce9" in (report / "report.html").read_text(encoding="utf-8")
    done = kadr("info", clip, "--json")
    assert done.objects[0]["path"] == str(clip)
    assert "is not valid text; rename it" in refused("new", clip, *words[:2])
