"""Latents, pictures, masks and text of a model, against the networks called by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_models import Kind

from kadr.errors import OptionsError
from kadr.stylize.diffusion.model.loading import LoadOptions, load_model
from kadr.stylize.diffusion.model.model import choose_offload, to_images
from kadr.stylize.diffusion.prompt.text_encoder import pad_chunk
from kadr.stylize.diffusion.sampling.guidance import Conditioning


def _images(count: int = 2, side: int = 64) -> list[np.ndarray]:
    rng = np.random.default_rng(3)
    return [rng.integers(0, 256, (side, side, 3), dtype=np.uint8) for _ in range(count)]


@pytest.mark.parametrize("kind", ["sd1", "sdxl"])
def test_latents_are_the_scaled_posterior(kind: Kind, tiny_model) -> None:
    model = load_model(str(tiny_model(kind)))
    images = _images()
    pixels = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 127.5 - 1
    with torch.no_grad():
        posterior = model.vae.encode(pixels).latent_dist
    latents = model.encode(images) / model.vae.config.scaling_factor
    noise = (latents - posterior.mean) / posterior.std
    # sampled, and with one noise for all
    assert noise.std() == pytest.approx(1, abs=0.15)
    assert torch.allclose(noise[0], noise[1], atol=1e-3)
    assert torch.equal(model.encode(images), model.encode(images))
    assert torch.allclose(model.encode(images[1:]), model.encode(images)[1:], atol=1e-5)
    with torch.no_grad():
        expected = model.vae.decode(latents).sample
    decoded = model.decode_pixels(model.encode(images))
    assert torch.allclose(decoded, expected, atol=1e-5)


def test_pictures_are_truncated_not_rounded() -> None:
    values = torch.tensor([-1.5, -1.0, 0.0, 0.999, 1.0, 2.0, (2 * 10.9 / 255) - 1])
    pixels = values.view(1, 1, 1, -1).expand(1, 3, 1, -1)
    assert to_images(pixels)[0][0, :, 0].tolist() == [0, 0, 127, 254, 255, 255, 10]


def test_side_that_is_no_multiple_is_refused(tiny_model) -> None:
    model = load_model(str(tiny_model("sd1")))
    with pytest.raises(OptionsError, match="size 60×60: expected multiples of 8"):
        model.encode(_images(1, 60))


def test_concat_of_an_inpainting_model(tiny_model) -> None:
    model = load_model(str(tiny_model("sd1-inpaint")))
    pixels = torch.rand(2, 3, 64, 64) * 2 - 1
    grey = model.encode_pixels(torch.zeros(1, 3, 64, 64))
    whole = model.concat(pixels)
    assert whole is not None
    assert whole.shape == (2, 5, 8, 8)
    assert torch.equal(whole[:, :1], torch.ones(2, 1, 8, 8))
    # everything is hidden: the picture leaves no trace
    assert torch.allclose(whole[:, 1:], grey.expand(2, -1, -1, -1), atol=1e-5)
    shown = model.concat(pixels, mask_weight=0.0)
    assert shown is not None
    assert torch.allclose(shown[:, 1:], model.encode_pixels(pixels), atol=1e-5)
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., :32] = 0.7
    half = model.concat(pixels, mask)
    assert half is not None
    assert torch.equal(half[0, 0, :, :4], torch.ones(8, 4))
    assert torch.equal(half[0, 0, :, 4:], torch.zeros(8, 4))
    hidden = pixels.clone()
    hidden[..., :32] = 0
    assert torch.allclose(half[:, 1:], model.encode_pixels(hidden), atol=1e-5)
    assert load_model(str(tiny_model("sd1"))).concat(pixels) is None


def test_extras_are_repeated_with_the_batch(tiny_model) -> None:
    model = load_model(str(tiny_model("sd1-inpaint")))
    x, concat = torch.randn(2, 4, 8, 8), torch.randn(2, 5, 8, 8)
    text = Conditioning(torch.randn(4, 77, 32))
    timestep = torch.full((4,), 321.5)
    both = model.predict(concat)(torch.cat([x, x]), timestep, text)
    with torch.no_grad():
        stacked = torch.cat([torch.cat([x, concat], 1)] * 2)
        expected = model.unet(stacked, timestep, encoder_hidden_states=text.crossattn).sample
    assert torch.allclose(both, expected, atol=1e-6)
    with pytest.raises(ValueError, match="9 channels"):
        model.predict()


@pytest.mark.parametrize("skip", [1, 2, 3])
def test_clip_skip_reads_an_earlier_layer_through_the_last_norm(skip: int, tiny_model) -> None:
    model = load_model(str(tiny_model("sd1")))
    encoder = model.networks.encoders[0]
    ids = [pad_chunk(encoder.tokenizer("a cat"), encoder.pad)]
    tokens, pooled = model.encode_text(0, ids, skip)
    assert pooled is None
    with torch.no_grad():
        found = encoder.network(input_ids=torch.tensor(ids), output_hidden_states=True)
        expected = encoder.network.final_layer_norm(found.hidden_states[-skip])
    assert torch.allclose(tokens, expected, atol=1e-6)
    if skip == 1:
        assert torch.allclose(tokens, found.last_hidden_state, atol=1e-6)
    with pytest.raises(OptionsError, match="clip_skip 4: expected 1 to 3"):
        model.encode_text(0, ids, 4)


def test_xl_text_is_what_its_pipeline_makes(tiny_model) -> None:
    from diffusers import StableDiffusionXLPipeline

    folder = tiny_model("sdxl")
    pipeline = StableDiffusionXLPipeline.from_pretrained(str(folder), add_watermarker=False)
    with torch.no_grad():
        text, _, pooled, _ = pipeline.encode_prompt("a cat", do_classifier_free_guidance=False)
    model = load_model(str(folder))
    parts = []
    for place, encoder in enumerate(model.networks.encoders):
        ids = [pad_chunk(encoder.tokenizer("a cat"), encoder.pad)]
        tokens, last = model.encode_text(place, ids)
        parts.append(tokens)
    assert torch.allclose(torch.cat(parts, 2), text, atol=1e-5)
    assert last is not None
    assert torch.allclose(last, pooled, atol=1e-5)


def test_offload_by_free_memory() -> None:
    sizes = [3e9, 0.2e9, 0.3e9]
    assert choose_offload(8e9, sizes) == "none"
    assert choose_offload(4.8e9, sizes) == "parts"
    assert choose_offload(4e9, sizes) == "layers"


@pytest.mark.parametrize("offload", ["parts", "layers"])
def test_offloaded_model_gives_the_same(offload: str, tiny_model) -> None:
    plain = load_model(str(tiny_model("sd1")))
    moved = load_model(str(tiny_model("sd1")), LoadOptions(offload=offload))
    images = _images(1)
    latents = plain.encode(images)
    assert torch.equal(moved.encode(images), latents)
    chunk = [pad_chunk([320, 2368], 49407)]
    written = moved.encode_text(0, chunk)[0]
    assert torch.allclose(written, plain.encode_text(0, chunk)[0], atol=1e-6)
    text = Conditioning(torch.randn(1, 77, 32))
    timestep = torch.tensor([500.0])
    expected = plain.predict()(latents, timestep, text)
    assert torch.allclose(moved.predict()(latents, timestep, text), expected, atol=1e-6)
    assert torch.equal(moved.decode_pixels(latents), plain.decode_pixels(latents))


def test_slices_change_nothing_and_tiles_little(tiny_model) -> None:
    path, images = str(tiny_model("sd1")), _images(2)
    plain = load_model(path)
    latents = plain.encode(images)
    sliced = load_model(path, LoadOptions(vae_slicing=True))
    assert sliced.vae.use_slicing
    assert torch.allclose(sliced.encode(images), latents, atol=1e-5)
    tiled = load_model(path, LoadOptions(vae_tiling=True))
    tiles = tiled.encode(images)
    assert tiles.shape == latents.shape
    likeness = torch.corrcoef(torch.stack([tiles.flatten(), latents.flatten()]))[0, 1]
    assert 0.8 < likeness < 0.9999
