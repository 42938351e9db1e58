"""Tiny models on disk, made once; torch with one thread."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import torch
from tiny import Kind, Parts, save_folder, save_single

torch.set_num_threads(1)

Places = Callable[..., Path]


@pytest.fixture(scope="session")
def tiny_parts() -> Callable[[Kind], Parts]:
    """Networks of a kind; not to be changed."""
    return cache(Parts)


@pytest.fixture(scope="session")
def tiny_model(
    tmp_path_factory: pytest.TempPathFactory, tiny_parts: Callable[..., Parts]
) -> Places:
    """``tiny_model(kind, form)``: where it is; form: "folder", ".safetensors" or ".ckpt"."""
    root = tmp_path_factory.mktemp("tiny")

    @cache
    def make(kind: Kind, form: str = "folder") -> Path:
        if form == "folder":
            return save_folder(tiny_parts(kind), root / kind)
        return save_single(tiny_parts(kind), root / f"{kind}{form}")

    return make
