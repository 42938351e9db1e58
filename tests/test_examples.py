"""The examples run without changes, on a clip of a few small frames."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

import kadr

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def _frame(index: int) -> kadr.Frame:
    y, x = np.mgrid[0:48, 0:64]
    image = np.stack([4 * (x - index) % 256, 5 * y, 128 + 0 * x], axis=2)
    return kadr.Frame(index, image.astype(np.uint8))


def _run(monkeypatch: pytest.MonkeyPatch, example: str, *arguments: Path) -> None:
    monkeypatch.setattr(sys, "argv", [example, *map(str, arguments)])
    runpy.run_path(str(EXAMPLES / example), run_name="__main__")


def _clip(folder: Path) -> Path:
    with kadr.create_clip(folder / "clip.mp4", like=None) as writer:
        for index in range(26):
            writer.write(_frame(index))
    return writer.path


def test_clips_are_restyled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip, keys = _clip(tmp_path), tmp_path / "keys"
    _run(monkeypatch, "own_stylizer.py", clip, keys, tmp_path / "a.mp4")
    assert sorted(file.name for file in keys.iterdir()) == ["frame_00000.png", "frame_00024.png"]
    _run(monkeypatch, "restyle_a_clip.py", clip, keys, tmp_path / "b.mp4")
    for name in ("a.mp4", "b.mp4"):
        with kadr.open_clip(tmp_path / name) as restyled:
            assert len(restyled) == 26


def test_an_image_is_synthesized(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photo = _frame(0).image
    style, source, result = (tmp_path / name for name in ("style.png", "source.png", "result.png"))
    kadr.write_image(style, 255 - photo)
    kadr.write_image(source, photo)
    _run(monkeypatch, "synthesize_an_image.py", style, source, source, result)
    difference = np.abs(kadr.read_image(result).astype(int) - (255 - photo))
    assert difference.mean() < 12, "the photo itself comes out as its style"


def test_examples_stay_short() -> None:
    lengths = {file.name: len(file.read_text().splitlines()) for file in EXAMPLES.glob("*.py")}
    assert lengths
    assert max(lengths.values()) < 40
