"""The layers that finished frames are blended from: each key's frames and their blend weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kadr.blend.weights import enlarge_weights, to_16_bits
from kadr.core.events import CancelToken
from kadr.render.blend_task import weigh_frames
from kadr.render.compositor import CompositeWork, Compositor
from kadr.render.pass_frame import PassImages
from kadr.render.schedule import RunSchedule
from kadr.storage.store import Store


@dataclass(frozen=True, eq=False)
class KeyLayer:
    """One key's version of one frame; key and index are frame indices.

    image: (H, W, C) uint8. weights: (H, W) uint16, the share of this key in the blended frame:
    65535 is all of it. The weights of the layers of a frame sum to 65535 at each pixel.
    """

    key: int
    index: int
    image: NDArray[np.uint8]
    weights: NDArray[np.uint16]


def key_layers(
    schedule: RunSchedule,
    store: Store,
    get_style: Callable[[int], NDArray[np.uint8]],
    cancel: CancelToken,
) -> Iterator[KeyLayer]:
    """Every frame of every key, frame by frame; all passes are in the store.

    get_style: the stylized key of a key frame. Weights are computed again from what the store
    holds, as blending does, so they are the same for frames that an earlier run blended.
    Raises ResumeError if a pass frame is missing or damaged; a damaged entry is then removed.
    """
    work = schedule.composite
    if work is None:
        yield from _layers(schedule, store, get_style, cancel, lambda index, image: image)
        return
    with Compositor(work) as compositor:
        yield from _layers(schedule, store, get_style, cancel, compositor.finish)


def _layers(
    schedule: RunSchedule,
    store: Store,
    get_style: Callable[[int], NDArray[np.uint8]],
    cancel: CancelToken,
    finish: Callable[[int, NDArray[np.uint8]], NDArray[np.uint8]],
) -> Iterator[KeyLayer]:
    work = schedule.composite

    def crop(key: int) -> NDArray[np.uint8]:
        style = get_style(key)
        return style if work is None else work.crop(style, key)

    images = PassImages(store, crop)
    for key in schedule.styles:
        cancel.check()
        style = get_style(key)
        finished = finish(key, style)
        yield KeyLayer(key, key, finished, np.full(finished.shape[:2], 65535, np.uint16))
        # a key that reaches over another one has no part in that one's frame
        for key_pass in schedule.passes:
            if key_pass.covers(key):
                image = finish(key, images.read(key_pass, key))
                yield KeyLayer(key_pass.key, key, image, np.zeros(image.shape[:2], np.uint16))
    for chunk in schedule.chunks:
        for weighed in weigh_frames(chunk, chunk.stop, store, cancel):
            if weighed.index < chunk.start:
                continue
            weights: NDArray[np.uint16] | None = None
            for number, key_pass in enumerate(weighed.passes):
                image = images.read(key_pass, weighed.index)
                if weights is None:
                    size = image.shape[1], image.shape[0]
                    weights = to_16_bits(enlarge_weights(weighed.weights, size))
                    weights = _whole(weights, weighed.index, work)
                finished = finish(weighed.index, image)
                yield KeyLayer(key_pass.key, weighed.index, finished, weights[number])


def _whole(
    weights: NDArray[np.uint16], index: int, work: CompositeWork | None
) -> NDArray[np.uint16]:
    """Weights (N, h, w) of the window as those of whole frames, the same beyond its border."""
    if work is None:
        return weights
    (width, height), (left, top, across, down) = work.size, work.window_of(index)
    around = ((0, 0), (top, height - top - down), (left, width - left - across))
    return np.pad(weights, around, mode="edge")
