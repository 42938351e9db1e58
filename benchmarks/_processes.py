"""A process id in, the memory that it and all its descendants hold together out (Linux)."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_KIB = 1024


@dataclass(frozen=True)
class Peak:
    """Most memory held at one moment, in bytes, all processes together.

    shared: pages that several processes share count once (PSS), sampled. resident: the kernel's
    own record of each process (VmHWM), summed; no peak between samples is missed, but shared
    pages count several times. seconds: how long the program ran.
    """

    shared: int
    resident: int
    processes: int
    seconds: float


def measure(command: list[str], *, every: float = 0.02) -> Peak:
    """Run a command to its end, looking every so many seconds. Raises CalledProcessError."""
    began = time.perf_counter()
    highest: dict[int, int] = {}
    peak = most = 0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            tree = family(process.pid)
            peak = max(peak, sum(proportional(one) for one in tree))
            most = max(most, len(tree))
            for one in tree:
                highest[one] = max(highest.get(one, 0), high_water(one))
            time.sleep(every)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Peak(peak, sum(highest.values()), most, time.perf_counter() - began)


def family(root: int) -> list[int]:
    """A process and its descendants, those that are alive."""
    children: dict[int, list[int]] = {}
    for folder in _PROC.iterdir():
        if folder.name.isdigit():
            parent = _parent(int(folder.name))
            children.setdefault(parent, []).append(int(folder.name))
    tree, waiting = [], [root]
    while waiting:
        one = waiting.pop()
        tree.append(one)
        waiting += children.get(one, [])
    return tree


def proportional(process: int) -> int:
    """Resident bytes of a process, its share of shared pages; 0 if it has ended."""
    return _field(process, "smaps_rollup", "Pss:")


def high_water(process: int) -> int:
    """Most resident bytes a process has held so far; 0 if it has ended."""
    return _field(process, "status", "VmHWM:")


def _field(process: int, file: str, name: str) -> int:
    for line in _read(process, file).splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * _KIB
    return 0


def _parent(process: int) -> int:
    text = _read(process, "stat")
    # the program's name stands in brackets and may hold spaces and brackets of its own
    return int(text.rpartition(")")[2].split()[1]) if text else -1


def _read(process: int, file: str) -> str:
    try:
        return (_PROC / str(process) / file).read_text()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return ""
