"""Score mattes against masks that are known: intersection over union, and the mean difference.

    python benchmarks/mattes.py --clips FOLDER [--save LOOK] [--json]

The filmed clip has eleven masks; some are given as painted, and the others are the truth. The
baselines are the nearest given mask as it is, and the same moved along the plain optical flow.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.events import follow
from kadr.core.frames import FrameRange
from kadr.core.warp import warp
from kadr.guides.flow import estimate_flow, gray
from kadr.image_files import read_image, write_image
from kadr.matte import create_method, make_mattes
from kadr.video.clip_source import ClipSource
from kadr.video.clips import open_clip

Matte = NDArray[np.float32]

_CLIP, _MASKS, _COUNT = "lynx/input", "lynx/masks/mask_{:05d}.png", 11
_LEAST_MEAN, _LEAST_WORST = 0.9, 0.85
"""Overlap that kadr must reach with the first and the last mask given."""


@dataclass(frozen=True)
class Score:
    """One method with one set of given masks, over the other frames.

    overlap: intersection over union of what is at least half covered. difference: mean absolute, in
    levels of 255. seconds: of a core, for each frame.
    """

    method: str
    painted: tuple[int, ...]
    overlap_mean: float
    overlap_worst: float
    worst_frame: int
    difference: float
    seconds: float


def main() -> int:
    """Run the benchmark from the command line; 1 if kadr does not reach the limits."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--clips",
        type=Path,
        default=os.environ.get("KADR_TEST_CLIPS"),
        required="KADR_TEST_CLIPS" not in os.environ,
        help="folder with lynx; default $KADR_TEST_CLIPS",
    )
    parser.add_argument("--json", action="store_true", help="print JSON only")
    parser.add_argument("--save", type=Path, help="folder for images with the outlines drawn")
    arguments = parser.parse_args()
    clips = Path(arguments.clips)
    truth = [_read(clips / _MASKS.format(index)) for index in range(_COUNT)]
    scores = []
    for painted in ((0, _COUNT - 1), (0,)):
        for name, method in _METHODS.items():
            start = time.process_time()
            mattes = method(clips / _CLIP, painted, truth)
            seconds = (time.process_time() - start) / _COUNT
            scores.append(_score(name, painted, mattes, truth, seconds))
            if arguments.save is not None:
                folder = arguments.save / f"{name}-{len(painted)}"
                _save(folder, clips / _CLIP, mattes, truth)
    passed = scores[0].overlap_mean >= _LEAST_MEAN and scores[0].overlap_worst >= _LEAST_WORST
    if arguments.json:
        print(json.dumps({"scores": [asdict(score) for score in scores], "passed": passed}))
    else:
        _print(scores)
        print(f"{'yes' if passed else 'NO':<4}mean ≥ {_LEAST_MEAN}, worst ≥ {_LEAST_WORST}")
    return 0 if passed else 1


def _by_kadr(clip: Path, painted: Sequence[int], truth: Sequence[Matte]) -> list[Matte]:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for index in painted:
            write_image(root / "painted" / f"{index}.png", _to_bytes(truth[index]))
        method = create_method("propagate", painted=root / "painted")
        follow(
            make_mattes(
                ClipSource(str(clip)),
                root / "mattes",
                method,
                frames=FrameRange(0, _COUNT),
                work=root / "work",
            )
        )
        return [_read(path) for path in sorted((root / "mattes").iterdir())]


def _unmoved(clip: Path, painted: Sequence[int], truth: Sequence[Matte]) -> list[Matte]:
    return [truth[_nearest(index, painted)] for index in range(_COUNT)]


def _by_flow(clip: Path, painted: Sequence[int], truth: Sequence[Matte]) -> list[Matte]:
    """From frame to frame, each step by the optical flow to the frame before."""
    mattes = dict.fromkeys(range(_COUNT), truth[painted[0]])
    with open_clip(clip) as opened:
        images = [gray(opened.frame(index).rgb) for index in range(_COUNT)]
    for index in sorted(range(_COUNT), key=lambda index: abs(index - _nearest(index, painted))):
        key = _nearest(index, painted)
        if index == key:
            mattes[index] = truth[key]
            continue
        neighbour = index - 1 if key < index else index + 1
        mattes[index] = warp(mattes[neighbour], estimate_flow(images[index], images[neighbour]))
    return [mattes[index] for index in range(_COUNT)]


_METHODS: dict[str, Callable[[Path, Sequence[int], Sequence[Matte]], list[Matte]]] = {
    "kadr": _by_kadr,
    "flow": _by_flow,
    "unmoved": _unmoved,
}


def _nearest(index: int, painted: Sequence[int]) -> int:
    return min(painted, key=lambda key: abs(key - index))


def _score(
    name: str,
    painted: tuple[int, ...],
    mattes: Sequence[Matte],
    truth: Sequence[Matte],
    seconds: float,
) -> Score:
    scored = [index for index in range(_COUNT) if index not in painted]
    overlaps = [_overlap(mattes[index], truth[index]) for index in scored]
    differences = [float(np.abs(mattes[index] - truth[index]).mean()) * 255 for index in scored]
    worst = int(np.argmin(overlaps))
    return Score(
        name,
        painted,
        float(np.mean(overlaps)),
        overlaps[worst],
        scored[worst],
        float(np.mean(differences)),
        seconds,
    )


def _overlap(matte: Matte, truth: Matte) -> float:
    a, b = matte > 0.5, truth > 0.5
    return float((a & b).sum() / (a | b).sum())


def _read(path: Path) -> Matte:
    image: Matte = read_image(path, as_stored=True)[..., 0].astype(np.float32) / 255
    return image


def _to_bytes(matte: Matte) -> NDArray[np.uint8]:
    return np.rint(matte * 255).astype(np.uint8)


def _save(folder: Path, clip: Path, mattes: Sequence[Matte], truth: Sequence[Matte]) -> None:
    """Each frame with the outline of its matte in red and that of the truth in blue."""
    with open_clip(clip) as opened:
        for index, matte in enumerate(mattes):
            image = np.ascontiguousarray(opened.frame(index).rgb)
            for outlined, colour in ((truth[index], (60, 90, 255)), (matte, (255, 30, 30))):
                binary = (outlined > 0.5).astype(np.uint8)
                lines, _ = cv2.findContours(binary, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
                cv2.drawContours(image, lines, -1, colour, 1)
            write_image(folder / f"{index:05d}.png", image)


def _print(scores: Sequence[Score]) -> None:
    print(
        f"{'given':<8}{'method':<10}{'mean':>8}{'worst':>8}{'frame':>7}{'levels':>8}{'s/frame':>9}"
    )
    for score in scores:
        print(
            f"{','.join(map(str, score.painted)):<8}{score.method:<10}{score.overlap_mean:>8.4f}"
            f"{score.overlap_worst:>8.4f}{score.worst_frame:>7}{score.difference:>8.2f}"
            f"{score.seconds:>9.2f}"
        )


if __name__ == "__main__":
    sys.exit(main())
