"""Being told that kernels are compiled: once, when it happens, never when the cache has them."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

from numba import njit

from kadr.tasks.compiling import on_first_compile


def test_it_is_told_once_however_many_compile() -> None:
    told: list[str] = []
    one, two = njit(lambda x: x + 1), njit(lambda x: x + 2)
    with on_first_compile(lambda: told.append("now")):
        assert told == []
        assert one(1) == 2
        assert told == ["now"]
        assert two(1) == 3
        assert one(1.5) == 2.5
    assert told == ["now"]


def test_outside_the_block_nothing_is_told() -> None:
    told: list[str] = []
    with on_first_compile(lambda: told.append("now")):
        pass
    njit(lambda x: x * 2)(3)
    assert told == []


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("kernel_in_a_file", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_the_cache_has_is_not_told(tmp_path: Path) -> None:
    path = tmp_path / "kernel_in_a_file.py"
    path.write_text("from numba import njit\n@njit(cache=True)\ndef f(x):\n    return x + 1\n")
    told: list[str] = []
    for expected in (["now"], ["now"]):
        with on_first_compile(lambda: told.append("now")):
            assert _load(path).f(1) == 2
        assert told == expected
