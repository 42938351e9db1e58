"""The diffusion stylizer: frames a second beside a plain diffusers loop, and frames that hold.

    python benchmarks/diffusion.py speed [--full] [--frames 16] [--side 128] [--threads 1]
    python benchmarks/diffusion.py hold CLIP [--frames 12] [--size WxH] [--save FOLDER]

``speed`` runs both in one process, by turns, on the same frames with the same weights, steps and
noise levels. The plain loop is diffusers' img2img pipeline with its own attention, one frame after
another, float16 on a card; no frame of either is counted before both have made one. ``agreement``
says how far the pictures are apart where both are given the same latents and noise: mean and
largest difference in levels of 255. Weights are random: of full size with ``--full``, for which a
card is wanted, else small.

``hold`` trains a small model on frames of the clip (two minutes), restyles them with each way
of holding frames together, and measures what comes out along the motion of what was filmed:

- warp: mean change along the motion outside occlusions, over the clip's own.
- flicker: summed change where the clip stands still, over the clip's own.
- away: mean difference in levels from the nearest look that the model was taught, to see that low
  numbers are not bought by frozen or washed-out frames.
- unlike: how keys differ where what was filmed is alike, in levels.

The model paints in one of several inks, and the prompt does not say which. So each way is measured
twice: with one seed for all frames, and with a seed for each, where the ink changes from frame to
frame unless something holds it.
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

from _diffusion_models import INKS, in_ink, random_model, trained_on
from kadr.core.frames import Frame, Image
from kadr.core.warp import Field, warp
from kadr.files import write_image
from kadr.guides.flow import estimate_flow, flow_pair, gray
from kadr.guides.occlusion import find_occlusion
from kadr.stylize.base import StylizeContext, StylizeJob
from kadr.stylize.diffusion.options import DiffusionOptions
from kadr.stylize.diffusion.stylizer import Diffusion
from kadr.video.clips import open_clip

_STILL = 0.25
"""Pixels of motion below which a clip counts as standing still."""

_STEPS, _STRENGTH, _CFG = 20, 0.5, 7.5
_RUN = int(_STEPS * _STRENGTH) + 1
"""Steps that A1111 runs of them; diffusers is given a strength by which it runs as many."""

_PIXELS = 192 * 256

_SEEDS = {0: "one", None: "own"}

WAYS: dict[str, dict[str, Any]] = {
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
"""Ways of holding every frame together."""

JOINT: dict[str, dict[str, Any]] = {
    "nothing": {},
    "joint: attention": {"joint": "attention"},
    "joint: grid": {"joint": "grid"},
}


class Lent:
    """What a run lends to a stylizer, for frames in memory."""

    def __init__(self, frames: Sequence[Image]) -> None:
        self.frames, self.made = frames, dict[int, Image]()
        self._order: list[int] = []
        self.flow = lru_cache(maxsize=None)(self._flow)

    def _flow(self, index_from: int, index_to: int) -> Field:
        pair = flow_pair(gray(self.frames[index_from]), gray(self.frames[index_to]))
        return pair.to_neighbour

    def occlusion(self, index_from: int, index_to: int) -> np.ndarray:
        """Where there and back again does not lead home."""
        return find_occlusion(self.flow(index_from, index_to), self.flow(index_to, index_from))

    def run(self, stylizer: Diffusion, indices: Sequence[int]) -> list[Image]:
        """All of these frames stylized, as one shot."""
        self.made, self._order = {}, list(indices)
        before = dict(zip(self._order[1:], self._order))
        context = StylizeContext(
            flow=self.flow,
            occlusion=self.occlusion,
            previous=lambda index: self.made[before[index]] if index in before else None,
            previous_index=before.get,
        )
        jobs = (StylizeJob(Frame(index, self.frames[index]), 0, 1000 + index) for index in indices)
        for batch in stylizer.stylize(jobs, context):
            self.made |= {styled.index: styled.image for styled in batch}
        return [self.made[index] for index in indices]


# --- speed ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Speed:
    """One loop: frames a second and how often as fast as the plain one."""

    loop: str
    frames_a_second: float
    times: float


def measure_speed(args: argparse.Namespace) -> list[Speed]:
    """Time the loops by turns; prints a row each and the agreement of the pictures."""
    card = torch.cuda.is_available()
    name = torch.cuda.get_device_name() if card else f"CPU, {torch.get_num_threads()} threads"
    side = args.side or (512 if args.full else 128)
    frames = _pans(args.frames, side)
    with tempfile.TemporaryDirectory(prefix="kadr-diffusion-") as folder:
        model = random_model(Path(folder), full=args.full)
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
        lent = Lent(frames)
        loops: dict[str, Callable[[Sequence[int]], object]] = {
            "diffusers": lambda indices: [plain(frames[index]) for index in indices]
        }
        for kind, options in kinds.items():
            stylizer = Diffusion(DiffusionOptions(**common, **options))
            loops[kind] = lambda indices, stylizer=stylizer: lent.run(stylizer, indices)
        rows = _by_turns(loops, args.frames, args.repeat, batch)
        print(f"{name}; {'full-size' if args.full else 'small'} weights, {side}×{side}")
        for row in rows:
            print(f"  {row.loop:<28} {row.frames_a_second:8.2f} frames/s {row.times:6.2f}×")
        _print_agreement(plain, common, frames[0])
    return rows


def _by_turns(
    loops: dict[str, Callable[[Sequence[int]], object]], count: int, repeat: int, batch: int
) -> list[Speed]:
    """The fastest of several turns of each, after one that is not counted."""
    # one thread's processor time is its time on a machine that does nothing else
    alone = torch.get_num_threads() == 1 and not torch.cuda.is_available()
    clock = time.process_time if alone else time.perf_counter
    best: dict[str, float] = {}
    for turn in range(repeat + 1):
        for name, loop in loops.items():
            indices = range(count if turn else min(count, batch))
            began = clock()
            loop(indices)
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            if turn:
                best[name] = min(best.get(name, float("inf")), clock() - began)
    base = best["diffusers"]
    return [Speed(name, count / seconds, base / seconds) for name, seconds in best.items()]


def _plain(model: Path, card: bool) -> Callable[..., Image]:
    """Diffusers' pipeline, one frame a call; latents in place of a frame on request."""
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
        made = pipeline(
            "oil painting",
            image=image,
            num_inference_steps=_STEPS,
            strength=(_RUN + 0.5) / _STEPS,
            guidance_scale=_CFG,
            generator=torch.Generator().manual_seed(0),
        ).images[0]
        return np.asarray(made)

    return run


