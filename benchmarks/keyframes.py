"""Compare chosen keyframes with evenly spaced ones: mean error of a run with each.

    python benchmarks/keyframes.py CLIP [CLIP …] [--budget 10] [--side 360] [--detail medium]

The truth is a filter for single images, kadr's ``paint``, applied to every frame. Its paintings of
the keyframes are the keys of a run; each frame of the run is compared with the painting of that
frame: mean absolute difference of the channels, in levels of 255, over all pixels and frames. The
filter runs without single strokes, because they are random in each frame and no key predicts them.

Evenly spaced keys include the first and the last frame; ``centred`` keys are in the middle of equal
parts, so that each one is used in both directions. Clips are reduced first. ``predicted`` is the
unexplained share according to the survey, ``agreement`` the correlation of its curve over the
frames with the measured error.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
from numpy.typing import NDArray

from _methods import Image, run_kadr
from kadr.core.events import CancelToken, follow
from kadr.core.frames import FrameRange
from kadr.image_files import write_image
from kadr.options import DETAIL, PropagateOptions, detail_options
from kadr.plan.coverage import Survey
from kadr.plan.keyframes import choose_keyframes, space_keyframes
from kadr.plan.survey import survey_clip
from kadr.stylize.paint.stylizer import PaintOptions, paint
from kadr.video.clips import open_clip


@dataclass(frozen=True)
class Score:
    """One choice of keys on one clip; errors in levels of 255, predicted and agreement 0–1."""

    clip: str
    choice: str
    keys: list[int]
    error: float
    worst: float
    worst_frame: int
    predicted: float
    agreement: float


def measure(
    name: str,
    filmed: list[Image],
    survey: Survey,
    choices: dict[str, list[int]],
    options: PropagateOptions,
) -> list[Score]:
    """Run each choice of keys and compare with the painting of each frame."""
    truth = [paint(image, PaintOptions(strokes=0.0), seed=0) for image in filmed]
    scores = []
    for choice, keys in choices.items():
        styled = run_kadr(filmed, {key: truth[key] for key in keys}, options)
        errors = frame_errors(styled, truth)
        predicted = survey.curve(keys)
        scores.append(
            Score(
                name,
                choice,
                keys,
                float(errors.mean()),
                float(errors.max()),
                int(errors.argmax()),
                float(predicted.mean()),
                float(np.corrcoef(predicted, errors)[0, 1]),
            )
        )
    return scores


def frame_errors(styled: Sequence[Image], truth: Sequence[Image]) -> NDArray[np.float64]:
    """The mean absolute difference of each frame from its truth, (n,) in levels of 255."""
    return np.array(
        [
            float(cv2.absdiff(image[..., :3], expected[..., :3]).mean())
            for image, expected in zip(styled, truth, strict=True)
        ]
    )


def _reduced(path: Path, side: int) -> list[Image]:
    frames = []
    with open_clip(path) as clip:
        for frame in clip.frames():
            width, height = frame.size
            scale = min(1.0, side / max(width, height))
            size = (round(width * scale), round(height * scale))
            frames.append(cv2.resize(frame.rgb, size, interpolation=cv2.INTER_AREA))
    return frames


def _centred(frames: FrameRange, budget: int) -> list[int]:
    length = len(frames) / budget
    return [frames.start + int((i + 0.5) * length) for i in range(budget)]


def _survey(filmed: list[Image]) -> Survey:
    with TemporaryDirectory(prefix="kadr-keyframes-") as folder:
        for index, image in enumerate(filmed):
            write_image(Path(folder) / f"{index:05d}.png", image)
        with open_clip(folder) as clip:
            frames = FrameRange(0, len(clip))
            return follow(survey_clip(clip, frames, cancel=CancelToken()))


def _print(scores: list[Score]) -> None:
    print(f"{scores[0].clip}")
    print("  choice   error   worst (frame)   predicted  agreement  keys")
    for score in scores:
        print(
            f"  {score.choice:<7}  {score.error:5.3f}   {score.worst:5.2f} ({score.worst_frame:4d})"
            f"       {score.predicted:.3f}       {score.agreement:.2f}  {score.keys}"
        )
    chosen = scores[0].error
    for score in scores[1:]:
        print(f"  chosen: {100 * (1 - chosen / score.error):.1f} % less error than {score.choice}")


def main() -> None:
    """Measure each clip and print a block for it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", type=Path, nargs="+")
    parser.add_argument("--budget", type=int, default=10, help="number of keys")
    parser.add_argument("--side", type=int, default=360, help="longest side in pixels")
    parser.add_argument("--detail", choices=list(DETAIL), default="medium")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    rows = []
    for path in args.clips:
        filmed = _reduced(path, args.side)
        start_time = time.monotonic()
        survey = _survey(filmed)
        seconds = time.monotonic() - start_time
        choices = {
            "chosen": choose_keyframes(survey, args.budget),
            "even": space_keyframes(survey.frames, args.budget),
            "centred": _centred(survey.frames, args.budget),
        }
        name = path.stem if path.stem != "src" else path.parent.name
        scores = measure(name, filmed, survey, choices, detail_options(args.detail))
        _print(scores)
        print(f"  {len(filmed)} frames surveyed in {seconds:.0f} s", flush=True)
        rows += [asdict(score) for score in scores]
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
