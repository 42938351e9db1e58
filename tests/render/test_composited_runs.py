"""Whole runs with masks, transparent keys and backgrounds, against plain NumPy."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from kadr.core.events import follow
from kadr.core.frames import Frame, FrameRange
from kadr.core.generators import consume
from kadr.dry_run import make_dry_run
from kadr.errors import InputError, OptionsError
from kadr.image_files import read_image, write_image
from kadr.options import PropagateOptions, RunOptions, detail_options
from kadr.pipeline import RunResult, restyle
from kadr.preview import preview_frames
from kadr.video.clips import create_clip, open_clip
from scenes import paint, sliding, texture, write_sequence

HEIGHT, WIDTH, COUNT = 96, 160, 8
IMAGES = sliding(COUNT, 2.0, height=HEIGHT, width=WIDTH)


def _disc(index: int) -> np.ndarray:
    """The mask of a frame: a disc that slides with the picture, smooth at its edge."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.circle(mask, (60 + 2 * index, 48), 22, 255, -1, cv2.LINE_AA)
    return mask


MASKS = [_disc(index) for index in range(COUNT)]
DRAFT = detail_options("draft")
"""For what does not depend on how well frames are made."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A clip, keys for frames 0 and 7, keys for all frames, and masks."""
    write_sequence(tmp_path / "clip", IMAGES)
    write_sequence(tmp_path / "all", [paint(image) for image in IMAGES])
    for index in (0, COUNT - 1):
        write_image(tmp_path / "keys" / f"{index}.png", paint(IMAGES[index]))
    for index, mask in enumerate(MASKS):
        write_image(tmp_path / "masks" / f"{index}.png", mask)
    return tmp_path


def _run(folder: Path, *, keys: str = "keys", output: str = "out", **options: object) -> RunResult:
    options.setdefault("mask", folder / "masks")
    options.setdefault("propagate", DRAFT)
    return restyle(
        RunOptions(folder / "clip", folder / output, (folder / keys,), threads=1, **options)
    )


def _images(folder: Path) -> list[np.ndarray]:
    return [read_image(path) for path in sorted(folder.iterdir())]


def _reference(styled: np.ndarray, mask: np.ndarray, below: np.ndarray) -> np.ndarray:
    share = mask[..., None] / 255.0
    return styled * share + below * (1 - share)


def test_styled_frames_lie_over_the_film_by_the_mask(folder: Path) -> None:
    _run(folder, keys="all")
    for index, image in enumerate(_images(folder / "out")):
        expected = _reference(paint(IMAGES[index]), MASKS[index], IMAGES[index])
        assert np.abs(image - expected).max() <= 1
        assert np.array_equal(image[MASKS[index] == 0], IMAGES[index][MASKS[index] == 0])
        assert np.array_equal(image[MASKS[index] == 255], paint(IMAGES[index])[MASKS[index] == 255])


@pytest.mark.parametrize("work_size", [960, 80])
def test_propagated_frames_are_restyled_inside_and_filmed_outside(
    folder: Path, work_size: int
) -> None:
    _run(folder, feather=4.0, propagate=PropagateOptions(work_size=work_size))
    _run(folder, mask=None, output="whole", propagate=PropagateOptions(work_size=work_size))
    whole = _images(folder / "whole")
    for index, image in enumerate(_images(folder / "out")):
        outside = cv2.dilate(MASKS[index], np.ones((7, 7), np.uint8)) == 0
        inside = cv2.erode(MASKS[index], np.ones((7, 7), np.uint8)) == 255
        assert np.array_equal(image[outside], IMAGES[index][outside])
        difference = np.abs(image[inside].astype(int) - whole[index][inside])
        assert difference.mean() < 4, "what is masked does not matter to the rest"


def test_inverted_masks_restyle_the_rest(folder: Path) -> None:
    _run(folder, keys="all", invert_mask=True)
    for index, image in enumerate(_images(folder / "out")):
        expected = _reference(paint(IMAGES[index]), 255 - MASKS[index], IMAGES[index])
        assert np.abs(image - expected).max() <= 1


def _blue(shape: tuple[int, ...] = (HEIGHT, WIDTH)) -> np.ndarray:
    return np.full((*shape, 3), (20, 40, 200), np.uint8)


@pytest.mark.parametrize("kind", ["colour", "image", "clip"])
def test_backgrounds(folder: Path, kind: str) -> None:
    background = "#1428c8"
    if kind == "image":
        background = str(folder / "blue.png")
        write_image(folder / "blue.png", _blue())
    if kind == "clip":
        background = f"{write_sequence(folder / 'blue', [_blue()] * COUNT)}"
    _run(folder, keys="all", background=background)
    for index, image in enumerate(_images(folder / "out")):
        expected = _reference(paint(IMAGES[index]), MASKS[index], _blue())
        assert np.abs(image - expected).max() <= 1


