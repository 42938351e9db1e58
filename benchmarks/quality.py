"""Measure a restyled clip against its input and its keys: numbers that must be good together.

    python benchmarks/quality.py INPUT KEYS OUTPUT [OUTPUT …] [--json FILE]

For each OUTPUT (a video or a folder of images):

- warp: warp error of the output along the optical flow of the input outside occlusions, divided by
  that of the input. Far below 1 means frozen or blurred.
- flicker: mean change of the output where the input is still, divided by that of the input.
- detail: standard deviation of the Laplacian divided by that of the keys, mean and worst frame.
- structure: local normalised correlation (15×15, gray) of output and input, divided by the mean of
  the same for keys and their frames; mean, worst frame, and the worst key: an output that contains
  its keys unchanged cannot be better than that on every frame.
- jump: the largest ratio of frame-to-frame steps of output and input, divided by the median ratio.
- keys: number of key frames that the output contains exactly.

No single number is enough. A plain warp of the nearest key (``--warp``) keeps all detail.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.warp import sample, warp
from kadr.guides.flow import estimate_flow, gray
from kadr.guides.occlusion import find_occlusion
from kadr.guides.transport import identity
from kadr.image_files import read_image
from kadr.stylize.external import find_keys
from kadr.video.clips import open_clip

Plane = NDArray[np.float32]
Image = NDArray[np.uint8]

_WINDOW = (15, 15)
_STILL = 0.25
"""Motion in pixels below which the input counts as still."""


@dataclass
class Curves:
    """Measurements of every frame; ``warp``, ``flicker`` and ``step`` start at frame 1.

    ``flicker`` is a sum over still pixels, so that frames with few of them count little.
    """

    warp: list[float] = field(default_factory=list)
    flicker: list[float] = field(default_factory=list)
    detail: list[float] = field(default_factory=list)
    structure: list[float] = field(default_factory=list)
    step: list[float] = field(default_factory=list)
    exact_keys: int = 0


@dataclass(frozen=True)
class Summary:
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
    worst_frames: dict[str, int]


def measure(inputs: Path, keys: dict[int, Image], outputs: Iterator[Image]) -> Summary:
    """Measure input and output in a single pass."""
    curves, previous, input_curves = Curves(), None, Curves()
    key_detail, key_structure = [], []
    with open_clip(inputs) as clip:
        for frame, output_frame in zip(clip.frames(), outputs, strict=True):
            filmed, output = gray(frame.image), gray(output_frame)
            curves.detail.append(_detail(output))
            curves.structure.append(_correlation(output, filmed))
            if frame.index in keys:
                key = gray(keys[frame.index])
                key_detail.append(_detail(key))
                key_structure.append(_correlation(key, filmed))
                curves.exact_keys += int(
                    np.array_equal(output_frame[..., :3], keys[frame.index][..., :3])
                )
            if previous is not None:
                old_filmed, old_frame, old_output = previous
                frames = frame.image, old_frame
                _compare(
                    filmed, old_filmed, (output_frame, old_output), curves, input_curves, frames
                )
            previous = filmed, frame.image, output_frame
    detail = np.array(curves.detail) / np.mean(key_detail)
    structure = np.array(curves.structure) / np.mean(key_structure)
    step = np.array(curves.step) / np.array(input_curves.step)
    return Summary(
        warp=float(np.mean(curves.warp) / np.mean(input_curves.warp)),
        flicker=float(np.sum(curves.flicker) / max(np.sum(input_curves.flicker), 1e-9)),
        detail=float(detail.mean()),
        detail_worst=float(detail.min()),
        structure=float(structure.mean()),
        structure_worst=float(structure.min()),
        structure_key=float(min(key_structure) / np.mean(key_structure)),
        jump=float(step.max() / np.median(step)),
        keys=f"{curves.exact_keys}/{len(keys)}",
        worst_frames={
            "detail": int(detail.argmin()),
            "structure": int(structure.argmin()),
            "jump": int(step.argmax()) + 1,
        },
    )


def _compare(
    filmed: Image,
    old_filmed: Image,
    outputs: tuple[Image, Image],
    curves: Curves,
    input_curves: Curves,
    inputs: tuple[Image, Image],
) -> None:
    """Measure one step in time of the output and of the input."""
    flow = estimate_flow(filmed, old_filmed)
    visible = ~find_occlusion(flow, estimate_flow(old_filmed, filmed))
    still = np.square(flow).sum(axis=2) < _STILL**2
    for (current, previous), target in ((outputs, curves), (inputs, input_curves)):
        current, previous = current[..., :3], previous[..., :3]
        target.warp.append(
            float(cv2.absdiff(current, warp(previous, flow)).mean(axis=2)[visible].mean())
        )
        change = cv2.absdiff(current, previous).mean(axis=2)
        target.step.append(float(change.mean()))
        target.flicker.append(float(change[still].sum()))


def _detail(image: Image) -> float:
    return float(cv2.Laplacian(image.astype(np.float32), cv2.CV_32F).std())


def _correlation(a: Image, b: Image) -> float:
    """Mean local normalised correlation of two gray images."""
    x, y = a.astype(np.float32), b.astype(np.float32)
    mean_x, mean_y = cv2.blur(x, _WINDOW), cv2.blur(y, _WINDOW)
    var_x = cv2.blur(x * x, _WINDOW) - mean_x**2
    var_y = cv2.blur(y * y, _WINDOW) - mean_y**2
    cov = cv2.blur(x * y, _WINDOW) - mean_x * mean_y
    return float((cov / np.sqrt(np.maximum(var_x, 0) * np.maximum(var_y, 0) + 1.0)).mean())


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
