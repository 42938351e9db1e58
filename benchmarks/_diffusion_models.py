"""Create small Stable Diffusion models in a folder: with random weights, or trained on frames of a
clip in a minute or two so that its images can be recognised."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

from kadr.core.frames import Image

# the small models are those of the tests
sys.path.append(str(Path(__file__).parents[1] / "tests" / "stylize" / "diffusion"))

from tiny_models import TinyNetworks, save_folder
from trained_models import train_model

INKS = (
    ((250, 190, 90), (40, 30, 110)),
    ((120, 230, 240), (110, 20, 60)),
    ((235, 150, 235), (10, 80, 40)),
)
"""Pairs of colours, light and dark."""


def make_random_model(folder: Path, *, full: bool) -> Path:
    """Random weights in the shape of Stable Diffusion 1.5, at full size or small."""
    parts = TinyNetworks("sd1")
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


def paint_in_ink(image: Image, ink: int) -> Image:
    """An image in the two tones ``INKS[ink]``."""
    smooth = cv2.bilateralFilter(np.ascontiguousarray(image), 7, 40, 5)
    light, dark = (np.array(tone) for tone in INKS[ink])
    share = np.clip((smooth.mean(axis=2, keepdims=True) - 60) / 120, 0, 1)
    return (dark + (light - dark) * share).astype(np.uint8)


def train_on_frames(frames: Sequence[Image], folder: Path, *, steps: int) -> Path:
    """A small model trained on these frames as "photo" and, in all inks, as "painting".

    The prompt does not name the ink of a painting: the noise decides, as with large models.
    """
    paintings = [paint_in_ink(frame, ink) for ink in range(len(INKS)) for frame in frames]
    return train_model([*frames] * len(INKS), folder, paintings=paintings, steps=steps)
