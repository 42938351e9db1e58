"""Measure the memory of a process together with all its descendants (Linux)."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_KIB = 1024


@dataclass(frozen=True)
class Peak:
    """Peak memory in bytes, all processes together.

    shared: shared pages count once (PSS), sampled. resident: the kernel's record of each process
    (VmHWM), summed; it misses no peak between samples, but counts shared pages several times.
    seconds: duration of the program.
    """

    shared: int
    resident: int
    processes: int
    seconds: float


def measure(command: list[str], *, every: float = 0.02) -> Peak:
    """Run a command and sample its memory every ``every`` seconds. Raises CalledProcessError."""
    start_time = time.perf_counter()
    highest: dict[int, int] = {}
    peak = max_processes = 0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            tree = process_tree(process.pid)
            peak = max(peak, sum(proportional_memory(process_id) for process_id in tree))
            max_processes = max(max_processes, len(tree))
            for process_id in tree:
                highest[process_id] = max(highest.get(process_id, 0), peak_memory(process_id))
            time.sleep(every)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Peak(peak, sum(highest.values()), max_processes, time.perf_counter() - start_time)


def process_tree(root: int) -> list[int]:
    """A process and its living descendants."""
    children: dict[int, list[int]] = {}
    for folder in _PROC.iterdir():
        if folder.name.isdigit():
            parent = _parent(int(folder.name))
            children.setdefault(parent, []).append(int(folder.name))
    tree, pending = [], [root]
    while pending:
        process_id = pending.pop()
        tree.append(process_id)
        pending += children.get(process_id, [])
    return tree


def proportional_memory(process: int) -> int:
    """Resident bytes of a process, with its part of shared pages; 0 if it has ended."""
    return _field(process, "smaps_rollup", "Pss:")


def peak_memory(process: int) -> int:
    """Peak resident bytes of a process so far; 0 if it has ended."""
    return _field(process, "status", "VmHWM:")


def _field(process: int, file: str, name: str) -> int:
    for line in _read(process, file).splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * _KIB
    return 0


def _parent(process: int) -> int:
    text = _read(process, "stat")
    # the program name is in brackets and may contain spaces and brackets
    return int(text.rpartition(")")[2].split()[1]) if text else -1


def _read(process: int, file: str) -> str:
    try:
        return (_PROC / str(process) / file).read_text()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return ""
