"""Prompts in A1111's notation, encoded by tiny models."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from kadr.stylize.diffusion.encoded_prompts import EncodedPrompts
from kadr.stylize.diffusion.engine import Engine
from kadr.stylize.diffusion.model.loading import load_model
from kadr.stylize.diffusion.model.model import Model
from kadr.stylize.diffusion.options import DiffusionOptions
from kadr.stylize.diffusion.sampling.img2img import Prompts

_SIZE = (64, 64)


@pytest.fixture(scope="module")
def model(tiny_model) -> Model:
    return load_model(str(tiny_model("sd1")))


def _encode(model: Model, **options: object) -> Prompts:
    return EncodedPrompts(model, DiffusionOptions(model="m", steps=4, **options)).for_size(_SIZE)


def _text(model: Model, text: str) -> Tensor:
    ((conditioning, weight),) = _encode(model, prompt=text).cond.parts(0)
    assert weight == 1
    return conditioning.crossattn


@pytest.mark.parametrize(
    ("prompt", "sampler", "used"),
    [
        ("a [cat|dog]", "Euler", ["a cat", "a cat", "a dog", "a cat"]),
        ("[ink:oil:0.5]", "Euler", ["ink", "ink", "ink", "oil"]),
        ("[ink:oil:0.5]", "Heun", [*["ink"] * 5, *["oil"] * 3]),
        ("[ink:oil:1]", "Heun", [*["ink"] * 2, *["oil"] * 6]),
        ("a[ cat::1]", "Euler", ["a cat", "a cat", "a", "a"]),
    ],
)
def test_each_evaluation_has_its_text(
    prompt: str, sampler: str, used: list[str], model: Model
) -> None:
    prompts = _encode(model, prompt=prompt, negative_prompt=prompt, sampler=sampler)
    for evaluation, text in enumerate(used):
        for encoded in (prompts.cond, prompts.uncond):
            ((conditioning, _),) = encoded.parts(evaluation)
            assert torch.equal(conditioning.crossattn, _text(model, text))


def test_parts_joined_by_and_change_on_their_own(model: Model) -> None:
    prompt = "(oil:1.3) AND [cat|dog] :0.4"
    parts = _encode(model, prompt=prompt).cond.parts(2)
    assert [weight for _, weight in parts] == [1, 0.4]
    for (conditioning, _), text in zip(parts, ("(oil:1.3)", "dog"), strict=True):
        assert torch.equal(conditioning.crossattn, _text(model, text))


def test_tags_are_no_words(model: Model) -> None:
    tagged = _encode(model, prompt="a <lora:ink:1>cat", lora_dir="loras").cond.parts(0)[0][0]
    assert torch.equal(tagged.crossattn, _text(model, "a cat"))


@pytest.mark.parametrize(
    ("prompt", "is_told"),
    [("photo, 16:9", True), ("photo, 16:9,", False), ("a :0.5 AND b", False), ("(a:1.2)", False)],
)
def test_a_weight_of_the_only_prompt_is_told(
    prompt: str, is_told: bool, caplog: pytest.LogCaptureFixture
) -> None:
    Engine.check(DiffusionOptions(model="m", prompt=prompt))
    assert ("the number after the last colon, 9, is its weight" in caplog.text) == is_told
    assert bool(caplog.text) == is_told


def test_zeros_stand_only_for_a_prompt_that_is_always_empty(tiny_model) -> None:
    model = load_model(str(tiny_model("sdxl")))
    empty = _encode(model, negative_prompt="").uncond.parts(0)[0][0]
    assert not empty.crossattn.any()
    changing = _encode(model, negative_prompt="[|dog]").uncond
    assert changing.parts(0)[0][0].crossattn.any()
