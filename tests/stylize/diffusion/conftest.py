"""Tiny models on disk, created once for all tests; torch with one thread."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from filelock import FileLock
from tiny_models import FindModel, Kind, TinyNetworks, copy_network, save_on_demand
from trained_models import train_model

from kadr.core.frames import Image
from kadr.stylize.diffusion.model import loading
from kadr.stylize.diffusion.noise_cache import collect_file_stats
from kadr.stylize.diffusion.prompt import tokenizer

torch.set_num_threads(1)

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
    """Networks of a kind, half as deep as published ones; tests must not change them."""
    return cache(partial(TinyNetworks, layers=1))


@pytest.fixture(scope="session")
def deep_parts() -> Callable[[Kind], TinyNetworks]:
    """Networks of a kind, as deep as published ones; tests must not change them."""
    return cache(TinyNetworks)


@pytest.fixture(scope="session")
def tiny_model(
    tmp_path_factory: pytest.TempPathFactory, tiny_parts: Callable[..., TinyNetworks]
) -> FindModel:
    """``tiny_model(kind, form)``: its path; form: "folder", ".safetensors" or ".ckpt"."""
    return save_on_demand(tiny_parts, tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def deep_model(
    tmp_path_factory: pytest.TempPathFactory, deep_parts: Callable[..., TinyNetworks]
) -> FindModel:
    """The same with ``deep_parts``."""
    return save_on_demand(deep_parts, tmp_path_factory.mktemp("deep"))


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
    """A model trained on ``disc_frames``: the prompts "photo" and "painting" give two looks.

    Trained once for all processes of a test run.
    """
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent
    folder = root / "trained"
    with FileLock(f"{folder}.lock"):
        if not (folder / "model_index.json").exists():  # is written last
            train_model(disc_frames, folder, steps=240, rate=3e-3)
    return folder
