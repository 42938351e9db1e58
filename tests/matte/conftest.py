"""Scenes with known mattes as files, made once."""

from __future__ import annotations

from pathlib import Path

import pytest
from matte_scenes import Scene, scene, write_clip, write_mask


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache for work files: an empty one for each test."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("KADR_CACHE", str(folder))
    return folder


@pytest.fixture(scope="session")
def panned() -> Scene:
    """The background moves too."""
    return scene(pan=1)


@pytest.fixture(scope="session")
def locked() -> Scene:
    """A locked camera."""
    return scene()


@pytest.fixture(scope="session")
def panned_clip(panned: Scene, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The frames of ``panned``, not to be changed."""
    return write_clip(tmp_path_factory.mktemp("panned") / "clip", panned.frames)


@pytest.fixture(scope="session")
def locked_clip(locked: Scene, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The frames of ``locked``, not to be changed."""
    return write_clip(tmp_path_factory.mktemp("locked") / "clip", locked.frames)


@pytest.fixture(scope="session")
def first_mask(panned: Scene, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The mask of the first frame of ``panned``, painted."""
    return write_mask(tmp_path_factory.mktemp("painted") / "0.png", panned.mattes[0])
