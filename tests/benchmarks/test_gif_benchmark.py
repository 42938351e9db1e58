"""The GIF benchmark: FFmpeg's filters make the same frames, and lengths are read back."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import gif
from scenes import sliding

IMAGES = sliding(4, 2.0, height=32, width=48)


@pytest.mark.parametrize("row", ["kadr", "ffmpeg bayer", "ffmpeg sierra2_4a"])
def test_each_way_writes_all_frames_and_the_exact_length(tmp_path: Path, row: str) -> None:
    file = tmp_path / "a.gif"
    write = gif._by_kadr if row == "kadr" else gif._by_ffmpeg(row.split()[1])
    write(IMAGES, Fraction(30), file)
    score, images = gif._score("c", row, IMAGES, Fraction(30), file, 0.0)
    assert (score.length, score.film_length) == (130, 133)
    for image, filmed in zip(images, IMAGES, strict=True):
        assert np.abs(image.astype(int) - filmed).mean() < 14
    assert score.blurred_psnr > score.psnr > 20


def test_a_still_film_has_no_flicker_in_kadrs_gif(tmp_path: Path) -> None:
    still = [IMAGES[0]] * 4
    gif._by_kadr(still, Fraction(25), tmp_path / "a.gif")
    score, _ = gif._score("c", "kadr", still, Fraction(25), tmp_path / "a.gif", 0.0)
    assert score.flicker == 0
    assert gif._passes(score, [score, gif.Score(**{**vars(score), "row": "ffmpeg bayer"})])
