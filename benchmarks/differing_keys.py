"""Keys that differ as if several hands had painted them: what matching and one style are worth.

    python benchmarks/differing_keys.py CLIP [CLIP …] [--first 0] [--frames 121] [--keys 5]
        [--width 360] [--only ROW …] [--keep FOLDER] [--json FILE]

Each clip is reduced to 360 pixels wide. Its keys, evenly spaced, are a filter with warm colours and
strokes; each but the first has another hue, saturation, brightness and contrast, another layout of
strokes, and its forms moved smoothly by up to four pixels (``_differ``; the seeds are 1, 2, …).
Rows: kadr with keys ``alike``, all painted like the first, which is the reference; kadr with keys
that differ as they are, matched, and in one style, that of the first key; the film itself; the
frames of ``alike`` blurred.

Columns, by kadr.measure: warp error and static flicker, each over the input's; the largest jump;
detail over that of the first key; distance to the style of the first key, colours and texture, over
those of the film's frames to it. The last columns say how much of the gap in warp error, flicker
and jump a row closes: 0 % is kadr with the keys as they are, 100 % kadr with keys alike.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.events import follow
from kadr.core.resize import fit_width
from kadr.core.warp import warp
from kadr.image_files import read_image, write_image
from kadr.measure.frames import KeySource, Pair, measure_frames
from kadr.measure.style_distance import StyleHistogram
from kadr.measure.summary import summarize
from kadr.stylize.paint.stylizer import PaintOptions, paint
from kadr.video.clips import open_clip

Image = NDArray[np.uint8]

_KADR = shlex.quote(str(Path(sys.executable).with_name("kadr")))
_FILTER = PaintOptions(strokes=0.0)
_METHODS = {
    "as they are": ["--match-keys", "0"],
    "matched": ["--match-keys", "1"],
    "one style": ["--one-style", "{first}"],
}


@dataclass(frozen=True)
class Row:
    """The measures of one method; see the module docstring."""

    warp: float
    flicker: float
    jump: float
    detail: float
    style_colour: float
    style_texture: float


def main() -> None:
    """Run the benchmark from the command line."""
    arguments = _parse()
    results = {}
    for path in arguments.clips:
        filmed = _frames(path, arguments.first, arguments.frames, arguments.width)
        with tempfile.TemporaryDirectory(prefix="kadr-keys-") as name:
            folder = Path(name) if arguments.keep is None else arguments.keep / _name(path)
            results[_name(path)] = _compare(filmed, folder, arguments)
    if arguments.json:
        content = {
            clip: {name: asdict(row) for name, row in rows.items()}
            for clip, rows in results.items()
        }
        arguments.json.write_text(json.dumps(content, indent=1))


def _compare(filmed: list[Image], folder: Path, arguments: argparse.Namespace) -> dict[str, Row]:
    """Measure and print every row of one clip."""
    numbers = [int(key) for key in np.linspace(0, len(filmed) - 1, arguments.keys).round()]
    plain = {key: _warm(paint(filmed[key], _FILTER, seed=0)) for key in numbers}
    alike = {key: _add_strokes(image, 0) for key, image in plain.items()}
    differing = {key: _differ(plain[key], seed) for seed, key in enumerate(numbers)}
    for index, image in enumerate(filmed):
        write_image(folder / "filmed" / f"{index:05d}.png", image)
    for name, keys in (("alike", alike), ("differing", differing)):
        for key, image in keys.items():
            write_image(folder / name / f"{key:05d}.png", image)
    print(f"{folder.name}: keys {', '.join(map(str, numbers))}")
    print(
        f"{'':<12} {'warp':>6} {'flick':>6} {'jump':>6} {'detail':>6} {'colour':>6} {'textur':>6}"
    )
    reference = numbers[0], differing[numbers[0]]
    rows: dict[str, Row] = {}

    def add(name: str, images: list[Image]) -> None:
        rows[name] = row = _measure(filmed, images, *reference)
        print(f"{name:<12} " + " ".join(f"{value:6.3f}" for value in asdict(row).values()), end="")
        if {"alike", "as they are"} <= rows.keys() and name not in ("alike", "as they are"):
            worst, best = asdict(rows["as they are"]), asdict(rows["alike"])
            closed = [
                (worst[column] - getattr(row, column)) / (worst[column] - best[column])
                for column in ("warp", "flicker", "jump")
            ]
            print("   closed " + " ".join(f"{share:5.0%}" for share in closed), end="")
        print(flush=True)

    made_alike = _run(["--match-keys", "0"], folder, "alike", "alike")
    add("alike", made_alike)
    for name, flags in _METHODS.items():
        if not arguments.only or name in arguments.only or name == "as they are":
            flags = [flag.format(first=numbers[0]) for flag in flags]
            add(name, _run(flags, folder, "differing", name.replace(" ", "-")))
    if not arguments.only:
        add("film", filmed)
        add("blurred", [cv2.GaussianBlur(image, (0, 0), 2.0) for image in made_alike])
    return rows


def _warm(image: Image) -> Image:
    """Colours far from those of the film: more contrast, and warm."""
    lab = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    lab[..., 0] = 55 + (lab[..., 0] - 55) * np.float32(1.15)
    lab += np.array([0, 8, 16], np.float32)
    return _from_lab(lab)


def _from_lab(lab: NDArray[np.float32]) -> Image:
    rgb = np.clip(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), 0, 1) * 255
    image: Image = np.rint(rgb).astype(np.uint8)
    return image


def _differ(image: Image, seed: int) -> Image:
    """A filtered frame as another hand would paint it; seed 0 is the first one's."""
    painted = _add_strokes(image, seed)
    if seed == 0:
        return painted
    random = np.random.default_rng(seed)
    signs = np.where(random.random(4) < 0.5, -1, 1)
    hue, saturation, brightness, contrast = signs * random.uniform(0.6, 1.0, 4)
    lab = cv2.cvtColor(painted.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    angle = np.deg2rad(14.0) * hue
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], np.float32)
    lab[..., 1:] = (lab[..., 1:] @ turn.T) * np.float32(1 + 0.25 * saturation)
    lab[..., 0] = 50 + (lab[..., 0] - 50) * np.float32(1 + 0.12 * contrast)
    lab[..., 0] += np.float32(6.0 * brightness)
    return warp(_from_lab(lab), _shift(image.shape, random))


