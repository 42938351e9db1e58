"""Frames in, latents out; latents in, noise estimates and frames out: the networks of one model."""

from __future__ import annotations

import logging
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

_log = logging.getLogger(__name__)

OFFLOADS = ("auto", "none", "parts", "layers")
"""auto: by the memory that is free; parts: one network at a time is there; layers: one layer."""

_SPARE = 1.5e9
"""Bytes that a run needs beside its weights, at 512×512."""

_POSTERIOR_SEED = 0x6B616472
"""Of the noise that encoding adds: the same for every picture, so it does not flicker."""


@dataclass(eq=False)
class Control:
    """A ControlNet and how strongly it steers; ``until``: the part of the way that it does."""

    network: Any
    weight: float = 1.0
    until: float = 1.0


@dataclass(eq=False)
class Networks:
    """What a model consists of; zero_empty: an empty negative prompt is all zeros (SDXL)."""

    unet: Any
    vae: Any
    encoders: list[TextEncoder]
    zero_empty: bool = False
    controls: list[Control] = field(default_factory=list)


class Model:
    """A loaded Stable Diffusion model.

    prediction: "epsilon" or "v_prediction".
    channels: 4, or 9 for inpainting models.
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
        for network in self._all():
            network.requires_grad_(False)
        if dtype == torch.float16 and bool(getattr(self.vae.config, "force_upcast", False)):
            self.upcast("vae")
        self.offload = self._choose_offload(offload)
        self._settle()

    @property
    def channels(self) -> int:
        """How many channels the network takes."""
        return int(self.unet.config.in_channels)

    @property
    def is_xl(self) -> bool:
        """Whether it is told sizes and pooled text beside the prompt."""
        return len(self.networks.encoders) > 1

    @property
    def reduction(self) -> int:
        """How many pixels one latent value stands for, along a side."""
        return 1 << (len(self.vae.config.block_out_channels) - 1)

    # --- text ---------------------------------------------------------------------------------

    def encode_text(
        self, place: int, chunks: Sequence[Sequence[int]], clip_skip: int = 1
    ) -> tuple[Tensor, Tensor | None]:
        """What text encoder ``place`` makes of chunks of token numbers; see TextEncoder."""
        encoder = self.networks.encoders[place]
        with self._resident(encoder.network):
            return encoder.encode(chunks, clip_skip=clip_skip, device=self.device)

    # --- pictures -----------------------------------------------------------------------------

    @torch.inference_mode()
    def encode(self, images: Sequence[Image]) -> Tensor:
        """(B, 4, h, w) float32 latents of equally large (H, W, 3) uint8 images.

        H and W are multiples of ``reduction``. As in A1111 the posterior is sampled and not by the
        run's seed; here with the same noise for every image, so nothing flickers.
        """
        pixels = torch.from_numpy(np.stack(images)).to(self.device, torch.float32)
        return self.encode_pixels(pixels.permute(0, 3, 1, 2) / 127.5 - 1)

    @torch.inference_mode()
    def encode_pixels(self, pixels: Tensor) -> Tensor:
        """The same from (B, 3, H, W) float32 from -1 to 1."""
        sides = pixels.shape[-1], pixels.shape[-2]
        if any(side % self.reduction for side in sides):
            raise OptionsError(
                f"size {sides[0]}×{sides[1]}: expected multiples of {self.reduction} pixels"
            )
        with self._resident(self.vae):
            posterior = self.vae.encode(pixels.to(self.device, self.vae_dtype)).latent_dist
        generator = torch.Generator().manual_seed(_POSTERIOR_SEED)
        noise = torch.randn(posterior.mean.shape[1:], generator=generator).to(self.device)
        latents = posterior.mean.float() + posterior.std.float() * noise
        scaled: Tensor = latents * float(self.vae.config.scaling_factor)
        return scaled

    @torch.inference_mode()
    def decode_pixels(self, latents: Tensor) -> Tensor:
        """(B, 3, H, W) float32, about -1 to 1; may hold NaN where half precision overflowed."""
        scaled = latents.float() / float(self.vae.config.scaling_factor)
        with self._resident(self.vae):
            decoded: Tensor = self.vae.decode(scaled.to(self.device, self.vae_dtype)).sample
        return decoded.float()

    # --- noise --------------------------------------------------------------------------------

    def predict(
        self,
        concat: Tensor | None = None,
        controls: Sequence[Tensor] | None = None,
        *,
        first: float | None = None,
    ) -> Predict:
        """The network as a function of scaled latents, timesteps and conditioning.

        concat: (B, 5, h, w), mask and masked latent of a 9-channel model.
        controls: for each ControlNet (B, 3, H, W) float32 from 0 to 1; None: it runs unsteered.
        first: the timestep at which sampling starts, by which a ControlNet's part of the way is
        measured; None: the highest there is.
        Both tensors are repeated where the latents hold the batch several times over.
        """
        if (self.channels == 9) != (concat is not None):
            raise ValueError(f"{self.name}: a network of {self.channels} channels, concat {concat}")
        hints = list(controls or [])
        if controls is not None and len(hints) != len(self.networks.controls):
            raise ValueError(f"{len(self.networks.controls)} ControlNets, {len(hints)} controls")

        def predict(x: Tensor, timestep: Tensor, conditioning: Conditioning) -> Tensor:
            with self._resident(self.unet), torch.inference_mode():
                return self._run(x, timestep, conditioning, concat, hints, first)

        return predict

    def _run(
        self,
        x: Tensor,
        timestep: Tensor,
        conditioning: Conditioning,
        concat: Tensor | None,
        hints: Sequence[Tensor],
        first: float | None,
    ) -> Tensor:
        x = x.to(self.device, self.dtype)
        timestep = timestep.to(self.device)
        text = conditioning.crossattn.to(self.device, self.dtype)
        more: dict[str, Any] = {}
        if conditioning.pooled is not None and conditioning.time_ids is not None:
            more["added_cond_kwargs"] = {
                "text_embeds": conditioning.pooled.to(self.device, self.dtype),
                "time_ids": conditioning.time_ids.to(self.device, self.dtype),
            }
        residuals = self._steer(x, timestep, text, hints, more, first)
        if concat is not None:
            x = torch.cat([x, _repeated(concat.to(x), len(x))], dim=1)
        noise: Tensor = self.unet(x, timestep, encoder_hidden_states=text, **more, **residuals)[0]
        return noise.float()

    def _steer(
        self,
        x: Tensor,
        timestep: Tensor,
        text: Tensor,
        hints: Sequence[Tensor],
        more: Any,
        first: float | None,
    ) -> dict[str, Any]:
        """What the ControlNets add to the network's inner values, summed."""
        if not hints:  # on a card, asking for a timestep waits for it
            return {}
        whole = len(self.schedule.sigmas) - 1 if first is None else max(first, 1.0)
        gone = 1 - float(timestep[0]) / whole
        down: list[Tensor] = []
        middle: Tensor | None = None
        for control, hint in zip(self.networks.controls, hints):
            if gone > control.until or control.weight == 0:
                continue
            with self._resident(control.network):
                added, inner = control.network(
                    x,
                    timestep,
                    encoder_hidden_states=text,
                    controlnet_cond=_repeated(hint.to(x), len(x)),
                    conditioning_scale=control.weight,
                    return_dict=False,
                    **more,
                )
            down = [a + b for a, b in zip(down, added)] if down else list(added)
            middle = inner if middle is None else middle + inner
        if middle is None:
            return {}
        return {
            "down_block_additional_residuals": tuple(down),
            "mid_block_additional_residual": middle,
        }

    def concat(
        self, pixels: Tensor, mask: Tensor | None = None, *, mask_weight: float = 1.0
    ) -> Tensor | None:
        """(B, 5, h, w) for a 9-channel model: mask, then the latent of the masked picture.

        pixels: (B, 3, H, W) from -1 to 1. mask: (B or 1, 1, H, W), 1 where it is repainted; None:
        everywhere. With mask_weight 1 the network sees mid-grey there, with 0 the picture itself.
        None for a 4-channel model.
        """
        if self.channels != 9:
            return None
        count, _, height, width = pixels.shape
        whole = torch.ones(count, 1, height, width, device=pixels.device)
        masks = whole if mask is None else mask.to(whole).expand(count, -1, -1, -1).round()
        hidden = torch.lerp(pixels, pixels * (1 - masks), mask_weight)
        latents = self.encode_pixels(hidden)
        small = torch.nn.functional.interpolate(masks, size=latents.shape[-2:])
        return torch.cat([small.to(latents), latents], dim=1)

    def probe_prediction(self) -> str:
        """Which prediction an SD2 network was trained for, as A1111 tells it.

        At nearly pure noise of value 1 a noise predictor answers about 1, a v predictor about -1.
        """
        width = int(self.unet.config.cross_attention_dim)
        device, dtype = self.device, self.dtype
        x = torch.ones(1, self.channels, 8, 8, device=device, dtype=dtype)
        text = torch.full((1, 2, width), 0.5, device=device, dtype=dtype)
        with self._resident(self.unet), torch.inference_mode():
            last = torch.tensor([len(self.schedule.sigmas) - 1], device=device)
            output = self.unet(x, last, encoder_hidden_states=text).sample.float()
        return "v_prediction" if float((output - x[:, :4].float()).mean()) < -1 else "epsilon"

    # --- precision and memory -----------------------------------------------------------------

    def upcast(self, what: str) -> None:
        """Work in float32 from now on: "vae" the autoencoder only, "all" everything."""
        self.vae.to(torch.float32)
        self.vae_dtype = torch.float32
        if what == "all":
            for network in self._all():
                network.to(torch.float32)
            self.dtype = torch.float32

    @property
    def precise(self) -> bool:
        """Whether all is done in float32 already."""
        return self.dtype == torch.float32 and self.vae_dtype == torch.float32

    def _all(self) -> list[Any]:
        networks = [self.unet, self.vae]
        networks += [encoder.network for encoder in self.networks.encoders]
        return networks + [control.network for control in self.networks.controls]

    def _choose_offload(self, asked: str) -> str:
        if self.device.type != "cuda":
            # elsewhere weights share the memory that they would be moved to
            return "none" if asked == "auto" else asked
        if asked != "auto":
            return asked
        free, _ = torch.cuda.mem_get_info(self.device)
        sizes = [_bytes(network) for network in self._all()]
        return choose_offload(float(free), sizes)

    def _settle(self) -> None:
        """Bring the networks to where they wait for use."""
        if self.offload == "none":
            for network in self._all():
                network.to(self.device)
        elif self.offload == "layers":
            from accelerate import cpu_offload

            for network in self._all():
                cpu_offload(network, execution_device=self.device)
        if self.device.type == "cuda":
            for network in (self.unet, self.vae):
                network.to(memory_format=torch.channels_last)

    @contextmanager
    def _resident(self, network: Any) -> Iterator[None]:
        """Have one network on the device; with ``parts`` those before it make room.

        It stays until another is asked for: a run uses one for many steps.
        """
        if self.offload == "parts":
            beside = [control.network for control in self.networks.controls]
            staying = [network, self.unet, *beside] if network in beside else [network]
            for other in self._all():
                if other not in staying:
                    other.to("cpu")
            network.to(self.device)
        yield


def choose_offload(free: float, sizes: Sequence[float]) -> str:
    """How networks of these sizes fit into the free memory; all in bytes.

    "none" if all of them do at once, "parts" if the largest does, else "layers".
    """
    if sum(sizes) + _SPARE <= free:
        return "none"
    return "parts" if max(sizes) + _SPARE <= free else "layers"


def to_images(pixels: Tensor) -> list[Image]:
    """(H, W, 3) uint8 images of (B, 3, H, W) from -1 to 1: cut off and truncated, as in A1111."""
    scaled = ((pixels.float() + 1) / 2).clamp(0, 1) * 255
    array = scaled.permute(0, 2, 3, 1).to("cpu", torch.uint8).numpy()
    return [np.ascontiguousarray(image) for image in array]


def _repeated(values: Tensor, count: int) -> Tensor:
    """A batch as often over as ``count`` needs."""
    return values.repeat(count // len(values), *([1] * (values.ndim - 1)))


def _bytes(network: Any) -> float:
    return float(sum(value.numel() * value.element_size() for value in network.parameters()))
