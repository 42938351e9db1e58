"""Painted masks of every kind that people save, and files that are none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from kadr.core.frames import FrameRange
from kadr.errors import InputError
from kadr.image_files import write_image
from kadr.matte.painted import PaintedMasks
from kadr.video.clips import open_clip
from scenes import texture, write_sequence

SIZE = (40, 32)
SUBJECT = np.zeros((32, 40), bool)
SUBJECT[8:24, 10:30] = True
SOFT = cv2.GaussianBlur(SUBJECT.astype(np.float32), (0, 0), 2)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    images = [texture(32, 40, seed=seed) for seed in range(3)]
    return write_sequence(tmp_path_factory.mktemp("clip"), images)


def _read(clip: Path, path: Path, frames: FrameRange | None = None) -> PaintedMasks:
    with open_clip(clip) as opened:
        return PaintedMasks(path, opened, frames or FrameRange(0, 3))


def _levels(low: int, high: int, dtype: type = np.uint8) -> np.ndarray:
    return np.where(SUBJECT, high, low).astype(dtype)


def _colour(path: Path) -> None:
    image = np.zeros((32, 40, 3), np.uint8)
    image[SUBJECT] = [128, 0, 0]
    write_image(path, image)


def _palette(path: Path) -> None:
    image = Image.fromarray(SUBJECT.astype(np.uint8), mode="P")
    image.putpalette([0, 0, 0, 0, 128, 0] + [7] * 3 * 254)
    image.save(path)


def _white_on_transparent(path: Path) -> None:
    image = np.full((32, 40, 4), 255, np.uint8)
    image[..., 3] = _levels(0, 255)
    write_image(path, image)


def _cut_out(path: Path) -> None:
    image = np.dstack([texture(32, 40), _levels(0, 255)])
    write_image(path, image)


def _black_cut_out(path: Path) -> None:
    image = np.zeros((32, 40, 4), np.uint8)
    image[..., 3] = _levels(0, 255)
    write_image(path, image)


def _opaque_alpha(path: Path) -> None:
    white = _levels(0, 255)
    write_image(path, np.dstack([white, white, white, np.full_like(white, 255)]))


HARD: dict[str, Callable[[Path], object]] = {
    "black and white": lambda path: write_image(path, _levels(0, 255)),
    "0 and 1": lambda path: write_image(path, _levels(0, 1)),
    "0 and 200": lambda path: write_image(path, _levels(0, 200)),
    "16 bits": lambda path: write_image(path, _levels(0, 65535, np.uint16)),
    "16 bits, 0 and 1": lambda path: write_image(path, _levels(0, 1, np.uint16)),
    "16 bits, 0 and 255": lambda path: write_image(path, _levels(0, 255, np.uint16)),
    "colour": _colour,
    "palette": _palette,
    "white on transparent": _white_on_transparent,
    "cut out": _cut_out,
    "black cut out": _black_cut_out,
    "opaque alpha": _opaque_alpha,
}


@pytest.mark.parametrize("kind", HARD)
def test_what_is_set_is_the_subject(clip: Path, tmp_path: Path, kind: str) -> None:
    HARD[kind](tmp_path / "1.png")
    mask = _read(clip, tmp_path / "1.png").load(1)
    np.testing.assert_array_equal(mask.matte, SUBJECT.astype(np.float32))
    assert not mask.soft


@pytest.mark.parametrize("top", [255, 65535])
def test_a_soft_mask_stays_soft(clip: Path, tmp_path: Path, top: int) -> None:
    dtype = np.uint8 if top == 255 else np.uint16
    write_image(tmp_path / "0.png", np.rint(SOFT * top).astype(dtype))
    mask = _read(clip, tmp_path / "0.png").load(0)
    assert mask.soft
    np.testing.assert_allclose(mask.matte, SOFT, atol=0.003)


def test_the_noise_of_a_jpeg_is_black(clip: Path, tmp_path: Path) -> None:
    write_image(tmp_path / "0.jpg", _levels(0, 255))
    matte = _read(clip, tmp_path / "0.jpg").load(0).matte
    assert ((matte > 0.5) == SUBJECT).all()
    assert (matte[:4] == 0).all()


def test_masks_are_found_by_number_and_those_outside_are_told(clip: Path, tmp_path: Path) -> None:
    for number in (0, 2):
        write_image(tmp_path / f"frame_{number:05d}.png", _levels(0, 255))
    masks = _read(clip, tmp_path)
    assert masks.indices == [0, 2]
    assert masks.notices == []
    part = _read(clip, tmp_path, FrameRange(1, 3))
    assert part.indices == [2]
    assert part.notices == [f"{tmp_path}: 1 mask outside of the frames not used"]
    with pytest.raises(InputError, match="no mask of a frame from 1 to 1; paint one of these"):
        _read(clip, tmp_path, FrameRange(1, 2))


def test_an_empty_mask_is_named(clip: Path, tmp_path: Path) -> None:
    write_image(tmp_path / "1.png", _levels(0, 0))
    with pytest.raises(InputError, match=r"1\.png: nothing is set; paint the subject white"):
        _read(clip, tmp_path)
    write_image(tmp_path / "2.png", _levels(0, 255))
    (notice,) = _read(clip, tmp_path).notices
    assert notice == f"{tmp_path / '1.png'}: nothing is set; taken as a frame without the subject"


def test_another_size_of_the_same_shape_is_resized_and_told(clip: Path, tmp_path: Path) -> None:
    write_image(tmp_path / "0.png", np.kron(_levels(0, 255), np.ones((2, 2), np.uint8)))
    masks = _read(clip, tmp_path)
    assert masks.notices == [f"{tmp_path / '0.png'}: resized to the 40×32 pixels of the clip"]
    assert ((masks.load(0).matte > 0.5) == SUBJECT).all()


def test_files_that_are_no_masks_of_the_clip(clip: Path, tmp_path: Path) -> None:
    write_image(tmp_path / "turned" / "0.png", _levels(0, 255).T)
    with pytest.raises(InputError, match=r"0\.png: a mask of 32×40, the clip is 40×32"):
        _read(clip, tmp_path / "turned")
    write_image(tmp_path / "7.png", _levels(0, 255))
    with pytest.raises(InputError, match=r"7\.png: the clip has no frame 7; its 3 frames are"):
        _read(clip, tmp_path / "7.png")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").touch()
    with pytest.raises(InputError, match=r"no masks found; expected images.*not notes\.txt"):
        _read(clip, tmp_path / "empty")
    with pytest.raises(InputError, match="nowhere: not found"):
        _read(clip, tmp_path / "nowhere")


def test_a_mask_that_changes_meanwhile_is_not_used(clip: Path, tmp_path: Path) -> None:
    write_image(tmp_path / "0.png", _levels(0, 255))
    masks = _read(clip, tmp_path)
    write_image(tmp_path / "0.png", _levels(0, 254))
    with pytest.raises(InputError, match=r"0\.png: was changed while it is used"):
        masks.load(0)
