"""LoRA, textual inversion and ControlNet do exactly what their formulas say."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from diffusers import ControlNetModel
from safetensors.torch import save_file

from kadr.errors import InputError, OptionsError
from kadr.stylize.diffusion.model.addons import add_embedding, load_control, split_weight
from kadr.stylize.diffusion.model.loading import load_model
from kadr.stylize.diffusion.model.lora import merge_lora
from kadr.stylize.diffusion.sampling.guidance import Conditioning

_LAYER = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"


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
    with pytest.raises(InputError, match="nothing in it fits this model"):
        merge_lora(networks, path, 1)
    save_file({f"{layer}.lora.up.weight": torch.zeros(2, 2)}, path)
    with pytest.raises(InputError, match="lacks one half"):
        merge_lora(networks, path, 1)


@pytest.mark.parametrize(
    ("text", "path", "weight"),
    [
        ("a/b.safetensors", "a/b.safetensors", 1.0),
        ("a/b.safetensors:0.7", "a/b.safetensors", 0.7),
        ("C:/x.safetensors:-1", "C:/x.safetensors", -1.0),
        ("C:/x.safetensors", "C:/x.safetensors", 1.0),
    ],
)
def test_weight_after_a_colon(text: str, path: str, weight: float) -> None:
    assert split_weight(text) == (Path(path), weight)


@pytest.mark.parametrize("form", ["emb_params", "string_to_param", "word", "flat"])
def test_embedding_is_a_word_of_its_vectors(form: str, tiny_model, tmp_path: Path) -> None:
    vectors = _random(1 if form == "flat" else 3, 32)
    if form == "string_to_param":
        path = tmp_path / "my-style.pt"
        torch.save({"string_to_param": {"*": vectors}, "name": "other", "step": 5}, path)
    else:
        path = tmp_path / "my-style.safetensors"
        save_file({"emb_params": vectors} if form == "emb_params" else {"<s>": vectors}, path)
    model = load_model(str(tiny_model("sd1")))
    encoder = model.networks.encoders[0]
    plain = encoder.tokenizer("a cat")
    assert add_embedding(model.networks, path) == "my-style"
    added = list(range(49408, 49408 + len(vectors)))
    assert encoder.tokenizer("a My-Style cat, my-styles") == [
        320,
        *added,
        2368,
        267,
        *encoder.tokenizer("my-styles"),
    ]
    assert encoder.tokenizer("a cat") == plain
    table = encoder.network.state_dict()["embeddings.token_embedding.weight"]
    assert torch.equal(table[49408:], vectors)
    ids = [[49406, *added, 49407] + [49407] * (75 - len(added))]
    assert model.encode_text(0, ids)[0].shape == (1, 77, 32)


def test_xl_embedding_goes_to_both_encoders(tiny_model, tmp_path: Path) -> None:
    path = tmp_path / "both.safetensors"
    save_file({"clip_l": _random(2, 32), "clip_g": _random(2, 64)}, path)
    model = load_model(str(tiny_model("sdxl")))
    add_embedding(model.networks, path)
    for encoder in model.networks.encoders:
        assert encoder.tokenizer("both") == [49408, 49409]
    ids = [[49406, 49408, 49409, 2368, 49407] + [0] * 72]
    tokens, pooled = model.encode_text(1, ids)
    assert tokens.shape == (1, 77, 64)
    assert pooled is not None
    # what is pooled stands at the end token, not at the largest number
    later = model.encode_text(1, [[49406, 49408, 49409, 2368, 49407] + [5] * 72])[1]
    assert torch.allclose(pooled, later, atol=1e-6)


def test_embedding_faults(tiny_model, tmp_path: Path) -> None:
    networks = load_model(str(tiny_model("sd1"))).networks
    with pytest.raises(InputError, match=r"gone\.pt: not found.*textual inversion"):
        add_embedding(networks, tmp_path / "gone.pt")
    path = tmp_path / "wide.safetensors"
    save_file({"emb_params": torch.zeros(1, 48)}, path)
    with pytest.raises(InputError, match=r"wide\.safetensors: .*48 wide.*takes 32"):
        add_embedding(networks, path)
    save_file({"clip_l": torch.zeros(1, 32), "clip_g": torch.zeros(1, 64)}, path)
    with pytest.raises(InputError, match="2 text encoders, this model has 1"):
        add_embedding(networks, path)


def _control(model, seed: int = 3) -> ControlNetModel:
    """One whose last layers are not zero, as they are before training."""
    network = ControlNetModel.from_unet(model.unet) if model.channels == 4 else None
    assert network is not None
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for block in (*network.controlnet_down_blocks, network.controlnet_mid_block):
            block.weight.copy_(0.1 * torch.randn(block.weight.shape, generator=generator))
    return network


def test_control_steers_by_its_weight(tiny_model, tmp_path: Path) -> None:
    model = load_model(str(tiny_model("sd1")))
    _control(model).save_pretrained(tmp_path / "control")
    x, text = _random(2, 4, 8, 8), Conditioning(_random(2, 77, 32))
    hint = _random(1, 3, 64, 64).clamp(0, 1)
    timestep = torch.tensor([400.0, 400.0])
    plain = model.predict()(x, timestep, text)
    outputs = {}
    for weight in (0.0, 0.5, 1.0):
        control = load_control(model.networks, tmp_path / "control", weight, 1.0)
        model.networks.controls = [control]
        outputs[weight] = model.predict(controls=[hint])(x, timestep, text)
    assert torch.equal(outputs[0.0], plain)
    steps = [(outputs[w] - plain).abs().mean() for w in (0.5, 1.0)]
    assert steps[1] > steps[0] > 1e-3
    # the first tenth of the way is over at timestep 400
    model.networks.controls = [load_control(model.networks, tmp_path / "control", 1.0, 0.1)]
    assert torch.equal(model.predict(controls=[hint])(x, timestep, text), plain)
    early = torch.tensor([950.0, 950.0])
    steered = model.predict(controls=[hint])(x, early, text)
    model.networks.controls = []
    assert not torch.allclose(steered, model.predict()(x, early, text))


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_control_from_a_file(suffix: str, tiny_model, tmp_path: Path) -> None:
    model = load_model(str(tiny_model("sd1")))
    network = _control(model)
    weights = {name: value.clone() for name, value in network.state_dict().items()}
    path = tmp_path / f"control{suffix}"
    save_file(weights, path) if suffix == ".safetensors" else torch.save(weights, path)
    loaded = load_control(model.networks, path, 1.0, 1.0).network
    for name, value in loaded.state_dict().items():
        assert torch.equal(value, weights[name]), name


def test_control_faults(tiny_model, tmp_path: Path) -> None:
    model = load_model(str(tiny_model("sd1")))
    with pytest.raises(InputError, match=r"gone\.pth: not found.*a ControlNet"):
        load_control(model.networks, tmp_path / "gone.pth", 1, 1)
    with pytest.raises(InputError, match="no ControlNet can be loaded"):
        load_control(model.networks, tmp_path, 1, 1)
    other = load_model(str(tiny_model("sdxl")))
    _control(model).save_pretrained(tmp_path / "control")
    with pytest.raises(InputError, match="with text 32 wide, this one has 96"):
        load_control(other.networks, tmp_path / "control", 1, 1)


def test_a_weight_that_is_no_number(tmp_path: Path) -> None:
    (tmp_path / "style.safetensors").touch()
    with pytest.raises(OptionsError, match="weight 'much': expected a number"):
        split_weight(f"{tmp_path}/style.safetensors:much")
