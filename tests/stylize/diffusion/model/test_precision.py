"""Overflow in half precision is noticed, redone in float32, and remembered."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kadr.errors import BackendError
from kadr.stylize.diffusion.encoded_prompts import EncodedPrompts
from kadr.stylize.diffusion.model.loading import LoadOptions, load_model
from kadr.stylize.diffusion.model.model import Model
from kadr.stylize.diffusion.model.precision import (
    LostPrecisionError,
    check_latents,
    decode_checked,
    is_flat,
    run_with_fallback,
)
from kadr.stylize.diffusion.options import DiffusionOptions
from kadr.stylize.diffusion.sampling.guidance import Prompt


def _half(tiny_model, kind: str = "sd1") -> Model:
    return load_model(str(tiny_model(kind)), LoadOptions(dtype="bfloat16"))


def _spoil(model: Model, value: float) -> list[torch.dtype]:
    """Let the autoencoder give ``value`` everywhere unless it works in float32; notes each call."""
    dtypes = []
    decode = model.vae.decode

    def spoiled(latents, *args, **kwargs):
        dtypes.append(latents.dtype)
        made = decode(latents, *args, **kwargs)
        if latents.dtype != torch.float32:
            made.sample.fill_(value)
        return made

    model.vae.decode = spoiled
    return dtypes


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 0.25])
def test_spoiled_autoencoder_goes_to_float32_for_good(value: float, tiny_model) -> None:
    model = _half(tiny_model)
    dtypes = _spoil(model, value)
    latents = torch.randn(2, 4, 8, 8)
    first = decode_checked(model, latents, [False, False])
    assert dtypes == [torch.bfloat16, torch.float32]
    assert all(image.std() > 1 for image in first)
    second = decode_checked(model, latents, [False, False])
    assert dtypes[2:] == [torch.float32]
    assert np.array_equal(first[0], second[0])
    assert model.dtype == torch.bfloat16
    assert model.vae_dtype == torch.float32


def test_sound_pictures_stay_in_half(tiny_model) -> None:
    model = _half(tiny_model)
    decode_checked(model, torch.randn(1, 4, 8, 8), [False])
    assert model.vae_dtype == torch.bfloat16


def test_one_colour_is_believed_in_float32(tiny_model) -> None:
    model = load_model(str(tiny_model("sd1")))
    with torch.no_grad():
        model.vae.decoder.conv_out.weight.zero_()
        model.vae.decoder.conv_out.bias.fill_(-1)
    assert not decode_checked(model, torch.randn(1, 4, 8, 8), [False])[0].any()


def test_all_is_done_again_in_float32(tiny_model) -> None:
    model = _half(tiny_model)
    tried = []

    def make():
        tried.append(model.dtype)
        check_latents(torch.full((1,), float("nan") if model.dtype != torch.float32 else 1.0))
        return []

    assert run_with_fallback(model, make) == []
    assert run_with_fallback(model, make) == []
    assert tried == [torch.bfloat16, torch.float32, torch.float32]
    assert model.is_float32
    assert model.unet.dtype == model.networks.encoders[0].network.dtype == torch.float32


def test_what_is_broken_in_float32_is_said(tiny_model) -> None:
    model = _half(tiny_model)

    def never():
        raise LostPrecisionError

    with pytest.raises(BackendError, match="sd1: gives values that are not finite, in float32"):
        run_with_fallback(model, never)


def test_autoencoder_known_to_overflow_starts_in_float32(tiny_model) -> None:
    model = load_model(str(tiny_model("sdxl")), LoadOptions(dtype="float16"))
    assert model.vae_dtype == torch.float32
    assert model.dtype == torch.float16
    assert load_model(str(tiny_model("sd1")), LoadOptions(dtype="float16")).vae_dtype == (
        torch.float16
    )


def test_one_colour_is_not_believed_while_the_network_is_in_half(tiny_model) -> None:
    model = load_model(str(tiny_model("sdxl")), LoadOptions(dtype="float16"))
    with torch.no_grad():
        model.vae.decoder.conv_out.weight.zero_()
    latents = torch.randn(1, 4, 8, 8)
    with pytest.raises(LostPrecisionError):
        decode_checked(model, latents, [False])
    decode_checked(model, latents, [True])  # a frame of a fade may come out as it is


def _text(prompt: Prompt) -> torch.Tensor:
    return prompt.parts(0)[0][0].crossattn


def test_prompts_are_encoded_anew_in_another_precision(tiny_model) -> None:
    model = _half(tiny_model)
    prompts = EncodedPrompts(model, DiffusionOptions(model="m", prompt="fox"))
    network = model.networks.encoders[0].network
    norm = getattr(network, "text_model", network).final_layer_norm
    kept = norm.weight.detach().clone()
    with torch.no_grad():
        norm.weight.fill_(float("nan"))
    assert _text(prompts.for_size((64, 64)).cond).isnan().all()
    model.upcast("all")
    with torch.no_grad():
        norm.weight.copy_(kept)
    assert _text(prompts.for_size((64, 64)).cond).isfinite().all()


def test_an_empty_original_prompt_is_encoded_as_empty(tiny_model) -> None:
    model = load_model(str(tiny_model("sd1")))
    options = DiffusionOptions(
        model="m", prompt="fox", negative_prompt="dog", inversion="plain",
        original_negative_prompt="cat",
    )  # fmt: skip
    prompts = EncodedPrompts(model, options).for_size((64, 64))
    empty = EncodedPrompts(model, DiffusionOptions(model="m")).for_size((64, 64))
    assert empty.original is None
    assert prompts.original is not None
    assert torch.equal(prompts.original.crossattn, _text(empty.cond))
    assert prompts.original_negative is not None
    assert not torch.equal(prompts.original_negative.crossattn, _text(prompts.uncond))


def test_a_frame_of_one_colour_is_known() -> None:
    image = np.full((8, 8, 3), (3, 9, 0), np.uint8)
    assert is_flat(image)
    image[4, 4, 2] = 2
    assert not is_flat(image)