def _add_strokes(image: Image, seed: int) -> Image:
    """Fine and broad strokes over a painting, light and dark; each seed lays them out anew."""
    random = np.random.default_rng(1000 + seed)
    strokes = np.zeros(image.shape[:2], np.float32)
    for sigma, levels in ((1.0, 6.0), (3.5, 5.0)):
        noise = random.standard_normal(image.shape[:2]).astype(np.float32)
        noise = cv2.GaussianBlur(noise, (0, 0), sigmaX=2 * sigma, sigmaY=sigma)
        strokes += noise * np.float32(levels / noise.std())
    return np.clip(np.rint(image + strokes[..., None]), 0, 255).astype(np.uint8)


def _shift(shape: tuple[int, ...], random: np.random.Generator) -> NDArray[np.float32]:
    """(H, W, 2) a smooth shift of up to four pixels, as nobody draws a form twice alike."""
    noise = random.standard_normal((*shape[:2], 2)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 0.07 * max(shape))
    shift: NDArray[np.float32] = smooth * np.float32(4 / np.abs(smooth).max())
    return shift


def _run(flags: list[str], folder: Path, keys: str, name: str) -> list[Image]:
    """The frames that kadr makes."""
    output = folder / f"out-{name}"
    arguments = [folder / "filmed", "--keys", folder / keys, *flags, "-o", output]
    arguments += ["--work", folder / f"work-{name}", "--overwrite", "--quiet"]
    subprocess.run([*shlex.split(_KADR), "run", *map(str, arguments)], check=True)
    return [read_image(path).astype(np.uint8) for path in sorted(output.glob("*.png"))]


def _measure(filmed: list[Image], output: list[Image], key: int, painted: Image) -> Row:
    """Measure one output against the reference key."""

    def pairs() -> Iterator[Pair]:
        for frame, image in zip(filmed, output, strict=True):
            yield Pair(frame, np.ascontiguousarray(image[..., :3]))

    source = KeySource([key], lambda index: painted, lambda index: filmed[index])
    curves = follow(measure_frames(pairs(), source))
    measures = summarize(curves)
    distances, filmed_distances = (_style_distances(images, painted) for images in (output, filmed))
    warp_error, flicker = curves.output.relative_to(curves.filmed)
    return Row(
        warp=warp_error,
        flicker=float("nan") if flicker is None else flicker,
        jump=measures["jump"].worst or 0.0,
        detail=measures["detail"].ratio or 0.0,
        style_colour=float(distances[:, 0].mean() / filmed_distances[:, 0].mean()),
        style_texture=float(distances[:, 1].mean() / filmed_distances[:, 1].mean()),
    )


def _style_distances(images: list[Image], painted: Image) -> NDArray[np.float64]:
    """(n, 2) distances of colours and of textures of each image to a painting."""
    reference = StyleHistogram.of(painted)
    return np.array([StyleHistogram.of(image).distance(reference) for image in images])


def _frames(path: Path, first: int, count: int, width: int) -> list[Image]:
    with open_clip(path) as clip:
        stop = min(first + count, len(clip))
        return [_reduce(frame.rgb, width) for frame in clip.frames(first, stop)]


def _reduce(image: Image, width: int) -> Image:
    size = fit_width((image.shape[1], image.shape[0]), width)
    reduced: Image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return reduced


def _name(path: Path) -> str:
    return path.parent.name if path.stem == "src" else path.stem


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--first", type=int, default=0, help="the first frame of a clip")
    parser.add_argument("--frames", type=int, default=121, help="how many frames of a clip")
    parser.add_argument("--keys", type=int, default=5)
    parser.add_argument("--width", type=int, default=360)
    parser.add_argument("--only", nargs="*", choices=list(_METHODS), default=[])
    parser.add_argument("--keep", type=Path, help="keep the keys and outputs in this folder")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
