"""Notify about the first compilation of a kernel: once, and never for cached kernels."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

from numba import njit

from kadr.tasks.compiling import on_first_compile


def test_the_notice_comes_once_for_several_kernels() -> None:
    notices: list[str] = []
    add_one, add_two = njit(lambda x: x + 1), njit(lambda x: x + 2)
    with on_first_compile(lambda: notices.append("now")):
        assert notices == []
        assert add_one(1) == 2
        assert notices == ["now"]
        assert add_two(1) == 3
        assert add_one(1.5) == 2.5
    assert notices == ["now"]


def test_there_is_no_notice_outside_the_block() -> None:
    notices: list[str] = []
    with on_first_compile(lambda: notices.append("now")):
        pass
    njit(lambda x: x * 2)(3)
    assert notices == []


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("kernel_in_a_file", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_there_is_no_notice_for_cached_kernels(tmp_path: Path) -> None:
    path = tmp_path / "kernel_in_a_file.py"
    path.write_text("from numba import njit\n@njit(cache=True)\ndef f(x):\n    return x + 1\n")
    notices: list[str] = []
    for expected in (["now"], ["now"]):
        with on_first_compile(lambda: notices.append("now")):
            assert _load(path).f(1) == 2
        assert notices == expected
