"""Seeds on a sheet: its trials, and that the seed that is kept makes the same image again."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kadr.cli.main import main
from kadr.core.events import follow
from kadr.core.frames import Frame, Image
from kadr.errors import OptionsError
from kadr.image_files import read_image, write_image
from kadr.project.folder import open_project
from kadr.seed_grid import make_seed_grid, seed_grid_image
from kadr.stylize.base import StyledFrame, StylizeJob
from kadr.stylize.infotext_files import read_infotext

OPTIONS = {"pixels": 4096, "steps": 2, "denoising_strength": 0.9, "prompt": "a fox"}
FLAGS = ("-O", "pixels=4096", "--steps", "2", "--prompt", "a fox")


@pytest.fixture
def model(tiny_model: Callable[..., Path]) -> str:
    return str(tiny_model("sd1"))


@pytest.fixture
def clip(tmp_path: Path, disc_frames: list[Image]) -> Path:
    for index, image in enumerate(disc_frames[:3]):
        write_image(tmp_path / "clip" / f"f_{index + 5:03d}.png", image)
    return tmp_path / "clip"


def test_trials_come_by_axes_and_seeds(model: str, disc_frames: list[Image]) -> None:
    frame = Frame(7, disc_frames[0])
    axes = {"cfg_scale": [3.0, 9.0], "denoising_strength": [0.3, 0.9]}
    options = {**OPTIONS, "model": model, "batch": 2, "joint": "attention"}
    events = []
    trials = follow(make_seed_grid(frame, [4, 5], "diffusion", options, axes), events.append)
    assert [(trial.seed, *trial.settings.values()) for trial in trials] == [
        (seed, cfg, strength) for cfg in (3.0, 9.0) for strength in (0.3, 0.9) for seed in (4, 5)
    ]
    assert trials[2].label == "seed 4  cfg 3  strength 0.9"
    assert [(event.index, event.total) for event in events] == [(count, 8) for count in range(9)]
    pictures = {trial.image.tobytes() for trial in trials}
    assert len(pictures) == 8
    sheet = seed_grid_image(disc_frames[0], trials, cell_width=64)
    assert sheet.shape[1] < 64 * 3, "two seeds wide"
    with pytest.raises(OptionsError, match="stylizer onnx: has no seed to choose"):
        follow(make_seed_grid(frame, [1], "onnx", {}))


def test_seeds_that_change_nothing_are_told_of(disc_frames: list[Image], monkeypatch: Any) -> None:
    class Unchanged:
        def stylize(self, jobs: Iterable[StylizeJob], _: object) -> Iterator[list[StyledFrame]]:
            yield from ([StyledFrame(job.index, job.frame.rgb)] for job in jobs)

    monkeypatch.setattr("kadr.seed_grid.create_stylizer", lambda *_, **__: Unchanged())
    messages: list[str] = []
    frame, axes = Frame(7, disc_frames[0]), {"cfg_scale": [3.0]}
    grid = make_seed_grid(frame, [4, 5], "diffusion", {"model": "m"}, axes)
    follow(grid, lambda event: messages.append(event.message))
    first, last = filter(None, messages)
    assert first.startswith("cfg-scale 3.0: stylizer diffusion: seed 4 came back unchanged; raise ")
    assert last == "cfg-scale 3.0: stylizer diffusion: 2 of 2 seeds came back unchanged: 4, 5"


def test_a_sheet_from_a_project_and_the_seed_that_is_kept(
    model: str, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = tmp_path / "fox.kadr"
    words = ["--stylizer", "diffusion", "--model", model, *FLAGS]
    assert main(["new", str(clip), "-o", str(project), *words, "--every-frame"]) == 0
    arguments = ["seeds", str(project), "-n", "3", "--seed", "10", "--frame", "6"]
    assert main([*arguments, "--images", str(tmp_path / "pictures"), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert facts["seeds"] == [10, 11, 12]
    assert read_image(project / "out" / "seeds.png").ndim == 3
    chosen = tmp_path / "pictures" / "00006-seed_11.png"
    assert read_infotext(chosen).fields["Seed"] == "11"
    assert main(["seeds", str(project), "--keep", "11", "--cfg-scale", "5"]) == 0
    options = open_project(project).settings.stylizer_options
    assert options is not None
    assert (options["seed"], options["cfg_scale"], options["prompt"]) == (11, 5.0, "a fox")
    assert main(["seeds", str(project), "--keep", "11", "--cfg-scale", "7"]) == 0
    assert main(["run", str(project), "-o", f"{tmp_path}/made/"]) == 0
    image = read_image(tmp_path / "made" / "f_006.png")
    assert np.array_equal(image, read_image(chosen))


def test_kept_options_stand_in_the_section_of_the_stylizer(clip: Path, tmp_path: Path) -> None:
    project = tmp_path / "fox.kadr"
    assert main(["new", str(clip), "-o", str(project)]) == 0
    file = project / "project.toml"
    before = file.read_text(encoding="utf-8")
    words = ["--stylizer", "diffusion", "--model", "m", "--prompt", "a fox"]
    assert main(["seeds", str(project), "--keep", "1340", *words]) == 0
    text = file.read_text(encoding="utf-8")
    section = text[text.index("[stylizer]") : text.index("# How the style is carried")]
    lines = section.splitlines()
    assert lines[1].startswith('name = "diffusion"')
    assert set(lines[2:-1]) == {'model = "m"', 'prompt = "a fox"', "seed = 1340"}
    assert lines[-1] == "", "what introduces the next section stands apart"
    assert text.partition("# How the")[2] == before.partition("# How the")[2]
    assert main(["seeds", str(project), "--keep", "7"]) == 0
    assert file.read_text(encoding="utf-8") == text.replace("1340", "7")


@pytest.mark.parametrize(
    "end",
    [
        "SEED",
        "# prompt =\nSEED\n\n# Next\n[run]\n",
        'prompt = """\n[run]\n# no"""\nSEED\n\n# Next\n[run]\n',
        'prompt = "[run]" # a [fox]\nSEED\n\n# Next\n\n[ run ] # how\nworkers = 1\n',
    ],
)
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_seed_is_kept_in_a_file_written_by_hand(
    clip: Path, tmp_path: Path, end: str, line_end: str
) -> None:
    head = 'format = 1\n[clip]\npath = "../clip"\n[output]\npath = "o.mp4"\n\n# Look\n[stylizer]\n'
    text = f'{head}name = "diffusion" # mine\nmodel = "m"\n{end}'.replace("\n", line_end)
    file = tmp_path / "fox.kadr" / "project.toml"
    file.parent.mkdir()
    file.write_bytes(text.replace(f"SEED{line_end}", "").replace("SEED", "").encode())
    assert main(["seeds", str(file.parent), "--keep", "3"]) == 0
    assert file.read_bytes().decode().rstrip() == text.replace("SEED", "seed = 3").rstrip()


