"""The masks of a run: how they are paired with frames, and how their values are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as PillowImage

from kadr.core.events import CancelToken
from kadr.core.frames import Frame, FrameRange
from kadr.errors import InputError
from kadr.image_files import write_image
from kadr.options import RunOptions
from kadr.render import matte_reader
from kadr.render.masks import FrameMasks
from kadr.storage.layout import WorkLayout
from kadr.video.base import Clip
from kadr.video.clips import create_clip, open_clip
from scenes import texture, write_sequence

WIDTH, HEIGHT, COUNT, FIRST = 64, 48, 6, 11
HALF = np.zeros((HEIGHT, WIDTH), np.uint8)
HALF[:, :32] = 255
RAMP = np.tile(np.linspace(0, 255, WIDTH).astype(np.uint8), (HEIGHT, 1))
TILE = 8

Open = Callable[..., FrameMasks]


@pytest.fixture
def clip(tmp_path: Path) -> Iterator[Clip]:
    """Six frames, numbered from 11."""
    images = [texture(HEIGHT, WIDTH, seed=seed) for seed in range(COUNT)]
    with open_clip(write_sequence(tmp_path / "clip", images, FIRST)) as clip:
        yield clip


@pytest.fixture
def open_masks(tmp_path: Path, clip: Clip) -> Iterator[Open]:
    """Opens and surveys masks; ``messages`` of the result are the notices."""
    opened: list[FrameMasks] = []

    def open_(mask: Path, frames: tuple[int, int] = (0, COUNT), **options: object) -> FrameMasks:
        run = RunOptions(Path("clip"), "out", (Path("keys"),), mask=mask, **options)
        masks = FrameMasks(run, clip, FrameRange(*frames))
        opened.append(masks)
        events = masks.survey(WorkLayout(tmp_path / "work"), TILE, CancelToken())
        masks.messages = [event.message for event in events if event.message]  # type: ignore[attr-defined]
        return masks

    yield open_
    for masks in opened:
        masks.close()


def _folder(folder: Path, levels: dict[int, np.ndarray], suffix: str = ".png") -> Path:
    for number, image in levels.items():
        write_image(folder / f"m_{number:04d}{suffix}", image)
    return folder


def _all(image: np.ndarray) -> dict[int, np.ndarray]:
    return {FIRST + index: image for index in range(COUNT)}


def _share(image: np.ndarray) -> np.ndarray:
    return image.astype(np.float32) / 255


def test_masks_are_matched_to_frames_by_number(open_masks: Open, tmp_path: Path) -> None:
    folder = _folder(tmp_path / "masks", {13: HALF, 14: 255 - HALF})
    masks = open_masks(folder, (2, 4))
    assert np.array_equal(masks.matte(2), _share(HALF))
    assert np.array_equal(masks.matte(3), _share(255 - HALF))
    assert masks.digest(2) != masks.digest(3)
    pattern = open_masks(tmp_path / "masks" / "m_%04d.png", (2, 4))
    assert np.array_equal(pattern.mask(3), HALF == 0)
    assert pattern.digest(3) == masks.digest(3)
    single = open_masks(folder / "m_0013.png")
    assert all(np.array_equal(single.matte(index), _share(HALF)) for index in range(COUNT))


def test_missing_masks_are_counted_and_named(open_masks: Open, tmp_path: Path) -> None:
    folder = _folder(tmp_path / "masks", {11: HALF, 12: HALF, 15: HALF})
    expected = r"3 masks numbered 11 to 15 for 6 frames 11 to 16; no mask for frame 13, 14, 16: "
    with pytest.raises(InputError, match=expected + r"add them, .*--frames"):
        open_masks(folder)
    with pytest.raises(InputError, match=r"the clip has no frame 20; .*rename the mask"):
        open_masks(_folder(tmp_path / "masks", {20: HALF}), (0, 2))
    with pytest.raises(InputError, match=r"none: no such mask"):
        open_masks(tmp_path / "none")


def test_zero_and_one_are_numbers(open_masks: Open, tmp_path: Path) -> None:
    levels = {11: HALF // 255, 12: HALF * 0, 13: HALF // 255, 14: 1 - HALF // 255}
    levels |= {15: HALF // 255, 16: HALF * 0 + 1}
    masks = open_masks(_folder(tmp_path / "masks", levels))
    for index, image in enumerate(levels.values()):
        assert np.array_equal(masks.matte(index), image.astype(np.float32))
    assert "holds the levels 0 and 1; all above 0 counts as set" in masks.messages[-1]
    deep = {number: image.astype(np.uint16) * 255 for number, image in levels.items()}
    masks = open_masks(_folder(tmp_path / "deep", deep))  # 0 and 255 in a 16-bit file
    assert np.array_equal(masks.matte(3), (1 - HALF // 255).astype(np.float32))


def test_the_index_of_a_palette_is_not_its_colour(open_masks: Open, tmp_path: Path) -> None:
    indices = np.zeros((HEIGHT, WIDTH), np.uint8)
    indices[:, 10:20], indices[:, 30:40] = 1, 2
    image = PillowImage.fromarray(indices, "P")
    image.putpalette([0, 0, 0, 128, 0, 0, 0, 0, 90])
    (tmp_path / "m").mkdir()
    image.save(tmp_path / "m" / "palette.png")
    masks = open_masks(tmp_path / "m" / "palette.png")
    assert np.array_equal(masks.matte(0), (indices > 0).astype(np.float32))
    grey = PillowImage.fromarray(indices, "P")
    grey.putpalette([255, 255, 255, 0, 0, 0, 100, 100, 100])  # white has index 0
    grey.save(tmp_path / "m" / "grey.png")
    masks = open_masks(tmp_path / "m" / "grey.png")
    assert np.allclose(masks.matte(0)[0, [0, 15, 35]], [1, 0, 100 / 255])


def test_alpha_is_the_mask_in_all_of_them(open_masks: Open, tmp_path: Path) -> None:
    colours = texture(HEIGHT, WIDTH)
    levels = _all(np.dstack([colours, RAMP]))
    levels[12] = np.dstack([colours, HALF * 0 + 255])  # opaque: all of it, whatever its colours
    masks = open_masks(_folder(tmp_path / "masks", levels))
    assert np.array_equal(masks.matte(0), _share(RAMP))
    assert (masks.matte(1) == 1).all()
    assert masks.messages[-1].endswith("its alpha is the mask")
    opaque = open_masks(
        _folder(tmp_path / "opaque", _all(np.dstack([HALF] * 3 + [HALF * 0 + 255])))
    )
    assert np.array_equal(opaque.matte(0), _share(HALF))


def test_soft_masks_stay_soft(open_masks: Open, tmp_path: Path) -> None:
    masks = open_masks(_folder(tmp_path / "masks", _all(RAMP)))
    assert np.array_equal(masks.matte(4), _share(RAMP))
    assert np.array_equal(masks.mask(4), RAMP > 0)
    assert masks.mask(4).dtype == bool
    faint = open_masks(_folder(tmp_path / "faint", _all(RAMP // 3)))
    assert "its lightest grey is 85 of 255; the film shows through" in faint.messages[-1]
    deep = open_masks(_folder(tmp_path / "deep", _all(RAMP.astype(np.uint16) * 257)))
    assert np.array_equal(deep.matte(4), _share(RAMP))


def test_noise_of_lossy_masks_is_neither_set_nor_soft(open_masks: Open, tmp_path: Path) -> None:
    masks = open_masks(_folder(tmp_path / "masks", _all(np.dstack([HALF] * 3)), ".jpg"))
    assert (masks.matte(0)[:, :30] == 1).all()
    assert (masks.matte(0)[:, 34:] == 0).all()


def test_masks_that_are_set_nowhere_are_refused(open_masks: Open, tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 4, (HEIGHT, WIDTH)).astype(np.uint8)
    black = _folder(tmp_path / "black", _all(HALF * 0))
    with pytest.raises(
        InputError, match=r"no mask is set in frames 11 to 16: .*largest level is 0"
    ):
        open_masks(black)
    assert (open_masks(black, invert_mask=True).matte(0) == 1).all()
    white = _folder(tmp_path / "white", _all(HALF * 0 + 255))
    with pytest.raises(InputError, match="leave out --invert-mask"):
        open_masks(white, invert_mask=True)
    with pytest.raises(InputError, match="shrink it by less than 20 pixels"):
        open_masks(
            _folder(tmp_path / "thin", _all(np.where(RAMP[0, 9] == RAMP, 255, 0).astype(np.uint8))),
            grow=-20,
        )
    with pytest.raises(InputError, match="largest level is 3 of 255"):
        open_masks(_folder(tmp_path / "noise", _all(noise)))
    one = _all(HALF * 0) | {16: HALF}
    assert not open_masks(_folder(tmp_path / "one", one)).mask(0).any()
    with pytest.raises(InputError, match="no mask is set in frames 11 to 13"):
        open_masks(tmp_path / "one", (0, 3))


def test_a_mask_of_another_size_is_resized_only_if_asked(open_masks: Open, tmp_path: Path) -> None:
    small = _folder(tmp_path / "small", _all(np.ascontiguousarray(HALF[::2, ::2])))
    with pytest.raises(InputError, match=r"a mask of 32×24, the clip is 64×48; .*--fit-mask"):
        open_masks(small)
    matte = open_masks(small, fit_mask=True).matte(0)
    assert matte.shape == (HEIGHT, WIDTH)
    assert (matte[:, :31] == 1).all()
    assert (matte[:, 33:] == 0).all()
    square = _folder(tmp_path / "square", _all(np.ascontiguousarray(HALF[:, :48])))
    with pytest.raises(InputError, match=r"48×48, the clip is 64×48, another shape"):
        open_masks(square, fit_mask=True)


def _video(path: Path, count: int, rate: int) -> Path:
    """A video of masks; frame n is white left of column 8 + 4n."""
    with create_clip(path, like=None, frame_rate=Fraction(rate)) as writer:
        for index in range(count):
            image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
            image[:, : 8 + 4 * index] = 255
            writer.write(Frame(index, image))
    return path


def _edge(masks: FrameMasks, index: int) -> int:
    return int((masks.matte(index)[20] > 0.5).sum())


def test_a_video_of_masks(open_masks: Open, tmp_path: Path) -> None:
    masks = open_masks(_video(tmp_path / "m.mp4", COUNT, 24))
    assert [_edge(masks, index) for index in range(COUNT)] == [8 + 4 * i for i in range(COUNT)]
    assert masks.matte(0)[0, 0] == 1
    assert masks.matte(0)[0, -1] == 0
    with pytest.raises(InputError, match=r"s\.mp4: 4 frames at 24 frames/s, .*clip has 6 at 24 "):
        open_masks(_video(tmp_path / "s.mp4", 4, 24))
    assert _edge(open_masks(tmp_path / "s.mp4", (0, 4)), 3) == 20
    longer = open_masks(_video(tmp_path / "l.mp4", 8, 24))
    assert "8 frames at 24 frames/s" in longer.messages[0]


def test_a_video_of_masks_of_another_rate(tmp_path: Path) -> None:
    source = _video(tmp_path / "clip.mp4", 12, 24)
    mask = _video(tmp_path / "m.mp4", 6, 12)
    frames = FrameRange(0, 12)
    options = RunOptions(source, "out", (Path("keys"),), mask=mask)
    with open_clip(source) as clip:
        with pytest.raises(
            InputError, match=r"6 frames at 12 frames/s, .*has 12 at 24 .*--fit-mask"
        ):
            FrameMasks(options, clip, frames)
        fitted = RunOptions(source, "out", (Path("keys"),), mask=mask, fit_mask=True)
        with FrameMasks(fitted, clip, frames) as masks:
            events = masks.survey(WorkLayout(tmp_path / "work"), TILE, CancelToken())
            assert any("has the mask of its time" in event.message for event in events)
            assert [_edge(masks, i) for i in (0, 1, 2, 3, 11)] == [8, 8, 12, 12, 28]


def test_grow_invert_and_feather(open_masks: Open, tmp_path: Path) -> None:
    path = _folder(tmp_path, {1: HALF}) / "m_0001.png"
    assert (open_masks(path, grow=5).matte(0)[24] > 0).sum() == 37
    assert (open_masks(path, grow=-5).matte(0)[24] > 0).sum() == 27
    assert np.array_equal(open_masks(path, invert_mask=True).matte(0), _share(255 - HALF))
    soft = open_masks(path, feather=8.0).matte(0)[24]
    assert (soft[:28] == 1).all()
    assert (soft[36:] == 0).all()
    assert (np.diff(soft[27:37]) < 0).all()
    assert soft[31] + soft[32] == pytest.approx(1)


def test_each_mask_is_decoded_once_while_there_is_room(
    open_masks: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    masks = open_masks(_folder(tmp_path / "masks", _all(RAMP)))
    names: list[str] = []
    original = matte_reader.read_image_bytes

    def count(path: Path) -> bytes:
        names.append(path.name)
        return original(path)

    monkeypatch.setattr(matte_reader, "read_image_bytes", count)
    for index in (0, 1, 0, 1):
        masks.matte(index)
    assert names == ["m_0011.png"]  # equal files are one mask
    with pytest.raises(ValueError, match="read-only"):
        masks.matte(0)[:] = 0


def test_what_was_looked_at_once_is_not_read_again(
    open_masks: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = _folder(tmp_path / "masks", {11 + i: np.roll(HALF, i, axis=1) for i in range(COUNT)})
    first = open_masks(folder).work_area(TILE)
    monkeypatch.setattr("kadr.render.masks.MaskLook", None)
    assert open_masks(folder).work_area(TILE) == first
    assert open_masks(folder, feather=4.0).work_area(TILE) == first


def test_tiles_cover_the_mask_and_the_window_covers_the_tiles(
    open_masks: Open, tmp_path: Path
) -> None:
    box = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.circle(box, (8, 8), 4, 255, -1)
    masks = open_masks(_folder(tmp_path / "masks", _all(box)), feather=4.0)
    area = masks.work_area(TILE)
    x, y, width, height = area.window
    assert (width, height) < (WIDTH, HEIGHT)
    needed = area.needed(3, (width, height))
    assert needed is not None
    assert needed[masks.matte(3)[y : y + height, x : x + width] > 0].all()
    assert masks.matte(3).sum() == pytest.approx(
        masks.matte(3)[y : y + height, x : x + width].sum()
    )
    assert needed.mean() < 0.95
