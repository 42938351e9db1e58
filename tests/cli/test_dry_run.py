"""A dry run with a stylizer: what is missing, and what it cannot tell."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cli_samples import Call, make_keys

Dry = Callable[..., str]


@pytest.fixture
def dry(kadr: Call, video: Path, tmp_path: Path) -> Dry:
    """What a dry run of the clip prints."""

    def call(*arguments: object) -> str:
        done = kadr("run", video, *arguments, "-o", tmp_path / "out.mp4", "--dry-run")
        assert done.code == 0, done
        return done.out

    return call


def test_a_model_that_is_no_file_is_missing(dry: Dry, tmp_path: Path) -> None:
    options = ("--stylizer", "diffusion", "--model", tmp_path / "m.safetensors", "--every-frame")
    lines = dry(*options).splitlines()
    assert lines[0] == "would stylize 6 keys"
    assert "m.safetensors: no such model; give the path of" in lines[1]
    assert "how long stylizing takes is unknown" in lines[2]
    assert "0.0 s" not in lines[2]
    assert '"stylizes": true, "missing": "' in dry(*options, "--json")
    (tmp_path / "m.safetensors").touch()
    assert "no such model" not in dry(*options)


def test_a_model_of_the_hub_is_missing_until_it_is_here(
    dry: Dry, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = pytest.importorskip("huggingface_hub")
    options = ("--stylizer", "diffusion", "--model", "nobody/nothing", "--every-frame")
    assert "kadr downloads nothing by itself; give --download to" in dry(*options)
    assert "nobody/nothing: is not on this machine; the run would" in dry(*options, "--download")
    monkeypatch.setattr(hub, "try_to_load_from_cache", lambda *_: "model_index.json")
    assert "nobody/nothing" not in dry(*options)


def test_the_time_of_stylizing_is_unknown(dry: Dry) -> None:
    out = dry("--stylizer", "paint", "--keys-budget", "2")
    assert "how long stylizing takes is unknown, without it about " in out
    assert "but " not in out


def test_painted_keys_take_no_time_of_their_own(dry: Dry, tmp_path: Path) -> None:
    out = dry("--keys", make_keys(tmp_path / "keys", 0, 5))
    assert "unknown" not in out
    assert "about " in out
