"""Score kadr's deflicker on clips to which a known flicker was added: flicker, warp error, detail.

    python benchmarks/deflicker.py [CLIP …] [--frames 49] [--filter smooth] [--save LOOK] [--json]
    python benchmarks/deflicker.py --memory 100 1000

Each frame is painted by kadr's ``paint`` without single strokes, which is the same for the same
frame; then a seeded flicker is added: brightness and hue of the whole frame, of regions, and stroke
noise, new in each frame. ``--filter strokes`` paints single strokes at random places in each frame
instead of the noise. The baseline is the mean of eleven frames along the plain optical flow.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np

from _methods import Image
from _processes import measure
from kadr.core.events import follow
from kadr.core.resize import shrink_to_side
from kadr.core.seeds import derive_seed
from kadr.core.warp import grid, sample
from kadr.deflicker.make import deflicker
from kadr.deflicker.options import DeflickerOptions
from kadr.guides.flow import estimate_flow, gray
from kadr.image_files import read_image, write_image
from kadr.measure.frames import Pair, measure_frames
from kadr.measure.inputs import MeasureInputs
from kadr.stylize.paint.stylizer import PaintOptions, paint
from kadr.video.clip_source import ClipSource
from kadr.video.clips import open_clip

_CLIPS = ("tokenflow_wolf/src.mp4", "rerender_man/src.mp4")
_MOST_FLICKER, _LEAST_DETAIL = 1.2, 0.95
_MOST_GROWTH = 1.05
_REACH = 5
"""Frames before and after a frame that the baseline averages it with."""
_GLOBAL_LEVELS, _HUE_LEVELS = 7.0, 5.0
"""Standard deviation of the brightness of a frame, and of each of its channels."""
_REGION_LEVELS, _REGIONS = 6.0, (5, 7)
_NOISE_LEVELS, _NOISE_SIGMA = 4.0, 1.0
"""Standard deviation of the stroke noise, and the blur in pixels that gives it a stroke's width."""


@dataclass(frozen=True)
class Score:
    """One row. flicker, warp: divided by those of the film. detail: by that of the flickering clip.

    seconds: CPU seconds a frame.
    """

    clip: str
    row: str
    flicker: float
    warp: float
    detail: float
    seconds: float


def main() -> int:
    """Run the benchmark from the command line; 1 if kadr does not reach the limits."""
    arguments = _parse()
    if arguments.memory:
        return _compare_memory(arguments.memory)
    scores: list[Score] = []
    for path in arguments.clips:
        filmed = _frames(path, arguments.frames, arguments.side)
        flickering = [
            _flickering(image, index, arguments.filter) for index, image in enumerate(filmed)
        ]
        rows: dict[str, tuple[Sequence[Image], float]] = {
            "film": (filmed, 0.0),
            "flickering": (flickering, 0.0),
        }
        start = time.process_time()
        rows["flow average"] = (_average_along_flow(flickering, filmed), 0.0)
        rows["flow average"] = (rows["flow average"][0], _seconds(start, filmed))
        start = time.process_time()
        rows["kadr"] = (_by_kadr(filmed, flickering), 0.0)
        rows["kadr"] = (rows["kadr"][0], _seconds(start, filmed))
        scores += _scores(_name(path), filmed, rows)
        if arguments.save is not None:
            for row, (images, _) in rows.items():
                for index, image in enumerate(images):
                    folder = arguments.save / _name(path) / row.replace(" ", "-")
                    write_image(folder / f"{index:05d}.png", image)
    passed = all(_passes(score, scores) for score in scores if score.row == "kadr")
    if arguments.json:
        print(json.dumps({"scores": [asdict(score) for score in scores], "passed": passed}))
    else:
        _print(scores)
        print(
            f"{'yes' if passed else 'NO':<4}flicker ≤ {_MOST_FLICKER}, detail ≥ {_LEAST_DETAIL}, "
            "both better than the average along the flow"
        )
    return 0 if passed else 1


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    folder = os.environ.get("KADR_TEST_CLIPS")
    clips = [] if folder is None else [Path(folder) / name for name in _CLIPS]
    parser.add_argument("clips", nargs="*", type=Path, default=clips, help="$KADR_TEST_CLIPS's two")
    parser.add_argument("--frames", type=int, default=49, help="the most frames of a clip")
    parser.add_argument("--side", type=int, default=400, help="longest side in pixels")
    parser.add_argument("--filter", choices=("smooth", "strokes"), default="smooth")
    parser.add_argument("--json", action="store_true", help="print JSON only")
    parser.add_argument(
        "--memory", type=int, nargs=2, metavar=("A", "B"),
        help="instead, compare the peak memory of A and B generated frames",
    )  # fmt: skip
    parser.add_argument("--save", type=Path, help="folder for all frames")
    arguments = parser.parse_args()
    if not arguments.clips and not arguments.memory:
        parser.error("give a clip, or set KADR_TEST_CLIPS")
    return arguments


