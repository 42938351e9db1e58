"""Compare the peak memory of restyling a short and a long clip: it must not grow.

    python benchmarks/memory.py

Both clips are generated and have a key every 20 frames, so that both runs compute the same for each
frame; only their length differs. Each run is a separate process; the memory of all its child
processes counts. Linux only.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from _processes import Peak, measure
from kadr.core.frames import Frame
from kadr.image_files import write_image
from kadr.options import RunOptions
from kadr.pipeline import restyle
from kadr.video.clips import create_clip, open_clip

_MAX_RATIO = 1.05
_WARM_UP = 8
"""Frames of a first run that is not counted: it compiles the kernels into the cache."""
_RATE = Fraction(25)
_WORKERS = 2
"""Fixed, so that the short clip is processed in parallel like the long one."""


def main() -> None:
    """Run the benchmark from the command line."""
    arguments = _parse()
    if arguments.only is not None:
        _restyle(arguments.only, arguments.threads)
        return
    size = (arguments.width, arguments.height)
    peaks: dict[int, Peak] = {}
    with tempfile.TemporaryDirectory(prefix="kadr-memory-") as folder:
        for count in (_WARM_UP, *arguments.frames):
            job = Path(folder) / str(count)
            _write_job(job, count, arguments.every, size)
            command = [sys.executable, __file__, "--only", str(job)]
            if arguments.threads is not None:
                command += ["--threads", str(arguments.threads)]
            peaks[count] = measure(command)
            if count != _WARM_UP and not arguments.json:
                _print_peak(count, peaks[count])
    short, long = arguments.frames
    shared = peaks[long].shared / peaks[short].shared
    resident = peaks[long].resident / peaks[short].resident
    if arguments.json:
        rows = {count: asdict(peaks[count]) for count in arguments.frames}
        print(json.dumps({"peaks": rows, "ratio": shared, "ratio_resident": resident}, indent=1))
        return
    is_constant = max(shared, resident) <= _MAX_RATIO
    print(f"ratio {shared:.3f} (resident {resident:.3f})")
    print(f"{'yes' if is_constant else 'NO ':<4}{long} frames within 5 % of the peak of {short}")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--frames", type=int, nargs=2, default=(100, 1000), metavar=("A", "B"))
    parser.add_argument("--every", type=int, default=20, help="frames between keys")
    parser.add_argument("--width", type=int, default=320)
    parser.add_argument("--height", type=int, default=180)
    parser.add_argument("--threads", type=int, help="number of cores for kadr")
    parser.add_argument("--json", action="store_true", help="print JSON only")
    parser.add_argument("--only", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if min(arguments.frames) < 2 or arguments.every < 1:
        parser.error("--frames and --every: expected at least 2 frames and a key every 1 or more")
    return arguments


def _restyle(folder: Path, threads: int | None) -> None:
    """Run in the measured process."""
    restyle(
        RunOptions(
            clip=folder / "clip.mp4",
            output=folder / "styled.mp4",
            keys=(folder / "keys",),
            threads=threads,
            workers=_WORKERS,
        )
    )


def _write_job(folder: Path, count: int, every: int, size: tuple[int, int]) -> None:
    """Write a clip of moving texture, and a painted key for every n-th frame."""
    texture = _texture(size)
    folder.mkdir()
    path = folder / "clip.mp4"
    like = folder / "like"  # a writer takes its size and rate from an opened clip
    write_image(like / "00000.png", _frame(texture, 0, size))
    with open_clip(like, frame_rate=_RATE) as first, create_clip(path, like=first) as writer:
        for index in range(count):
            image = _frame(texture, index, size)
            writer.write(Frame(index, image, index / _RATE))
            if index % every == 0:
                painted = cv2.medianBlur(255 - image[..., ::-1], 5)
                write_image(folder / "keys" / f"{index:05d}.png", painted)


def _texture(size: tuple[int, int]) -> NDArray[np.uint8]:
    """Coloured noise of several scales, larger than the frame by its motion."""
    rng = np.random.default_rng(3)
    image = np.full((size[1] + 80, size[0] + 80, 3), 128, np.float32)
    for sigma, strength in ((20, 40), (5, 20), (1.5, 12)):
        noise = rng.standard_normal(image.shape).astype(np.float32)
        noise = cv2.GaussianBlur(noise, (0, 0), sigma)
        image += noise / noise.std() * strength
    return np.clip(image, 0, 255).astype(np.uint8)


def _frame(texture: NDArray[np.uint8], index: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    """A window of the texture that moves in a circle, with a disc that moves over it."""
    x, y = 40 + 35 * np.cos(index / 25), 40 + 35 * np.sin(index / 25)
    center = (float(x) + (size[0] - 1) / 2, float(y) + (size[1] - 1) / 2)
    image: NDArray[np.uint8] = cv2.getRectSubPix(texture, size, center)
    disc_center = (int(size[0] * (0.5 + 0.3 * np.sin(index / 17))), size[1] // 2)
    cv2.circle(image, disc_center, size[1] // 6, (210, 120, 60), -1, cv2.LINE_AA)
    return image


def _print_peak(count: int, peak: Peak) -> None:
    plural = "es" if peak.processes > 1 else ""
    print(
        f"{count:5d} frames: peak {peak.shared / 2**20:7.1f} MiB, "
        f"resident {peak.resident / 2**20:7.1f} MiB, {peak.processes} process{plural}, "
        f"{peak.seconds:.0f} s",
        flush=True,
    )


if __name__ == "__main__":
    main()
