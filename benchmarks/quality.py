"""Compare restyled clips with each other and with a plain warp of the keys, by ``kadr.measure``.

    python benchmarks/quality.py INPUT KEYS OUTPUT [OUTPUT …] [--warp] [--json FILE]

One row for each OUTPUT (a video or a folder of images), with ratios: warp error and flicker to
those of the input, detail and structure to those of the keys (mean, worst frame; for structure also
the worst key), the largest jump, and keys that the output contains exactly. benchmarks/README.md
says what they mean; ``kadr measure`` shows all measures of one output.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.events import follow
from kadr.core.warp import sample, warp
from kadr.guides.flow import estimate_flow, gray
from kadr.guides.transport import identity
from kadr.image_files import read_image
from kadr.measure.frames import KeySource, Pair, measure_frames
from kadr.measure.summary import summarize
from kadr.stylize.external import find_keys
from kadr.video.clips import open_clip

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class Row:
    """The results for one output; see the module docstring."""

    warp: float
    flicker: float
    detail: float
    detail_worst: float
    structure: float
    structure_worst: float
    structure_key: float
    jump: float
    keys: str
    worst_frames: dict[str, int | None]


def measure(inputs: Path, keys: dict[int, Image], outputs: Iterator[Image]) -> Row:
    """Measure input and output in a single pass."""
    with open_clip(inputs) as clip:
        pairs = (
            Pair(frame.rgb, np.ascontiguousarray(output[..., :3]))
            for frame, output in zip(clip.frames(), outputs, strict=True)
        )
        source = KeySource(
            sorted(keys), lambda index: keys[index][..., :3], lambda index: clip.frame(index).rgb
        )
        curves = follow(measure_frames(pairs, source))
    measures = summarize(curves)
    warp_error, flicker = curves.output.relative_to(curves.filmed)
    detail, structure, jump = (measures[name] for name in ("detail", "structure", "jump"))
    return Row(
        warp=warp_error,
        flicker=float("nan") if flicker is None else flicker,
        detail=detail.ratio or 0.0,
        detail_worst=detail.worst_ratio or 0.0,
        structure=structure.ratio or 0.0,
        structure_worst=structure.worst_ratio or 0.0,
        structure_key=min(curves.key_structure) / float(np.mean(curves.key_structure)),
        jump=jump.worst or 0.0,
        keys=f"{curves.exact_keys}/{len(keys)}",
        worst_frames={
            measure.name: measure.worst_position for measure in (detail, structure, jump)
        },
    )


def warp_nearest(inputs: Path, keys: dict[int, Image]) -> Iterator[Image]:
    """The plain baseline: each frame is the nearest key warped by the composed flow."""
    with open_clip(inputs) as clip:
        sorted_keys = sorted(keys)
        for position, key in enumerate(sorted_keys):
            start = 0 if position == 0 else (sorted_keys[position - 1] + key) // 2 + 1
            last = position == len(sorted_keys) - 1
            stop = len(clip) if last else (key + sorted_keys[position + 1]) // 2 + 1
            backward = list(_warp_along(clip.frames_backward(start, key + 1), keys[key]))
            yield from reversed(backward)
            yield keys[key][..., :3]
            yield from _warp_along(clip.frames(key, stop), keys[key])


def _warp_along(frames: Iterator, style: Image) -> Iterator[Image]:
    previous = gray(next(frames).image)
    transport = identity(*previous.shape)
    for frame in frames:
        current = gray(frame.image)
        transport = warp(transport, estimate_flow(current, previous))
        yield sample(style[..., :3], transport, interpolation=cv2.INTER_CUBIC)
        previous = current


def _images(path: Path) -> Iterator[Image]:
    with open_clip(path) as clip:
        for frame in clip.frames():
            yield frame.image


def main() -> None:
    """Measure each output and print one row for it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("input", type=Path)
    parser.add_argument("keys", type=Path)
    parser.add_argument("outputs", type=Path, nargs="*")
    parser.add_argument("--warp", action="store_true", help="also measure the plain warp")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    with open_clip(args.input) as clip:
        files = find_keys((args.keys,), clip)
    keys = {file.index: read_image(file.path) for file in files}
    runs = [(str(path), _images(path)) for path in args.outputs]
    if args.warp:
        runs.append(("plain warp", warp_nearest(args.input, keys)))
    print(
        f"{'output':32} warp  flicker detail (worst)   structure (worst, key's)        jump", end=""
    )
    print("        keys")
    rows = {}
    for name, images in runs:
        row = measure(args.input, keys, images)
        rows[name] = asdict(row)
        print(
            f"{name[-32:]:32} {row.warp:.3f} {row.flicker:.3f}   "
            f"{row.detail:.3f} ({row.detail_worst:.3f} @{row.worst_frames['detail']})  "
            f"{row.structure:.3f} ({row.structure_worst:.3f} @{row.worst_frames['structure']}, "
            f"key {row.structure_key:.3f})  "
            f"{row.jump:.2f} @{row.worst_frames['jump']:<4} {row.keys}",
            flush=True,
        )
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
