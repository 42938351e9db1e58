"""The networks of one model: encode frames, estimate the noise in latents, decode to frames."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kadr.core.frames import Image
from kadr.errors import OptionsError
from kadr.stylize.diffusion.prompt.text_encoder import TextEncoder
from kadr.stylize.diffusion.sampling.guidance import Conditioning, Predict
from kadr.stylize.diffusion.sampling.schedule import NoiseSchedule
from kadr.stylize.option_hints import with_option

_log = logging.getLogger(__name__)

OFFLOADS = ("auto", "none", "parts", "layers")
"""auto: depends on free memory; parts: one network at a time on the device; layers: one layer."""

_RESERVED_BYTES = 1.5e9
"""Memory that a run needs beside its weights, at 512×512."""

_POSTERIOR_SEED = 0x6B616472
"""Seed of the noise that encoding adds: the same for every image, so that nothing flickers."""


@dataclass(eq=False)
class ControlNet:
    """A ControlNet and its weight; ``until``: the share of the steps in which it is used."""

    network: Any
    weight: float = 1.0
    until: float = 1.0


@dataclass(eq=False)
class Networks:
    """The parts of a model; zero_empty: an empty negative prompt is encoded as zeros (SDXL)."""

    unet: Any
    vae: Any
    encoders: list[TextEncoder]
    zero_empty: bool = False
    controlnets: list[ControlNet] = field(default_factory=list)


class Model:
    """A loaded Stable Diffusion model.

    prediction: "epsilon" or "v_prediction".
    channels: input channels of the network: 4, or 9 for inpainting models.
    digest: the short hash of its file, or None.
    """

    prediction = "epsilon"

    def __init__(
        self,
        networks: Networks,
        schedule: NoiseSchedule,
        *,
        name: str,
        digest: str | None,
        device: torch.device,
        dtype: torch.dtype,
        offload: str = "auto",
    ) -> None:
        if offload not in OFFLOADS:
            raise OptionsError(f"offload {offload!r}: expected one of {', '.join(OFFLOADS)}")
        self.networks, self.schedule, self.name, self.digest = networks, schedule, name, digest
        self.device, self.dtype, self.vae_dtype = device, dtype, dtype
        self.unet, self.vae = networks.unet, networks.vae
        for network in self._all_networks():
            network.requires_grad_(False)
        if dtype == torch.float16 and bool(getattr(self.vae.config, "force_upcast", False)):
            self.upcast("vae")
        self.offload = self._choose_offload(offload)
        self._place_networks()

    @property
    def channels(self) -> int:
        """Number of input channels of the network."""
        return int(self.unet.config.in_channels)

    @property
    def is_xl(self) -> bool:
        """Whether it is an SDXL model, which uses sizes and pooled text beside the prompt."""
        return len(self.networks.encoders) > 1

    @property
    def reduction(self) -> int:
        """How many pixels, along one side, correspond to one latent value."""
        return 1 << (len(self.vae.config.block_out_channels) - 1)

    # --- text ---------------------------------------------------------------------------------

    def encode_text(
        self, index: int, chunks: Sequence[Sequence[int]], clip_skip: int = 1
    ) -> tuple[Tensor, Tensor | None]:
        """Encode chunks of token numbers with text encoder ``index``; see TextEncoder."""
        encoder = self.networks.encoders[index]
        with self._on_device(encoder.network):
            return encoder.encode(chunks, clip_skip=clip_skip, device=self.device)

    # --- images -------------------------------------------------------------------------------

    @torch.inference_mode()
    def encode(self, images: Sequence[Image]) -> Tensor:
        """Encode (H, W, 3) uint8 images of one size to (B, 4, h, w) float32 latents.

        H and W are multiples of ``reduction``. As in A1111 the posterior is sampled, independently
        of the run's seed; here with the same noise for every image, so that nothing flickers.
        """
        pixels = torch.from_numpy(np.stack(images)).to(self.device, torch.float32)
        return self.encode_pixels(pixels.permute(0, 3, 1, 2) / 127.5 - 1)

    @torch.inference_mode()
    def encode_pixels(self, pixels: Tensor) -> Tensor:
        """Encode (B, 3, H, W) float32 from -1 to 1."""
        sides = pixels.shape[-1], pixels.shape[-2]
        if any(side % self.reduction for side in sides):
            raise OptionsError(
                f"size {sides[0]}×{sides[1]}: expected multiples of {self.reduction} pixels"
            )
        with self._on_device(self.vae):
            posterior = self.vae.encode(pixels.to(self.device, self.vae_dtype)).latent_dist
        generator = torch.Generator().manual_seed(_POSTERIOR_SEED)
        noise = torch.randn(posterior.mean.shape[1:], generator=generator).to(self.device)
        latents = posterior.mean.float() + posterior.std.float() * noise
        scaled: Tensor = latents * float(self.vae.config.scaling_factor)
        return scaled

    @torch.inference_mode()
    def decode_pixels(self, latents: Tensor) -> Tensor:
        """Decode to (B, 3, H, W) float32, about -1 to 1; NaN where half precision overflowed."""
        scaled = latents.float() / float(self.vae.config.scaling_factor)
        with self._on_device(self.vae):
            decoded: Tensor = self.vae.decode(scaled.to(self.device, self.vae_dtype)).sample
        return decoded.float()

    # --- noise --------------------------------------------------------------------------------

    def predict(
        self,
        concat: Tensor | None = None,
        controls: Sequence[Tensor] | None = None,
        *,
        first_timestep: float | None = None,
    ) -> Predict:
        """The network as a function of scaled latents, timesteps and conditioning.

        concat: (B, 5, h, w), mask and masked latent, for a 9-channel model.
        controls: for each ControlNet (B, 3, H, W) float32 from 0 to 1; None: use no ControlNet.
        first_timestep: where sampling starts; a ControlNet's ``until`` is measured from there.
        None: the highest timestep.
        ``concat`` and ``controls`` are repeated if the latents hold the batch several times.
        """
        if (self.channels == 9) != (concat is not None):
            raise ValueError(f"{self.name}: a network of {self.channels} channels, concat {concat}")
        control_images = list(controls or [])
        controlnet_count = len(self.networks.controlnets)
        if controls is not None and len(control_images) != controlnet_count:
            raise ValueError(f"{controlnet_count} ControlNets, {len(control_images)} controls")

        def predict(x: Tensor, timestep: Tensor, conditioning: Conditioning) -> Tensor:
            with self._on_device(self.unet), torch.inference_mode():
                return self._run(x, timestep, conditioning, concat, control_images, first_timestep)

        return predict

    def _run(
        self,
        x: Tensor,
        timestep: Tensor,
        conditioning: Conditioning,
        concat: Tensor | None,
        controls: Sequence[Tensor],
        first_timestep: float | None,
    ) -> Tensor:
        x = x.to(self.device, self.dtype)
        timestep = timestep.to(self.device)
        text = conditioning.crossattn.to(self.device, self.dtype)
        conditions: dict[str, Any] = {}
        if conditioning.pooled is not None and conditioning.time_ids is not None:
            conditions["added_cond_kwargs"] = {
                "text_embeds": conditioning.pooled.to(self.device, self.dtype),
                "time_ids": conditioning.time_ids.to(self.device, self.dtype),
            }
        residuals = self._run_controlnets(x, timestep, text, controls, conditions, first_timestep)
        if concat is not None:
            x = torch.cat([x, _repeat_batch(concat.to(x), len(x))], dim=1)
        output: Tensor = self.unet(
            x, timestep, encoder_hidden_states=text, **conditions, **residuals
        )[0]
        return output.float()

    def _run_controlnets(
        self,
        x: Tensor,
        timestep: Tensor,
        text: Tensor,
        controls: Sequence[Tensor],
        conditions: Any,
        first_timestep: float | None,
    ) -> dict[str, Any]:
        """The sum of the residuals that the ControlNets add inside the network."""
        if not controls:  # on a GPU, reading a timestep would wait for it
            return {}
        end = self.schedule.first_timestep
        start = self.schedule.last_timestep if first_timestep is None else first_timestep
        progress = (start - float(timestep[0])) / max(start - end, 1e-6)
        down: list[Tensor] = []
        middle: Tensor | None = None
        for controlnet, control in zip(self.networks.controlnets, controls):
            if progress > controlnet.until or controlnet.weight == 0:
                continue
            with self._on_device(controlnet.network):
                down_residuals, middle_residual = controlnet.network(
                    x,
                    timestep,
                    encoder_hidden_states=text,
                    controlnet_cond=_repeat_batch(control.to(x), len(x)),
                    conditioning_scale=controlnet.weight,
                    return_dict=False,
                    **conditions,
                )
            down = [a + b for a, b in zip(down, down_residuals)] if down else list(down_residuals)
            middle = middle_residual if middle is None else middle + middle_residual
        if middle is None:
            return {}
        return {
            "down_block_additional_residuals": tuple(down),
            "mid_block_additional_residual": middle,
        }

    def concat(
        self, pixels: Tensor, mask: Tensor | None = None, *, mask_weight: float = 1.0
    ) -> Tensor | None:
        """(B, 5, h, w) for a 9-channel model: mask, then the latent of the masked image.

        pixels: (B, 3, H, W) from -1 to 1. mask: (B or 1, 1, H, W), 1 where it is repainted; None:
        everywhere. With mask_weight 1 the network sees mid-grey there, with 0 the image itself.
        Returns None for a 4-channel model.
        """
        if self.channels != 9:
            return None
        count, _, height, width = pixels.shape
        full = torch.ones(count, 1, height, width, device=pixels.device)
        masks = full if mask is None else mask.to(full).expand(count, -1, -1, -1).round()
        masked = torch.lerp(pixels, pixels * (1 - masks), mask_weight)
        latents = self.encode_pixels(masked)
        latent_masks = torch.nn.functional.interpolate(masks, size=latents.shape[-2:])
        return torch.cat([latent_masks.to(latents), latents], dim=1)

    def probe_prediction(self) -> str:
        """Find the prediction that an SD2 network was trained for, with the test of A1111.

        For a constant input at the highest noise level a noise predictor outputs about the input, a
        v predictor much less. Repeated in float32 if half precision overflows; raises OptionsError
        where weights are offloaded and cannot be converted. Inpainting models predict noise.
        """
        if self.channels == 9:
            return "epsilon"
        difference = self._probe(self.dtype)
        if not math.isfinite(difference):
            if self.offload == "layers":
                raise OptionsError(
                    "prediction auto: half precision overflows in the test for it; give "
                    f"{with_option('prediction', 'v_prediction')} or "
                    f"{with_option('prediction', 'epsilon')}"
                )
            self.unet.to(torch.float32)
            difference = self._probe(torch.float32)
            self.unet.to(self.dtype)
        return "v_prediction" if difference < -1 else "epsilon"

    def _probe(self, dtype: torch.dtype) -> float:
        """The mean of output minus input for an input of 0.5 at the last timestep."""
        x = torch.full((1, self.channels, 8, 8), 0.5, device=self.device, dtype=dtype)
        width = int(self.unet.config.cross_attention_dim)
        text = torch.full((1, 2, width), 0.5, device=self.device, dtype=dtype)
        last = torch.tensor([self.schedule.last_timestep], device=self.device)
        with self._on_device(self.unet), torch.inference_mode():
            output = self.unet(x, last, encoder_hidden_states=text).sample
        return float((output.float() - x.float()).mean())

    # --- precision and memory -----------------------------------------------------------------

    def upcast(self, part: str) -> None:
        """Use float32 from now on: "vae" for the autoencoder only, "all" for everything."""
        self.vae.to(torch.float32)
        self.vae_dtype = torch.float32
        if part == "all":
            for network in self._all_networks():
                network.to(torch.float32)
            self.dtype = torch.float32

    @property
    def is_float32(self) -> bool:
        """Whether all networks use float32."""
        return self.dtype == torch.float32 and self.vae_dtype == torch.float32

    def _all_networks(self) -> list[Any]:
        networks = [self.unet, self.vae]
        networks += [encoder.network for encoder in self.networks.encoders]
        return networks + [controlnet.network for controlnet in self.networks.controlnets]

    def _choose_offload(self, requested: str) -> str:
        if self.device.type != "cuda":
            # on other devices weights are already in the memory that the device uses
            return "none" if requested == "auto" else requested
        if requested != "auto":
            return requested
        free, _ = torch.cuda.mem_get_info(self.device)
        sizes = [_count_bytes(network) for network in self._all_networks()]
        return choose_offload(float(free), sizes)

    def _place_networks(self) -> None:
        """Move the networks to the device, or set up offloading."""
        if self.offload == "none":
            for network in self._all_networks():
                network.to(self.device)
        elif self.offload == "layers":
            from accelerate import cpu_offload

            for network in self._all_networks():
                cpu_offload(network, execution_device=self.device)
        if self.device.type == "cuda":
            for network in (self.unet, self.vae):
                network.to(memory_format=torch.channels_last)

    @contextmanager
    def _on_device(self, network: Any) -> Iterator[None]:
        """Have one network on the device; with ``parts`` the others leave it first.

        It stays there until another one is needed: a run uses one network for many steps.
        """
        if self.offload == "parts":
            controlnets = [controlnet.network for controlnet in self.networks.controlnets]
            staying = [network]
            if network in controlnets:
                staying = [network, self.unet, *controlnets]
            for other in self._all_networks():
                if other not in staying:
                    other.to("cpu")
            network.to(self.device)
        yield


def choose_offload(free: float, sizes: Sequence[float]) -> str:
    """Choose how networks of these sizes fit into the free memory; all in bytes.

    "none" if all fit at once, "parts" if the largest fits, else "layers".
    """
    if sum(sizes) + _RESERVED_BYTES <= free:
        return "none"
    return "parts" if max(sizes) + _RESERVED_BYTES <= free else "layers"


def to_images(pixels: Tensor) -> list[Image]:
    """(H, W, 3) uint8 images of (B, 3, H, W) from -1 to 1: clipped and truncated, as in A1111."""
    scaled = ((pixels.float() + 1) / 2).clamp(0, 1) * 255
    array = scaled.permute(0, 2, 3, 1).to("cpu", torch.uint8).numpy()
    return [np.ascontiguousarray(image) for image in array]


def _repeat_batch(values: Tensor, count: int) -> Tensor:
    """Repeat a batch until it has ``count`` entries."""
    return values.repeat(count // len(values), *([1] * (values.ndim - 1)))


def _count_bytes(network: Any) -> float:
    return float(sum(value.numel() * value.element_size() for value in network.parameters()))
