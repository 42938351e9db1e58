"""Tiny models on disk, created once for all tests; torch with one thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from tiny_models import Kind, TinyNetworks, copy_network, save_folder, save_single
from trained_models import train_model

from kadr.core.frames import Image
from kadr.stylize.diffusion.model import loading
from kadr.stylize.diffusion.noise_cache import collect_file_stats
from kadr.stylize.diffusion.prompt import tokenizer

torch.set_num_threads(1)

FindModel = Callable[..., Path]


_loaded: dict[Any, Any] = {}
"""Loaded networks and tokenizer backends, by function, arguments and files."""


def _load_once(load: Callable[..., Any], position: int, copy: Callable[[Any], Any]) -> Any:
    """``load`` with a cache; the folder is argument ``position``. Returns copies."""

    def cached(*arguments: Any) -> Any:
        key = load, arguments, str(collect_file_stats(arguments[position]))
        if key not in _loaded:
            _loaded[key] = load(*arguments)
        return copy(_loaded[key])

    return cached


@pytest.fixture(autouse=True)
def _fast_loading(request: pytest.FixtureRequest) -> Iterator[None]:
    """Load each folder from disk only once, except in the tests of loading itself."""
    with pytest.MonkeyPatch.context() as patch:
        if "model" not in request.path.parts:
            networks = _load_once(loading._load_network, 1, copy_network)
            backends = _load_once(tokenizer._load_backend, 0, lambda backend: backend)
            patch.setattr(loading, "_load_network", networks)
            patch.setattr(tokenizer, "_load_backend", backends)
        yield


@pytest.fixture(scope="session")
def tiny_parts() -> Callable[[Kind], TinyNetworks]:
    """Networks of a kind; tests must not change them."""
    return cache(TinyNetworks)


@pytest.fixture(scope="session")
def tiny_model(
    tmp_path_factory: pytest.TempPathFactory, tiny_parts: Callable[..., TinyNetworks]
) -> FindModel:
    """``tiny_model(kind, form)``: its path; form: "folder", ".safetensors" or ".ckpt"."""
    root = tmp_path_factory.mktemp("tiny")

    @cache
    def make(kind: Kind, form: str = "folder") -> Path:
        if form == "folder":
            return save_folder(tiny_parts(kind), root / kind)
        return save_single(tiny_parts(kind), root / f"{kind}{form}")

    return make


@pytest.fixture(scope="session")
def disc_frames() -> list[Image]:
    """A bright disc that moves over a dark gradient, 64×64."""
    frames = []
    y, x = np.mgrid[0:64, 0:64].astype(np.float32)
    for index in range(16):
        image = np.stack([40 + x, 50 + y, 140 - y], axis=2)
        cv2.circle(image, (12 + 2 * index + index // 2, 32), 14, (240, 180, 120), -1, cv2.LINE_AA)
        frames.append(np.clip(image, 0, 255).astype(np.uint8))
    return frames


@pytest.fixture(scope="session")
def trained_model(tmp_path_factory: pytest.TempPathFactory, disc_frames: list[Image]) -> Path:
    """A model trained on ``disc_frames``: the prompts "photo" and "painting" give two looks."""
    folder = tmp_path_factory.mktemp("trained") / "model"
    return train_model(disc_frames, folder, steps=240, rate=3e-3)
