"""What holds for every stylizer that draws frames one by one without a model."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from look_samples import LOOKS, draw_one, grey
from stylize_samples import picture

from kadr.stylize.base import StylizeContext
from kadr.stylize.ranges import range_options
from kadr.stylize.registry import stylizer_options

every_look = pytest.mark.parametrize("look", LOOKS)


@every_look
@settings(max_examples=12, deadline=None)
@given(height=st.integers(1, 40), width=st.integers(1, 40), seed=st.integers(0, 9))
def test_any_size(look: str, height: int, width: int, seed: int) -> None:
    image = picture(height, width, seed=seed)
    styled = draw_one(look, image, StylizeContext(threads=1))
    assert styled.shape == image.shape
    assert styled.dtype == np.uint8


@every_look
@pytest.mark.parametrize("shape", [(1, 1), (2, 300), (300, 3)])
def test_slivers(look: str, shape: tuple[int, int]) -> None:
    assert draw_one(look, picture(*shape)).shape == (*shape, 3)


@every_look
def test_threads_change_nothing_and_the_seed_decides(look: str) -> None:
    image = picture(100, 90)
    one = draw_one(look, image, StylizeContext(threads=1))
    np.testing.assert_array_equal(one, draw_one(look, image, StylizeContext(threads=4)))
    assert not np.array_equal(one, draw_one(look, image, seed=1))


@every_look
def test_grain_and_strokes_are_the_same_for_every_frame(look: str) -> None:
    """The seed of a frame's job is not used unless the option says so."""
    image = picture()
    one = draw_one(look, image, job=5)
    np.testing.assert_array_equal(one, draw_one(look, image, job=6))
    own = [draw_one(look, image, job=job, seed=None) for job in (5, 6)]
    assert not np.array_equal(*own)


@every_look
def test_outside_the_mask_it_stays_as_filmed(look: str) -> None:
    image = picture(alpha=True)
    mask = np.zeros(image.shape[:2], bool)
    mask[:20] = True
    styled = draw_one(look, image, StylizeContext(mask=lambda index: mask))
    np.testing.assert_array_equal(styled[20:], image[20:])
    assert not np.array_equal(styled[:20], image[:20])


@every_look
def test_alpha_passes_through_and_colours_do_not_depend_on_it(look: str) -> None:
    image = picture(alpha=True)
    styled = draw_one(look, image)
    np.testing.assert_array_equal(styled[..., 3], image[..., 3])
    np.testing.assert_array_equal(styled[..., :3], draw_one(look, image[..., :3]))


@every_look
def test_sixteen_bits_look_like_eight(look: str) -> None:
    image = picture()
    np.testing.assert_array_equal(
        draw_one(look, image.astype(np.uint16) * 257), draw_one(look, image)
    )


@every_look
@pytest.mark.parametrize("level", [0, 60, 128, 200, 255])
def test_flat_grey_stays_nearly_flat_and_grey(look: str, level: int) -> None:
    styled = draw_one(look, grey(level)).astype(float)
    # hatching is the only texture that may be seen in a flat area
    assert styled.mean(axis=2).std() < (45 if look == "pencil" else 12)
    assert np.abs(np.diff(styled.mean(axis=(0, 1)))).max() < 16


@every_look
def test_darker_stays_darker(look: str) -> None:
    means = [draw_one(look, grey(level)).mean() for level in range(5, 256, 25)]
    assert (np.diff(means) > -1).all()
    assert means[-1] - means[0] > 100


@every_look
def test_textures_grow_with_the_frame(look: str) -> None:
    """Seen at one size, a small and a large frame have textures of like size and contrast."""
    spreads = []
    for height in (270, 540):
        drawn = draw_one(look, grey(110, height, height)).mean(axis=2)
        # the same area of the picture for each value
        cell = height // 135
        cells = drawn.reshape(135, cell, 135, cell).mean(axis=(1, 3))
        spreads.append(cells.std())
    assert abs(spreads[0] - spreads[1]) < 0.35 * max(spreads) + 0.3


@every_look
def test_every_option_changes_the_picture(look: str) -> None:
    image = picture(120, 100)
    kind = stylizer_options(look)
    base = draw_one(look, image)
    for item in fields(kind):
        # lengths at their lower limit are below a pixel of a small frame, as the default is
        other = item.metadata[
            "high" if getattr(kind(), item.name) != item.metadata["high"] else "low"
        ]
        changed = draw_one(look, image, **{item.name: other})
        assert not np.array_equal(changed, base), item.name


@every_look
def test_every_option_may_differ_in_ranges_of_frames(look: str) -> None:
    kind = stylizer_options(look)
    assert range_options(kind) == tuple(item.name for item in fields(kind))


@every_look
def test_options_at_their_limits_still_draw(look: str) -> None:
    kind = stylizer_options(look)
    for item in fields(kind):
        for value in (item.metadata["low"], item.metadata["high"]):
            replace(kind(), **{item.name: value})
            assert draw_one(look, picture(20, 24), **{item.name: value}).shape == (20, 24, 3)
