"""A command line that can be called, and small clips and keys to call it on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cli_samples import COUNT, FIRST, Call, Done, make_images, make_keys, make_video

from kadr.cli.main import main


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache for work files without a project: an empty one for each test."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("KADR_CACHE", str(folder))
    return folder


@pytest.fixture
def kadr(capsys: pytest.CaptureFixture[str]) -> Call:
    """Call ``kadr`` with some arguments in this process."""

    def call(*arguments: object) -> Done:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        return Done(code, *capsys.readouterr())

    return call


@pytest.fixture
def refused(kadr: Call) -> Callable[..., str]:
    """Call ``kadr``, check that it fails with a single line, and return that line."""

    def call(*arguments: object) -> str:
        done = kadr(*arguments)
        assert done.code == 2, done
        assert done.err.startswith("error: ")
        assert done.err.count("\n") == 1
        assert done.err.endswith("\n")
        assert done.out == ""
        return done.err

    return call


@pytest.fixture(scope="session")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six frames of video, not to be changed."""
    return make_video(tmp_path_factory.mktemp("video") / "clip.mp4")


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six images numbered from 1001 on, not to be changed."""
    return make_images(tmp_path_factory.mktemp("images") / "in", range(FIRST, FIRST + COUNT))


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys of the first and the last frame of ``video``, not to be changed."""
    return make_keys(tmp_path_factory.mktemp("keys"), 0, COUNT - 1)
