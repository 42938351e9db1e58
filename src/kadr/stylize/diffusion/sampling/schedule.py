"""A model's noise table in, the noise levels of a sampling loop out.

Noise levels follow Karras et al. 2022: a noisy latent is ``clean + sigma * noise`` with noise of
unit variance. A model trained on timesteps has one sigma for each timestep; between them the
logarithm of sigma is interpolated, so a timestep may be fractional. A model trained on noise levels
themselves has a formula instead of a table.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from kadr.errors import OptionsError

SCHEDULES = ("uniform", "karras", "exponential")
"""How noise levels are distributed: evenly over timesteps, denser at low noise, or evenly in their
logarithm. The names are A1111's."""

_HIGHEST_STRENGTH = 0.999
"""Higher denoising strengths are reduced to this, as in A1111."""

_MAX_LEVELS = 100_000
"""The largest number of noise levels of a schedule."""


_LAST_SHARE = 4.8973451890853435e-08
"""The share of signal that stands for none at the last timestep; the noise level is then 4518.

The value of A1111 and ComfyUI: a level without any signal would be infinite.
"""


class NoiseSchedule:
    """The noise levels of one model.

    alphas_cumprod: (T,), the share of signal variance left at each timestep, falling.
    """

    def __init__(self, alphas_cumprod: Tensor) -> None:
        table = alphas_cumprod.detach().to("cpu", torch.float64)
        if table.ndim != 1 or len(table) < 2 or not bool(((table > 0) & (table < 1)).all()):
            raise ValueError(f"alphas_cumprod: expected (T,) within 0–1, got {tuple(table.shape)}")
        self.sigmas = ((1 - table) / table).sqrt().float()
        """(T,) float32, rising with the timestep."""
        self._log_sigmas = self.sigmas.log()

    @classmethod
    def scaled_linear(
        cls,
        beta_start: float = 0.00085,
        beta_end: float = 0.012,
        *,
        timesteps: int = 1000,
        downcast: bool = False,
    ) -> NoiseSchedule:
        """The table of Stable Diffusion 1, 2 and XL.

        downcast: round the table to half precision, as A1111 did before version 1.6 and still can;
        the lowest noise level is then 0.0313 instead of 0.0292.
        """
        roots = torch.linspace(beta_start**0.5, beta_end**0.5, timesteps, dtype=torch.float64)
        table = (1 - roots**2).cumprod(0).float()
        return cls(table.half() if downcast else table)

    @property
    def last_timestep(self) -> float:
        """The timestep of the highest noise level."""
        return float(len(self.sigmas) - 1)

    @property
    def first_timestep(self) -> float:
        """The timestep of the lowest noise level."""
        return 0.0

    @property
    def sigma_min(self) -> float:
        """The lowest noise level above 0."""
        return float(self.sigmas[0])

    @property
    def sigma_max(self) -> float:
        """The highest noise level."""
        return float(self.sigmas[-1])

    def get_sigmas(self, steps: int) -> Tensor:
        """(steps + 1,) float32 falling to 0: even over timesteps, from the last to the first."""
        timesteps = torch.linspace(self.last_timestep, self.first_timestep, steps)
        return _append_zero(self.t_to_sigma(timesteps))

    def karras(self, steps: int, *, rho: float = 7.0) -> Tensor:
        """(steps + 1,) float32 falling to 0: equation 5 of Karras et al. 2022."""
        high, low = self.sigma_max ** (1 / rho), self.sigma_min ** (1 / rho)
        return _append_zero((high + torch.linspace(0, 1, steps) * (low - high)) ** rho)

    def exponential(self, steps: int) -> Tensor:
        """(steps + 1,) float32 falling to 0: each level has the same ratio to the next."""
        high, low = math.log(self.sigma_max), math.log(self.sigma_min)
        return _append_zero(torch.linspace(high, low, steps).exp())

    def spread(self, schedule: str, steps: int) -> Tensor:
        """The noise levels of one of ``SCHEDULES``; raises OptionsError for another name."""
        if schedule == "uniform":
            return self.get_sigmas(steps)
        if schedule == "karras":
            return self.karras(steps)
        if schedule == "exponential":
            return self.exponential(steps)
        raise OptionsError(f"schedule {schedule!r}: expected one of {', '.join(SCHEDULES)}")

    def t_to_sigma(self, timestep: Tensor | float) -> Tensor:
        """Noise levels of timesteps, which may be fractional; any shape."""
        timestep = torch.as_tensor(timestep, dtype=torch.float32)
        below, part = timestep.floor().long(), timestep.frac()
        log_sigma = (1 - part) * self._log_sigmas[below]
        return (log_sigma + part * self._log_sigmas[timestep.ceil().long()]).exp()

    def sigma_to_t(self, sigma: Tensor | float) -> Tensor:
        """Fractional timesteps of noise levels, clamped to those of the model; any shape."""
        sigma = torch.as_tensor(sigma, dtype=torch.float32)
        table = self._log_sigmas
        log_sigma = sigma.clamp(self.sigma_min, self.sigma_max).log()
        below = (torch.searchsorted(table, log_sigma, right=True) - 1).clamp(0, len(table) - 2)
        part = (log_sigma - table[below]) / (table[below + 1] - table[below])
        return below + part.clamp(0, 1)


