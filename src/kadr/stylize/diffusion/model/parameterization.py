"""What a model says of itself in, what its network predicts and at which noise levels out.

A single file says it by tensors without meaning of their own, named as ComfyUI, Forge and A1111
name them, and by its metadata; a diffusers folder by the configuration of its scheduler.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from kadr.errors import InputError, OptionsError
from kadr.stylize.diffusion.sampling.guidance import PREDICTIONS
from kadr.stylize.diffusion.sampling.schedule import (
    ContinuousSchedule,
    NoiseSchedule,
    rescale_to_zero_snr,
)
from kadr.stylize.option_hints import with_option

_log = logging.getLogger(__name__)

_V, _ZERO_SNR = "v_pred", "ztsnr"
_EDM, _EDM_V = ("edm_mean", "edm_std"), ("edm_vpred.sigma_min", "edm_vpred.sigma_max")
"""The tensors that mark v prediction, zero terminal SNR, EDM, and EDM with v prediction."""

_EDM_RANGE = {"sigma_min": 0.002, "sigma_max": 120.0}
"""The noise levels of EDM models that predict v, where a file holds the marker of one end alone."""

_METADATA = {"epsilon": "epsilon", "v": "v_prediction", "v_prediction": "v_prediction"}


@dataclass(frozen=True)
class RequestedParameterization:
    """What the user says of a model.

    prediction: of ``PREDICTIONS``, or "auto". zero_snr: None if the model tells it.
    """

    prediction: str = "auto"
    zero_snr: bool | None = None


_NOTHING = RequestedParameterization()


@dataclass(frozen=True, eq=False)
class Parameterization:
    """What a network predicts, and the noise levels that it was trained for.

    prediction: "epsilon", "v_prediction", or "auto" if only a test of the network tells it.
    alphas_cumprod: (T,) float64, the share of signal variance at each timestep; None for a model
    that was trained on noise levels, which ``continuous`` holds.
    zero_snr: whether no signal was left at the last timestep; it holds for v predictors only.
    """

    prediction: str
    alphas_cumprod: Tensor | None
    zero_snr: bool = False
    continuous: ContinuousSchedule | None = None

    def schedule(self, prediction: str) -> NoiseSchedule:
        """The noise levels for a network that predicts ``prediction``."""
        if self.continuous is not None:
            return self.continuous
        assert self.alphas_cumprod is not None
        if self.zero_snr and prediction == "v_prediction":
            return NoiseSchedule(rescale_to_zero_snr(self.alphas_cumprod))
        return NoiseSchedule(self.alphas_cumprod)


def read_file_parameterization(
    weights: Mapping[str, Tensor],
    metadata: Mapping[str, str],
    scheduler: Mapping[str, Any],
    path: Path,
    requested: RequestedParameterization = _NOTHING,
) -> Parameterization:
    """That of a single file.

    scheduler: the settings of its family.
    Raises InputError, naming ``path``, for a model with the preconditioning of EDM.
    """
    if any(name in weights for name in _EDM):
        raise InputError(
            f"{path}: is an EDM model (it holds edm_mean, as Playground 2.5 does), whose "
            f"preconditioning kadr's sampling loop does not have; {_ELSEWHERE}"
        )
    if any(name in weights for name in _EDM_V):
        ends = {
            name: float(weights[f"edm_vpred.{name}"]) if f"edm_vpred.{name}" in weights else default
            for name, default in _EDM_RANGE.items()
        }
        return _continuous(ends["sigma_min"], ends["sigma_max"], path, requested)
    prediction = str(scheduler["prediction_type"])
    if _V in weights:
        prediction = "v_prediction"
    else:
        text = metadata.get("modelspec.prediction_type") or metadata.get("modelspec.predict_key")
        metadata_prediction = _METADATA.get(str(text))
        if metadata_prediction == "v_prediction" and requested.prediction == "auto":
            _log.warning(
                "%s: its metadata says that it predicts v, so it is run as such; %s changes that",
                path, with_option("prediction", "epsilon"),
            )  # fmt: skip
        prediction = metadata_prediction or prediction
    zero_snr = _ZERO_SNR in weights
    return _discrete(prediction, requested, scheduler, zero_snr, path)


def read_folder_parameterization(
    scheduler: Mapping[str, Any],
    path: Path,
    requested: RequestedParameterization = _NOTHING,
) -> Parameterization:
    """That of a diffusers folder with this ``scheduler_config.json``.

    Raises InputError, naming ``path``, for flow matching, for the preconditioning of EDM, and for
    predictions and noise levels that are unknown.
    """
    kind = str(scheduler.get("_class_name", ""))
    prediction = str(scheduler.get("prediction_type", "epsilon"))
    uses_flow = bool(scheduler.get("use_flow_sigmas")) or "flow" in prediction
    if "FlowMatch" in kind or uses_flow:
        raise InputError(
            f"{path}: was trained by flow matching (scheduler {kind}, prediction_type "
            f"{prediction}), which kadr's sampling loop does not have; {_ELSEWHERE}"
        )
    ends = [float(scheduler.get(name) or 0) for name in ("sigma_min", "sigma_max")]
    if kind.startswith("EDM"):
        data = float(scheduler.get("sigma_data", 0.5))
        if prediction != "v_prediction" or data != 1:
            raise InputError(
                f"{path}: is an EDM model (scheduler {kind}, prediction_type {prediction}, "
                f"sigma_data {data:g}); kadr's sampling loop has only v_prediction with sigma_data "
                f"1 of these; {_ELSEWHERE}"
            )
        return _continuous(ends[0] or 0.002, ends[1] or 80.0, path, requested)
    if scheduler.get("timestep_type") == "continuous" and prediction == "v_prediction":
        return _continuous(ends[0] or 0.002, ends[1] or 80.0, path, requested)
    if any(ends):
        _log.warning(
            "%s: sigma_min and sigma_max of its scheduler are not used; the noise levels are those "
            "of its timesteps", path,
        )  # fmt: skip
    zero_snr = bool(scheduler.get("rescale_betas_zero_snr"))
    return _discrete(prediction, requested, scheduler, zero_snr, path)


_ELSEWHERE = "run it on a ComfyUI server (--stylizer comfyui), or give another model"


def _continuous(
    sigma_min: float, sigma_max: float, path: Path, requested: RequestedParameterization
) -> Parameterization:
    if requested.prediction not in ("auto", "v_prediction"):
        raise OptionsError(
            f"prediction {requested.prediction!r}: {path} is an EDM model that predicts v; leave "
            "it out"
        )
    try:
        schedule = ContinuousSchedule(sigma_min, sigma_max)
    except ValueError as error:
        raise InputError(f"{path}: {error}; the model's description is damaged") from error
    return Parameterization("v_prediction", None, continuous=schedule)


def _discrete(
    prediction: str,
    requested: RequestedParameterization,
    scheduler: Mapping[str, Any],
    zero_snr: bool,
    path: Path,
) -> Parameterization:
    """That of a model that was trained on timesteps."""
    if requested.prediction != "auto":
        prediction = requested.prediction
    if prediction not in ("auto", *PREDICTIONS):
        raise InputError(
            f"{path}: predicts {prediction!r}, which kadr does not support; expected "
            f"{' or '.join(PREDICTIONS)}"
        )
    if requested.zero_snr is not None:
        zero_snr = requested.zero_snr
    elif zero_snr and prediction == "epsilon" and requested.prediction == "auto":
        # at the last timestep there is nothing but noise, from which noise tells nothing
        _log.warning(
            "%s: says that it has zero terminal SNR, but not that it predicts v, so it is run with "
            "the usual noise levels; if it predicts v, give %s",
            path, with_option("prediction", "v_prediction"),
        )  # fmt: skip
    return Parameterization(prediction, _alphas_cumprod(scheduler, path), zero_snr)


def _alphas_cumprod(scheduler: Mapping[str, Any], path: Path) -> Tensor:
    """(T,) float64, from the noise variances (betas) that a scheduler's settings give."""
    trained = scheduler.get("trained_betas")
    steps = int(scheduler.get("num_train_timesteps", 1000))
    start = float(scheduler.get("beta_start", 0.00085))
    end = float(scheduler.get("beta_end", 0.012))
    kind = scheduler.get("beta_schedule", "scaled_linear")
    if trained is not None:
        betas = torch.tensor(trained, dtype=torch.float64)
    elif kind == "scaled_linear":
        betas = torch.linspace(start**0.5, end**0.5, steps, dtype=torch.float64) ** 2
    elif kind == "linear":
        betas = torch.linspace(start, end, steps, dtype=torch.float64)
    else:
        raise InputError(
            f"{path}: its scheduler has beta_schedule {kind!r}, expected scaled_linear or linear; "
            "use another model"
        )
    return torch.cumprod(1 - betas, dim=0)
