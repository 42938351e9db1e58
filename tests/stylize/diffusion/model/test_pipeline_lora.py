"""LoRA files on pipelines of diffusers: all are active, and what cannot be read is told."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import (
    FlowMatchEulerDiscreteScheduler,
    FluxImg2ImgPipeline,
    FluxTransformer2DModel,
    QwenImageImg2ImgPipeline,
    QwenImageTransformer2DModel,
    SD3Transformer2DModel,
    StableDiffusion3Img2ImgPipeline,
)
from safetensors.torch import save_file
from torch import Tensor

from kadr.errors import BackendError, InputError
from kadr.stylize.diffusion.model import pipeline_lora
from kadr.stylize.diffusion.model.pipeline_lora import add_loras

_LAYER = "transformer.transformer_blocks.0.attn.to_q"


def _random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def _flux() -> Any:
    transformer = FluxTransformer2DModel(
        patch_size=1, in_channels=4, num_layers=1, num_single_layers=1, attention_head_dim=16,
        num_attention_heads=2, joint_attention_dim=32, pooled_projection_dim=32,
        axes_dims_rope=[4, 4, 8],
    )  # fmt: skip
    nothing = dict.fromkeys(("vae", "text_encoder", "tokenizer", "text_encoder_2", "tokenizer_2"))
    return FluxImg2ImgPipeline(
        FlowMatchEulerDiscreteScheduler(), transformer=transformer, **nothing
    )


def _sd3() -> Any:
    transformer = SD3Transformer2DModel(
        sample_size=8, patch_size=1, in_channels=4, num_layers=2, attention_head_dim=16,
        num_attention_heads=2, joint_attention_dim=32, caption_projection_dim=32,
        pooled_projection_dim=32, out_channels=4,
    )  # fmt: skip
    names = ("vae", "text_encoder", "tokenizer", "text_encoder_2", "tokenizer_2")
    nothing = dict.fromkeys((*names, "text_encoder_3", "tokenizer_3"))
    scheduler = FlowMatchEulerDiscreteScheduler()
    return StableDiffusion3Img2ImgPipeline(transformer, scheduler, **nothing)


def _qwen() -> Any:
    transformer = QwenImageTransformer2DModel(
        patch_size=1, in_channels=4, out_channels=4, num_layers=1, attention_head_dim=16,
        num_attention_heads=2, joint_attention_dim=32, axes_dims_rope=(4, 4, 8),
    )  # fmt: skip
    nothing = dict.fromkeys(("vae", "text_encoder", "tokenizer"))
    scheduler = FlowMatchEulerDiscreteScheduler()
    return QwenImageImg2ImgPipeline(scheduler, transformer=transformer, **nothing)


def _lora(seed: int, layer: str = _LAYER) -> dict[str, Tensor]:
    down, up = _random(4, 32, seed=seed), _random(32, 4, seed=seed + 50)
    return {f"{layer}.lora_A.weight": down, f"{layer}.lora_B.weight": up}


def _product(seed: int) -> Tensor:
    return _random(32, 4, seed=seed + 50) @ _random(4, 32, seed=seed)


@pytest.mark.parametrize("make", [_flux, _sd3, _qwen])
def test_all_loras_are_active_with_their_weights(make: Callable[[], Any], tmp_path: Path) -> None:
    pipeline = make()
    layer = pipeline.transformer.transformer_blocks[0].attn.to_q
    x = _random(5, 32, seed=9)
    before = layer(x).detach()
    folder = tmp_path / "as diffusers writes it"
    folder.mkdir()
    paths = [tmp_path / "ink v1.2.safetensors", folder / "pytorch_lora_weights.safetensors"]
    for seed, path in enumerate(paths):
        save_file(_lora(seed), path)
    add_loras(pipeline, [f"{paths[0]}:0.5", f"{folder}:-2", str(paths[0])])
    after = pipeline.transformer.transformer_blocks[0].attn.to_q(x)
    expected = before + x @ (1.5 * _product(0) - 2 * _product(1)).T
    torch.testing.assert_close(after, expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("alpha", [None, 8])
def test_the_alpha_of_the_metadata_is_used(alpha: int | None, tmp_path: Path) -> None:
    pipeline, path, x = _flux(), tmp_path / "a.safetensors", _random(5, 32, seed=9)
    before = pipeline.transformer.transformer_blocks[0].attn.to_q(x).detach()
    settings = {"r": 4, "lora_alpha": alpha, "target_modules": ["transformer_blocks.0.attn.to_q"]}
    text = json.dumps({f"transformer.{name}": value for name, value in settings.items()})
    save_file(_lora(0), path, {"lora_adapter_metadata": text} if alpha else None)
    add_loras(pipeline, [str(path)])
    after = pipeline.transformer.transformer_blocks[0].attn.to_q(x)
    expected = before + (2 if alpha else 1) * x @ _product(0).T
    torch.testing.assert_close(after, expected, rtol=1e-4, atol=1e-3)


def test_dora_of_peft_is_dora(tmp_path: Path) -> None:
    pipeline, path, x = _flux(), tmp_path / "dora.safetensors", _random(5, 32, seed=9)
    layer = pipeline.transformer.transformer_blocks[0].attn.to_q
    weight, bias = layer.weight.detach().clone(), layer.bias.detach().clone()
    magnitude = _random(32, seed=3).abs() + 0.1
    save_file(_lora(0) | {f"{_LAYER}.lora_magnitude_vector.weight": magnitude}, path)
    add_loras(pipeline, [str(path)])
    changed = weight + _product(0)
    changed = changed / changed.norm(dim=1, keepdim=True) * magnitude[:, None]
    after = pipeline.transformer.transformer_blocks[0].attn.to_q(x)
    torch.testing.assert_close(after, x @ changed.T + bias, rtol=1e-4, atol=1e-3)


def test_what_is_left_out_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "odd.safetensors"
    other = _lora(1, "transformer.transformer_blocks.7.attn.to_q")
    save_file(_lora(0) | other | {"bundle_emb.ink.clip_l": torch.zeros(1, 32)}, path)
    pipeline = _flux()
    with caplog.at_level(logging.WARNING):
        add_loras(pipeline, [str(path)])
    assert "left out its embedding ink, which this model does not take" in caplog.text
    assert "left out 2 weights, not in this model, such as " in caplog.text
    assert "transformer_blocks.7.attn.to_q.lora_A" in caplog.text
    assert len(caplog.records) == 2
    assert "lora_0" in pipeline.get_active_adapters()


_KOHYA = "lora_unet_double_blocks_0_img_attn_qkv"


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        (_lora(0, "transformer.nothing.to_q"), "its LoRA cannot be loaded .*not found in the base"),
        ({f"{_LAYER}.hada_w1_a": torch.zeros(2, 2)}, "its LoHa cannot be loaded by diffusers"),
        (
            {f"{_KOHYA}.lokr_w1": torch.ones(4, 4), f"{_KOHYA}.lokr_w2": torch.ones(24, 8)},
            "its LoKr has no layer that diffusers finds",
        ),
        (
            {
                f"{_KOHYA}.lora_down.weight": torch.ones(4, 32),
                f"{_KOHYA}.lora_up.weight": torch.ones(96, 4),
                f"{_KOHYA}.alpha": torch.tensor(4.0),
                f"{_KOHYA}.dora_scale": torch.ones(1, 32),
            },
            r"is a DoRA, whose magnitudes \(dora_scale\) diffusers does not read",
        ),
        (
            {
                f"{_LAYER}.lora_A.weight": torch.ones(4, 48),
                f"{_LAYER}.lora_B.weight": torch.ones(32, 4),
            },
            r"does not fit this model \(.*attn\.to_q: 32 to 32 values, its change 48 to 32\)",
        ),
        (_lora(0, "nothing.to_q"), "its LoRA has no layer that diffusers finds in a Flux"),
        ({"something": torch.ones(2)}, "holds no LoRA"),
        ({f"{_LAYER}.oft_blocks": torch.ones(2)}, "is OFT, not LoRA"),
    ],
)
def test_what_diffusers_cannot_read_is_refused(
    weights: dict[str, Tensor], said: str, tmp_path: Path
) -> None:
    path = tmp_path / "other.safetensors"
    save_file(weights, path)
    with pytest.raises(InputError, match=rf"other\.safetensors: {said}"):
        add_loras(_flux(), [str(path)])


def test_what_is_missing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"gone\.safetensors: not found.*a LoRA"):
        add_loras(_flux(), [str(tmp_path / "gone.safetensors")])
    with pytest.raises(InputError, match=r"a\.safetensors: a object takes no LoRA"):
        add_loras(object(), ["a.safetensors"])
    add_loras(object(), [])
    monkeypatch.setattr(pipeline_lora, "find_spec", lambda name: None)
    with pytest.raises(
        BackendError, match=r"peft is not installed.*pip install 'kadr\[diffusion\]'"
    ):
        add_loras(_flux(), ["a.safetensors"])
