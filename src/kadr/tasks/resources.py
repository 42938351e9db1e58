"""Threads and memory that a task may use on this machine."""

from __future__ import annotations

import contextlib
import ctypes
import sys
from collections.abc import Iterator
from pathlib import Path

from kadr.core.row_bands import limit_threads

_MEMINFO = Path("/proc/meminfo")
_CGROUP = Path("/sys/fs/cgroup")


def use_threads(count: int) -> None:
    """Let kernels and OpenCV use at most ``count`` threads from now on."""
    import cv2

    limit_threads(count)
    cv2.setNumThreads(count)


@contextlib.contextmanager
def limited_threads(count: int) -> Iterator[None]:
    """``use_threads`` within the block; afterwards the limits are restored."""
    import cv2

    limit, threads = limit_threads(count), cv2.getNumThreads()
    cv2.setNumThreads(count)
    try:
        yield
    finally:
        limit_threads(limit)
        cv2.setNumThreads(threads)


def free_memory() -> int | None:
    """Bytes available now without swapping; None if the system does not tell."""
    if sys.platform == "win32":
        return _free_on_windows()
    try:
        lines = _MEMINFO.read_text().splitlines()
        fields = dict(line.split(":", 1) for line in lines)
        free = int(fields["MemAvailable"].split()[0]) << 10
    except (OSError, KeyError, ValueError, IndexError):
        return None
    left = _left_in_container(_CGROUP)
    return free if left is None else min(free, left)


def _left_in_container(folder: Path) -> int | None:
    """What a container's limit (cgroup version 2) leaves; None without a limit."""
    try:
        limit = int((folder / "memory.max").read_text())
        used = int((folder / "memory.current").read_text())
        stat = (folder / "memory.stat").read_text().split()
        # the system frees these pages of files when memory is needed
        cached = int(stat[stat.index("inactive_file") + 1])
    except (OSError, ValueError, IndexError):
        return None
    return max(0, limit - used + cached)


def _free_on_windows() -> int | None:
    class _Status(ctypes.Structure):
        """MEMORYSTATUSEX of the Windows API."""

        _fields_ = (
            ("length", ctypes.c_ulong),
            ("load", ctypes.c_ulong),
            *((name, ctypes.c_ulonglong) for name in ("total", "available")),
            *((f"other{i}", ctypes.c_ulonglong) for i in range(5)),
        )

    status = _Status(length=ctypes.sizeof(_Status))
    api = getattr(ctypes, "windll", None)
    if api is None or not api.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)):
        return None
    return int(status.available)
