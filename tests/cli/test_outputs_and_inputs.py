"""No command writes its output over its input or among it, with ``--overwrite`` or without."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_samples import COUNT, Call, make_images, make_keys, painted

from kadr import new_project, write_image
from kadr.exchange.import_project import ORIGIN

QUICK = ("--detail", "draft")


@pytest.fixture
def files(tmp_path: Path, video: Path, keys: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a clip, a sequence, keys, masks, a style and a project."""
    shutil.copy(video, tmp_path / "clip.mp4")
    make_images(tmp_path / "seq", range(COUNT))
    shutil.copytree(keys, tmp_path / "keys")
    make_keys(tmp_path / "masks", *range(COUNT))
    write_image(tmp_path / "style.png", painted(0))
    new_project(tmp_path / "clip.mp4", [keys], tmp_path / "p.kadr", detail="draft")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _contents(folder: Path) -> dict[Path, bytes]:
    return {
        path: path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "work" not in path.parts
    }


COMMANDS = [
    "run clip.mp4 --keys keys -o keys/%05d.png",
    "run clip.mp4 --keys keys -o keys",
    "run clip.mp4 --keys keys -o keys/new/",
    "run clip.mp4 --keys keys/00000.png --keys keys/00005.png -o keys/f_%05d.png",
    "run clip.mp4 --keys keys -o clip.mp4",
    "run clip.mp4 --keys keys -o out.mp4 --per-key keys",
    "run clip.mp4 --keys keys -o out.mp4 --per-key .",
    "run clip.mp4 --keys keys -o keys/%05d.png --dry-run",
    "run seq --keys keys -o seq/styled_%04d.png",
    "run seq/shot_#.png --keys keys -o seq",
    "run clip.mp4 --stylizer paint --every-frame --mask masks -o masks",
    "run clip.mp4 --stylizer paint --every-frame --mask masks -o masks/m_%05d.png",
    "run p.kadr -o p.kadr/keys/%05d.png",
    "preview p.kadr --frame 2 -o p.kadr/keys/00002.png",
    "preview p.kadr --range 1:3 -o clip.mp4",
    "plan p.kadr -o p.kadr/keys",
    "plan seq -o seq",
    "frames seq seq",
    "frames seq seq/new",
    "encode seq -o seq/f_%05d.png",
    "encode masks -o seq/f_%05d.png --like seq",
    "encode masks -o masks/f_%05d.png --like clip.mp4",
    "encode seq -o clip.mp4 --like clip.mp4",
    "export p.kadr --keys p.kadr/keys",
    "compare clip.mp4 --stylizer paint -o clip.mp4",
    "seeds style.png --stylizer paint -o style.png -n 1",
    "seeds seq --stylizer paint -o seq/seeds.png -n 1",
    "seeds p.kadr --stylizer paint --images p.kadr/keys -n 1",
    "synth --style style.png --guide seq/shot_0.png seq/shot_1.png -o seq/shot_1.png",
    "synth --style style.png --guide seq/shot_0.png seq/shot_1.png -o style.png",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_an_output_among_the_inputs_is_refused_even_with_overwrite(
    refused: Callable[..., str], files: Path, command: str
) -> None:
    before = _contents(files)
    line = refused(*command.split(), "--overwrite", *(() if "run" not in command else QUICK))
    assert "the input" in line
    assert _contents(files) == before


@pytest.mark.parametrize("command", [text for text in COMMANDS if "keys/%05d.png" in text])
def test_without_overwrite_too(refused: Callable[..., str], files: Path, command: str) -> None:
    before = _contents(files)
    assert "the input folder" in refused(*command.split())
    assert _contents(files) == before


@pytest.mark.parametrize(
    "command",
    [
        "run clip.mp4 --keys keys -o w/f_%05d.png --work w",
        "run clip.mp4 --keys keys -o w/frames --work w",
        "run p.kadr -o p.kadr/out/frames/%05d.png",
    ],
)
def test_images_do_not_go_among_work_files(
    refused: Callable[..., str], files: Path, command: str
) -> None:
    assert "where kadr keeps work files" in refused(*command.split(), "--overwrite")
    assert not (files / "w").exists()
    assert not (files / "p.kadr" / "out").exists()


def test_the_output_of_a_project_file_is_checked(refused: Callable[..., str], files: Path) -> None:
    toml = files / "p.kadr" / "project.toml"
    text = toml.read_text(encoding="utf-8")
    toml.write_text(text.replace("out/clip.mp4", "keys/%05d.png"), encoding="utf-8")
    before = _contents(files)
    assert "is the input folder" in refused("run", "p.kadr")
    assert _contents(files) == before


def test_the_files_of_a_stylizer_are_inputs(refused: Callable[..., str], files: Path) -> None:
    (files / "look_01.png").write_bytes((files / "style.png").read_bytes())
    command = ("run", "clip.mp4", "--stylizer", "onnx", "-O", "style-image=look_01.png")
    before = _contents(files)
    assert "holds the input" in refused(*command, "-o", "./", "--overwrite")
    assert _contents(files) == before


def test_images_of_an_exported_project_do_not_go_among_its_keys(
    refused: Callable[..., str], files: Path
) -> None:
    shutil.copytree(files / "keys", files / "a_video")
    new_project(files / "clip.mp4", [files / "a_video"], files / "a.kadr", copy_keys=False)
    (files / "b_keys").mkdir()
    for name, new_name in (("00000.png", "first_00000.png"), ("00005.png", "last_5.png")):
        shutil.copy(files / "keys" / name, files / "b_keys" / new_name)
    new_project(files / "seq", [files / "b_keys"], files / "b.kadr", copy_keys=False)
    before = _contents(files)
    for name in "ab":
        line = refused("export", f"{name}.kadr", "--ebs", f"{name}.ebs", "--overwrite")
        assert "is the input folder" in line
        assert _contents(files) == before


def test_the_file_that_a_project_was_imported_from_is_an_input(
    kadr: Call, refused: Callable[..., str], files: Path
) -> None:
    assert kadr("export", "p.kadr", "--ebs", "p.ebs").code == 0
    origin = files / "p.kadr" / ORIGIN
    shutil.copy(files / "p.ebs", origin)
    before = _contents(files)
    assert "is the input itself" in refused("export", "p.kadr", "--ebs", origin, "--overwrite")
    assert _contents(files) == before


@pytest.mark.parametrize(("clip", "folder"), [("seq", "seq/p.kadr"), ("clip.mp4", "keys/p.kadr")])
def test_a_project_in_a_folder_of_images_is_refused(
    refused: Callable[..., str], files: Path, clip: str, folder: str
) -> None:
    before = _contents(files)
    line = refused("new", clip, "--keys", "keys", "-o", folder)
    assert "lies in the input folder" in line
    assert _contents(files) == before
    assert not (files / folder).exists()


@pytest.mark.parametrize(
    "command",
    [
        "run clip.mp4 --keys keys -o out.mp4",
        "run clip.mp4 --keys keys -o out/",
        "run clip.mp4 --keys keys -o f_%05d.png",
        "run seq --keys keys -o seq/out.mp4",
        "run seq/shot_#.png --keys keys -o seq/out_%05d.png",
        "run p.kadr --per-key p.kadr/out/each",
    ],
)
def test_outputs_beside_the_inputs_are_written(kadr: Call, files: Path, command: str) -> None:
    before = _contents(files)
    assert kadr(*command.split(), *QUICK).code == 0
    after = _contents(files)
    assert before.items() <= after.items()
    assert len(after) > len(before)


@pytest.mark.parametrize("output", ["out/f_%05d.png", "out/"])
def test_images_beside_the_finished_frames_of_a_project(
    kadr: Call, files: Path, output: str
) -> None:
    root = files / "p.kadr"
    toml = root / "project.toml"
    toml.write_text(toml.read_text("utf-8").replace("out/clip.mp4", output), encoding="utf-8")
    assert not (root / "out").exists()
    for _ in range(2):
        done = kadr("run", root)
        assert done.code == 0, done
        assert len(list((root / "out").glob("*.png"))) == COUNT
        assert len(list((root / "out" / "frames").glob("*.png"))) == COUNT
