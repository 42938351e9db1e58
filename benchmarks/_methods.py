"""Four methods that propagate painted keys over a clip: kadr and three baselines."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.warp import Field, sample, warp
from kadr.guides.flow import estimate_flow, flow_pair, gray
from kadr.guides.transport import identity
from kadr.image_files import read_image, write_image
from kadr.options import PropagateOptions, RunOptions
from kadr.pipeline import restyle

Image = NDArray[np.uint8]
Keys = Mapping[int, Image]
"""Frame index → painted key, (H, W, 3) uint8."""
Method = Callable[[list[Image], Keys, PropagateOptions], list[Image]]
"""(filmed frames, keys, options of kadr) → the styled frames, one for each filmed frame."""


def run_kadr(filmed: list[Image], keys: Keys, options: PropagateOptions) -> list[Image]:
    """The whole pipeline, from files to files, as a user runs it."""
    with tempfile.TemporaryDirectory(prefix="kadr-truth-") as name:
        folder = Path(name)
        for index, image in enumerate(filmed):
            write_image(folder / "filmed" / f"{index:05d}.png", image)
        for index, image in keys.items():
            write_image(folder / "keys" / f"{index:05d}.png", image)
        restyle(
            RunOptions(
                clip=folder / "filmed",
                output=folder / "styled",
                keys=(folder / "keys",),
                propagate=options,
            )
        )
        outputs = sorted((folder / "styled").glob("*.png"))
        return [read_image(path).astype(np.uint8) for path in outputs]


def run_warp(filmed: list[Image], keys: Keys, options: PropagateOptions) -> list[Image]:
    """The style of the nearest key warped by the composed plain flow, sampled cubically."""
    return _warp_keys(filmed, keys, estimate_flow)


def run_denoised_warp(filmed: list[Image], keys: Keys, options: PropagateOptions) -> list[Image]:
    """The same by the denoised flow of kadr: better for a moving camera, worse for wobble."""
    return _warp_keys(filmed, keys, lambda frame, previous: flow_pair(frame, previous).to_neighbour)


def _warp_keys(
    filmed: list[Image], keys: Keys, flow: Callable[[Image, Image], Field]
) -> list[Image]:
    grays = [gray(image) for image in filmed]
    nearest: dict[int, tuple[int, Image]] = {}
    for key, style in keys.items():
        for step in (1, -1):
            transport = identity(*grays[key].shape)
            index = key
            while 0 <= index < len(filmed):
                if index not in nearest or nearest[index][0] > abs(index - key):
                    warped = sample(style, transport, interpolation=cv2.INTER_CUBIC)
                    nearest[index] = (abs(index - key), warped.astype(np.uint8))
                index += step
                if 0 <= index < len(filmed):
                    transport = warp(transport, flow(grays[index], grays[index - step]))
    return [nearest[index][1] for index in range(len(filmed))]


def run_crossfade(filmed: list[Image], keys: Keys, options: PropagateOptions) -> list[Image]:
    """Fade from the previous key to the next one; constant before the first and after the last."""
    sorted_keys = sorted(keys)
    frames = []
    for index in range(len(filmed)):
        previous_key = max((key for key in sorted_keys if key <= index), default=sorted_keys[0])
        next_key = min((key for key in sorted_keys if key >= index), default=sorted_keys[-1])
        share = (
            0.0 if previous_key == next_key else (index - previous_key) / (next_key - previous_key)
        )
        mixed = cv2.addWeighted(keys[previous_key], 1 - share, keys[next_key], share, 0)
        frames.append(mixed)
    return frames


METHODS: dict[str, Method] = {
    "kadr": run_kadr,
    "warp": run_warp,
    "denoised": run_denoised_warp,
    "crossfade": run_crossfade,
}
