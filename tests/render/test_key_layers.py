"""The layers of a run are enough to make its blended frames again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kadr.blend.pyramid import blend_images
from kadr.core.frames import Span
from kadr.image_files import read_image, write_image
from kadr.options import RunOptions
from kadr.pipeline import restyle
from kadr.render import pass_frame
from scenes import paint, sliding, write_sequence

KEYS, COUNT = (0, 3, 6), 7
RANGES = (Span(0, 0, 6), Span(3, 1, 7), Span(6, 1, 7))
"""Three keys that reach over each other: up to three layers in a frame."""


def _run(folder: Path, **changes: Path) -> None:
    options = RunOptions(
        folder / "clip", folder / "out", (folder / "keys",), ranges=RANGES, work=folder / "work",
        overwrite=True, **changes,
    )  # fmt: skip
    restyle(options)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with layers in ``direct``, and one with layers of frames that the first one blended.

    Errors are stored at half the size of the frames, so the weights are enlarged.
    """
    folder = tmp_path_factory.mktemp("layers")
    images = sliding(COUNT, 2.0, height=40, width=56)
    write_sequence(folder / "clip", images)
    for key in KEYS:  # not the same painting: weights that are wrong would be seen
        style = paint(images[key])
        style[::5, 4 * key : 4 * key + 20] //= 2
        write_image(folder / "keys" / f"{key:05d}.png", style)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pass_frame, "_SMALL_SIDE", 28)
        _run(folder, per_key=folder / "direct")
        _run(folder, per_key=folder / "again")
    return folder


def _layers(parts: Path, index: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The keys' images and weights (H, W) of a frame."""
    names = sorted(path.parent.name for path in parts.glob(f"key_*/frame_{index:05d}.png"))
    images = [read_image(parts / name / f"frame_{index:05d}.png") for name in names]
    weights = [
        read_image(parts / name.replace("key", "weights") / f"frame_{index:05d}.png")[..., 0]
        for name in names
    ]
    return images, weights


def test_the_blend_can_be_made_again(folder: Path) -> None:
    counts = set()
    for index in range(COUNT):
        images, weights = _layers(folder / "direct", index)
        counts.add(len(images))
        assert (np.sum(weights, axis=0, dtype=np.int64) == 65535).all()
        shares = [weight.astype(np.float32) / 65535 for weight in weights]
        frame = read_image(folder / "out" / f"frame_{index:05d}.png").astype(int)
        if index in KEYS:  # the key, pixel for pixel
            blend = sum(image * share[..., None] for image, share in zip(images, shares))
        else:
            blend = blend_images([image.astype(np.uint8) for image in images], shares)
        assert np.abs(np.rint(blend).astype(int) - frame).max() <= 1, index
    assert counts == {1, 2, 3}


def test_layers_of_frames_that_were_blended_before_are_the_same(folder: Path) -> None:
    files = sorted(path.relative_to(folder / "direct") for path in folder.glob("direct/*/*.png"))
    assert files == sorted(path.relative_to(folder / "again") for path in folder.glob("again/*/*"))
    for name in files:
        assert (folder / "direct" / name).read_bytes() == (folder / "again" / name).read_bytes()