def _compare_memory(counts: Sequence[int]) -> int:
    """Peak memory of the command with generated clips; 1 if it grows with the number of frames."""
    rng = np.random.default_rng(3)
    noise = cv2.GaussianBlur(rng.standard_normal((100, 260, 3)).astype(np.float32), (0, 0), 2)
    texture = np.clip(128 + 300 * noise, 0, 255).astype(np.uint8)
    peaks = []
    with tempfile.TemporaryDirectory(prefix="kadr-deflicker-") as name:
        folder = Path(name)
        for index in range(max(counts)):
            left = round(50 + 49 * np.sin(index / 20))
            image = np.ascontiguousarray(texture[:90, left : left + 160])
            write_image(folder / "filmed" / f"{index:05d}.png", image)
            write_image(folder / "styled" / f"{index:05d}.png", _flickering(image, index, "smooth"))
        for count in counts:
            paths = []
            for part in ("filmed", "styled"):
                paths.append(folder / f"{part}-{count}")
                paths[-1].mkdir()
                for index in range(count):
                    file = f"{index:05d}.png"
                    os.link(folder / part / file, paths[-1] / file)
            command = [
                sys.executable,
                "-m",
                "kadr",
                "deflicker",
                str(paths[1]),
                "--quiet",
                "--window",
                "8",
            ]
            peak = measure([*command, "--clip", str(paths[0]), "-o", str(folder / f"{count}.mp4")])
            peaks.append(peak.resident)
            print(f"{count:5d} frames: peak {peak.resident / 2**20:.0f} MiB, {peak.seconds:.0f} s")
    ratio = peaks[1] / peaks[0]
    print(f"{'yes' if ratio <= _MOST_GROWTH else 'NO':<4}ratio {ratio:.3f} ≤ {_MOST_GROWTH}")
    return 0 if ratio <= _MOST_GROWTH else 1


def _frames(path: Path, count: int, side: int) -> list[Image]:
    with open_clip(path) as clip:
        return [
            shrink_to_side(frame.rgb, side).copy()
            for frame in clip.frames(0, min(count, len(clip)))
        ]


def _flickering(image: Image, index: int, style: str) -> Image:
    """A frame painted, with the flicker of its index."""
    rng = np.random.default_rng(derive_seed(7, "flicker", index))
    height, width = image.shape[:2]
    strokes = 0.7 if style == "strokes" else 0.0
    seed = derive_seed(0, "paint", index)
    painted = paint(image, PaintOptions(strokes=strokes), seed=seed).astype(np.float32)
    tint = rng.normal(0, _HUE_LEVELS, 3) + rng.normal(0, _GLOBAL_LEVELS)
    regions = rng.normal(0, _REGION_LEVELS, (*_REGIONS, 3)) + rng.normal(
        0, _REGION_LEVELS, (*_REGIONS, 1)
    )
    painted += tint.astype(np.float32)
    painted += cv2.resize(
        regions.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC
    )
    if style == "smooth":
        noise = rng.standard_normal((height, width)).astype(np.float32)
        noise = cv2.GaussianBlur(noise, (0, 0), _NOISE_SIGMA)
        painted += (noise * (_NOISE_LEVELS / noise.std()))[..., None]
    return np.clip(np.rint(painted), 0, 255).astype(np.uint8)


