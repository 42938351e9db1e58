"""The memory of a process and its children, measured on programs with a known amount."""

from __future__ import annotations

import subprocess
import sys

import pytest

from _processes import measure, process_tree

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

MIB = 2**20
HOLD = "import time; held = bytearray(b'x') * ({} << 20); time.sleep(0.6)"


def test_peak_counts_children_too() -> None:
    child_code = HOLD.format(60)
    parent_code = (
        "import subprocess, sys\n"
        f"child = subprocess.Popen([sys.executable, '-c', {child_code!r}])\n"
        f"{HOLD.format(40)}\n"
        "child.wait()\n"
    )
    baseline = measure([sys.executable, "-c", "import time; time.sleep(0.3)"])
    peak = measure([sys.executable, "-c", parent_code])
    assert baseline.processes == 1
    assert peak.processes == 2
    assert 100 * MIB < peak.shared < 100 * MIB + 3 * baseline.shared + 10 * MIB
    assert peak.resident >= peak.shared
    assert peak.seconds >= 0.6


def test_a_failure_is_not_a_measurement() -> None:
    with pytest.raises(subprocess.CalledProcessError):
        measure([sys.executable, "-c", "raise SystemExit(3)"])


def test_a_process_that_has_ended_has_no_process_tree() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert process_tree(process.pid) == [process.pid]
