"""Measure the diffusion stylizer: speed against a plain diffusers loop, and temporal consistency.

    python benchmarks/diffusion.py speed [--full] [--frames 16] [--side 128] [--threads 1]
    python benchmarks/diffusion.py consistency CLIP [--frames 12] [--size WxH] [--save FOLDER]

``speed`` runs both in one process, in turns, on the same frames with the same weights, steps and
noise levels. The plain loop is diffusers' img2img pipeline with its default attention, frame by
frame, float16 on a GPU; the first turn of each is not counted. ``agreement`` is the difference of
the images if both get the same latents and noise: mean and maximum in levels of 255. Weights are
random: of full size with ``--full``, which needs a GPU, otherwise small.

``consistency`` trains a small model on frames (two minutes), restyles them with each method
for temporal consistency, and measures the results along the optical flow of the clip:

- warp: mean change along the flow outside occlusions, divided by that of the clip.
- flicker: summed change where the clip is still, divided by that of the clip.
- away: mean difference in levels from the nearest style that the model was trained on; it shows
  whether low values come from frozen or washed-out frames.
- unlike: difference of keys where the frames of the clip are alike, in levels.

The model paints in one of several inks, and the prompt does not name it. Each method is measured
twice: with one seed for all frames, and with one seed for each frame, where the ink changes from
frame to frame unless the method prevents it.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image as Picture

from _diffusion_models import INKS, make_random_model, paint_in_ink, train_on_frames
from kadr.core.frames import Frame, Image
from kadr.core.warp import Field
from kadr.guides.flow import flow_pair, gray
from kadr.guides.occlusion import find_occlusion
from kadr.image_files import write_image
from kadr.measure.change import FilmedMotion, measure_change
from kadr.measure.curves import ChangeCurves
from kadr.stylize.base import StylizeContext, StylizeJob
from kadr.stylize.diffusion.options import DiffusionOptions
from kadr.stylize.diffusion.stylizer import Diffusion
from kadr.video.clips import open_clip

_STILL = 0.25
"""Motion in pixels below which a clip counts as still."""

_STEPS, _STRENGTH, _CFG = 20, 0.5, 7.5
_STEPS_RUN = int(_STEPS * _STRENGTH) + 1
"""Number of steps that A1111 runs; diffusers gets a strength that runs as many."""

_PIXELS = 192 * 256

_SEED_NAMES = {0: "one", None: "own"}

METHODS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "inverted noise": {
        "inversion": "refined",
        "original_prompt": "photo",
        "refinements": 3,
        "sampler": "Euler",
    },
    "carried noise": {"carry_noise": True},
    "previous as start": {"previous_start": 0.5},
    "… anchor every 8": {"previous_start": 0.5, "anchor_every": 8},
    "previous blended": {"previous_blend": 0.5},
    "attention: anchor": {"cross_frame": "anchor"},
    "attention: previous": {"cross_frame": "previous"},
    "attention: both": {"cross_frame": "both"},
    "carried, both, blended": {"carry_noise": True, "cross_frame": "both", "previous_blend": 0.5},
}
"""Methods for temporal consistency of all frames → options."""

JOINT_METHODS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "joint: attention": {"joint": "attention"},
    "joint: grid": {"joint": "grid"},
}


class MemoryContext:
    """The context of a stylizer for frames in memory."""

    def __init__(self, frames: Sequence[Image]) -> None:
        self.frames, self.results = frames, dict[int, Image]()
        self._indices: list[int] = []
        self.flow = lru_cache(maxsize=None)(self._flow)

    def _flow(self, index_from: int, index_to: int) -> Field:
        pair = flow_pair(gray(self.frames[index_from]), gray(self.frames[index_to]))
        return pair.to_neighbour

    def occlusion(self, index_from: int, index_to: int) -> np.ndarray:
        """Where forward and backward flow disagree."""
        return find_occlusion(self.flow(index_from, index_to), self.flow(index_to, index_from))

    def run(self, stylizer: Diffusion, indices: Sequence[int]) -> list[Image]:
        """Stylize these frames as one shot."""
        self.results, self._indices = {}, list(indices)
        previous = dict(zip(self._indices[1:], self._indices))
        stylize_context = StylizeContext(
            flow=self.flow,
            occlusion=self.occlusion,
            previous=lambda index: self.results[previous[index]] if index in previous else None,
            previous_index=previous.get,
        )
        jobs = (StylizeJob(Frame(index, self.frames[index]), 0, 1000 + index) for index in indices)
        for batch in stylizer.stylize(jobs, stylize_context):
            self.results |= {styled.index: styled.image for styled in batch}
        return [self.results[index] for index in indices]


# --- speed ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Speed:
    """One loop: frames a second, and the speed relative to the plain loop."""

    loop: str
    frames_a_second: float
    times: float


def measure_speed(args: argparse.Namespace) -> list[Speed]:
    """Time the loops in turns; prints one row for each and the agreement of the images."""
    card = torch.cuda.is_available()
    name = torch.cuda.get_device_name() if card else f"CPU, {torch.get_num_threads()} threads"
    side = args.side or (512 if args.full else 128)
    frames = _pans(args.frames, side)
    with tempfile.TemporaryDirectory(prefix="kadr-diffusion-") as folder:
        model = make_random_model(Path(folder), full=args.full)
        plain = _plain(model, card)
        common: dict[str, Any] = {"model": str(model), "prompt": "oil painting", "cfg_scale": _CFG}
        common |= {"sampler": "Euler", "steps": _STEPS, "denoising_strength": _STRENGTH}
        common |= {"width": side, "height": side}
        batch = args.batch
        kinds = {
            "kadr, batch 1": {},
            f"kadr, batch {batch}": {"batch": batch},
            "kadr, previous as start": {"previous_start": 0.5},
        }
        if args.compile:
            kinds[f"kadr, batch {batch}, compiled"] = {"batch": batch, "compile": True}
        context = MemoryContext(frames)
        loops: dict[str, Callable[[Sequence[int]], object]] = {
            "diffusers": lambda indices: [plain(frames[index]) for index in indices]
        }
        for kind, options in kinds.items():
            stylizer = Diffusion(DiffusionOptions(**common, **options))
            loops[kind] = lambda indices, stylizer=stylizer: context.run(stylizer, indices)
        rows = _by_turns(loops, args.frames, args.repeat, batch)
        print(f"{name}; {'full-size' if args.full else 'small'} weights, {side}×{side}")
        for row in rows:
            print(f"  {row.loop:<28} {row.frames_a_second:8.2f} frames/s {row.times:6.2f}×")
        _print_agreement(plain, common, frames[0])
    return rows


def _by_turns(
    loops: dict[str, Callable[[Sequence[int]], object]], count: int, repeat: int, batch: int
) -> list[Speed]:
    """The fastest of several turns of each loop, after one that is not counted."""
    # with one thread, processor time is wall-clock time without other programs
    single_thread = torch.get_num_threads() == 1 and not torch.cuda.is_available()
    clock = time.process_time if single_thread else time.perf_counter
    best: dict[str, float] = {}
    for turn in range(repeat + 1):
        for name, loop in loops.items():
            indices = range(count if turn else min(count, batch))
            start_time = clock()
            loop(indices)
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            if turn:
                best[name] = min(best.get(name, float("inf")), clock() - start_time)
    base = best["diffusers"]
    return [Speed(name, count / seconds, base / seconds) for name, seconds in best.items()]


def _plain(model: Path, card: bool) -> Callable[..., Image]:
    """Diffusers' pipeline, one frame for each call; also accepts latents instead of a frame."""
    from diffusers import EulerDiscreteScheduler, StableDiffusionImg2ImgPipeline

    dtype = torch.float16 if card else torch.float32
    pipeline = StableDiffusionImg2ImgPipeline.from_pretrained(str(model), torch_dtype=dtype)
    pipeline.scheduler = EulerDiscreteScheduler.from_config(
        pipeline.scheduler.config, timestep_spacing="linspace", interpolation_type="linear"
    )
    pipeline.set_progress_bar_config(disable=True)
    pipeline.to("cuda" if card else "cpu")

    def run(frame: Image | torch.Tensor) -> Image:
        image = Picture.fromarray(frame) if isinstance(frame, np.ndarray) else frame
        output = pipeline(
            "oil painting",
            image=image,
            num_inference_steps=_STEPS,
            strength=(_STEPS_RUN + 0.5) / _STEPS,
            guidance_scale=_CFG,
            generator=torch.Generator().manual_seed(0),
        ).images[0]
        return np.asarray(output)

    return run