def _average_along_flow(styled: Sequence[Image], filmed: Sequence[Image]) -> list[Image]:
    """Each frame averaged with those around it, warped by the composed optical flow of the film."""
    lumas = [gray(image) for image in filmed]
    count, last = len(lumas), len(lumas) - 1
    forward = [estimate_flow(lumas[i], lumas[i + 1]) for i in range(last)]
    backward = [estimate_flow(lumas[i + 1], lumas[i]) for i in range(last)]
    averages = []
    for index in range(count):
        total, number = styled[index].astype(np.float32), 1
        for step in (1, -1):
            positions = grid(*lumas[index].shape)
            for other in range(index + step, index + step * (_REACH + 1), step):
                if not 0 <= other < count:
                    break
                flow = forward[other - 1] if step > 0 else backward[other]
                positions = positions + sample(flow, positions)
                total += sample(styled[other], positions)
                number += 1
        averages.append(np.rint(total / number).astype(np.uint8))
    return averages


def _by_kadr(filmed: Sequence[Image], styled: Sequence[Image]) -> list[Image]:
    """From files to files, as a user runs it."""
    with tempfile.TemporaryDirectory(prefix="kadr-deflicker-") as name:
        folder = Path(name)
        for index, (image, restyled) in enumerate(zip(filmed, styled, strict=True)):
            write_image(folder / "filmed" / f"{index:05d}.png", image)
            write_image(folder / "styled" / f"{index:05d}.png", restyled)
        inputs = MeasureInputs(ClipSource(str(folder / "filmed")), folder / "styled")
        follow(deflicker(inputs, folder / "out", DeflickerOptions()))
        return [read_image(path).astype(np.uint8) for path in sorted((folder / "out").iterdir())]


def _scores(
    clip: str, filmed: Sequence[Image], rows: dict[str, tuple[Sequence[Image], float]]
) -> list[Score]:
    scores = []
    detail = 0.0
    for row, (images, seconds) in rows.items():
        pairs = (Pair(frame, image) for frame, image in zip(filmed, images, strict=True))
        curves = follow(measure_frames(pairs))
        warp, flicker = curves.output.relative_to(curves.filmed)
        own = float(np.mean([value or 0.0 for value in curves.detail]))
        if row == "flickering":
            detail = own
        scores.append(Score(clip, row, flicker or 0.0, warp, own, seconds))
    return [Score(**{**asdict(score), "detail": score.detail / detail}) for score in scores]


def _passes(score: Score, scores: Sequence[Score]) -> bool:
    plain = next(s for s in scores if s.clip == score.clip and s.row == "flow average")
    return (
        score.flicker <= _MOST_FLICKER
        and score.detail >= _LEAST_DETAIL
        and score.flicker < plain.flicker
        and score.detail > plain.detail
    )


def _seconds(start: float, filmed: Sequence[Image]) -> float:
    return (time.process_time() - start) / len(filmed)


def _name(path: Path) -> str:
    return path.parent.name if path.stem == "src" else path.stem


def _print(scores: Sequence[Score]) -> None:
    print(f"{'clip':<20}{'row':<14}{'flicker':>8}{'warp':>8}{'detail':>8}{'CPU s':>8}")
    for score in scores:
        print(
            f"{score.clip:<20}{score.row:<14}{score.flicker:>8.2f}{score.warp:>8.2f}"
            f"{score.detail:>8.2f}{score.seconds:>8.2f}"
        )


if __name__ == "__main__":
    sys.exit(main())
