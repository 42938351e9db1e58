"""Deflicker: flicker goes, pictures stay; cuts, alpha, threads, memory and bad input."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from kadr.core.events import CancelToken, follow
from kadr.core.frames import Frame, Image
from kadr.deflicker.make import deflicker
from kadr.deflicker.motion import moments
from kadr.deflicker.options import DeflickerOptions
from kadr.deflicker.strokes import NEAR, steady_strokes
from kadr.deflicker.tone import steady_tone
from kadr.errors import Cancelled, InputError, OptionsError, OutputError
from kadr.image_files import read_image, write_image
from kadr.measure.inputs import MeasureInputs
from kadr.video.clip_source import ClipSource
from scenes import as_frames, paint, psnr, sliding, write_sequence

_WINDOW = 6


def _flickering(images: list[Image]) -> list[Image]:
    """Brightness, hue and the brightness of regions differ in each frame."""
    results = []
    for index, image in enumerate(images):
        rng = np.random.default_rng(index)
        height, width = image.shape[:2]
        regions = rng.normal(0, 8, (2, 3, 1)).astype(np.float32)
        change = cv2.resize(regions, (width, height), interpolation=cv2.INTER_CUBIC)[..., None]
        change = change + rng.normal(0, 8, 3).astype(np.float32)
        results.append(np.clip(image * 0.8 + 25 + change, 0, 255).astype(np.uint8))
    return results


def _calm(images: list[Image]) -> list[Image]:
    return [np.clip(image * 0.8 + 25, 0, 255).astype(np.uint8) for image in images]


def _run(films: list[Image], styled: list[Image], window: int = _WINDOW) -> list[Image]:
    toned = steady_tone(moments(as_frames(films), as_frames(styled)), window, 1.0)
    results = list(steady_strokes(toned, window, 1.0))
    assert [index for index, _ in results] == list(range(len(films)))
    return [image for _, image in results]


def _change(images: list[Image], dx: int) -> float:
    """Mean difference of neighbours that slide by whole pixels."""
    inner = [image[8:-8].astype(np.float32) for image in images]
    steps = [
        np.abs(after[:, 8 + dx : -8] - before[:, 8 : -8 - dx]).mean()
        for before, after in pairwise(inner)
    ]
    return float(np.mean(steps))


@pytest.fixture(scope="module")
def films() -> list[Image]:
    return sliding(14, 2.0, height=96, width=128)


def test_flicker_goes_and_the_picture_stays(films: list[Image]) -> None:
    painted = [paint(image) for image in films]
    calm, flickering = _calm(painted), _flickering(painted)
    finished = _run(films, flickering)
    assert _change(finished, 2) < 0.35 * _change(flickering, 2)
    # the mean of the flicker stays: compare without the colour of the whole frame
    spread = [
        np.mean(
            [
                np.std((error := image.astype(np.float32) - truth) - error.mean(axis=(0, 1)))
                for image, truth in zip(images, calm, strict=True)
            ]
        )
        for images in (finished, flickering)
    ]
    assert spread[0] < 0.8 * spread[1]


def test_a_clip_without_flicker_hardly_changes(films: list[Image]) -> None:
    painted = _calm([paint(image) for image in films])
    for done, before in zip(_run(films, painted), painted, strict=True):
        assert psnr(done, before, border=8) > 30


def test_nothing_is_mixed_over_a_cut(films: list[Image]) -> None:
    others = sliding(9, -1.0, height=96, width=128, seed=5)
    first = [np.full_like(image, 60) for image in films[:5]]
    second = [np.full_like(image, 200) for image in others]
    finished = _run([*films[:5], *others], [*first, *second])
    assert all((image == 60).all() for image in finished[:5])
    assert all((image == 200).all() for image in finished[5:])


@pytest.mark.parametrize("count", [1, 2, _WINDOW, _WINDOW + 1, _WINDOW + NEAR + 1, 14])
def test_every_frame_comes_out_once(films: list[Image], count: int) -> None:
    assert len(_run(films[:count], _calm(films[:count]))) == count


def test_what_is_restyled_as_something_else_leaves_no_ghost(films: list[Image]) -> None:
    """A patch that only one frame has does not show in the others."""
    painted = _calm([paint(image) for image in films])
    odd = [image.copy() for image in painted]
    odd[_WINDOW][30:60, 50:80] = (255, 0, 0)
    for index, (done, plain) in enumerate(zip(_run(films, odd), _run(films, painted), strict=True)):
        if index != _WINDOW:
            difference = np.abs(done.astype(np.int32) - plain).mean(axis=2)
            assert np.percentile(difference, 99.8) < 60, index
            assert difference[30:60, 30:100].mean() < 10, index  # the patch itself: over 40


def test_memory_does_not_grow_with_the_number_of_frames(films: list[Image]) -> None:
    alive: list[weakref.ref[Image]] = []
    most = 0

    def styled() -> Iterator[Frame]:
        nonlocal most
        for index in range(60):
            image = films[0].copy()
            alive.append(weakref.ref(image))
            gc.collect()
            most = max(most, sum(reference() is not None for reference in alive))
            yield Frame(index, image)

    films_again = (Frame(index, films[0]) for index in range(60))
    toned = steady_tone(moments(films_again, styled()), 4, 1.0)
    for _ in steady_strokes(toned, 4, 1.0):
        pass
    assert most <= 2 * 4 + 2 * NEAR + 4


class TestFiles:
    """From files to files."""

    @pytest.fixture
    def inputs(self, films: list[Image], tmp_path: Path) -> MeasureInputs:
        write_sequence(tmp_path / "film", films[:8])
        write_sequence(tmp_path / "styled", _flickering(films[:8]))
        return MeasureInputs(ClipSource(str(tmp_path / "film")), tmp_path / "styled")

    def test_threads_do_not_matter(self, inputs: MeasureInputs, tmp_path: Path) -> None:
        results = []
        for threads in (1, 2):
            output = tmp_path / f"out{threads}"
            result = follow(deflicker(inputs, output, threads=threads))
            assert (result.output, result.frames) == (output, 8)
            results.append([path.read_bytes() for path in sorted(output.iterdir())])
        assert len(results[0]) == 8
        assert results[0] == results[1]

    def test_strength_0_changes_nothing(self, inputs: MeasureInputs, tmp_path: Path) -> None:
        follow(deflicker(inputs, tmp_path / "out", DeflickerOptions(strength=0)))
        for path in (tmp_path / "out").iterdir():
            assert np.array_equal(read_image(path), read_image(tmp_path / "styled" / path.name))

    def test_alpha_stays(self, inputs: MeasureInputs, films: list[Image], tmp_path: Path) -> None:
        alpha = np.arange(128, dtype=np.uint8)[None, :].repeat(96, axis=0)
        for index, image in enumerate(_flickering(films[:8])):
            write_image(tmp_path / "styled" / f"frame_{index:05d}.png", np.dstack([image, alpha]))
        follow(deflicker(inputs, tmp_path / "out"))
        assert np.array_equal(read_image(tmp_path / "out" / "frame_00003.png")[..., 3], alpha)

    def test_cancelled_leaves_nothing(self, inputs: MeasureInputs, tmp_path: Path) -> None:
        cancel = CancelToken()
        cancel.cancel()
        with pytest.raises(Cancelled):
            follow(deflicker(inputs, tmp_path / "out.mp4", cancel=cancel))
        assert not list(tmp_path.glob("*.mp4*"))

    def test_bad_input(self, inputs: MeasureInputs, films: list[Image], tmp_path: Path) -> None:
        with pytest.raises(OutputError, match="is the input folder"):
            follow(deflicker(inputs, tmp_path / "styled"))
        (tmp_path / "old.mp4").write_bytes(b"mine")
        with pytest.raises(OutputError, match="exists already"):
            follow(deflicker(inputs, tmp_path / "old.mp4"))
        assert (tmp_path / "old.mp4").read_bytes() == b"mine"
        shorter = MeasureInputs(inputs.clip, write_sequence(tmp_path / "few", films[:5]))
        with pytest.raises(InputError, match=r"few: 5 frames, .*film has 8; give --frames"):
            follow(deflicker(shorter, tmp_path / "out"))
        small = [image[::2, ::2].copy() for image in films[:8]]
        smaller = MeasureInputs(inputs.clip, write_sequence(tmp_path / "small", small))
        with pytest.raises(InputError, match=r"small: 64×48 pixels, .*film has 128×96; resize"):
            follow(deflicker(smaller, tmp_path / "out"))
        with pytest.raises(OptionsError, match="window 1: expected 2 to 240"):
            DeflickerOptions(window=1)