def _print_agreement(plain: Callable[..., Image], common: dict[str, Any], frame: Image) -> None:
    from kadr.stylize.diffusion.model.loading import LoadOptions, load_model

    options = DiffusionOptions(**common)
    model = load_model(options.model, LoadOptions.of(options))
    latent = model.encode([frame]).to(model.dtype)
    theirs = plain(latent)
    (ours,) = Lent([frame]).run(Diffusion(options), [0])
    apart = np.abs(ours.astype(int) - theirs)
    # diffusers rounds to 8 bits where A1111 and kadr cut off: half of all values differ by 1
    print(f"  agreement from the same latents: mean {apart.mean():.2f}, largest {apart.max()}")


def _pans(count: int, side: int) -> list[Image]:
    """A pan over grain of several sizes."""
    random = np.random.default_rng(0)
    wide = sum(
        cv2.resize(
            random.normal(0, 1, (side // scale, (side + 4 * count) // scale, 3)),
            (side + 4 * count, side),
            interpolation=cv2.INTER_CUBIC,
        )
        * scale
        for scale in (2, 8, 32)
    )
    whole = np.clip(128 + 2.5 * wide, 0, 255).astype(np.uint8)
    return [np.ascontiguousarray(whole[:, 4 * i : 4 * i + side]) for i in range(count)]


# --- frames that hold together --------------------------------------------------------------


@dataclass(frozen=True)
class Held:
    """One way; see the module's first lines. seconds: processor time a frame."""

    way: str
    seeds: str
    warp: float
    flicker: float
    away: float
    seconds: float


def measure_hold(args: argparse.Namespace) -> list[Held]:
    """Train, restyle by every way, print a row each, save sheets if asked to."""
    width, height = _size(args.clip, args.size)
    frames = list(_reduced(args.clip, (width, height), args.frames, args.every))
    rows = []
    with tempfile.TemporaryDirectory(prefix="kadr-diffusion-") as folder:
        model = args.model or trained_on(frames, Path(folder), steps=args.training)
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
            _held(way, seed, frames, common | options, args.save)
            for seed in (0, None)
            for way, options in WAYS.items()
            if seed is not None or not options.get("carry_noise")
        ]
        keys = range(0, len(frames), max(1, len(frames) // 8))
        print(f"{f'{len(keys)} keys':24} seeds  unlike   away")
        filmed = [frames[index] for index in keys]
        for seed in (0, None):
            for way, options in JOINT.items():
                chosen = DiffusionOptions(**common | options | {"seed": seed})
                made = Lent(frames).run(Diffusion(chosen), keys)
                unlike, away = _unlike(filmed, made), _away(filmed, made)
                print(f"{way:24} {_SEEDS[seed]:5} {unlike:7.2f}  {away:5.1f}", flush=True)
                _save(args.save, f"keys {way} {_SEEDS[seed]}", made)
    _save(args.save, "filmed", frames)
    return rows


def _held(
    way: str, seed: int | None, frames: Sequence[Image], options: dict[str, Any], save: Path | None
) -> Held:
    """One way measured and printed."""
    began = time.process_time()
    stylizer = Diffusion(DiffusionOptions(**options | {"seed": seed}))
    made = Lent(frames).run(stylizer, range(len(frames)))
    spent = (time.process_time() - began) / len(frames)
    row = Held(way, _SEEDS[seed], *_steadiness(frames, made), _away(frames, made), spent)
    print(
        f"{way:24} {row.seeds:5} {row.warp:6.3f}  {row.flicker:6.3f} {row.away:5.1f}   {spent:.2f}",
        flush=True,
    )
    _save(save, f"{way} {row.seeds}", made)
    return row


def _steadiness(frames: Sequence[Image], made: Sequence[Image]) -> tuple[float, float]:
    """Warp error and flicker of what was made, over the clip's own."""
    sums = np.zeros((2, 2))
    for index in range(1, len(frames)):
        new, old = gray(frames[index]), gray(frames[index - 1])
        flow = estimate_flow(new, old)
        seen = ~find_occlusion(flow, estimate_flow(old, new))
        still = np.square(flow).sum(axis=2) < _STILL**2
        for place, images in enumerate((made, frames)):
            moved = warp(images[index - 1], flow)
            sums[0, place] += cv2.absdiff(images[index], moved).mean(axis=2)[seen].mean()
            change = cv2.absdiff(images[index], images[index - 1]).mean(axis=2)
            sums[1, place] += change[still].sum()
    warped, flicker = sums[:, 0] / np.maximum(sums[:, 1], 1e-9)
    return float(warped), float(flicker)


def _unlike(filmed: Sequence[Image], keys: Sequence[Image]) -> float:
    """Mean difference of keys from the first one, where what was filmed is alike."""
    found = []
    for frame, key in zip(filmed[1:], keys[1:]):
        alike = cv2.absdiff(frame, filmed[0]).max(axis=2) < 6
        found.append(cv2.absdiff(key, keys[0]).mean(axis=2)[alike].mean())
    return float(np.mean(found))


def _away(frames: Sequence[Image], made: Sequence[Image]) -> float:
    """Mean difference from the nearest of the looks; each frame's own."""
    return float(
        np.mean(
            [
                min(cv2.absdiff(in_ink(frame, ink), image).mean() for ink in range(len(INKS)))
                for frame, image in zip(frames, made, strict=True)
            ]
        )
    )


def _size(path: Path, given: str | None) -> tuple[int, int]:
    """Large enough for faces to be known in latents, small enough to learn in minutes."""
    if given is not None:
        width, height = (int(side) for side in given.split("x"))
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
    """Run one of the two from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write the numbers here too")
    parser.add_argument("--threads", type=int, help="how many cores torch may use; none: its own")
    parts = parser.add_subparsers(dest="part", required=True)
    speed = parts.add_parser("speed")
    speed.add_argument("--full", action="store_true", help="weights of full size; wants a card")
    speed.add_argument("--frames", type=int, default=16)
    speed.add_argument("--side", type=int, help="pixels along a side (128; 512 with --full)")
    speed.add_argument("--batch", type=int, default=4)
    speed.add_argument("--repeat", type=int, default=3, help="turns of each; the fastest counts")
    speed.add_argument("--compile", action="store_true", help="a compiled network as well")
    hold = parts.add_parser("hold")
    hold.add_argument("clip", type=Path)
    hold.add_argument("--frames", type=int, default=12)
    hold.add_argument("--every", type=int, default=1, help="take every n-th frame of the clip")
    hold.add_argument(
        "--size", help="WxH in multiples of 16 (some 50,000 pixels, shaped like the clip)"
    )
    hold.add_argument("--training", type=int, default=600, help="steps of it")
    hold.add_argument(
        "--model", type=Path, help="a model of the benchmark's that is trained already"
    )
    hold.add_argument("--save", type=Path, help="a folder for rows of frames")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    rows = measure_speed(args) if args.part == "speed" else measure_hold(args)
    if args.json:
        args.json.write_text(json.dumps([asdict(row) for row in rows], indent=1))


if __name__ == "__main__":
    main()
