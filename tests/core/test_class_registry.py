"""Classes by name, with options that are checked."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from types import ModuleType

import pytest

from kadr.core.registry import Registry
from kadr.errors import OptionsError


@dataclass(frozen=True)
class _Options:
    size: int = 3


class _Brush:
    Options = _Options

    def __init__(self, options: _Options) -> None:
        self.options = options


def test_a_class_is_imported_when_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    brushes = Registry[_Brush]("brush", {"flat": "brush_shop:Flat", "round": "no_such_module:R"})
    assert brushes.names == ("flat", "round")
    module = ModuleType("brush_shop")
    module.Flat = _Brush  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "brush_shop", module)
    assert brushes.options("flat") is _Options
    assert brushes.create("flat", {}).options.size == 3
    assert brushes.create("flat", {"size": 5}).options.size == 5
    with pytest.raises(OptionsError, match="brush 'thin': expected one of flat, round"):
        brushes.options("thin")
    with pytest.raises(OptionsError, match="brush flat: no option 'hair'; it has size"):
        brushes.create("flat", {"hair": 1})
