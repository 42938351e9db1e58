"""A merged LoRA changes the weights exactly as its formula says."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from kadr.errors import InputError
from kadr.stylize.diffusion.model.loading import load_model
from kadr.stylize.diffusion.model.lora import merge_lora

_LAYER = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"

_XL = {
    "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_out.0": (
        "lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_out_0"
    ),
    "unet.mid_block.attentions.0.proj_in": "lora_unet_middle_block_1_proj_in",
    "unet.up_blocks.0.resnets.1.conv1": "lora_unet_output_blocks_1_0_in_layers_2",
    "text_encoder.encoder.layers.1.mlp.fc1": "lora_te1_text_model_encoder_layers_1_mlp_fc1",
    "text_encoder_2.encoder.layers.2.self_attn.out_proj": (
        "lora_te2_text_model_encoder_layers_2_self_attn_out_proj"
    ),
}


def _random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def _kohya(path: Path, *, width: int = 32, alpha: float = 2.0) -> tuple[Path, torch.Tensor]:
    """A LoRA of one layer of the network and one of the text encoder; gives the first's product."""
    layer = "lora_unet_" + _LAYER.replace(".", "_")
    text = "lora_te_text_model_encoder_layers_0_self_attn_q_proj"
    weights = {}
    for place, name in enumerate((layer, text)):
        size = width if place == 0 else 32
        weights[f"{name}.lora_down.weight"] = _random(4, size, seed=1 + place)
        weights[f"{name}.lora_up.weight"] = _random(size, 4, seed=5 + place)
        weights[f"{name}.alpha"] = torch.tensor(alpha)
    save_file(weights, path)
    return path, weights[f"{layer}.lora_up.weight"] @ weights[f"{layer}.lora_down.weight"]


def test_lora_adds_its_product_times_weight_and_alpha(tiny_model, tmp_path: Path) -> None:
    path, product = _kohya(tmp_path / "style.safetensors")
    networks = load_model(str(tiny_model("sd1"))).networks
    before = {name: value.clone() for name, value in networks.unet.state_dict().items()}
    text_before = networks.encoders[0].network.state_dict()
    text_before = {name: value.clone() for name, value in text_before.items()}
    merge_lora(networks, path, 0.5)
    after = networks.unet.state_dict()
    assert after.keys() == before.keys()
    changed = [name for name in before if not torch.equal(before[name], after[name])]
    assert changed == [f"{_LAYER}.weight"]
    expected = before[f"{_LAYER}.weight"] + 0.5 * 2.0 / 4 * product
    assert torch.allclose(after[f"{_LAYER}.weight"], expected, atol=1e-5)
    text_after = networks.encoders[0].network.state_dict()
    assert [n for n in text_before if not torch.equal(text_before[n], text_after[n])] == [
        "encoder.layers.0.self_attn.q_proj.weight"
    ]


def test_two_loras_add_up(tiny_model, tmp_path: Path) -> None:
    path, product = _kohya(tmp_path / "style.safetensors")
    networks = load_model(str(tiny_model("sd1"))).networks
    layer = networks.unet.get_submodule(_LAYER)
    before = layer.weight.clone()
    merge_lora(networks, path, 1.0)
    merge_lora(networks, path, -0.25)
    assert torch.allclose(
        networks.unet.get_submodule(_LAYER).weight, before + 0.75 * 0.5 * product, atol=1e-5
    )


def test_the_text_encoder_may_have_its_own_weight(tiny_model, tmp_path: Path) -> None:
    path, product = _kohya(tmp_path / "style.safetensors")
    first, second = (load_model(str(tiny_model("sd1"))).networks for _ in range(2))
    before = first.unet.get_submodule(_LAYER).weight.clone()
    merge_lora(first, path, 1.0, text_weight=0.0)
    merge_lora(second, path, 0.0, text_weight=1.0)
    after = first.unet.get_submodule(_LAYER).weight
    assert torch.allclose(after, before + 0.5 * product, atol=1e-5)
    assert torch.equal(second.unet.get_submodule(_LAYER).weight, before)
    name = "encoder.layers.0.self_attn.q_proj"
    texts = [networks.encoders[0].network.get_submodule(name) for networks in (first, second)]
    down, up = _random(4, 32, seed=2), _random(32, 4, seed=6)
    assert torch.allclose(texts[1].weight, texts[0].weight + 0.5 * up @ down, atol=1e-5)


