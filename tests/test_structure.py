"""Who may import whom, read from the source itself, and what ``import kadr`` loads."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import kadr

ROOT = Path(kadr.__file__).parent
BASE = {"core", "errors", "options", "files"}
STAGES = {"video", "plan", "stylize", "guides", "synth", "finish"}

ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "core": {"errors"},
    "options": {"errors", "core"},
    "files": {"errors", "core"},
    **dict.fromkeys(STAGES, BASE),
    "propagate": BASE | {"guides", "synth"},
    "run": BASE,
    # a project checks a stylizer's options where they are written, and finds its keys
    "project": BASE | {"run", "stylize", "video"},
    # other programs' projects name keys and ranges as a run finds them
    "exchange": BASE | {"plan", "project", "stylize", "video"},
    "report": BASE,
    # where the steps come together
    "comparison": BASE | {"guides", "pipeline", "stylize", "video"},
    "seeds": BASE | {"stylize", "video"},
    "survey": BASE | {"guides", "plan", "run", "video"},
    "work": BASE | STAGES | {"project", "propagate", "report", "run", "survey"},
    "pipeline": BASE | {"video", "work"},
}
"""Part of the package → other parts that it may import. Front ends use public names only."""

FRONT_ENDS = {"cli", "studio"}

OWNERS: dict[str, set[str]] = {
    "av": {"video"},
    "PIL": {"stylize", "video"},
    "numba": {"finish", "guides", "run", "stylize", "synth"},
    "scenedetect": {"plan"},
    "tomlkit": {"project"},
    "platformdirs": {"project"},
    "llvmlite": {"synth"},
    "torch": {"stylize"},
    "diffusers": {"stylize"},
    "onnxruntime": {"stylize"},
    "ray": {"run"},
    "typer": set(),
    "rich": set(),
}
"""Library → the parts below the front ends that may name it: to swap one, its owner is changed."""


def _modules() -> Iterator[tuple[str, ast.Module]]:
    """Every module of the package by its dotted name below ``kadr``, parsed."""
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(part for part in parts if part != "__init__")
        yield name, ast.parse(path.read_text(encoding="utf-8"), str(path))


MODULES = dict(_modules())


def _imports(tree: ast.Module) -> Iterator[str]:
    """Full names of all that is imported anywhere: in functions and for type checkers as well."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are written out in full"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _part(module: str) -> str:
    return module.split(".")[0]


def _own_parts(tree: ast.Module) -> set[str]:
    """The parts of kadr that a module imports; names of the package itself count as ""."""
    names = [name.split(".") for name in _imports(tree) if name.split(".")[0] == "kadr"]
    known = {_part(module) for module in MODULES}
    return {name[1] if len(name) > 1 and name[1] in known else "" for name in names}


@pytest.mark.parametrize("module", [name for name in MODULES if name])
def test_imports_go_downwards_only(module: str) -> None:
    part = _part(module)
    others = _own_parts(MODULES[module]) - {part}
    if part in FRONT_ENDS:
        assert others <= BASE | {""}, "front ends use the public names of kadr itself"
        return
    assert part in ALLOWED, f"say in ALLOWED what {part} may import"
    assert others <= ALLOWED[part]


def test_nothing_below_imports_a_front_end() -> None:
    for module, tree in MODULES.items():
        if _part(module) not in FRONT_ENDS:
            assert not _own_parts(tree) & FRONT_ENDS, module


def test_kernels_know_numpy_and_numba_only() -> None:
    kernels = [name for name in MODULES if name.startswith("synth.kernels")]
    assert len(kernels) > 3
    for module in kernels:
        outside = {
            name.split(".")[0]
            for name in _imports(MODULES[module])
            if not name.startswith("kadr.synth.kernels")
        }
        assert outside <= {"__future__", "collections", "numpy", "numba", "llvmlite", "typing"}


def test_libraries_stay_with_their_owners() -> None:
    below = {name: tree for name, tree in MODULES.items() if _part(name) not in FRONT_ENDS}
    for module, tree in below.items():
        for library in {name.split(".")[0] for name in _imports(tree)} & OWNERS.keys():
            assert _part(module) in OWNERS[library], f"{module} imports {library}"


def test_importing_the_package_is_light() -> None:
    heavy = "numba cv2 av torch onnxruntime ray scipy PIL typer rich"
    code = (
        "import sys, kadr; dir(kadr); kadr.__version__;"
        f"print(*(name for name in {heavy!r}.split() if name in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == []


def test_every_public_name_is_there() -> None:
    for name in kadr.__all__:
        assert getattr(kadr, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        kadr.nonsense  # noqa: B018 - asking is the test