def test_frames_of_a_background_clip_are_those_of_the_same_time(folder: Path) -> None:
    levels = [np.full((HEIGHT, WIDTH, 3), 25 * index, np.uint8) for index in range(COUNT)]
    write_sequence(folder / "levels", levels, 100)
    _run(folder, keys="all", background=str(folder / "levels"), frames=FrameRange(2, 6))
    assert [int(image[0, 0, 0]) for image in _images(folder / "out")] == [50, 75, 100, 125]
    write_sequence(folder / "short", levels[:3])
    with pytest.raises(InputError, match=r"short: lasts 0\.12 s, the film until frame 7 0\.29 s"):
        _run(folder, background=str(folder / "short"), output="none")
    assert not (folder / "none").exists()


def test_a_background_of_another_size_covers_the_frame(folder: Path) -> None:
    tall = np.zeros((400, 80, 3), np.uint8)
    tall[176:224] = (0, 200, 0)  # its middle, of the film's shape
    write_image(folder / "tall.png", tall)
    messages: list[str] = []
    restyle(
        RunOptions(folder / "clip", folder / "out", (folder / "all",), mask=folder / "masks",
                   background=str(folder / "tall.png")),
        on_event=lambda event: messages.append(event.message),
    )  # fmt: skip
    assert any("background of 80×400 for a film of 160×96" in text for text in messages)
    image = _images(folder / "out")[0]
    assert np.abs(image[48, 0].astype(int) - (0, 200, 0)).max() <= 1


def test_a_transparent_background_leaves_the_matte(folder: Path) -> None:
    _run(folder, background="transparent")
    _run(folder, mask=None, output="whole")
    for index, image in enumerate(_images(folder / "out")):
        assert image.shape == (HEIGHT, WIDTH, 4)
        assert np.abs(image[..., 3].astype(int) - MASKS[index]).max() <= 1
        beyond = cv2.dilate(MASKS[index], np.ones((41, 41), np.uint8)) == 0
        assert not image[beyond].any(), "what is hidden is not in the file"
    first = _images(folder / "out")[0]
    assert np.array_equal(first[MASKS[0] > 0][:, :3], paint(IMAGES[0])[MASKS[0] > 0])


def _rgba_keys(folder: Path, hidden: int) -> Path:
    for index in (0, COUNT - 1):
        key = np.dstack([paint(IMAGES[index]), MASKS[index]])
        key[MASKS[index] == 0, :3] = hidden
        write_image(folder / f"rgba{hidden}" / f"{index}.png", key)
    return folder / f"rgba{hidden}"


@pytest.mark.parametrize("work_size", [960, 80])
def test_alpha_of_keys_moves_with_their_surface_and_has_a_clean_edge(
    folder: Path, work_size: int
) -> None:
    results = []
    for hidden in (0, 255):
        restyle(
            RunOptions(folder / "clip", folder / f"out{hidden}", (_rgba_keys(folder, hidden),),
                       background="transparent", propagate=PropagateOptions(work_size=work_size))
        )  # fmt: skip
        results.append(_images(folder / f"out{hidden}"))
    for index, (a, b) in enumerate(zip(*results, strict=True)):
        assert np.array_equal(a, b), "colours under alpha 0 are never seen"
        agreement = np.abs(a[..., 3].astype(int) - MASKS[index])
        assert agreement.mean() < 2.5
        inside = cv2.erode(MASKS[index], np.ones((5, 5), np.uint8)) == 255
        assert (a[inside][:, 3] > 250).all()
        assert (a[cv2.dilate(MASKS[index], np.ones((9, 9), np.uint8)) == 0][:, 3] < 5).all()


def test_the_film_shows_where_keys_are_transparent(folder: Path) -> None:
    messages: list[str] = []
    restyle(
        RunOptions(folder / "clip", folder / "out", (_rgba_keys(folder, 0),)),
        on_event=lambda event: messages.append(event.message),
    )
    assert sum("where keys are transparent the film shows" in text for text in messages) == 1
    for index, image in enumerate(_images(folder / "out")):
        assert image.shape == (HEIGHT, WIDTH, 3)
        outside = cv2.dilate(MASKS[index], np.ones((15, 15), np.uint8)) == 0
        assert np.array_equal(image[outside], IMAGES[index][outside])


def test_alpha_and_mask_count_both(folder: Path) -> None:
    half = np.zeros((HEIGHT, WIDTH), np.uint8)
    half[:, :64] = 255
    write_image(folder / "half.png", half)
    restyle(
        RunOptions(folder / "clip", folder / "out", (_rgba_keys(folder, 0),),
                   mask=folder / "half.png", background="transparent")
    )  # fmt: skip
    image = _images(folder / "out")[0]
    assert np.array_equal(image[..., 3], np.minimum(MASKS[0], half))


