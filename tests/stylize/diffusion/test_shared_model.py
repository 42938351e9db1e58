"""Ranges of frames with other prompts share one model in memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from stylize_samples import jobs

from kadr.core.frames import FrameRange, Image
from kadr.errors import OptionsError
from kadr.stylize.base import StylizeContext, Stylizer
from kadr.stylize.diffusion.model import loading
from kadr.stylize.ranges import RangeStylizer
from kadr.stylize.registry import create_stylizer

OPTIONS = {"prompt": "fox", "steps": 2, "pixels": 4096}


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The options of each model that is loaded."""
    calls: list[Any] = []
    load = loading.load_model

    def counted(location: Any, options: Any) -> Any:
        calls.append(options)
        return load(location, options)

    monkeypatch.setattr(loading, "load_model", counted)
    return calls


def _images(stylizer: Stylizer, indices: Sequence[int] = range(4)) -> list[Image]:
    batches = stylizer.stylize(jobs(indices, per_group=4), StylizeContext())
    return [styled.image for batch in batches for styled in batch]


@pytest.mark.parametrize("attention", [False, True])
def test_other_prompts_seeds_and_strengths_need_no_other_model(
    attention: bool, tiny_model: Any, loads: list[Any]
) -> None:
    options = OPTIONS | {"model": str(tiny_model("sd1"))}
    if attention:
        options |= {"joint": "attention", "joint_size": 2}
    changes = {"prompt": "[dog|cat] AND ink", "seed": 9, "denoising_strength": 0.8}
    made = _images(RangeStylizer("diffusion", options, [(FrameRange(1, 4), changes)]))
    assert len(loads) == 1
    expected = [
        image
        # attention: the third of a range attends to the first, which was made before it
        for section, more in (([0], {}), ([1, 2, 3], changes))
        for image in _images(create_stylizer("diffusion", **options | more), section)
    ]
    assert all(np.array_equal(a, b) for a, b in zip(made, expected, strict=True))
    assert not np.array_equal(made[1], _images(create_stylizer("diffusion", **options), [1])[0])


def test_loras_in_a_prompt_replace_the_model(
    tiny_model: Any, loads: list[Any], tmp_path: Path
) -> None:
    layer = "unet.mid_block.attentions.0.proj_in"
    halves, generator = {"A": (4, 64, 1, 1), "B": (64, 4, 1, 1)}, torch.Generator().manual_seed(0)
    weights = {
        f"{layer}.lora_{half}.weight": torch.randn(shape, generator=generator)
        for half, shape in halves.items()
    }
    save_file(weights, tmp_path / "ink.safetensors")
    options = OPTIONS | {"model": str(tiny_model("sd1")), "lora_dir": tmp_path}
    ranges = [(FrameRange(1, 3), {"prompt": "fox <lora:ink:2>"})]
    made = _images(RangeStylizer("diffusion", options, ranges))
    assert [len(call.prompt_loras) for call in loads] == [0, 1, 0]
    plain = _images(create_stylizer("diffusion", **options))
    same = [np.array_equal(a, b) for a, b in zip(made, plain, strict=True)]
    assert same == [True, False, False, True]


def test_a_lora_that_a_range_lacks_is_told(tiny_model: Any, tmp_path: Path) -> None:
    options = OPTIONS | {"model": str(tiny_model("sd1")), "lora_dir": tmp_path}
    ranges = [(FrameRange(1, 3), {"prompt": "fox <lora:ink:2>"})]
    missing = RangeStylizer("diffusion", options, ranges).missing_parts()
    assert missing.startswith(f"{tmp_path}: holds no LoRA called 'ink'")
    (tmp_path / "ink.safetensors").touch()
    assert RangeStylizer("diffusion", options, ranges).missing_parts() == ""


def test_values_that_contradict_others_are_refused(tiny_model: Any) -> None:
    options = OPTIONS | {"model": str(tiny_model("sd1"))}
    with pytest.raises(OptionsError, match="original-prompt: is for inversion"):
        RangeStylizer("diffusion", options, [(FrameRange(0, 1), {"original_prompt": "a"})])