def test_a_project_shows_the_middle_of_its_own_frames(
    model: str, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = tmp_path / "fox.kadr"
    words = ["--stylizer", "diffusion", "--model", model, *FLAGS]
    for frames, middle in (("5:5", 5), ("6:7", 7), ("5:7", 6)):
        new = ["new", str(clip), "-o", str(tmp_path / f"{frames[0]}{frames[2]}.kadr"), *words]
        assert main([*new, "--frames", frames]) == 0
        project = Path(new[3])
        assert main(["seeds", str(project), "-n", "1", "--json"]) == 0
        assert json.loads(capsys.readouterr().out.splitlines()[-1])["frame"] == middle
    assert main(["seeds", str(project), "-n", "1", "--frame", "5"]) == 0


def test_a_sheet_that_cannot_be_written_is_refused_first(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("a sheet was made")

    monkeypatch.setattr("kadr.seed_grid.make_seed_grid", fail)
    (tmp_path / "there.png").write_bytes(b"")
    (tmp_path / "folder.png").mkdir()
    stylizer = ["--stylizer", "diffusion", "--model", "m"]
    for words, message in (
        (["-o", "s4.mp4"], "s4.mp4: unknown image type '.mp4'"),
        (["-o", "s4"], "s4: unknown image type ''"),
        (["-o", "there.png"], "there.png: exists already"),
        (["-o", "folder.png", "--overwrite"], "folder.png: is a folder"),
        (["-o", "there.png/s.png"], "there.png is a file"),
        (["-o", "new/s.png", "--images", "there.png"], "there.png is a file"),
    ):
        monkeypatch.chdir(tmp_path)
        assert main(["seeds", str(clip), *stylizer, *words]) == 2
        assert message in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip", "folder.png", "there.png"]


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere"
)
def test_a_sheet_in_a_read_only_folder_is_refused_first(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "locked").mkdir(mode=0o555)
    words = ["--stylizer", "diffusion", "--model", "m", "-o", str(tmp_path / "locked" / "s.png")]
    assert main(["seeds", str(clip), *words]) == 2
    assert "locked: cannot be written" in capsys.readouterr().err


def test_bad_ends(clip: Path, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    stylizer = ["--model", model, *FLAGS]
    for words, message in (
        ([str(clip), "--keep", "3"], "is no project to keep a seed in"),
        ([str(clip), "--keep", "3", "-n", "4"], "--count: is not for --keep"),
        ([str(clip), "--keep", "3", "-o", "s.png"], "--output: is not for --keep"),
        ([str(clip), "--keep", "3", "--images", "s"], "--images: is not for --keep"),
        ([str(clip), "--keep", "3", "--frame", "5"], "--frame: is not for --keep"),
        ([str(clip), "--keep", "3", "--seed", "5"], "--seed: is not for --keep"),
        ([str(clip), "--frame", "1", *stylizer], "frame 1: the clip has frames 5–7"),
        ([str(clip / "f_005.png"), "--frame", "1", *stylizer], "is one image; leave out --frame"),
        ([str(clip), "--cfg-scale", "5,x", *stylizer], "cfg-scale 'x': expected a number"),
        ([str(clip), "--stylizer", "onnx"], "stylizer onnx: has no seed"),
    ):
        assert main(["seeds", *words]) == 2
        assert message in capsys.readouterr().err