def test_changes_of_matte_and_background_need_no_new_passes(folder: Path) -> None:
    work = folder / "work"
    assert _run(folder, work=work).computed > 0
    assert _run(folder, work=work, output="b", feather=3.0).computed == 0
    assert _run(folder, work=work, output="c", background="white").computed == 0
    softer = MASKS[3].copy()
    softer[40:56, 60:72] = 120
    write_image(folder / "masks" / "3.png", softer)
    assert _run(folder, work=work, output="d").computed == 0
    changed = [not np.array_equal(a, b) for a, b in
               zip(_images(folder / "out"), _images(folder / "d"), strict=True)]  # fmt: skip
    assert changed == [index == 3 for index in range(COUNT)]
    moved = [np.roll(mask, 40, axis=1) for mask in MASKS]
    for index, mask in enumerate(moved):
        write_image(folder / "masks" / f"{index}.png", mask)
    assert _run(folder, work=work, output="e").computed > 0
    _run(folder, output="f")
    assert all(map(np.array_equal, _images(folder / "e"), _images(folder / "f")))


def test_a_mask_changed_in_one_frame_needs_the_passes_from_there_on(tmp_path: Path) -> None:
    keys, count, changed = (0, 35, 41), 42, 17
    write_sequence(tmp_path / "clip", sliding(count, 0.5, height=64, width=160))
    for index in keys:
        write_image(tmp_path / "keys" / f"{index}.png", texture(64, 160, seed=index))

    def write_mask(index: int, right: int) -> None:
        mask = np.zeros((64, 160), np.uint8)
        mask[16:48, 10 : (130 if index == 30 else right)] = 255  # one frame needs the widest window
        write_image(tmp_path / "masks" / f"{index}.png", mask)

    for index in range(count):
        write_mask(index, 60)

    def options(name: str, work: Path | None) -> RunOptions:
        return RunOptions(tmp_path / "clip", tmp_path / name, (tmp_path / "keys",), threads=1,
                          mask=tmp_path / "masks", work=work, ignore_cuts=True,
                          propagate=DRAFT)  # fmt: skip

    first = restyle(options("out", tmp_path / "work"))
    assert first.computed == 2 * (34 + 5)
    write_mask(changed, 100)
    predicted = follow(make_dry_run(options("again", tmp_path / "work")))
    assert {item.reason for item in predicted.passes} == {"other parts of the frames are masked"}
    # both passes of the gap, from the last state before the frame on: 16 frames from either key
    assert [(item.key, item.frames) for item in predicted.passes] == [(0, 18), (35, 18)]
    assert predicted.finished == 34, "the gap after frame 35 and the keys stay"
    assert predicted.pass_frames == restyle(options("again", tmp_path / "work")).computed
    restyle(options("fresh", None))
    assert all(map(np.array_equal, _images(tmp_path / "again"), _images(tmp_path / "fresh")))


def test_the_same_bytes_for_any_number_of_threads(folder: Path) -> None:
    _run(folder, feather=2.0)
    restyle(
        RunOptions(folder / "clip", folder / "other", (folder / "keys",), threads=2,
                   mask=folder / "masks", feather=2.0, propagate=DRAFT)
    )  # fmt: skip
    assert all(map(np.array_equal, _images(folder / "out"), _images(folder / "other")))


def test_previews_are_as_the_run_makes_them(folder: Path) -> None:
    options = RunOptions(folder / "clip", folder / "out", (folder / "keys",), threads=1,
                         mask=folder / "masks", feather=2.0, work=folder / "work",
                         propagate=DRAFT)  # fmt: skip
    frames: list[Frame] = []
    consume(
        preview_frames(options, FrameRange(2, 5)),
        lambda item: frames.append(item) if isinstance(item, Frame) else None,
    )
    restyle(options)
    final = _images(folder / "out")
    assert [frame.index for frame in frames] == [2, 3, 4]
    assert all(np.array_equal(frame.image, final[frame.index]) for frame in frames)


def test_layers_of_keys_are_whole_frames_whose_weights_sum_to_one(folder: Path) -> None:
    _run(folder, per_key=folder / "layers")
    folders = sorted((folder / "layers").glob("key_*"))
    layers = [_images(path) for path in folders]
    weights = [_images(Path(str(path).replace("key_", "weights_"))) for path in folders]
    for index in range(1, COUNT - 1):
        parts = [read_image(path / f"frame_{index:05d}.png") for path in folders]
        assert all(part.shape == (HEIGHT, WIDTH, 3) for part in parts)
        outside = MASKS[index] == 0
        assert all(np.array_equal(part[outside], IMAGES[index][outside]) for part in parts)
    assert len(layers) == len(weights) == 2
    sums = weights[0][3][..., 0].astype(int) + weights[1][2][..., 0]
    assert sums.shape == (HEIGHT, WIDTH)