def test_lora_faults(tiny_model, tmp_path: Path) -> None:
    networks = load_model(str(tiny_model("sd1"))).networks
    with pytest.raises(InputError, match=r"gone\.safetensors: not found.*a LoRA"):
        merge_lora(networks, tmp_path / "gone.safetensors", 1)
    other = tmp_path / "other.safetensors"
    save_file({"a": torch.zeros(2)}, other)
    with pytest.raises(InputError, match=r"other\.safetensors: holds no LoRA"):
        merge_lora(networks, other, 1)
    wide, _ = _kohya(tmp_path / "wide.safetensors", width=48)
    with pytest.raises(InputError, match=r"wide\.safetensors: does not fit this model"):
        merge_lora(networks, wide, 1)


@pytest.mark.parametrize("form", ["kohya", "peft", "diffusers"])
def test_lora_names_of_all_writers(form: str, tiny_model, tmp_path: Path) -> None:
    networks = load_model(str(tiny_model("sdxl"))).networks
    owners = {
        "unet": networks.unet,
        "text_encoder": networks.encoders[0].network,
        "text_encoder_2": networks.encoders[1].network.text_model,
    }
    weights, expected = {}, {}
    for place, (layer, kohya) in enumerate(_XL.items()):
        owner, _, name = layer.partition(".")
        module = owners[owner].get_submodule(name)
        out, *into = module.weight.shape
        down = _random(2, *into, seed=place)
        up = _random(out, 2, *[1] * (len(into) - 1), seed=50 + place)
        product = torch.einsum("or,r...->o...", up.reshape(out, 2), down)
        expected[module] = module.weight + 0.5 * product * (0.5 if form == "kohya" else 1)
        if form == "kohya":
            weights[f"{kohya}.lora_down.weight"], weights[f"{kohya}.lora_up.weight"] = down, up
            weights[f"{kohya}.alpha"] = torch.tensor(1.0)
        else:
            if owner != "unet":
                layer = f"{owner}.text_model.{name}"
            halves = ("lora_A", "lora_B") if form == "peft" else ("lora.down", "lora.up")
            weights[f"{layer}.{halves[0]}.weight"], weights[f"{layer}.{halves[1]}.weight"] = (
                down,
                up,
            )
    path = tmp_path / "xl.safetensors"
    save_file(weights, path)
    merge_lora(networks, path, 0.5)
    for module, value in expected.items():
        assert torch.allclose(module.weight, value, atol=1e-5)


def test_lora_of_another_kind(tiny_model, tmp_path: Path) -> None:
    networks = load_model(str(tiny_model("sd1"))).networks
    path = tmp_path / "loha.safetensors"
    save_file({"lora_unet_mid_block_attentions_0_proj_in.hada_w1_a": torch.zeros(2, 2)}, path)
    with pytest.raises(InputError, match=r"loha\.safetensors: is not a plain LoRA"):
        merge_lora(networks, path, 1)
    layer = "unet.down_blocks.9.attentions.0.proj_in"
    save_file({f"{layer}.lora.{half}.weight": torch.zeros(2, 2) for half in ("up", "down")}, path)
    with pytest.raises(InputError, match="no layer in it fits this model"):
        merge_lora(networks, path, 1)
    save_file({f"{layer}.lora.up.weight": torch.zeros(2, 2)}, path)
    with pytest.raises(InputError, match="lacks one half"):
        merge_lora(networks, path, 1)
