"""A filmed clip and painted keys in, the frames that each of four methods makes of them out."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.warp import Field, sample, warp
from kadr.files import read_image, write_image
from kadr.guides.flow import estimate_flow, flow_pair, gray
from kadr.guides.transport import identity
from kadr.options import PropagateOptions, RunOptions
from kadr.pipeline import restyle

Image = NDArray[np.uint8]
Keys = Mapping[int, Image]
"""Frame index → painted key, (H, W, 3) uint8."""
Method = Callable[[list[Image], Keys, PropagateOptions], list[Image]]
"""(filmed frames, keys, options of kadr) → the styled frames, one a filmed one."""


def run_kadr(filmed: list[Image], keys: Keys, options: PropagateOptions) -> list[Image]:
    """The whole pipeline, files to files, as a user runs it."""
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
        made = sorted((folder / "styled").glob("*.png"))
        return [read_image(path).astype(np.uint8) for path in made]


def run_warp(filmed: list[Image], keys: Keys, options: PropagateOptions) -> list[Image]:
    """The nearest key's style pulled along the plain flow, composed, sampled cubically."""
    return _pull(filmed, keys, estimate_flow)


def run_settled_warp(filmed: list[Image], keys: Keys, options: PropagateOptions) -> list[Image]:
    """The same along the flow as kadr settles it: better for a moving camera, worse for wobble."""
    return _pull(filmed, keys, lambda frame, before: flow_pair(frame, before).to_neighbour)


def _pull(filmed: list[Image], keys: Keys, flow: Callable[[Image, Image], Field]) -> list[Image]:
    grays = [gray(image) for image in filmed]
    made: dict[int, tuple[int, Image]] = {}
    for key, style in keys.items():
        for step in (1, -1):
            transport = identity(*grays[key].shape)
            index = key
            while 0 <= index < len(filmed):
                if index not in made or made[index][0] > abs(index - key):
                    pulled = sample(style, transport, interpolation=cv2.INTER_CUBIC)
                    made[index] = (abs(index - key), pulled.astype(np.uint8))
                index += step
                if 0 <= index < len(filmed):
                    transport = warp(transport, flow(grays[index], grays[index - step]))
    return [made[index][1] for index in range(len(filmed))]


def run_crossfade(filmed: list[Image], keys: Keys, options: PropagateOptions) -> list[Image]:
    """The key before fades into the key after; before the first and after the last one holds."""
    order = sorted(keys)
    frames = []
    for index in range(len(filmed)):
        before = max((key for key in order if key <= index), default=order[0])
        after = min((key for key in order if key >= index), default=order[-1])
        share = 0.0 if before == after else (index - before) / (after - before)
        mixed = cv2.addWeighted(keys[before], 1 - share, keys[after], share, 0)
        frames.append(mixed)
    return frames


METHODS: dict[str, Method] = {
    "kadr": run_kadr,
    "warp": run_warp,
    "settled": run_settled_warp,
    "crossfade": run_crossfade,
}