class ContinuousSchedule(NoiseSchedule):
    """The noise levels of a model that was trained on levels instead of timesteps.

    Its timestep is a quarter of the level's natural logarithm, as in Karras et al. 2022, so that
    levels even over timesteps are even in their logarithm.
    sigma_min, sigma_max: the range of levels, 0 < sigma_min < sigma_max.
    """

    def __init__(self, sigma_min: float, sigma_max: float) -> None:
        if not 0 < sigma_min < sigma_max < math.inf:
            raise ValueError(
                f"noise levels {sigma_min} to {sigma_max}: expected 0 < lowest < highest"
            )
        logs = torch.linspace(math.log(sigma_min), math.log(sigma_max), 1000, dtype=torch.float64)
        super().__init__(1 / (logs.exp().square() + 1))

    @property
    def last_timestep(self) -> float:
        """The timestep of the highest noise level."""
        return math.log(self.sigma_max) / 4

    @property
    def first_timestep(self) -> float:
        """The timestep of the lowest noise level."""
        return math.log(self.sigma_min) / 4

    def t_to_sigma(self, timestep: Tensor | float) -> Tensor:
        """Noise levels of timesteps; any shape."""
        return (4 * torch.as_tensor(timestep, dtype=torch.float32)).exp()

    def sigma_to_t(self, sigma: Tensor | float) -> Tensor:
        """Timesteps of noise levels, clamped to those of the model; any shape."""
        sigma = torch.as_tensor(sigma, dtype=torch.float32)
        return sigma.clamp(self.sigma_min, self.sigma_max).log() / 4


def rescale_to_zero_snr(alphas_cumprod: Tensor) -> Tensor:
    """Shift and scale the signal so that none is left at the last timestep; (T,) float64.

    Algorithm 1 of Lin et al. 2023, "Common diffusion noise schedules and sample steps are flawed",
    except for ``_LAST_SHARE``. alphas_cumprod: (T,), as for ``NoiseSchedule``.
    """
    signal = alphas_cumprod.double().sqrt()
    signal = (signal - signal[-1]) * signal[0] / (signal[0] - signal[-1])
    rescaled = signal.square()
    rescaled[-1] = _LAST_SHARE
    return rescaled


def img2img_sigmas(
    schedule: NoiseSchedule,
    steps: int,
    denoising_strength: float,
    *,
    spread: str = "uniform",
    exact_steps: bool = False,
    drop_next_to_last: bool = False,
) -> Tensor:
    """The falling noise levels of img2img sampling.

    As in A1111: by default the last ``int(denoising_strength * steps) + 1`` of ``steps`` steps, so
    20 steps at strength 0.5 run 11 and strength 0 still runs one; with ``exact_steps`` the last
    ``steps`` of a longer schedule, and none at strength 0.
    drop_next_to_last: for samplers of the DPM2 kind: compute one more level and remove the last but
    one.
    Raises OptionsError for steps below 1 or a strength outside 0–1.
    """
    if steps < 1:
        raise OptionsError(f"steps {steps}: expected 1 or more")
    if not 0 <= denoising_strength <= 1:
        raise OptionsError(f"denoising_strength {denoising_strength}: expected 0 to 1")
    strength = min(denoising_strength, _HIGHEST_STRENGTH)
    total, run = steps, int(strength * steps) + 1
    if exact_steps:
        if strength == 0:
            return torch.zeros(1)
        if steps / strength > _MAX_LEVELS:
            raise OptionsError(
                f"denoising_strength {denoising_strength}: for {steps} exact steps expected 0, or "
                f"at least {steps / _MAX_LEVELS:g}"
            )
        total, run = int(steps / strength), steps
    if drop_next_to_last:
        sigmas = schedule.spread(spread, total + 1)
        sigmas = torch.cat([sigmas[:-2], sigmas[-1:]])
    else:
        sigmas = schedule.spread(spread, total)
    return sigmas[total - run :]


def _append_zero(sigmas: Tensor) -> Tensor:
    return torch.cat([sigmas, sigmas.new_zeros(1)])