def test_a_stylizer_with_a_mask_for_each_frame(folder: Path) -> None:
    options = RunOptions(folder / "clip", folder / "out", stylizer="paint", every_frame=True,
                         every=3, mask=folder / "masks", threads=1)  # fmt: skip
    restyle(options)
    for index, image in enumerate(_images(folder / "out")):
        outside, inside = MASKS[index] == 0, MASKS[index] == 255
        assert np.array_equal(image[outside], IMAGES[index][outside])
        assert np.abs(image[inside].astype(int) - IMAGES[index][inside]).mean() > 2
    (folder / "masks" / "4.png").unlink()
    with pytest.raises(InputError, match="no mask for frame 4"):
        restyle(options)


def test_alpha_that_the_output_cannot_store_is_refused_at_once(folder: Path) -> None:
    with pytest.raises(
        OptionsError, match=r"background transparent: .*out\.mp4 cannot store alpha"
    ):
        _run(folder, output="out.mp4", background="transparent")
    messages: list[str] = []
    restyle(
        RunOptions(folder / "clip", folder / "o", (folder / "keys",), background="white"),
        on_event=lambda event: messages.append(event.message),
    )
    assert any("background white: shows nowhere: there is no mask" in text for text in messages)


def test_a_video_of_masks_in_worker_processes(folder: Path) -> None:
    with create_clip(folder / "m.gif", like=None, frame_rate=None) as writer:
        for index, mask in enumerate(MASKS):
            hard = np.where(mask > 127, 255, 0).astype(np.uint8)
            writer.write(Frame(index, np.dstack([hard] * 3)))
    with open_clip(folder / "m.gif") as masks:
        assert len(masks) == COUNT
    _run(folder, mask=folder / "m.gif", workers=1)
    for index, image in enumerate(_images(folder / "out")):
        outside = MASKS[index] <= 127
        assert np.array_equal(image[outside], IMAGES[index][outside])
        assert not np.array_equal(image, IMAGES[index])


@pytest.mark.parametrize("work_size", [960, 80])
def test_a_window_that_follows_the_mask_changes_little(tmp_path: Path, work_size: int) -> None:
    """A textured disc crosses a textured background; the whole frame is the reference."""
    ground, disc = texture(96, 320, seed=1), texture(96, 320, seed=2)
    images, masks = [], []
    for index in range(8):
        mask = np.zeros((96, 320), np.uint8)
        cv2.circle(mask, (40 + 14 * index, 48), 20, 255, -1)
        masks.append(mask)
        moved = np.roll(disc, 14 * index, axis=1)
        images.append(np.where(mask[..., None] > 0, moved, ground))
    write_sequence(tmp_path / "clip", images)
    write_sequence(tmp_path / "masks", [np.dstack([mask] * 3) for mask in masks])

    def run(output: str, mask: Path | None, every: int = 7) -> list[np.ndarray]:
        restyle(
            RunOptions(tmp_path / "clip", tmp_path / output, stylizer="paint", every_frame=True,
                       every=every, mask=mask, threads=1, ignore_cuts=True,
                       propagate=PropagateOptions(work_size=work_size))
        )  # fmt: skip
        return _images(tmp_path / output)

    truth, errors = run("truth", None, every=1), []
    for frames in (run("whole", None), run("masked", tmp_path / "masks")):
        inside = [np.abs(frame[mask > 0].astype(int) - true[mask > 0]).mean()
                  for frame, true, mask in zip(frames, truth, masks, strict=True)]  # fmt: skip
        errors.append(float(np.mean(inside)))
    assert errors[1] < errors[0] + 1
    for frame, image, mask in zip(frames, images, masks, strict=True):
        assert np.array_equal(frame[mask == 0], image[mask == 0])


def test_the_lynx_is_painted_and_its_meadow_stays(real_clips: Path, tmp_path: Path) -> None:
    lynx = real_clips / "lynx"
    restyle(
        RunOptions(lynx / "input", tmp_path / "out", (lynx / "keys" / "000.jpg",),
                   mask=lynx / "masks", feather=6.0, frames=FrameRange(0, 4), threads=1,
                   propagate=detail_options("draft"))
    )  # fmt: skip
    with open_clip(lynx / "input") as clip:
        for index, image in enumerate(_images(tmp_path / "out")):
            film = clip.frame(index).rgb
            mask = read_image(lynx / "masks" / f"mask_{index:05d}.png")[..., 0]
            outside = cv2.dilate(mask, np.ones((9, 9), np.uint8)) == 0
            inside = cv2.erode(mask, np.ones((9, 9), np.uint8)) == 255
            assert np.array_equal(image[outside], film[outside])
            assert np.abs(image[inside].astype(int) - film[inside]).mean() > 25
