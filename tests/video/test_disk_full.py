"""A disk that runs full: one clear line, nothing left behind."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from kadr.core.frames import Frame
from kadr.errors import OutputError
from kadr.video.clips import create_clip


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(disk)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("no small disk can be mounted here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize(
    "name", ["o.mp4", "o.mkv", "o.webm", "o.gif", "o.webp", "folder", "f_%05d.png"]
)
def test_full_disks_are_told_and_left_clean(small_disk: Path, name: str) -> None:
    rng = np.random.default_rng(0)
    frames = [
        Frame(index, rng.integers(0, 255, (128, 128, 3), dtype=np.uint8)) for index in range(40)
    ]

    crf = 1 if name.endswith(("mp4", "mkv", "webm")) else None  # large, where that can be asked

    def write() -> None:
        with create_clip(small_disk / name, like=None, crf=crf) as writer:
            for frame in frames:
                writer.write(frame)

    with pytest.raises(OutputError, match="No space left") as caught:
        write()
    assert str(small_disk) in str(caught.value)
    assert ".kadr-" not in str(caught.value)
    assert list(small_disk.iterdir()) == []