def _print_agreement(plain: Callable[..., Image], common: dict[str, Any], frame: Image) -> None:
    from kadr.stylize.diffusion.model.loading import LoadOptions, load_model

    options = DiffusionOptions(**common)
    model = load_model(options.model, LoadOptions.of(options))
    latent = model.encode([frame]).to(model.dtype)
    diffusers_image = plain(latent)
    (kadr_image,) = MemoryContext([frame]).run(Diffusion(options), [0])
    difference = np.abs(kadr_image.astype(int) - diffusers_image)
    # diffusers rounds to 8 bits where A1111 and kadr truncate: half of all values differ by 1
    print(
        f"  agreement from the same latents: mean {difference.mean():.2f}, "
        f"largest {difference.max()}"
    )


def _pans(count: int, side: int) -> list[Image]:
    """A pan over noise of several scales."""
    random = np.random.default_rng(0)
    grain = sum(
        cv2.resize(
            random.normal(0, 1, (side // scale, (side + 4 * count) // scale, 3)),
            (side + 4 * count, side),
            interpolation=cv2.INTER_CUBIC,
        )
        * scale
        for scale in (2, 8, 32)
    )
    panorama = np.clip(128 + 2.5 * grain, 0, 255).astype(np.uint8)
    return [np.ascontiguousarray(panorama[:, 4 * i : 4 * i + side]) for i in range(count)]


# --- temporal consistency ---------------------------------------------------------------------


@dataclass(frozen=True)
class ConsistencyScore:
    """Score of one method; see the module docstring. seconds: processor time for each frame."""

    method: str
    seeds: str
    warp: float
    flicker: float
    away: float
    seconds: float


def measure_hold(args: argparse.Namespace) -> list[ConsistencyScore]:
    """Train, restyle with every method, print one row for each; save contact sheets with --save."""
    width, height = _size(args.clip, args.size)
    frames = list(_reduced(args.clip, (width, height), args.frames, args.every))
    rows = []
    with tempfile.TemporaryDirectory(prefix="kadr-diffusion-") as folder:
        model = args.model or train_on_frames(frames, Path(folder), steps=args.training)
        common: dict[str, Any] = {
            "model": str(model),
            "prompt": "painting",
            "sampler": "Euler a",
            "steps": 16,
            "cfg_scale": 1.5,
            "denoising_strength": 0.75,
            "width": width,
            "height": height,
        }
        print(f"{'every frame':24} seeds   warp  flicker  away  s/frame")
        rows = [
            _measure_method(method, seed, frames, common | options, args.save)
            for seed in (0, None)
            for method, options in METHODS.items()
            if seed is not None or not options.get("carry_noise")
        ]
        keys = range(0, len(frames), max(1, len(frames) // 8))
        print(f"{f'{len(keys)} keys':24} seeds  unlike   away")
        filmed = [frames[index] for index in keys]
        for seed in (0, None):
            for method, options in JOINT_METHODS.items():
                method_options = DiffusionOptions(**common | options | {"seed": seed})
                styled = MemoryContext(frames).run(Diffusion(method_options), keys)
                difference, distance = _unlike(filmed, styled), _away(filmed, styled)
                print(
                    f"{method:24} {_SEED_NAMES[seed]:5} {difference:7.2f}  {distance:5.1f}",
                    flush=True,
                )
                _save(args.save, f"keys {method} {_SEED_NAMES[seed]}", styled)
    _save(args.save, "filmed", frames)
    return rows


def _measure_method(
    method: str,
    seed: int | None,
    frames: Sequence[Image],
    options: dict[str, Any],
    save: Path | None,
) -> ConsistencyScore:
    """Measure one method and print its row."""
    start_time = time.process_time()
    stylizer = Diffusion(DiffusionOptions(**options | {"seed": seed}))
    styled = MemoryContext(frames).run(stylizer, range(len(frames)))
    seconds = (time.process_time() - start_time) / len(frames)
    row = ConsistencyScore(
        method, _SEED_NAMES[seed], *_consistency(frames, styled), _away(frames, styled), seconds
    )
    print(
        f"{method:24} {row.seeds:5} {row.warp:6.3f}  {row.flicker:6.3f} {row.away:5.1f}   "
        f"{seconds:.2f}",
        flush=True,
    )
    _save(save, f"{method} {row.seeds}", styled)
    return row


def _consistency(frames: Sequence[Image], styled: Sequence[Image]) -> tuple[float, float]:
    """Warp error and flicker of the styled frames, divided by those of the clip."""
    output, filmed = ChangeCurves(), ChangeCurves()
    for index in range(1, len(frames)):
        motion = FilmedMotion.between(gray(frames[index]), gray(frames[index - 1]))
        if motion is not None:
            output.add(measure_change(styled[index], styled[index - 1], motion))
            filmed.add(measure_change(frames[index], frames[index - 1], motion))
    warped, flicker = output.relative_to(filmed)
    return warped, 0.0 if flicker is None else flicker


def _unlike(filmed: Sequence[Image], keys: Sequence[Image]) -> float:
    """Mean difference of keys from the first one, where the frames of the clip are alike."""
    differences = []
    for frame, key in zip(filmed[1:], keys[1:]):
        alike = cv2.absdiff(frame, filmed[0]).max(axis=2) < 6
        differences.append(cv2.absdiff(key, keys[0]).mean(axis=2)[alike].mean())
    return float(np.mean(differences))


def _away(frames: Sequence[Image], styled: Sequence[Image]) -> float:
    """Mean difference of each frame from the nearest of its paintings."""
    return float(
        np.mean(
            [
                min(cv2.absdiff(paint_in_ink(frame, ink), image).mean() for ink in range(len(INKS)))
                for frame, image in zip(frames, styled, strict=True)
            ]
        )
    )


def _size(path: Path, requested: str | None) -> tuple[int, int]:
    """Large enough to recognise faces in latents, small enough to train in minutes."""
    if requested is not None:
        width, height = (int(side) for side in requested.split("x"))
        return width, height
    with open_clip(path) as clip:
        scale = (_PIXELS / (clip.info.width * clip.info.height)) ** 0.5
        sides = (clip.info.width, clip.info.height)
    width, height = (max(16, round(side * scale / 16) * 16) for side in sides)
    return width, height


def _reduced(path: Path, size: tuple[int, int], count: int, every: int) -> Iterator[Image]:
    with open_clip(path) as clip:
        for frame in clip.frames():
            if frame.index % every == 0:
                yield cv2.resize(frame.rgb, size, interpolation=cv2.INTER_AREA)
            if frame.index >= every * (count - 1):
                return


def _save(folder: Path | None, name: str, images: Sequence[Image]) -> None:
    if folder is not None:
        chosen = images[:: max(1, len(images) // 8)][:8]
        write_image(folder / f"{name.replace(': ', ' ')}.png", np.concatenate(chosen, axis=1))


def main() -> None:
    """Run one of the two benchmarks from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="also write the numbers to this file")
    parser.add_argument("--threads", type=int, help="number of cores for torch (default: its own)")
    parts = parser.add_subparsers(dest="part", required=True)
    speed = parts.add_parser("speed")
    speed.add_argument("--full", action="store_true", help="weights of full size; needs a GPU")
    speed.add_argument("--frames", type=int, default=16)
    speed.add_argument("--side", type=int, help="pixels along a side (128; 512 with --full)")
    speed.add_argument("--batch", type=int, default=4)
    speed.add_argument(
        "--repeat", type=int, default=3, help="turns of each loop; the fastest counts"
    )
    speed.add_argument("--compile", action="store_true", help="also measure a compiled network")
    consistency = parts.add_parser("consistency")
    consistency.add_argument("clip", type=Path)
    consistency.add_argument("--frames", type=int, default=12)
    consistency.add_argument(
        "--every", type=int, default=1, help="take every n-th frame of the clip"
    )
    consistency.add_argument(
        "--size", help="WxH in multiples of 16 (some 50,000 pixels, shaped like the clip)"
    )
    consistency.add_argument("--training", type=int, default=600, help="training steps")
    consistency.add_argument(
        "--model", type=Path, help="a model that this benchmark trained before"
    )
    consistency.add_argument("--save", type=Path, help="a folder for contact sheets")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    rows = measure_speed(args) if args.part == "speed" else measure_hold(args)
    if args.json:
        args.json.write_text(json.dumps([asdict(row) for row in rows], indent=1))


if __name__ == "__main__":
    main()
