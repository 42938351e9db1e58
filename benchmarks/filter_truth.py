"""Compare runs with a filter that is known for every frame: PSNR of each preset, of other kadrs.

    python benchmarks/filter_truth.py CLIP [CLIP …] [--keys 10] [--frames 120] [--detail medium …]
        [--other NAME=COMMAND]

The truth is kadr's ``paint`` without its single strokes, which are random in each frame, applied to
every frame. Its paintings of some frames, evenly spaced, are the keys; the rows are the presets of
``--detail``, the nearest key warped by the plain flow, and for ``--other`` the command line of
another version of kadr, such as ``old="env PYTHONPATH=../old/src kadr"``. PSNR in dB over
the frames that are not keys: their mean and the worst frame; CPU seconds of the whole process.
"""

from __future__ import annotations

import argparse
import resource
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from _methods import Image, run_warp
from kadr.image_files import read_image, write_image
from kadr.measure.psnr import peak_signal_to_noise
from kadr.options import DETAIL, detail_options
from kadr.stylize.paint.stylizer import PaintOptions, paint
from kadr.video.clips import open_clip

_THIS_KADR = shlex.quote(str(Path(sys.executable).with_name("kadr")))


def main() -> None:
    """Run the benchmark from the command line."""
    arguments = _parse()
    others = dict(other.split("=", 1) for other in arguments.other)
    print(f"{'clip':<26} {'method':<12} {'mean':>6} {'worst':>6} {'frame':>6} {'CPU s':>7}")
    for path in arguments.clips:
        filmed = _frames(path, arguments.frames)
        truth = [paint(image, PaintOptions(strokes=0.0), seed=0) for image in filmed]
        keys = {int(key) for key in np.linspace(0, len(filmed) - 1, arguments.keys).round()}
        with tempfile.TemporaryDirectory(prefix="kadr-filter-") as name:
            folder = Path(name)
            for index, image in enumerate(filmed):
                write_image(folder / "filmed" / f"{index:05d}.png", image)
            for key in keys:
                write_image(folder / "keys" / f"{key:05d}.png", truth[key])
            for method in [*others, "plain warp", *arguments.detail]:
                start = _cpu_seconds()
                if method == "plain warp":
                    styled = run_warp(
                        filmed, {key: truth[key] for key in keys}, detail_options("medium")
                    )
                elif method in others:
                    styled = _run(others[method], folder, method, "medium")
                else:
                    styled = _run(_THIS_KADR, folder, method, method)
                seconds = _cpu_seconds() - start
                scores = {
                    index: peak_signal_to_noise(image, truth[index])
                    for index, image in enumerate(styled)
                    if index not in keys
                }
                worst = min(scores, key=lambda index: scores[index])
                print(
                    f"{_name(path):<26} {method:<12} {np.mean(list(scores.values())):6.2f} "
                    f"{scores[worst]:6.2f} {worst:6} {seconds:7.1f}",
                    flush=True,
                )


def _run(command: str, folder: Path, name: str, detail: str) -> list[Image]:
    """The frames that a command line of kadr makes, all of them."""
    output = folder / f"out-{name}"
    inputs = [folder / "filmed", "--keys", folder / "keys", "--detail", detail]
    outputs = ["-o", output, "--work", folder / f"work-{name}"]  # nothing of another method
    arguments = map(str, (*inputs, *outputs))
    subprocess.run([*shlex.split(command), "run", *arguments, "--quiet"], check=True)
    return [read_image(path).astype(np.uint8) for path in sorted(output.glob("*.png"))]


def _frames(path: Path, count: int) -> list[Image]:
    with open_clip(path) as clip:
        return [frame.rgb.copy() for frame in clip.frames(0, min(count, len(clip)))]


def _cpu_seconds() -> float:
    """Of this process and those that it has waited for."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _name(path: Path) -> str:
    return path.parent.name if path.stem == "src" else path.stem


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--keys", type=int, default=10)
    parser.add_argument("--frames", type=int, default=120, help="the most frames of a clip")
    parser.add_argument("--detail", nargs="*", choices=list(DETAIL), default=list(DETAIL))
    parser.add_argument("--other", action="append", default=[], metavar="NAME=COMMAND")
    return parser.parse_args()


if __name__ == "__main__":
    main()
