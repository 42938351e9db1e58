"""Seeds on a sheet: what each shows, and that the one that is kept makes that picture again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kadr.cli.main import main
from kadr.core.events import follow
from kadr.core.frames import Frame, Image
from kadr.errors import OptionsError
from kadr.files import read_image, write_image
from kadr.project.folder import open_project
from kadr.seeds import seed_sheet, try_seeds
from kadr.stylize.infotext_files import read_infotext

OPTIONS = {"pixels": 4096, "steps": 4, "denoising_strength": 0.9, "prompt": "a fox"}
FLAGS = ("-O", "pixels=4096", "--steps", "4", "--prompt", "a fox")


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
    trials = follow(try_seeds(frame, [4, 5], "diffusion", options, axes), events.append)
    assert [(trial.seed, *trial.settings.values()) for trial in trials] == [
        (seed, cfg, strength) for cfg in (3.0, 9.0) for strength in (0.3, 0.9) for seed in (4, 5)
    ]
    assert trials[2].label == "seed 4  cfg 3  strength 0.9"
    assert [(event.index, event.total) for event in events] == [(at, 8) for at in range(9)]
    pictures = {trial.image.tobytes() for trial in trials}
    assert len(pictures) == 8
    sheet = seed_sheet(disc_frames[0], trials, cell_width=64)
    assert sheet.shape[1] < 64 * 3, "two seeds wide"
    with pytest.raises(OptionsError, match="stylizer paint: has no seed to choose"):
        follow(try_seeds(frame, [1], "paint", {}))


def test_a_sheet_from_a_project_and_the_seed_that_is_kept(
    model: str, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = tmp_path / "fox.kadr"
    words = ["--stylizer", "diffusion", "--model", model, *FLAGS]
    assert main(["new", str(clip), "-o", str(project), *words, "--every-frame"]) == 0
    shown = ["seeds", str(project), "-n", "3", "--seed", "10", "--frame", "6"]
    assert main([*shown, "--images", str(tmp_path / "pictures"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["seeds"] == [10, 11, 12]
    assert read_image(project / "out" / "seeds.png").ndim == 3
    chosen = tmp_path / "pictures" / "00006-seed_11.png"
    assert read_infotext(chosen).fields["Seed"] == "11"
    assert main(["seeds", str(project), "--keep", "11", "--cfg-scale", "5"]) == 0
    kept = open_project(project).settings.stylizer_options
    assert kept is not None
    assert (kept["seed"], kept["cfg_scale"], kept["prompt"]) == (11, 5.0, "a fox")
    assert main(["seeds", str(project), "--keep", "11", "--cfg-scale", "7"]) == 0
    assert main(["run", str(project), "-o", f"{tmp_path}/made/"]) == 0
    made = read_image(tmp_path / "made" / "f_006.png")
    assert np.array_equal(made, read_image(chosen))


def test_bad_ends(clip: Path, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    look = ["--model", model, *FLAGS]
    for words, told in (
        ([str(clip), "--keep", "3"], "is no project to keep a seed in"),
        ([str(clip), "--frame", "1", *look], "frame 1: the clip has frames 5–7"),
        ([str(clip / "f_005.png"), "--frame", "1", *look], "is one image; leave out --frame"),
        ([str(clip), "--cfg-scale", "5,x", *look], "cfg_scale 'x': expected a number"),
        ([str(clip), "--stylizer", "paint"], "stylizer paint: has no seed"),
    ):
        assert main(["seeds", *words]) == 2
        assert told in capsys.readouterr().err
