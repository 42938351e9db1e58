"""A small model that is trained in seconds on given frames, so that pictures can be recognised.

It knows two words: "photo" for the frames as they are, "painting" for how ``painted`` shows them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from tiny import Parts, save_folder
from torch import Tensor
from torch.nn import functional

from kadr.core.frames import Image
from kadr.stylize.diffusion.schedule import Schedule
from kadr.stylize.diffusion.text import chunk_of
from kadr.stylize.diffusion.tokens import load_tokenizer

WORDS = ("photo", "painting", "")


def painted(image: Image) -> Image:
    """Ink and two tones: another look that even a coarse latent holds."""
    smooth = cv2.bilateralFilter(np.ascontiguousarray(image), 7, 40, 5)
    luma = smooth.mean(axis=2, keepdims=True)
    warm, cold = np.array([250, 190, 90]), np.array([40, 30, 110])
    return (cold + (warm - cold) * np.clip((luma - 60) / 120, 0, 1)).astype(np.uint8)


def train_model(
    frames: Sequence[Image],
    folder: Path,
    *,
    inpaint: bool = False,
    picture_steps: int = 150,
    noise_steps: int = 250,
    seed: int = 0,
) -> Path:
    """Train on frames of one size, sides multiples of 8; save as a diffusers folder."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        parts = Parts("sd1-inpaint" if inpaint else "sd1", seed)
        parts.vae, parts.unet = _vae(), _unet(9 if inpaint else 4)
        # learns what a picture is about from much noise far sooner than noise prediction does
        parts.prediction = "v_prediction"
        looks = [[_pixels(frame) for frame in frames], [_pixels(painted(f)) for f in frames]]
        pixels = [torch.stack(look) for look in looks]
        _train_vae(parts.vae, torch.cat(pixels), picture_steps)
        text = _texts(parts.encoders[0])
        _train_unet(parts, pixels, text, noise_steps, inpaint)
    return save_folder(parts, folder)


def _pixels(image: Image) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1).float() / 127.5 - 1


def _vae() -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=(16, 24, 32, 48),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        norm_num_groups=8,
        latent_channels=4,
    )


def _unet(channels: int) -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=8,
        in_channels=channels,
        out_channels=4,
        block_out_channels=(48, 64),
        layers_per_block=1,
        norm_num_groups=8,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=32,
        attention_head_dim=4,
    )


@torch.no_grad()
def _texts(encoder: torch.nn.Module) -> Tensor:
    """(3, 77, 32): what the random encoder makes of the words."""
    tokenizer = load_tokenizer()
    chunks = torch.tensor([chunk_of(tokenizer(word), 49407) for word in WORDS])
    return encoder(input_ids=chunks).last_hidden_state


def _train_vae(vae: AutoencoderKL, pixels: Tensor, steps: int) -> None:
    vae.train().to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(vae.parameters(), 3e-3, weight_decay=0)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
    for _ in range(steps):
        batch = pixels[torch.randint(len(pixels), (4,))].to(memory_format=torch.channels_last)
        posterior = vae.encode(batch).latent_dist
        latent = posterior.mean + 0.02 * torch.randn_like(posterior.mean)
        made = vae.decode(latent).sample
        # even latents of unit size, so that noise means the same everywhere
        spread = latent.std(dim=(0, 2, 3))
        level = latent.mean(dim=(0, 2, 3))
        loss = functional.l1_loss(made, batch) + 0.01 * ((spread - 1) ** 2 + level**2).mean()
        loss = loss + 1e-4 * (posterior.logvar + 12).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        rate.step()
    vae.eval().to(memory_format=torch.contiguous_format)
    with torch.no_grad():
        scale = 1 / float(vae.encode(pixels[:16]).latent_dist.mean.std())
    vae.register_to_config(scaling_factor=scale)


def _train_unet(
    parts: Parts, pixels: Sequence[Tensor], text: Tensor, steps: int, inpaint: bool
) -> None:
    unet, vae = parts.unet.train(), parts.vae
    with torch.no_grad():
        scale = float(vae.config.scaling_factor)
        latents = [torch.cat([_encode(vae, p) for p in look.split(8)]) * scale for look in pixels]
        grey = _encode(vae, torch.zeros_like(pixels[0][:1])) * scale
    sigmas = Schedule.scaled_linear().sigmas
    optimizer = torch.optim.AdamW(unet.parameters(), 2e-3, weight_decay=0)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps)
    for _ in range(steps):
        look = torch.randint(2, (8,))
        which = torch.randint(len(latents[0]), (8,))
        clean = torch.where(look[:, None, None, None] == 0, latents[0][which], latents[1][which])
        words = torch.where(torch.rand(8) < 0.1, torch.tensor(2), look)
        # mostly much noise: there the words matter
        timestep = (999 * (1 - torch.rand(8) ** 2)).long()
        sigma = sigmas[timestep][:, None, None, None]
        noise = torch.randn_like(clean)
        spread = (1 + sigma**2).sqrt()
        x, velocity = (clean + sigma * noise) / spread, (noise - sigma * clean) / spread
        if inpaint:
            hidden = grey.expand(8, -1, -1, -1)
            x = torch.cat([x, torch.ones_like(x[:, :1]), hidden], dim=1)
        output = unet(x, timestep, encoder_hidden_states=text[words]).sample
        loss = functional.mse_loss(output, velocity)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        rate.step()
    unet.eval()


def _encode(vae: AutoencoderKL, pixels: Tensor) -> Tensor:
    return vae.encode(pixels).latent_dist.mean
