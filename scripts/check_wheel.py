"""Restyle a small generated clip with the installed kadr; fail if that does not work.

A release runs this in an environment that holds the wheel and nothing else.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

import kadr

FRAME_COUNT = 12


def main() -> None:
    """Write a clip, run the command line on it, and open the result."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip, painted = folder / "clip.mp4", folder / "painted.mp4"
        write_clip(clip)
        command = [sys.executable, "-m", "kadr.cli.main", "run", str(clip), "--stylizer", "paint"]
        command += ["--keys-budget", "2", "-o", str(painted), "--work", str(folder / "work")]
        subprocess.run(command, check=True)
        with kadr.open_clip(painted) as result:
            if len(result) != FRAME_COUNT:
                sys.exit(f"{painted}: {len(result)} frames, expected {FRAME_COUNT}")
    print(f"kadr {kadr.__version__} from {Path(kadr.__file__).parent} restyles a clip")


def write_clip(path: Path) -> None:
    """A texture that moves one pixel a frame."""
    y, x = np.mgrid[:96, :128].astype(np.float64)
    with kadr.create_clip(path, like=None) as writer:
        for index in range(FRAME_COUNT):
            waves = (np.sin((x - index) / 9), np.cos(y / 7), np.sin((x + y - index) / 11))
            image = np.stack([127 + 90 * wave for wave in waves], axis=2)
            writer.write(kadr.Frame(index, image.astype(np.uint8)))


if __name__ == "__main__":
    main()
