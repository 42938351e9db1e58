"""Runs with keys that a program returned displaced: --align-keys moves them back."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from kadr.core.frames import Image
from kadr.image_files import read_image, write_image
from kadr.options import RunOptions
from kadr.pipeline import restyle
from scenes import paint, psnr, sliding, write_sequence

_SHIFT = 10
FILM = sliding(4, 1.0, height=120, width=192)


def _style(image: Image) -> Image:
    return paint(cv2.GaussianBlur(image, (0, 0), 1.0))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A film and a key of its second frame that lies ten pixels to the right."""
    write_sequence(tmp_path / "film", FILM)
    write_image(tmp_path / "keys" / "1.png", np.roll(_style(FILM[1]), _SHIFT, axis=1))
    return tmp_path


def _frames(folder: Path, align: bool) -> list[Image]:
    output = folder / f"out{align}"
    restyle(
        RunOptions(
            folder / "film",
            output,
            (folder / "keys",),
            align_keys=align,
            work=folder / "work",
        )
    )
    return [read_image(path).astype(np.uint8) for path in sorted(output.iterdir())]


def test_aligned_keys_are_what_passes_and_their_frames_use(folder: Path) -> None:
    before = (folder / "keys" / "1.png").read_bytes()
    displaced, aligned = _frames(folder, False), _frames(folder, True)
    assert (folder / "keys" / "1.png").read_bytes() == before
    assert np.array_equal(displaced[1], read_image(folder / "keys" / "1.png"))
    for index, image in enumerate(FILM):
        truth = _style(image)
        assert psnr(aligned[index], truth, border=20) > psnr(displaced[index], truth, border=20) + 4


def test_without_the_option_the_same_work_folder_gives_the_key_as_it_is(folder: Path) -> None:
    aligned = _frames(folder, True)
    assert not np.array_equal(_frames(folder, False)[1], aligned[1])


def test_a_key_that_lies_well_stays_byte_for_byte(folder: Path) -> None:
    write_image(folder / "keys" / "1.png", _style(FILM[1]))
    assert np.array_equal(_frames(folder, True)[1], _style(FILM[1]))
