"""Options that differ from frame to frame: which they may be, and what the stylizer shares."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields

import numpy as np
import pytest
from stylize_samples import jobs

from kadr.core.frames import FrameRange
from kadr.errors import OptionsError
from kadr.option_fields import OTHER_FRAMES, fields_that_need
from kadr.stylize.base import StyledFrame, StylizeContext
from kadr.stylize.ranges import RangeStylizer, range_options
from kadr.stylize.registry import create_stylizer, stylizer_names, stylizer_options


def _images(batches: Iterable[list[StyledFrame]]) -> dict[int, np.ndarray]:
    return {styled.index: styled.image for batch in batches for styled in batch}


def test_each_frame_has_the_options_of_its_range() -> None:
    ranges = [(FrameRange(2, 4), {"saturation": 0.0}), (FrameRange(4, 5), {"relief": 0.0})]
    stylizer = RangeStylizer("paint", {"strokes": 0.2}, ranges)
    made = _images(stylizer.stylize(jobs(range(6)), StylizeContext()))
    assert list(made) == list(range(6))
    for index, image in made.items():
        alone = create_stylizer("paint", **stylizer.options_at(index))
        assert np.array_equal(image, _images(alone.stylize(jobs([index]), StylizeContext()))[index])
    assert stylizer.options_at(3) == {"strokes": 0.2, "saturation": 0.0}
    assert stylizer.options_at(5) == {"strokes": 0.2}
    assert [stylizer.section(index) for index in range(6)] == [0, 0, 1, 1, 2, 3]


def test_a_range_is_refused_as_its_stylizer_would_be() -> None:
    with pytest.raises(OptionsError, match=r"saturation 9: expected 0 to 3"):
        RangeStylizer("paint", {}, [(FrameRange(0, 1), {"saturation": 9})])


@pytest.mark.parametrize("name", [name for name in stylizer_names() if name != "external"])
def test_options_of_models_sizes_and_other_frames_hold_for_all(name: str) -> None:
    kind = stylizer_options(name)
    names = set(range_options(kind))
    assert names
    fixed = {"model", "vae", "device", "url", "width", "height", "pixels", "batch", "lora_dir"}
    assert not names & fixed
    assert not names & set(fields_that_need(kind, OTHER_FRAMES))
    if any(item.name == "prompt" for item in fields(kind)):
        assert {"prompt", "negative_prompt", "seed", "denoising_strength", "cfg_scale"} <= names
