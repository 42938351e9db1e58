"""Sub-packages of the diffusion stylizer import each other in one direction only."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import kadr.stylize.diffusion as diffusion

LAYOUT, ROOT = "kadr.stylize.layout", "kadr.stylize.diffusion"

ALLOWED = {
    LAYOUT: set(),
    f"{ROOT}.sampling": {LAYOUT},
    f"{ROOT}.prompt": {LAYOUT, f"{ROOT}.sampling"},
    f"{ROOT}.model": {LAYOUT, f"{ROOT}.sampling", f"{ROOT}.prompt"},
    f"{ROOT}.temporal": {LAYOUT, f"{ROOT}.sampling"},
}
"""Package → packages of this table that it may import; modules of ROOT itself may import all."""


def _imports(path: Path) -> Iterator[str]:
    """The modules that a file imports, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _package(module: str) -> str | None:
    """The package of the table that holds a module, or ROOT; None for other modules."""
    inside = [name for name in (*ALLOWED, ROOT) if f"{module}.".startswith(f"{name}.")]
    return max(inside, key=len, default=None)


def _folder(package: str) -> Path:
    stylize = Path(diffusion.__file__).parents[1]
    return stylize.joinpath(*package.split(".")[2:])


def test_the_table_holds_all_sub_packages() -> None:
    names = {f"{ROOT}.{path.parent.name}" for path in _folder(ROOT).glob("*/__init__.py")}
    assert names | {LAYOUT} == set(ALLOWED)


@pytest.mark.parametrize("package", ALLOWED)
def test_a_sub_package_imports_only_what_the_table_allows(package: str) -> None:
    files = sorted(_folder(package).rglob("*.py"))
    assert files
    for path in files:
        for module in _imports(path):
            imported = _package(module)
            if imported is None or imported == package:
                continue
            assert imported in ALLOWED[package], f"{path.name} imports {module}"
