"""Who may import whom, read from the source itself, and what ``import kadr`` loads."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import kadr

ROOT = Path(kadr.__file__).parent
BASE = "errors core option_fields options files frame_names image_files unused_files"

IMPORTS = {
    # part          what it may import: only parts that stand above it
    "errors":        "",
    "core":          "errors",
    "option_fields": "errors core",
    "options":       "errors core option_fields",
    "files":         "errors core",
    "frame_names":   "errors",
    "image_files":   "errors core files",
    "unused_files":  "core files image_files",
    # how results are stored and how tasks run; neither knows what is made
    "storage":       BASE,
    "tasks":         BASE,
    "remote":        f"{BASE} storage",
    # the stages of a run
    "video":         f"{BASE} storage remote",
    "guides":        BASE,
    "synth":         BASE,
    "finish":        f"{BASE} guides",
    "blend":         BASE,
    "composite":     BASE,
    "match":         f"{BASE} guides blend",
    "stylize":       f"{BASE} storage remote",
    "plan":          f"{BASE} storage guides video",
    "propagate":     f"{BASE} guides synth",
    # where the stages come together
    "project":       f"{BASE} storage remote stylize video",
    "exchange":      f"{BASE} stylize video plan project",
    "report":        BASE,
    "render":        f"{BASE} storage tasks remote video guides stylize plan propagate finish "
                     "blend composite match report",
    "measure":       f"{BASE} guides stylize video report",
    "matte":         f"{BASE} storage guides stylize video",
    "deflicker":     f"{BASE} tasks guides finish blend video measure",
    # the public operations
    "pipeline":      f"{BASE} report render deflicker",
    "preview":       f"{BASE} storage tasks propagate render",
    "dry_run":       f"{BASE} storage report render",
    "layers":        f"{BASE} storage composite report render pipeline dry_run preview",
    "compare":       f"{BASE} storage guides video render measure pipeline",
    "seed_grid":     f"{BASE} stylize video render",
}  # fmt: skip
"""Part of the package → the other parts that it may import. Front ends may import all of them."""

FRONT_ENDS = {"cli", "studio", "__main__"}

LIBRARIES = {
    "av":           "video",
    "PIL":          "core image_files stylize video",
    "numba":        "blend core finish guides stylize synth tasks",
    "llvmlite":     "core finish synth",
    "scenedetect":  "plan",
    "tomlkit":      "project",
    "platformdirs": "storage",
    "filelock":     "storage",
    "isal":         "core",
    "torch":        "stylize",
    "diffusers":    "stylize",
    "onnxruntime":  "stylize",
    "ray":          "tasks",
    "fsspec":       "remote",
    "s3fs":         "",
    "aiohttp":      "",
    "botocore":     "",
    "httpx":        "stylize",
    "websockets":   "stylize",
    "typer":        "",
    "rich":         "",
}  # fmt: skip
"""Library → the parts below the front ends that may import it: to replace one, change its owner."""

MOST_PUBLIC_NAMES = 40


def _modules() -> Iterator[tuple[str, ast.Module]]:
    """Every module of the package by its dotted name below ``kadr``, parsed."""
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(part for part in parts if part != "__init__")
        yield name, ast.parse(path.read_text(encoding="utf-8"), str(path))


MODULES = dict(_modules())


def _imports(tree: ast.Module) -> Iterator[str]:
    """Full names of all imports, also of those in functions and for type checkers."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are written out in full"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _imported_modules(tree: ast.Module) -> set[str]:
    """Names of the modules of kadr that a module imports at its top level."""
    imported = set()
    for node in tree.body:
        for name in _imports(ast.Module([node], [])) if _is_import(node) else ():
            module = name.removeprefix("kadr.")
            while module and module not in MODULES:
                module = module.rpartition(".")[0]
            imported.add(module)
    return imported - {""}


def _is_import(node: ast.stmt) -> bool:
    return isinstance(node, (ast.Import, ast.ImportFrom))


def _part(module: str) -> str:
    return module.split(".")[0]


def _own_parts(tree: ast.Module) -> set[str]:
    """The parts of kadr that a module imports; names of the package itself count as ""."""
    names = [name.split(".") for name in _imports(tree) if name.split(".")[0] == "kadr"]
    parts = {_part(module) for module in MODULES}
    return {name[1] if len(name) > 1 and name[1] in parts else "" for name in names}


@pytest.mark.parametrize("module", [name for name in MODULES if name])
def test_a_module_imports_what_the_table_allows(module: str) -> None:
    part = _part(module)
    if part in FRONT_ENDS:
        return
    assert part in IMPORTS, f"say in IMPORTS what {part} may import"
    assert _own_parts(MODULES[module]) - {part} <= set(IMPORTS[part].split())


def test_parts_import_only_parts_above_them() -> None:
    above: set[str] = set()
    for part, allowed in IMPORTS.items():
        assert set(allowed.split()) <= above, f"{part}: may import only parts above it"
        above.add(part)


def test_the_table_allows_no_more_than_is_used() -> None:
    for part, allowed in IMPORTS.items():
        used = [_own_parts(tree) for name, tree in MODULES.items() if _part(name) == part]
        assert set(allowed.split()) - set(BASE.split()) <= set().union(*used), part


def test_no_import_cycles_between_modules() -> None:
    graph = {name: _imported_modules(tree) - {name} for name, tree in MODULES.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"import cycle: {' → '.join(error.args[1])}")


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
        for library in {name.split(".")[0] for name in _imports(tree)} & LIBRARIES.keys():
            assert _part(module) in LIBRARIES[library].split(), f"{module} imports {library}"


def test_one_function_opens_the_clip_of_a_run() -> None:
    for path in ROOT.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"open_clip\(\s*\w*options\.clip\b", text), f"{path}: use ClipSource"


def test_importing_the_package_is_light() -> None:
    heavy = "numba cv2 av torch onnxruntime ray scipy PIL typer rich httpx websockets fsspec s3fs"
    code = (
        "import sys, kadr; dir(kadr); kadr.__version__;"
        f"print(*(name for name in {heavy!r}.split() if name in sys.modules))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert result.stdout.split() == []


def test_few_names_are_public() -> None:
    names = [name for name in dir(kadr) if not name.startswith("_")]
    assert len(names) <= MOST_PUBLIC_NAMES


def test_every_public_name_exists() -> None:
    for name in kadr.__all__:
        assert getattr(kadr, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        kadr.nonsense  # noqa: B018 - the access is the test
