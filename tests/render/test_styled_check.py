"""Stylized frames that look wrong are told of, once for each kind, and are no error."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
import pytest

from kadr.core.frames import Frame, Image
from kadr.render.styled_check import StyledCheck
from scenes import paint, texture

HEIGHT, WIDTH = 90, 160
FRAMES = [texture(HEIGHT, WIDTH, seed=seed) for seed in range(6)]
Stylize = Callable[[int], Image]


def _notices(
    stylize: Stylize,
    frames: Sequence[np.ndarray] = FRAMES,
    mask: np.ndarray | None = None,
    resizes: bool = False,
) -> list[str]:
    """What is told of frames that are numbered from 1000."""
    check = StyledCheck("a1111", lambda index: 1000 + index, resizes)
    notices: list[str] = []
    for index, image in enumerate(frames):
        check.add_frame(Frame(index, image))
        notices += check.check(index, stylize(index), mask)
    return notices + list(check.summary())


def _resampled(image: Image, size: tuple[int, int]) -> Image:
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (image.shape[1], image.shape[0]), interpolation=cv2.INTER_CUBIC)


def test_painted_frames_are_fine() -> None:
    assert _notices(lambda index: paint(FRAMES[index])) == []


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_picture_of_one_colour_is_told_once_with_a_count(level: int) -> None:
    blank = np.full((HEIGHT, WIDTH, 3), level, np.uint8)
    first, last = _notices(lambda index: blank if index else paint(FRAMES[0]))
    assert first.startswith("stylizer a1111: frame 1001 came back all of one colour; values may")
    assert "change a setting such as the seed to make it again" in first
    assert last == (
        "stylizer a1111: 5 of 6 frames came back all of one colour: 1001, 1002, 1003, 1004, 1005"
    )


def test_many_numbers_are_cut_short() -> None:
    blank = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    last = _notices(lambda index: blank, FRAMES * 2)[-1]
    assert last.endswith("12 of 12 frames came back all of one colour: 1000, 1001, 1002, 1003, "
                         "1004, 1005, 1006, 1007 ...")  # fmt: skip


def test_a_frame_that_is_black_itself_may_stay_black() -> None:
    black = [np.zeros((HEIGHT, WIDTH, 3), np.uint8)] * 3
    assert _notices(lambda index: black[0], black) == []


def test_a_frame_that_comes_back_as_filmed_is_told() -> None:
    first, last = _notices(lambda index: FRAMES[index])
    assert first.startswith("stylizer a1111: frame 1000 came back unchanged; raise denoising-str")
    assert last.startswith("stylizer a1111: 6 of 6 frames came back unchanged: 1000, 1001")


@pytest.mark.parametrize("size", [(256, 144), (400, 224), (640, 360)])
def test_a_frame_that_was_only_resampled_came_back_as_filmed(size: tuple[int, int]) -> None:
    frames = [cv2.resize(frame, (512, 288), interpolation=cv2.INTER_CUBIC) for frame in FRAMES]
    frames = [cv2.GaussianBlur(frame, (0, 0), 2) for frame in frames]

    def resampled(index: int) -> Image:
        return _resampled(frames[index], size)

    assert len(_notices(resampled, frames, resizes=True)) == 2
    assert _notices(lambda index: paint(frames[index]), frames, resizes=True) == []

    def with_grain(index: int) -> Image:
        """A change that averages out."""
        grain = (np.indices(frames[index].shape).sum(axis=0) % 2 * 8 - 4).astype(int)
        return np.clip(frames[index] + grain, 0, 255).astype(np.uint8)

    assert len(_notices(with_grain, frames, resizes=True)) == 2
    assert _notices(with_grain, frames) == []


def test_deep_frames_are_compared_in_8_bits() -> None:
    deep = [frame.astype(np.uint16) * 257 for frame in FRAMES]
    assert len(_notices(lambda index: FRAMES[index], deep)) == 2
    assert _notices(lambda index: paint(FRAMES[index]), deep) == []


def test_a_small_change_is_a_change() -> None:
    def touched(index: int) -> Image:
        image = FRAMES[index].copy()
        image[40:50, 70:90] = 255 - image[40:50, 70:90]
        return image

    assert _notices(touched) == []


def test_the_same_picture_for_frames_that_differ_is_told() -> None:
    first, last = _notices(lambda index: paint(FRAMES[0]))
    assert first.startswith(
        "stylizer a1111: frame 1001 came back as the same picture as another frame, 1000; "
    )
    assert last.startswith("stylizer a1111: 5 of 6 frames came back as the same picture as another")


def test_the_same_picture_for_frames_that_are_alike_is_fine() -> None:
    still = [np.clip(FRAMES[0].astype(int) + step, 0, 255).astype(np.uint8) for step in range(4)]
    assert _notices(lambda index: paint(FRAMES[0]), still) == []


def test_a_picture_of_an_older_frame_is_told() -> None:
    def late(index: int) -> Image:
        image = cv2.convertScaleAbs(FRAMES[max(0, index - 1)], alpha=0.8, beta=20)
        image[:5, :5] = index  # no two pictures are the same
        return image

    first, last = _notices(late)
    assert first.startswith(
        "stylizer a1111: frame 1001 came back as a picture of another frame, 1000; look whether"
    )
    assert last.startswith("stylizer a1111: 5 of 6 frames came back as a picture of another frame")


def test_only_the_stylized_part_of_a_frame_counts() -> None:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    assert _notices(lambda index: FRAMES[index], mask=mask) == []
    mask[30:60, 40:90] = True

    def blanked(index: int) -> Image:
        image = FRAMES[index].copy()
        image[mask] = 0
        return image

    first = _notices(blanked, mask=mask)[0]
    assert "frame 1000 came back all of one colour" in first
    assert len(_notices(lambda index: FRAMES[index], mask=mask)) == 2
    assert _notices(lambda index: np.where(mask[..., None], paint(FRAMES[index]), FRAMES[index]),
                    mask=mask) == []  # fmt: skip
