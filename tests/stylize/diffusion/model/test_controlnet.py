"""A ControlNet adds its residuals with its weight, as long as it is used."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from diffusers import ControlNetModel
from safetensors.torch import save_file

from kadr.errors import InputError
from kadr.stylize.diffusion.model.controlnet import load_controlnet
from kadr.stylize.diffusion.model.loading import load_model
from kadr.stylize.diffusion.sampling.guidance import Conditioning


def _random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


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
        control = load_controlnet(model.networks, tmp_path / "control", weight, 1.0)
        model.networks.controlnets = [control]
        outputs[weight] = model.predict(controls=[hint])(x, timestep, text)
    assert torch.equal(outputs[0.0], plain)
    steps = [(outputs[w] - plain).abs().mean() for w in (0.5, 1.0)]
    assert steps[1] > steps[0] > 1e-3
    # the first tenth of the way is over at timestep 400
    model.networks.controlnets = [load_controlnet(model.networks, tmp_path / "control", 1.0, 0.1)]
    assert torch.equal(model.predict(controls=[hint])(x, timestep, text), plain)
    early = torch.tensor([950.0, 950.0])
    steered = model.predict(controls=[hint])(x, early, text)
    model.networks.controlnets = []
    assert not torch.allclose(steered, model.predict()(x, early, text))


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_control_from_a_file(suffix: str, tiny_model, tmp_path: Path) -> None:
    model = load_model(str(tiny_model("sd1")))
    network = _control(model)
    weights = {name: value.clone() for name, value in network.state_dict().items()}
    path = tmp_path / f"control{suffix}"
    save_file(weights, path) if suffix == ".safetensors" else torch.save(weights, path)
    loaded = load_controlnet(model.networks, path, 1.0, 1.0).network
    for name, value in loaded.state_dict().items():
        assert torch.equal(value, weights[name]), name


def test_control_faults(tiny_model, tmp_path: Path) -> None:
    model = load_model(str(tiny_model("sd1")))
    with pytest.raises(InputError, match=r"gone\.pth: not found.*a ControlNet"):
        load_controlnet(model.networks, tmp_path / "gone.pth", 1, 1)
    with pytest.raises(InputError, match="no ControlNet can be loaded"):
        load_controlnet(model.networks, tmp_path, 1, 1)
    other = load_model(str(tiny_model("sdxl")))
    _control(model).save_pretrained(tmp_path / "control")
    with pytest.raises(InputError, match="with text 32 wide, this one has 96"):
        load_controlnet(other.networks, tmp_path / "control", 1, 1)


def test_a_controlnet_lora_is_refused_by_name(tiny_model, tmp_path: Path) -> None:
    path = tmp_path / "canny-rank128.safetensors"
    weights = {"input_hint_block.0.weight": _random(16, 3, 3, 3), "input_blocks.0.0.up": _random(4)}
    save_file(weights | {"lora_controlnet": torch.zeros(0)}, path)
    networks = load_model(str(tiny_model("sd1"))).networks
    with pytest.raises(InputError, match=r"canny-rank128\.safetensors: is a ControlNet-LoRA"):
        load_controlnet(networks, path, 1, 1)
