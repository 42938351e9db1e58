"""Train a small model on given frames in seconds, so that its images can be recognised.

It knows two prompts: "photo" for the frames as they are, "painting" for their ``painted`` look.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from tiny_models import TinyNetworks, save_folder
from torch import Tensor
from torch.nn import functional

from kadr.core.frames import Image
from kadr.stylize.diffusion.prompt.text_encoder import pad_chunk
from kadr.stylize.diffusion.prompt.tokenizer import load_tokenizer
from kadr.stylize.diffusion.sampling.schedule import NoiseSchedule

PROMPTS = ("photo", "painting", "")


def painted(image: Image) -> Image:
    """Smooth areas in two tones: a look that even a coarse latent can represent."""
    smooth = cv2.bilateralFilter(np.ascontiguousarray(image), 7, 40, 5)
    luma = smooth.mean(axis=2, keepdims=True)
    warm, cold = np.array([250, 190, 90]), np.array([40, 30, 110])
    return (cold + (warm - cold) * np.clip((luma - 60) / 120, 0, 1)).astype(np.uint8)


def train_model(
    frames: Sequence[Image],
    folder: Path,
    *,
    paintings: Sequence[Image] | None = None,
    inpaint: bool = False,
    steps: int = 500,
    rate: float = 1.5e-3,
    seed: int = 0,
) -> Path:
    """Train on frames of one size, sides multiples of 8; save as a diffusers folder.

    paintings: the images for "painting", as many and as large; None: ``painted`` frames.
    rate: the highest learning rate; few steps need a higher one.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        parts = TinyNetworks("sd1-inpaint" if inpaint else "sd1", seed)
        height, width = frames[0].shape[:2]
        parts.vae = _vae()
        parts.unet = _unet(9 if inpaint else 4, fine=height * width <= _FINE)
        # with v prediction the content at high noise is learned much faster
        parts.prediction = "v_prediction"
        looks = frames, [painted(f) for f in frames] if paintings is None else paintings
        pixels = [torch.stack([_pixels(image) for image in look]) for look in looks]
        with torch.no_grad():
            spread = _encode(parts.vae, torch.cat(pixels)).std()
        parts.vae.register_to_config(scaling_factor=1 / float(spread))
        _sharpen(parts.encoders[0])
        text = _texts(parts.encoders[0])
        _train_unet(parts, pixels, text, steps, rate, inpaint)
    return save_folder(parts, folder)


def _pixels(image: Image) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1).float() / 127.5 - 1


def _vae() -> AutoencoderKL:
    """An autoencoder without training: latents are mean colours of 8×8 pixels, images are smooth.

    All inner blocks are identities. Each colour is passed on with its negative and with two large
    constants, so the last norm sees mean 0 and a constant variance, and changes nothing.
    """
    vae = AutoencoderKL(
        block_out_channels=(8, 8, 8, 8),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        norm_num_groups=1,
        latent_channels=4,
    )
    with torch.no_grad():
        for name, weight in vae.named_parameters():
            if "norm" not in name:
                weight.zero_()
        for half in (vae.encoder, vae.decoder):
            _set_identity(half)
        for colour in range(3):
            vae.encoder.conv_out.weight[colour, colour, 1, 1] = 1
            vae.decoder.conv_out.weight[colour, colour, 1, 1] = 1
            vae.encoder.conv_out.weight[3, colour, 1, 1] = 1 / 3
        vae.encoder.conv_out.bias[:4] = -_BENT
        vae.decoder.conv_out.bias.fill_(-_BENT)
        vae.encoder.conv_out.bias[4:] = -12  # the logarithm of a very small variance
        vae.quant_conv.weight[..., 0, 0] = torch.eye(8)
        vae.post_quant_conv.weight[..., 0, 0] = torch.eye(4)
    return vae.eval()


_LARGE, _BENT = 100.0, 10.0
"""The constants beside the colours, and the offset at which the last activation is linear."""


