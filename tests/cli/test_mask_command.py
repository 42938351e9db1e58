"""``kadr mask``: methods and their options, JSON, bad input in one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from cli_samples import SIZE, Call, frames_of, make_images, make_keys, picture

from kadr.image_files import write_image


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A film of four frames from 0 on, a painted mask and a plate."""
    monkeypatch.chdir(tmp_path)
    make_images(tmp_path / "film", range(4))
    mask = np.zeros((SIZE[1], SIZE[0]), np.uint8)
    mask[8:40, 10:40] = 255
    write_image(tmp_path / "painted" / "0.png", mask)
    write_image(tmp_path / "empty.png", picture(0))
    return tmp_path


def test_masks_from_a_painted_one(kadr: Call, folder: Path) -> None:
    done = kadr("mask", "film", "--from", "painted", "-o", "masks")
    assert done.code == 0, done.err
    assert done.out == "masks: 4 masks by propagate\n"
    names = sorted(path.name for path in (folder / "masks").iterdir())
    assert names == [f"shot_{index}.png" for index in range(4)]
    again = kadr("mask", "film", "--from", "painted", "-o", "masks")
    assert again.out == "masks: 4 masks by propagate, 4 of them made before\n"


def test_the_folder_is_one_of_masks_for_a_run(kadr: Call, folder: Path) -> None:
    assert kadr("mask", "film", "--from", "painted", "-o", "masks").code == 0
    make_keys(folder / "keys", 0)
    done = kadr(
        "run", "film", "--keys", "keys", "--mask", "masks", "--detail", "draft", "-o", "out"
    )
    assert done.code == 0, done
    outputs, films = frames_of(folder / "out"), frames_of(folder / "film")
    for output, film in zip(outputs, films, strict=True):
        assert np.array_equal(output[:, 48:], film[:, 48:])
        assert np.abs(output[12:36, 14:36].astype(int) - film[12:36, 14:36]).mean() > 10


def test_json_tells_what_was_made(kadr: Call, folder: Path) -> None:
    done = kadr(
        "mask",
        "film",
        "--plate",
        "empty.png",
        "--frames",
        "1:2",
        "--grow",
        "2",
        "-o",
        "m",
        "--json",
    )
    result = done.objects[-1]
    assert result == {
        "event": "result", "output": "m", "method": "difference", "frames": 2, "computed": 2,
    }  # fmt: skip
    assert {event["step"] for event in done.objects[:-1]} == {"plate", "mattes"}
    assert sorted(path.name for path in (folder / "m").iterdir()) == ["shot_1.png", "shot_2.png"]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ((), "nothing tells the subject; give painted masks (--from), a model (--model)"),
        (("--method", "magic"), "method 'magic': expected one of propagate, difference, onnx"),
        (("--method", "propagate"), "method propagate: needs painted masks; give --from PAINTED"),
        (("--method", "onnx"), "method onnx: needs a model; give --model FILE.onnx"),
        (
            ("--from", "painted", "--plate", "empty.png"),
            "plate: is for method difference, not propagate; leave it out",
        ),
        (
            ("--method", "difference", "--from", "painted"),
            "from: is for method propagate, not difference",
        ),
        (
            ("--from", "painted", "--model-class", "1"),
            "model-class: is for method onnx, not propagate",
        ),
        (("--from", "nowhere"), "nowhere: not found; check the path"),
        (("--from", "empty.png"), "empty.png: no number in its name, so its frame is unknown"),
        (("--from", "painted", "--frames", "2:3"), "painted: no mask of a frame from 2 to 3"),
        (("--from", "painted", "--frames", "2:9"), "frames 2:9: the clip has no frame 9"),
        (("--from", "painted", "--grow", "x"), "grow 'x': expected a number"),
        (("--from", "painted", "--feather", "-1"), "feather -1.0: expected 0 to 500"),
        (("--model", "nowhere.onnx"), "nowhere.onnx: not found; check the path"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line(
    refused: Callable[..., str], folder: Path, arguments: tuple[str, ...], line: str
) -> None:
    assert line in refused("mask", "film", *arguments, "-o", "masks")
    assert not (folder / "masks").exists()


def test_files_of_somebody_else_stay(kadr: Call, refused: Callable[..., str], folder: Path) -> None:
    write_image(folder / "masks" / "shot_1.png", picture(0))
    command = ("mask", "film", "--from", "painted", "-o", "masks")
    assert "shot_1.png: was not made by kadr, or was edited since" in refused(*command)
    assert kadr(*command, "--overwrite").code == 0
