"""A merged LoRA changes the weights exactly as its formula says."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_models import Kind, _unet_name

from kadr.errors import InputError
from kadr.stylize.diffusion.model.lora import merge_lora
from kadr.stylize.diffusion.model.lora_names import LayerTable
from kadr.stylize.diffusion.model.model import Networks
from kadr.stylize.diffusion.prompt.text_encoder import TextEncoder
from kadr.stylize.diffusion.prompt.tokenizer import load_tokenizer

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


@pytest.fixture
def make_networks(tiny_parts) -> Callable[[Kind], Networks]:
    """Networks of a kind, which a test may change."""

    def make(kind: Kind) -> Networks:
        parts = tiny_parts(kind)
        encoders = [
            TextEncoder(deepcopy(network), load_tokenizer(), pad=49407)
            for network in parts.encoders
        ]
        return Networks(deepcopy(parts.unet), None, encoders)

    return make


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


def test_lora_adds_its_product_times_weight_and_alpha(make_networks, tmp_path: Path) -> None:
    path, product = _kohya(tmp_path / "style.safetensors")
    networks = make_networks("sd1")
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


def test_two_loras_add_up(make_networks, tmp_path: Path) -> None:
    path, product = _kohya(tmp_path / "style.safetensors")
    networks = make_networks("sd1")
    layer = networks.unet.get_submodule(_LAYER)
    before = layer.weight.clone()
    merge_lora(networks, path, 1.0)
    merge_lora(networks, path, -0.25)
    assert torch.allclose(
        networks.unet.get_submodule(_LAYER).weight, before + 0.75 * 0.5 * product, atol=1e-5
    )


def test_the_text_encoder_may_have_its_own_weight(make_networks, tmp_path: Path) -> None:
    path, product = _kohya(tmp_path / "style.safetensors")
    first, second = (make_networks("sd1") for _ in range(2))
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


def test_lora_faults(make_networks, tmp_path: Path) -> None:
    networks = make_networks("sd1")
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
def test_lora_names_of_all_writers(form: str, make_networks, tmp_path: Path) -> None:
    networks = make_networks("sdxl")
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


def test_lora_of_another_kind(make_networks, tmp_path: Path) -> None:
    networks = make_networks("sd1")
    path = tmp_path / "other.safetensors"
    layer = "lora_unet_mid_block_attentions_0_proj_in"
    for names, said in (
        (
            [f"{layer}.hada_w1_a"],
            r"does not fit .*mid_block\.attentions\.0\.proj_in: lacks hada_w1",
        ),
        ([f"{layer}.lora_up.weight"], r"does not fit .*proj_in: lacks down"),
        ([f"{layer}.oft_blocks"], r"is OFT, not LoRA, LoHa, LoKr or DoRA \(it holds .*oft_blocks"),
        ([f"{layer}.on_input", f"{layer}.alpha"], "is IA3, not LoRA"),
        ([f"{layer}.a1.weight"], "is GLoRA, not LoRA"),
        (["lora_controlnet", f"{layer}.up"], "is a ControlNet-LoRA"),
        (["unet.down_blocks.9.proj_in.lora_A.weight"], "1 of its 1 layers are not in this model"),
    ):
        save_file({name: torch.zeros(2, 2) for name in names}, path)
        with pytest.raises(InputError, match=rf"other\.safetensors: {said}"):
            merge_lora(networks, path, 1)


def test_what_belongs_to_no_layer_is_left_out_and_named(
    make_networks, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path, product = _kohya(tmp_path / "style.safetensors")
    weights = load_file(path)
    weights["some.metadata"] = torch.zeros(1)
    weights["lora_unet_down_blocks_9_proj_in.lora_up.weight"] = torch.zeros(2, 2)
    weights["lora_unet_down_blocks_9_proj_in.lora_down.weight"] = torch.zeros(2, 2)
    save_file(weights, path)
    networks = make_networks("sd1")
    before = networks.unet.get_submodule(_LAYER).weight.clone()
    with caplog.at_level(logging.WARNING):
        merge_lora(networks, path, 1.0)
    after = networks.unet.get_submodule(_LAYER).weight
    assert torch.allclose(after, before + 0.5 * product, atol=1e-5)
    assert "left out 1 weight, no part of a LoRA, such as some.metadata" in caplog.text
    assert "the change of 1 layer, not in this model, such as lora_unet" in caplog.text


def test_bundled_embeddings_become_words(
    make_networks, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path, _ = _kohya(tmp_path / "style.safetensors")
    vectors = _random(3, 32)
    bundled = {
        "bundle_emb.inkstyle.string_to_param.*": vectors,
        "bundle_emb.wash.clip_l": vectors[:1].clone(),
        "bundle_emb.wash.clip_l_out": vectors[:1].clone(),
        "bundle_emb.wide.string_to_param.*": torch.zeros(1, 48),
    }
    save_file(load_file(path) | bundled, path)
    networks = make_networks("sd1")
    with caplog.at_level(logging.WARNING):
        merge_lora(networks, path, 1.0)
    encoder = networks.encoders[0]
    assert encoder.tokenizer("InkStyle wash") == [49408, 49409, 49410, 49411]
    table = encoder.network.state_dict()["embeddings.token_embedding.weight"]
    assert torch.equal(table[49408:], torch.cat([vectors, vectors[:1]]))
    assert "left out its embedding wide: its vectors are 48 wide" in caplog.text
    assert caplog.text.count("left out") == 1


def test_alpha_of_an_adapter_is_in_its_metadata(make_networks, tmp_path: Path) -> None:
    halves = {"lora_A": _random(4, 32), "lora_B": _random(32, 4, seed=1)}
    other = _LAYER.replace("to_q", "to_k")
    path = tmp_path / "adapter.safetensors"
    settings = {"unet.r": 4, "unet.lora_alpha": 8, "unet.alpha_pattern": {"attn1.to_k": 1}}
    for rslora, scales in ((False, (2.0, 0.25)), (True, (4.0, 0.5))):
        metadata = json.dumps(settings | {"unet.use_rslora": rslora})
        weights = {
            f"unet.{layer}.{half}.weight": value.clone()
            for layer in (_LAYER, other)
            for half, value in halves.items()
        }
        save_file(weights, path, {"lora_adapter_metadata": metadata})
        networks = make_networks("sd1")
        layers = [networks.unet.get_submodule(layer) for layer in (_LAYER, other)]
        before = [layer.weight.clone() for layer in layers]
        merge_lora(networks, path, 1.0)
        for layer, start, scale in zip(layers, before, scales, strict=True):
            expected = start + scale * halves["lora_B"] @ halves["lora_A"]
            assert torch.allclose(layer.weight, expected, atol=1e-5)


@pytest.mark.parametrize("kind", ["sd1", "sdxl"])
def test_every_layer_is_found_under_both_of_its_names(kind: Kind, tiny_parts) -> None:
    """The originals are those that the tests write single files with."""
    unet = tiny_parts(kind).unet
    table = LayerTable(Networks(unet, None, []))
    for name, module in unet.named_modules():
        if not hasattr(module, "weight"):
            continue
        original = _unet_name(f"{name}.weight", unet).removesuffix(".weight")
        for flat in (name.replace(".", "_"), original.replace(".", "_")):
            layer = table.find(f"lora_unet_{flat}")
            assert layer is not None, flat
            assert layer.module is module
        assert table.find(f"unet.{name}").module is module


@pytest.mark.parametrize(
    ("names", "encoder"),
    [
        (("lora_te1_text_model_{}", "text_encoder.text_model.{}", "lora_te1.text_model.{}"), 0),
        (("text_encoders.clip_l.transformer.text_model.{}", "lora_te_text_model_{}"), 0),
        (("lora_te2_text_model_{}", "text_encoder_2.text_model.{}"), 1),
        (("text_encoders.clip_g.transformer.text_model.{}",), 1),
    ],
)
def test_layers_of_text_encoders_under_all_their_names(
    names: tuple[str, ...], encoder: int, tiny_parts
) -> None:
    parts = tiny_parts("sdxl")
    encoders = [SimpleNamespace(network=network) for network in parts.encoders]
    table = LayerTable(Networks(parts.unet, None, encoders))
    inner = "encoder.layers.1.self_attn.q_proj"
    network = getattr(parts.encoders[encoder], "text_model", parts.encoders[encoder])
    for name in names:
        flat = inner.replace(".", "_") if "." not in name else inner
        layer = table.find(name.format(flat))
        assert layer is not None, name
        assert layer.module is network.get_submodule(inner)
    old = table.find(f"text_encoder{'_2' * encoder}.text_model.encoder.layers.1.self_attn.to_q")
    assert old is not None
    assert old.module is network.get_submodule(inner)
    assert table.find("model.diffusion_model.input_blocks.0.0").module is parts.unet.conv_in