def _set_identity(half: torch.nn.Module) -> None:
    """Let the blocks of one half pass on the colours; only the resizing between them acts."""
    for colour in range(3):
        half.conv_in.weight[colour, colour, 1, 1] = 1
        half.conv_in.weight[3 + colour, colour, 1, 1] = -1
    half.conv_in.bias[6:] = torch.tensor([_LARGE, -_LARGE])
    mean = torch.zeros(3, 3)
    mean[:2, :2] = 1 / 4
    smooth = torch.outer(torch.tensor([1, 2, 1]), torch.tensor([1, 2, 1])) / 16
    for name, module in half.named_modules():
        if name.endswith(("downsamplers.0", "upsamplers.0")):
            for channel in range(6):
                module.conv.weight[channel, channel] = smooth if "up" in name else mean
            module.conv.bias[6:] = torch.tensor([_LARGE, -_LARGE])
    half.conv_norm_out.weight.fill_(_LARGE / 2)
    half.conv_norm_out.bias.fill_(_BENT)


def _unet(channels: int, *, fine: bool) -> UNet2DConditionModel:
    """fine: whether the finest level has attention too, or only the coarser one."""
    down, up = ["CrossAttnDownBlock2D", "DownBlock2D"], ["UpBlock2D", "CrossAttnUpBlock2D"]
    if not fine:
        down.reverse()
        up.reverse()
    return UNet2DConditionModel(
        sample_size=8,
        in_channels=channels,
        out_channels=4,
        block_out_channels=(48, 64),
        layers_per_block=1,
        norm_num_groups=8,
        down_block_types=tuple(down),
        up_block_types=tuple(up),
        cross_attention_dim=32,
        attention_head_dim=4,
    )


@torch.no_grad()
def _texts(encoder: torch.nn.Module) -> Tensor:
    """(3, 77, 32): the prompts as the random encoder encodes them."""
    tokenizer = load_tokenizer()
    chunks = torch.tensor([pad_chunk(tokenizer(prompt), 49407) for prompt in PROMPTS])
    return encoder(input_ids=chunks).last_hidden_state


@torch.no_grad()
def _sharpen(encoder: torch.nn.Module) -> None:
    """Make the prompts differ: a random encoder returns nearly the same vectors for all texts."""
    norm = encoder.final_layer_norm
    common = _texts(encoder).mean(dim=(0, 1))
    norm.weight.fill_(4)
    norm.bias.copy_(-4 * common)


def _train_unet(
    parts: TinyNetworks,
    pixels: Sequence[Tensor],
    text: Tensor,
    steps: int,
    rate: float,
    inpaint: bool,
) -> None:
    unet, vae = parts.unet.train(), parts.vae
    with torch.no_grad():
        scale = float(vae.config.scaling_factor)
        latents = torch.stack(
            [torch.cat([_encode(vae, p) for p in look.split(8)]) * scale for look in pixels]
        )
        grey = _encode(vae, torch.zeros_like(pixels[0][:1])) * scale
    sigmas = NoiseSchedule.scaled_linear().sigmas
    optimizer = torch.optim.AdamW(unet.parameters(), rate, (0.9, 0.99), weight_decay=0, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, rate, total_steps=steps, pct_start=0.1
    )
    look = torch.arange(_BATCH) % 2
    for _ in range(steps):
        # both looks and all parts of the noise range are in every batch: this halves the steps
        clean = latents[look, torch.randint(latents.shape[1], (_BATCH,))]
        prompts = torch.where(torch.rand(_BATCH) < 0.1, torch.tensor(2), look)
        share = (torch.randperm(_BATCH) + torch.rand(_BATCH)) / _BATCH
        # more samples at high noise, where the prompt decides most
        timestep = (999 * (1 - share**1.3)).long()
        sigma = sigmas[timestep][:, None, None, None]
        noise = torch.randn_like(clean)
        spread = (1 + sigma**2).sqrt()
        x, velocity = (clean + sigma * noise) / spread, (noise - sigma * clean) / spread
        if inpaint:
            hidden = grey[..., :1, :1].expand_as(x)
            x = torch.cat([x, torch.ones_like(x[:, :1]), hidden], dim=1)
        output = unet(x, timestep, encoder_hidden_states=text[prompts]).sample
        loss = functional.mse_loss(output, velocity)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    unet.eval()


_FINE = 192 * 256
"""Pixels of a frame up to which attention on the finest level is cheap."""

_BATCH = 4
"""Many steps with small batches learn more in a minute than few steps with large ones."""


def _encode(vae: AutoencoderKL, pixels: Tensor) -> Tensor:
    return vae.encode(pixels).latent_dist.mean
