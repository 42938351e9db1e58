"""Soft masks blend stylized keys into the film."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from kadr.core.frames import Frame
from kadr.image_files import read_image, write_image
from kadr.options import RunOptions
from kadr.pipeline import restyle
from kadr.render.soft_masks import SoftMaskStylizer
from kadr.stylize.base import StyledFrame, StylizeContext, StylizeJob
from scenes import texture, write_sequence

IMAGES = [texture(48, 64, seed=seed) for seed in range(4)]
RAMP = np.tile(np.linspace(0, 255, 64).astype(np.uint8), (48, 1))


def _frames(clip: Path, output: Path, masks: Path | None) -> list[np.ndarray]:
    restyle(RunOptions(clip, output, stylizer="paint", every_frame=True, masks=masks))
    return [read_image(path).astype(int) for path in sorted(output.iterdir())]


def test_the_film_shows_by_the_grey_of_a_mask(tmp_path: Path) -> None:
    clip = write_sequence(tmp_path / "clip", IMAGES)
    write_image(tmp_path / "soft.png", RAMP)
    whole = _frames(clip, tmp_path / "whole", None)
    soft = _frames(clip, tmp_path / "soft", tmp_path / "soft.png")
    share = RAMP[..., None] / 255
    for styled, blended, filmed in zip(whole, soft, IMAGES, strict=True):
        expected = styled * share + filmed * (1 - share)
        assert np.abs(blended - expected)[:, 1:].max() <= 1
        assert np.array_equal(blended[:, 0], filmed[:, 0])


def test_hard_masks_change_nothing_else(tmp_path: Path) -> None:
    clip = write_sequence(tmp_path / "clip", IMAGES)
    write_image(tmp_path / "hard.png", np.where(RAMP > 127, 255, 0).astype(np.uint8))
    whole = _frames(clip, tmp_path / "whole", None)
    hard = _frames(clip, tmp_path / "hard", tmp_path / "hard.png")
    for styled, masked, filmed in zip(whole, hard, IMAGES, strict=True):
        assert np.array_equal(masked, np.where(RAMP[..., None] > 127, styled, filmed))


class Odd:
    """Answers white: two frames at once, one that nobody asked for, one that is too small."""

    VERSION, name, joint, sequential, max_batch = 3, "odd", False, True, 2

    def stylize(
        self, jobs: Iterable[StylizeJob], context: StylizeContext
    ) -> Iterator[list[StyledFrame]]:
        reader = iter(jobs)
        white = np.full((48, 64, 4), 255, np.uint8)
        yield [StyledFrame(job.index, white) for job in itertools.islice(reader, 2)]
        yield [StyledFrame(9, white)]
        yield [StyledFrame(next(reader).index, white[:8])]


def test_results_that_answer_no_frame_pass_as_they_are() -> None:
    jobs = [StylizeJob(Frame(index, image), 0, 0) for index, image in enumerate(IMAGES)]
    matte = np.full((48, 64), 0.5, np.float32)
    stylizer = SoftMaskStylizer(Odd(), lambda index: matte if index else None)
    assert (stylizer.VERSION, stylizer.name, stylizer.joint) == (3, "odd", False)
    assert (stylizer.sequential, stylizer.max_batch) == (True, 2)
    (first, second), (other,), (small,) = stylizer.stylize(iter(jobs), StylizeContext())
    assert (first.image == 255).all(), "its mask is not soft"
    assert np.abs(second.image[..., :3] - (127.5 + IMAGES[1] / 2)).max() <= 0.5
    assert (second.image[..., 3] == 255).all()
    assert (other.image == 255).all()
    assert (small.image == 255).all()
