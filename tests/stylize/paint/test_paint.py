"""The oil filter as a whole."""

from __future__ import annotations

import numpy as np
import pytest
from stylize_samples import picture

from kadr.core.frames import Frame
from kadr.stylize.base import StylizeContext, StylizeJob
from kadr.stylize.paint.stylizer import Paint, PaintOptions, paint


def _paint_one(
    image: np.ndarray, context: StylizeContext | None = None, **options: float
) -> np.ndarray:
    batches = Paint(PaintOptions(**options)).stylize(
        [StylizeJob(Frame(0, image), 0, 5)], context or StylizeContext()
    )
    ((styled,),) = batches
    return styled.image


@pytest.mark.parametrize("shape", [(1, 1), (2, 9), (200, 5)])
def test_any_size(shape: tuple[int, int]) -> None:
    assert _paint_one(picture(*shape)).shape == (*shape, 3)


def test_alpha_passes_through() -> None:
    image = picture(alpha=True)
    np.testing.assert_array_equal(_paint_one(image)[..., 3], image[..., 3])


def test_sixteen_bits_look_like_eight() -> None:
    image = picture()
    np.testing.assert_array_equal(_paint_one(image.astype(np.uint16) * 257), _paint_one(image))


def test_outside_the_mask_it_stays_as_filmed() -> None:
    image = picture()
    mask = np.zeros(image.shape[:2], bool)
    mask[:20] = True
    painted = _paint_one(image, StylizeContext(mask=lambda index: mask))
    np.testing.assert_array_equal(painted[20:], image[20:])
    assert not np.array_equal(painted[:20], image[:20])


def test_the_picture_stays_recognizable() -> None:
    image = picture(120, 160)
    painted = _paint_one(image).astype(float)
    correlation = np.corrcoef(painted.ravel(), image.astype(float).ravel())[0, 1]
    assert correlation > 0.97


def test_strokes_and_relief_can_be_left_out() -> None:
    image = np.full((60, 60, 3), 120, np.uint8)
    assert np.ptp(_paint_one(image, strokes=0)) == 0
    flat, thick = _paint_one(image, relief=0), _paint_one(image, relief=1)
    assert 0 < flat.std() < thick.std()


def test_saturation_moves_away_from_grey_and_not_out_of_range() -> None:
    grey = np.full((20, 20, 3), 90, np.uint8)
    np.testing.assert_array_equal(_paint_one(grey, strokes=0, saturation=3), grey)
    image = np.full((20, 20, 3), (150, 110, 90), np.uint8)
    spread = [np.ptp(_paint_one(image, strokes=0, saturation=s)[10, 10]) for s in (0.0, 1.0, 1.2)]
    assert spread[0] <= 1
    assert spread[1] == 60
    assert spread[2] > 60


def test_strokes_grow_with_the_frame() -> None:
    """Seen at one size, a small and a large frame have strokes of like size."""
    flat = PaintOptions(relief=0)
    widths = []
    for height in (270, 540):
        painted = paint(np.full((height, height, 3), 128, np.uint8), flat, seed=1).mean(axis=2)
        grey = painted - painted.mean()
        shift = height // 90
        widths.append((grey[shift:] * grey[:-shift]).mean() / grey.var())
    assert abs(widths[0] - widths[1]) < 0.15
