"""Compare kadr, a plain flow warp and a crossfade with the ground truth of known-motion scenes.

    python benchmarks/truth.py --clips FOLDER

A filmed image and its painted version move by the same known motion; the moved painting is the
truth for every frame. Scores are over the frames that are not keys.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from _methods import METHODS
from _scenes import FRAME_COUNT, NAMES, Image, Scene, make_scene
from kadr.image_files import write_image
from kadr.measure.psnr import peak_signal_to_noise
from kadr.measure.ssim import structural_similarity
from kadr.options import DETAIL, PropagateOptions, detail_options

_MARGIN = 1.5
"""Required lead in dB of kadr over the plain warp, as a mean over all scenes."""
_AMPLIFIED = 4.0
"""Factor of the saved differences."""


@dataclass(frozen=True)
class Score:
    """One method on one scene with one set of keys; PSNR in dB; without the key frames."""

    scene: str
    keys: int
    method: str
    psnr_mean: float
    psnr_worst: float
    worst_frame: int
    ssim_mean: float
    ssim_worst: float
    seconds: float


def main() -> None:
    """Run the benchmark from the command line."""
    arguments = _parse()
    options = detail_options(arguments.detail, **dict(arguments.set))
    scores: list[Score] = []
    if not arguments.json:
        print("dB and SSIM; signed numbers: kadr minus this method, above 0 kadr is better")
    for name in arguments.scene or NAMES:
        scene = make_scene(name, arguments.clips, frame_count=arguments.frames)
        for keys in _key_sets(len(scene.truth), arguments.keys):
            results = _run(scene, keys, arguments.method, options, scores)
            if arguments.save is not None:
                _save(arguments.save / f"{name}-{len(keys)}", scene, results)
            if not arguments.json:
                _print_scores(scores[-len(results) :])
    verdict = _verdict(scores)
    if arguments.json:
        rows = [asdict(score) for score in scores]
        report = {"options": asdict(options), "scores": rows, "verdict": verdict}
        print(json.dumps(report, indent=1))
    else:
        _print_means(scores)
        for line, holds in verdict.items():
            print(f"{'yes' if holds else 'NO ':<4}{line}")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    clips = os.environ.get("KADR_TEST_CLIPS")
    parser.add_argument(
        "--clips",
        type=Path,
        default=None if clips is None else Path(clips),
        help="folder with lynx and ebsynth_stills; default $KADR_TEST_CLIPS, else generated",
    )
    parser.add_argument("--scene", action="append", choices=NAMES, help="only this one; repeatable")
    parser.add_argument("--keys", type=int, choices=(1, 2), help="only with this number of keys")
    parser.add_argument("--method", action="append", choices=tuple(METHODS), help="only this one")
    parser.add_argument("--frames", type=int, default=FRAME_COUNT, help="frames a scene, from 3")
    parser.add_argument("--detail", default="medium", choices=tuple(DETAIL), help="kadr's preset")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        type=_setting,
        metavar="NAME=VALUE",
        help="change one of kadr's propagation options; repeatable",
    )
    parser.add_argument("--json", action="store_true", help="print JSON only")
    parser.add_argument("--save", type=Path, help="folder for all frames and contact sheets")
    arguments = parser.parse_args()
    if arguments.clips is not None and not arguments.clips.is_dir():
        parser.error(f"--clips {arguments.clips}: no such folder")
    if not 3 <= arguments.frames <= FRAME_COUNT:
        parser.error(f"--frames {arguments.frames}: expected 3 to {FRAME_COUNT}")
    return arguments


def _setting(text: str) -> tuple[str, Any]:
    """``video_weight=4`` as the option's name and its value, in the type of its default."""
    name, _, value = text.partition("=")
    name = name.replace("-", "_")
    defaults = asdict(PropagateOptions())
    kinds = {option: type(value) for option, value in defaults.items()}
    if name not in kinds:
        raise argparse.ArgumentTypeError(f"{name}: expected one of {', '.join(kinds)}")
    if kinds[name] is bool:
        return name, value.lower() in ("1", "true", "yes")
    try:
        return name, kinds[name](value)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text}: expected a number") from error


def _key_sets(count: int, only: int | None) -> list[tuple[int, ...]]:
    sets: list[tuple[int, ...]] = [(0,), (0, count - 1)]
    return [keys for keys in sets if only in (None, len(keys))]


def _run(
    scene: Scene,
    keys: tuple[int, ...],
    only: list[str] | None,
    options: PropagateOptions,
    scores: list[Score],
) -> dict[str, list[Image]]:
    """Run the methods on a scene, append their scores and return their frames."""
    styles = {key: scene.truth[key] for key in keys}
    results: dict[str, list[Image]] = {}
    for method in only or METHODS:
        start_time = time.perf_counter()
        results[method] = METHODS[method](scene.filmed, styles, options)
        seconds = time.perf_counter() - start_time
        scores.append(_score(scene, keys, method, results[method], seconds))
    return results


