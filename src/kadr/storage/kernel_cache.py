"""Give Numba a folder for compiled kernels where it has none that can be written."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from kadr.errors import OutputError
from kadr.storage.cache import cache_root, is_writable

VARIABLE = "NUMBA_CACHE_DIR"


def prepare_kernel_cache() -> str:
    """Let compiled kernels be kept; call it before any kernel is imported, workers inherit it.

    Numba keeps them beside their source, or in its own cache folder; without either it refuses to
    compile at all. Then kadr's cache folder is used. Returns a notice about it, or "".
    """
    package = Path(__file__).parents[1]
    folders = [package, Path(platformdirs.user_cache_dir("numba", appauthor=False))]
    if os.environ.get(VARIABLE):
        folders.insert(0, Path(os.environ[VARIABLE]))
    if any(map(is_writable, folders)):
        return ""
    try:
        folder = cache_root() / "kernels"
    except OutputError:  # Numba says so when it is needed
        return ""
    os.environ[VARIABLE] = str(folder)
    return (
        f"{folders[0]}: compiled kernels cannot be kept here; they are kept in {folder}, or in the "
        f"folder that {VARIABLE} names"
    )
