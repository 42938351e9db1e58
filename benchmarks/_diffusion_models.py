"""A size or filmed frames in, a Stable Diffusion model in a folder out: of random weights, or small
and trained in a minute or two so that its pictures can be recognised."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

from kadr.core.frames import Image

# the small models are those of the tests
sys.path.append(str(Path(__file__).parents[1] / "tests" / "stylize" / "diffusion"))

from tiny import Parts, save_folder
from trained import painted, train_model

__all__ = ["painted", "random_model", "trained_on"]

_CROP = 64


def random_model(folder: Path, *, full: bool) -> Path:
    """Random weights in the shape of Stable Diffusion 1.5, at full size or small."""
    parts = Parts("sd1")
    if full:
        torch.manual_seed(0)
        parts.unet = UNet2DConditionModel(
            sample_size=64, cross_attention_dim=768, attention_head_dim=8
        ).eval()
        parts.vae = AutoencoderKL(
            block_out_channels=(128, 256, 512, 512),
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            layers_per_block=2,
            latent_channels=4,
        ).eval()
        text = CLIPTextConfig(
            vocab_size=49408,
            hidden_size=768,
            intermediate_size=3072,
            num_hidden_layers=12,
            num_attention_heads=12,
            projection_dim=768,
            bos_token_id=49406,
            eos_token_id=49407,
            pad_token_id=49407,
        )
        parts.encoders = [CLIPTextModel(text).eval()]
        for network in (parts.unet, parts.vae, *parts.encoders):
            network.half()
    return save_folder(parts, folder)


def trained_on(
    frames: Sequence[Image], folder: Path, *, picture_steps: int, noise_steps: int
) -> Path:
    """A small model that knows pieces of these frames as "photo" and ``painted`` as "painting".

    It is trained on pieces of 64×64, at random places and half of them mirrored, so that what it
    makes follows what is filmed and is not the mean of all frames.
    """
    random = np.random.default_rng(0)
    pieces = []
    for _ in range(160):
        frame = frames[random.integers(len(frames))]
        y, x = (random.integers(0, side - _CROP + 1) for side in frame.shape[:2])
        piece = frame[y : y + _CROP, x : x + _CROP]
        pieces.append(np.ascontiguousarray(piece[:, ::-1] if random.random() < 0.5 else piece))
    return train_model(pieces, folder, picture_steps=picture_steps, noise_steps=noise_steps)
