"""What a model predicts is read from its file or folder; what the loop cannot do is refused."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import EDMEulerScheduler
from diffusers.schedulers.scheduling_ddim import rescale_zero_terminal_snr
from safetensors.torch import load_file, save_file
from tiny_models import original_names
from torch import Tensor

from kadr.errors import InputError, OptionsError
from kadr.stylize.diffusion.model.loading import LoadOptions, load_model
from kadr.stylize.diffusion.model.model import Model
from kadr.stylize.diffusion.model.parameterization import (
    Parameterization,
    RequestedParameterization,
    read_file_parameterization,
    read_folder_parameterization,
)
from kadr.stylize.diffusion.sampling.guidance import Conditioning, eps_from
from kadr.stylize.diffusion.sampling.img2img import Prompts, SamplingSettings, restyle_latents
from kadr.stylize.diffusion.sampling.schedule import ContinuousSchedule, NoiseSchedule

_PATH = Path("some") / "model.safetensors"
_BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
_FAMILY = _BETAS | {"num_train_timesteps": 1000, "prediction_type": "epsilon"}
_USUAL = NoiseSchedule.scaled_linear()


def _file(
    *names: str,
    metadata: Mapping[str, str] | None = None,
    requested: str = "auto",
    zero_snr: bool | None = None,
) -> Parameterization:
    weights = {name: torch.zeros(0) for name in names}
    request = RequestedParameterization(requested, zero_snr)
    return read_file_parameterization(weights, metadata or {}, _FAMILY, _PATH, request)


def _folder(requested: str = "auto", **config: Any) -> Parameterization:
    request = RequestedParameterization(requested)
    return read_folder_parameterization(_BETAS | config, _PATH, request)


def _sigma_max(found: Parameterization) -> float:
    return found.schedule(found.prediction).sigma_max


# --- single files ---------------------------------------------------------------------------------


def test_the_markers_of_a_file() -> None:
    assert _file().prediction == "epsilon"
    assert _sigma_max(_file()) == pytest.approx(14.6146, abs=1e-3)
    assert _file("v_pred").prediction == "v_prediction"
    assert _sigma_max(_file("v_pred")) == pytest.approx(14.6146, abs=1e-3)
    zero_snr = _file("v_pred", "ztsnr")
    assert zero_snr.prediction == "v_prediction"
    assert _sigma_max(zero_snr) == pytest.approx(4518.7, abs=0.5)


def test_an_option_wins_over_the_markers() -> None:
    unmarked = _file(requested="v_prediction")
    assert unmarked.prediction == "v_prediction"
    assert _sigma_max(_file("ztsnr", requested="v_prediction")) > 4000
    marked = _file("v_pred", "ztsnr", requested="epsilon")
    assert marked.prediction == "epsilon"
    assert _sigma_max(marked) < 15, "noise cannot be predicted where there is nothing else"
    assert _sigma_max(_file("v_pred", zero_snr=True)) > 4000
    assert _sigma_max(_file("v_pred", "ztsnr", zero_snr=False)) < 15


def test_zero_snr_without_v_gets_a_notice(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        found = _file("ztsnr")
    assert found.prediction == "epsilon"
    assert _sigma_max(found) < 15
    assert "model.safetensors: says that it has zero terminal SNR, but not that" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        _file("ztsnr", requested="epsilon")
        _file("ztsnr", zero_snr=False)
        _file("v_pred", "ztsnr")
    assert not caplog.text


@pytest.mark.parametrize("key", ["modelspec.prediction_type", "modelspec.predict_key"])
def test_the_metadata_of_a_file(key: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert _file(metadata={key: "epsilon"}).prediction == "epsilon"
        assert _file("v_pred", metadata={key: "epsilon"}).prediction == "v_prediction"
        assert _file(metadata={key: "v"}, requested="epsilon").prediction == "epsilon"
    assert not caplog.text
    with caplog.at_level(logging.WARNING):
        assert _file(metadata={key: "v"}).prediction == "v_prediction"
    assert "its metadata says that it predicts v" in caplog.text


def test_edm_that_predicts_v_has_its_own_levels() -> None:
    weights = {
        "edm_vpred.sigma_max": torch.tensor(100.0),
        "edm_vpred.sigma_min": torch.tensor(0.01),
    }
    found = read_file_parameterization(weights, {}, _FAMILY, _PATH)
    schedule = found.schedule(found.prediction)
    assert found.prediction == "v_prediction"
    assert (schedule.sigma_min, schedule.sigma_max) == pytest.approx((0.01, 100.0), rel=1e-4)
    del weights["edm_vpred.sigma_min"]
    found = read_file_parameterization(weights, {}, _FAMILY, _PATH)
    assert found.schedule(found.prediction).sigma_min == pytest.approx(0.002, rel=1e-4)
    with pytest.raises(
        OptionsError, match=r"prediction 'epsilon': .*is an EDM model that predicts"
    ):
        read_file_parameterization(
            weights, {}, _FAMILY, _PATH, RequestedParameterization("epsilon")
        )
    weights["edm_vpred.sigma_max"] = torch.tensor(float("nan"))
    with pytest.raises(InputError, match=r"model\.safetensors: noise levels 0\.002 to nan"):
        read_file_parameterization(weights, {}, _FAMILY, _PATH)


def test_edm_of_another_kind_is_refused() -> None:
    with pytest.raises(InputError, match=r"model\.safetensors: is an EDM model .*Playground"):
        _file("edm_mean", "edm_std")


# --- folders --------------------------------------------------------------------------------------


def test_the_scheduler_of_a_folder() -> None:
    assert _folder().prediction == "epsilon"
    v = _folder(prediction_type="v_prediction", _class_name="DDIMScheduler")
    assert v.prediction == "v_prediction"
    assert _sigma_max(v) < 15
    zero_snr = _folder(prediction_type="v_prediction", rescale_betas_zero_snr=True)
    assert _sigma_max(zero_snr) > 4000
    assert _sigma_max(_folder("epsilon", rescale_betas_zero_snr=True)) < 15


def test_zero_snr_is_that_of_diffusers() -> None:
    found = _folder(prediction_type="v_prediction", rescale_betas_zero_snr=True)
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    shares = (1 - rescale_zero_terminal_snr(betas)).cumprod(0)
    assert float(shares[-1]) == 0
    sigmas = ((1 - shares) / shares).sqrt().float()
    ours = found.schedule("v_prediction").sigmas
    torch.testing.assert_close(ours[:-1], sigmas[:-1], rtol=1e-5, atol=0)
    assert torch.isfinite(ours).all()


def test_betas_of_a_folder() -> None:
    betas = torch.linspace(0.001, 0.02, 100).tolist()
    trained = _folder(trained_betas=betas).schedule("epsilon")
    linear = _folder(
        beta_schedule="linear", beta_start=0.001, beta_end=0.02, num_train_timesteps=100
    )
    torch.testing.assert_close(trained.sigmas, linear.schedule("epsilon").sigmas)
    with pytest.raises(
        InputError, match=r"model\.safetensors: .*beta_schedule 'squaredcos_cap_v2'"
    ):
        _folder(beta_schedule="squaredcos_cap_v2")


def test_edm_schedulers_of_a_folder() -> None:
    for config in (
        {"_class_name": "EDMEulerScheduler", "sigma_data": 1.0},
        {"_class_name": "EulerDiscreteScheduler", "timestep_type": "continuous"},
    ):
        found = _folder(prediction_type="v_prediction", sigma_min=0.002, sigma_max=120.0, **config)
        assert _sigma_max(found) == pytest.approx(120, rel=1e-4)
        assert isinstance(found.continuous, ContinuousSchedule)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"_class_name": "FlowMatchEulerDiscreteScheduler"}, "flow matching .*FlowMatchEuler"),
        (
            {"_class_name": "UniPCMultistepScheduler", "prediction_type": "flow_prediction"},
            "flow matching .*prediction_type flow_prediction",
        ),
        ({"_class_name": "DPMSolverMultistepScheduler", "use_flow_sigmas": True}, "flow matching"),
        (
            {"_class_name": "EDMDPMSolverMultistepScheduler", "sigma_data": 0.5},
            r"EDM model .*EDMDPMSolver.*prediction_type epsilon, sigma_data 0\.5",
        ),
        ({"prediction_type": "sample"}, "predicts 'sample', which kadr does not support"),
    ],
)
def test_what_the_loop_cannot_do_is_refused_by_name(config: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=rf"model\.safetensors: .*{said}"):
        _folder(**config)


def test_a_range_of_levels_that_is_not_used_gets_a_notice(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        _folder(_class_name="EulerDiscreteScheduler", sigma_min=None, sigma_max=None)
    assert not caplog.text
    with caplog.at_level(logging.WARNING):
        _folder(_class_name="EulerDiscreteScheduler", sigma_max=80.0)
    assert "sigma_min and sigma_max of its scheduler are not used" in caplog.text


# --- the loop -------------------------------------------------------------------------------------


@pytest.mark.parametrize("sigma", [0.01, 1.0, 60.0])
def test_continuous_levels_are_those_of_diffusers(sigma: float) -> None:
    theirs = EDMEulerScheduler(
        sigma_min=0.002, sigma_max=120.0, sigma_data=1.0, prediction_type="v_prediction"
    )
    generator = torch.Generator().manual_seed(1)
    x, output = torch.randn(2, 2, 4, 8, 8, generator=generator)
    seen: list[Tensor] = []

    def network(scaled: Tensor, timestep: Tensor, conditioning: Conditioning) -> Tensor:
        seen.extend([scaled, timestep])
        return output

    schedule = ContinuousSchedule(0.002, 120.0)
    text = Conditioning(torch.zeros(2, 77, 8))
    noise = eps_from(network, schedule, "v_prediction")(x * sigma, sigma, text)
    level = torch.tensor(sigma)
    torch.testing.assert_close(seen[0], theirs.precondition_inputs(x * sigma, level))
    torch.testing.assert_close(seen[1], theirs.precondition_noise(level).expand(2))
    clean = theirs.precondition_outputs(x * sigma, output, level)
    torch.testing.assert_close(x * sigma - sigma * noise, clean, rtol=1e-4, atol=1e-4)


class _AsV(torch.nn.Module):
    """The same denoiser as a network that predicts noise, but predicting v."""

    def __init__(self, network: Any, schedule: NoiseSchedule) -> None:
        super().__init__()
        self.network, self.schedule, self.config = network, schedule, network.config

    def forward(self, x: Tensor, timestep: Tensor, **more: Any) -> tuple[Tensor]:
        noise = self.network(x, timestep, **more)[0]
        sigma = self.schedule.t_to_sigma(timestep).reshape(-1, 1, 1, 1)
        # x is divided by the spread: alpha noise - sigma clean, with clean = (x - sigma noise)
        return (noise * (1 + sigma**2).sqrt() - x * sigma,)


def _restyle(model: Model, image: np.ndarray) -> Tensor:
    latents = model.encode([image])
    text = Conditioning(torch.randn(1, 77, 32, generator=torch.Generator().manual_seed(5)))
    eps = eps_from(model.predict(), model.schedule, model.prediction)
    settings = SamplingSettings(steps=6, denoising_strength=0.7, cfg_scale=3.0, sampler="Euler")
    steps = restyle_latents(eps, model.schedule, latents, Prompts(text, text), [7], settings)
    while True:
        try:
            next(steps)
        except StopIteration as done:
            return model.decode_pixels(done.value)


def test_the_same_denoiser_gives_the_same_picture_whatever_it_predicts(
    tiny_parts, tmp_path: Path
) -> None:
    marked = tmp_path / "v.safetensors"
    weights = {
        name: value.contiguous() for name, value in original_names(tiny_parts("sd1")).items()
    }
    save_file(weights | {"v_pred": torch.zeros(0)}, marked)
    image = np.random.default_rng(2).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    model = load_model(str(marked))
    assert model.prediction == "v_prediction"
    network, model.prediction = model.unet, "epsilon"
    expected = _restyle(model, image)
    model.unet, model.prediction = _AsV(network, model.schedule), "v_prediction"
    level = 2 / 255
    assert float((_restyle(model, image) - expected).abs().max()) < level
    model.prediction = "epsilon"
    assert float((_restyle(model, image) - expected).abs().max()) > 20 * level


def test_a_folder_of_zero_snr_is_loaded_as_such(tiny_model, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_model("sd1"), tmp_path / "zero")
    path = folder / "scheduler" / "scheduler_config.json"
    more = {"rescale_betas_zero_snr": True, "prediction_type": "v_prediction"}
    path.write_text(json.dumps(json.loads(path.read_text()) | more))
    model = load_model(str(folder))
    assert model.prediction == "v_prediction"
    assert model.schedule.sigma_max > 4000
    # at the highest level nothing of the frame is left, and all stays finite
    image = np.full((64, 64, 3), 200, np.uint8)
    assert torch.isfinite(_restyle(model, image)).all()


def test_zero_snr_on_request(tiny_model, tmp_path: Path) -> None:
    requested = LoadOptions(prediction="v_prediction", zero_terminal_snr="yes").parameterization
    assert requested == RequestedParameterization("v_prediction", True)
    assert LoadOptions(zero_terminal_snr="no").parameterization.zero_snr is False
    assert LoadOptions().parameterization == RequestedParameterization()
    path = tmp_path / "sd1.safetensors"
    marker = {"edm_vpred.sigma_max": torch.tensor(100.0)}
    save_file(load_file(tiny_model("sd1", ".safetensors")) | marker, path)
    match = r"zero-terminal-snr yes: .*sd1\.safetensors has noise levels of its own"
    with pytest.raises(OptionsError, match=match):
        load_model(str(path), LoadOptions(zero_terminal_snr="yes"))


def test_a_tested_file_of_zero_snr_gets_its_levels(tiny_model, tmp_path: Path) -> None:
    weights = load_file(tiny_model("sd2", ".safetensors"))
    weights["model.diffusion_model.out.2.weight"].zero_()
    weights["model.diffusion_model.out.2.bias"].fill_(-3.0)
    path = tmp_path / "sd2.safetensors"
    save_file(weights | {"ztsnr": torch.zeros(0)}, path)
    model = load_model(str(path))
    assert model.prediction == "v_prediction"
    assert model.schedule.sigma_max > 4000
