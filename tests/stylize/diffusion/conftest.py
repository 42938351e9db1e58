"""Tiny models on disk, made once; torch with one thread."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from tiny_models import Kind, TinyNetworks, save_folder, save_single
from trained_models import train_model

from kadr.core.frames import Image

torch.set_num_threads(1)

Places = Callable[..., Path]


@pytest.fixture(scope="session")
def tiny_parts() -> Callable[[Kind], TinyNetworks]:
    """Networks of a kind; not to be changed."""
    return cache(TinyNetworks)


@pytest.fixture(scope="session")
def tiny_model(
    tmp_path_factory: pytest.TempPathFactory, tiny_parts: Callable[..., TinyNetworks]
) -> Places:
    """``tiny_model(kind, form)``: where it is; form: "folder", ".safetensors" or ".ckpt"."""
    root = tmp_path_factory.mktemp("tiny")

    @cache
    def make(kind: Kind, form: str = "folder") -> Path:
        if form == "folder":
            return save_folder(tiny_parts(kind), root / kind)
        return save_single(tiny_parts(kind), root / f"{kind}{form}")

    return make


@pytest.fixture(scope="session")
def disc_frames() -> list[Image]:
    """A bright disc that crosses a dark slope, 64×64."""
    frames = []
    y, x = np.mgrid[0:64, 0:64].astype(np.float32)
    for place in range(16):
        image = np.stack([40 + x, 50 + y, 140 - y], axis=2)
        cv2.circle(image, (12 + 2 * place + place // 2, 32), 14, (240, 180, 120), -1, cv2.LINE_AA)
        frames.append(np.clip(image, 0, 255).astype(np.uint8))
    return frames


@pytest.fixture(scope="session")
def trained_model(tmp_path_factory: pytest.TempPathFactory, disc_frames: list[Image]) -> Path:
    """A model trained on ``disc_frames``: it knows them as "photo" and as "painting"."""
    return train_model(disc_frames, tmp_path_factory.mktemp("trained") / "model")