def _score(
    scene: Scene, keys: tuple[int, ...], method: str, results: list[Image], seconds: float
) -> Score:
    between = [index for index in range(len(results)) if index not in keys]
    levels = [peak_signal_to_noise(results[index], scene.truth[index]) for index in between]
    alike = [structural_similarity(results[index], scene.truth[index]) for index in between]
    return Score(
        scene.name,
        len(keys),
        method,
        float(np.mean(levels)),
        min(levels),
        between[int(np.argmin(levels))],
        float(np.mean(alike)),
        min(alike),
        seconds,
    )


def _verdict(scores: list[Score]) -> dict[str, bool]:
    """Requirements on kadr as sentences, and whether they are met."""
    kadr_scores = {(score.scene, score.keys): score for score in scores if score.method == "kadr"}
    verdict = {}
    for method in sorted({score.method for score in scores} - {"kadr"}):
        method_scores = {(s.scene, s.keys): s for s in scores if s.method == method}
        pairs = [
            (kadr_scores[scene_key], method_scores[scene_key])
            for scene_key in method_scores
            if scene_key in kadr_scores
        ]
        if not pairs:
            continue
        verdict[f"kadr's worst frame beats the {method}'s in every scene (PSNR)"] = all(
            a.psnr_worst > b.psnr_worst for a, b in pairs
        )
        verdict[f"kadr's worst frame beats the {method}'s in every scene (SSIM)"] = all(
            a.ssim_worst > b.ssim_worst for a, b in pairs
        )
        lead = float(np.mean([a.psnr_mean - b.psnr_mean for a, b in pairs]))
        line = f"kadr's mean over all scenes beats the {method}'s by {_MARGIN} dB ({lead:+.2f})"
        verdict[line] = lead >= _MARGIN
    return verdict


def _print_scores(scores: list[Score]) -> None:
    """One block of the table: a scene with one set of keys, differences against kadr."""
    kadr_score = next((score for score in scores if score.method == "kadr"), None)
    plural = "s" if scores[0].keys > 1 else ""
    print(f"{scores[0].scene}, {scores[0].keys} key{plural}")
    print("  method      PSNR mean         worst (frame)          SSIM mean        worst        s")
    for score in scores:
        gaps = ["", "", "", ""]
        if kadr_score is not None and score is not kadr_score:
            gaps = [
                f"{kadr_score.psnr_mean - score.psnr_mean:+.2f}",
                f"{kadr_score.psnr_worst - score.psnr_worst:+.2f}",
                f"{kadr_score.ssim_mean - score.ssim_mean:+.3f}",
                f"{kadr_score.ssim_worst - score.ssim_worst:+.3f}",
            ]
        print(
            f"  {score.method:<10}  {score.psnr_mean:6.2f} {gaps[0]:>7}   "
            f"{score.psnr_worst:6.2f} ({score.worst_frame:2d}) {gaps[1]:>7}   "
            f"{score.ssim_mean:.3f} {gaps[2]:>7}   {score.ssim_worst:.3f} {gaps[3]:>7} "
            f"{score.seconds:6.1f}",
            flush=True,
        )


def _print_means(scores: list[Score]) -> None:
    print("all scenes")
    for method in METHODS:
        method_scores = [score for score in scores if score.method == method]
        if method_scores:
            level = float(np.mean([score.psnr_mean for score in method_scores]))
            alike = float(np.mean([score.ssim_mean for score in method_scores]))
            print(f"  {method:<10}  PSNR {level:6.2f}   SSIM {alike:.3f}")


def _save(folder: Path, scene: Scene, results: dict[str, list[Image]]) -> None:
    """Save the frames of each method, and sheets: filmed and truth, methods, differences."""
    for index, truth in enumerate(scene.truth):
        for method, frames in results.items():
            write_image(folder / method / f"{index:05d}.png", frames[index])
        images = [frames[index] for frames in results.values()]
        differences = [_difference(image, truth) for image in images]
        blank = [np.zeros_like(truth)] * max(0, len(images) - 2)
        top = [scene.filmed[index], truth, *blank][: max(len(images), 2)]
        pad = [np.zeros_like(truth)] * (len(top) - len(images))
        rows = [top, [*images, *pad], [*differences, *pad]]
        sheet = np.vstack([np.hstack(row) for row in rows])
        write_image(folder / "sheets" / f"{index:05d}.png", sheet)


def _difference(image: Image, truth: Image) -> Image:
    """Absolute difference of two images, amplified."""
    amplified = np.abs(image.astype(np.float32) - truth) * _AMPLIFIED
    clipped: Image = np.clip(amplified, 0, 255).astype(np.uint8)
    return clipped


if __name__ == "__main__":
    main()
