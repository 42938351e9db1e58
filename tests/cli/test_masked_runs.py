"""``kadr run`` with masks and backgrounds: exit codes, projects, dry runs and previews."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from cli_samples import COUNT, SIZE, Call, frames_of, make_keys, picture

from kadr import open_project, read_image, write_image
from scenes import write_sequence

WIDTH, HEIGHT = SIZE
LEFT = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
LEFT[:, :24] = 255

Refused = Callable[..., str]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a clip, keys, and masks for all frames."""
    monkeypatch.chdir(tmp_path)
    write_sequence(tmp_path / "clip", [picture(index) for index in range(COUNT)])
    make_keys(tmp_path / "keys", 0, COUNT - 1)
    write_sequence(tmp_path / "masks", [LEFT] * COUNT)
    return tmp_path


RUN = ("run", "clip", "--keys", "keys", "--detail", "draft")


def test_outside_of_the_mask_the_film_stays(kadr: Call, desk: Path) -> None:
    done = kadr(*RUN, "--mask", "masks", "--feather", "4", "-o", "out")
    assert done.code == 0, done
    for index, image in enumerate(frames_of(desk / "out")):
        assert np.array_equal(image[:, 26:], picture(index)[:, 26:])
        assert np.abs(image[:, :20].astype(int) - picture(index)[:, :20]).mean() > 10


def test_options_of_the_mask_and_the_background(kadr: Call, desk: Path) -> None:
    done = kadr(*RUN, "--mask", "masks/frame_00000.png", "--invert-mask", "--grow", "-2",
                "--background", "transparent", "-o", "out/f_%03d.webp")  # fmt: skip
    assert done.code == 0, done
    image = frames_of(desk / "out")[3]
    assert image.shape == (HEIGHT, WIDTH, 4)
    assert (image[:, 26:, 3] == 255).all()
    assert (image[:, :26, 3] == 0).all()


SMALL = np.ascontiguousarray(LEFT[::2, ::2])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--mask nowhere", "nowhere: no such mask"),
        ("--mask small", "frame_00000.png: a mask of 32×24, the clip is 64×48; resize the mask, or "
         "give --fit-mask"),
        ("--mask few", "few: 3 masks numbered 0 to 2 for 6 frames 0 to 5; no mask for frame 3, 4"),
        ("--mask black", "black: no mask is set in frames 0 to 5: its largest level is 0 of 255"),
        ("--mask masks --background transparent -o out.mp4", "out.mp4 cannot store alpha; write a"),
        ("--mask masks --background nothing", "background 'nothing': expected film, transparent, a "
         "colour such as #204080"),
        ("--mask masks --background #12345", "background '#12345': expected film"),
        ("--mask masks --background none.png", "none.png: no such background"),
        ("--mask masks --background clip/frame_00000.txt", "no such background"),
        ("--feather 3", "feather: is for a mask; give mask too"),
        ("--invert-mask", "invert-mask: is for a mask; give mask too"),
        ("--mask masks --feather -1", "feather -1.0: expected 0 to 1000"),
        ("--mask keys/00000.png --grow x", "grow 'x'"),
        ("--figure nowhere", "nowhere: no such mask"),
        ("--figure small", "frame_00000.png: a mask of 32×24, the clip is 64×48; resize the"),
        ("--figure few", "few: 3 masks numbered 0 to 2 for 6 frames 0 to 5; no mask for frame 3"),
        ("--figure black", "black: shows no figure in frames 0 to 5: its largest level is 0 of"),
        ("--figure masks", "is opaque, so all of it would move with the figure of masks; make"),
        ("--fit-mask", "fit-mask: is for a mask; give mask too"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_before_any_work(
    refused: Refused, desk: Path, arguments: str, message: str
) -> None:
    write_sequence(desk / "small", [SMALL] * COUNT)
    write_sequence(desk / "few", [LEFT] * 3)
    write_sequence(desk / "black", [LEFT * 0] * COUNT)
    assert message in refused(*RUN, "-o", "out", *arguments.split())
    assert not list(desk.glob("out*"))


def test_a_damaged_mask_is_named(kadr: Call, desk: Path) -> None:
    (desk / "bad").mkdir()
    for index in range(COUNT):
        (desk / "bad" / f"{index}.png").write_bytes(b"\x89PNG\r\n\x1a\nno image")
    done = kadr(*RUN, "--mask", "bad", "-o", "out")
    assert done.code == 2, done
    assert "0.png: damaged" in done.err
    assert not (desk / "out").exists()


def test_the_output_may_not_replace_the_mask_or_the_background(
    refused: Refused, desk: Path
) -> None:
    assert "masks" in refused(*RUN, "--mask", "masks", "-o", "masks", "--overwrite")
    write_sequence(desk / "bg", [LEFT] * COUNT)
    words = ("--mask", "masks", "--background", "./bg", "-o", "bg", "--overwrite")
    assert "bg" in refused(*RUN, *words)


def test_a_project_holds_the_mask_and_redoes_only_what_changed(kadr: Call, desk: Path) -> None:
    write_image(desk / "back.png", np.full((HEIGHT, WIDTH, 3), 9, np.uint8))
    done = kadr("new", "clip", "-o", "p.kadr", "--keys", "keys", "--mask", "masks", "--grow", "1",
                "--background", "back.png", "--detail", "draft", "--to", "out")  # fmt: skip
    assert done.code == 0, done
    text = (desk / "p.kadr" / "project.toml").read_text(encoding="utf-8")
    assert 'mask = "../masks"' in text
    assert 'background = "../back.png"' in text
    assert "# feather = 0.0" in text
    options = open_project(desk / "p.kadr").options()
    assert options.mask is not None
    assert options.mask.resolve() == desk / "masks"
    assert Path(options.background).resolve() == desk / "back.png"
    assert kadr("run", "p.kadr").code == 0
    assert (frames_of(desk / "out")[2][:, 27:] == 9).all()
    dry = kadr("run", "p.kadr", "--dry-run", "--feather", "2")
    assert dry.code == 0, dry
    assert "0 of 8 frames of passes" in dry.out or "passes" not in dry.out
    assert "would make 6 of 6 finished frames" in dry.out
    dry = kadr("run", "p.kadr", "--dry-run", "--mask", "masks/frame_00000.png", "--invert-mask")
    assert "other parts of the frames are masked" in dry.out
    preview = kadr("preview", "p.kadr", "--frame", "3", "-o", "three.png")
    assert preview.code == 0, preview
    finished = sorted((desk / "p.kadr" / "out" / "frames").iterdir())[3]
    assert np.array_equal(read_image(desk / "three.png"), read_image(finished))
