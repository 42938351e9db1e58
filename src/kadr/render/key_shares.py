"""A finished run in one style in; the share that each key gave to each frame out."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.events import CancelToken
from kadr.errors import ResumeError
from kadr.render.blend_task import WeighedFrame, weigh_frames
from kadr.render.keyframes import KeyEntry
from kadr.render.match_keys import OWN
from kadr.render.schedule import RunSchedule
from kadr.storage.store import Store

_log = logging.getLogger(__name__)


def key_shares(
    schedule: RunSchedule, store: Store, matched: Mapping[int, KeyEntry], reference: int
) -> dict[int, tuple[float, ...]] | None:
    """For each key the share of each frame of the run that is its own paint, 0–1.

    matched: the keys painted in the style of the key ``reference``, which gives all the rest.
    Where a frame takes a key's own paint is read off the key's picture, without the motion since.
    None if the frames of the passes are no longer stored.
    """
    own: dict[int, NDArray[np.uint8]] = {}
    for key, entry in matched.items():
        arrays = store.get(entry.entry, only=(OWN,))
        if not arrays or OWN not in arrays:
            return None
        own[key] = arrays[OWN]
    first, count = schedule.frames.start, len(schedule.frames)
    shares = {key: [0.0] * count for key in schedule.styles}
    for key in schedule.styles:
        shares[key][key - first] = float(own[key].mean()) / 255 if key in own else 1.0
    try:
        for chunk in schedule.chunks:
            for weighed in weigh_frames(chunk, chunk.stop, store, CancelToken()):
                if weighed.index >= chunk.start:
                    for key, share in _own_shares(weighed, own).items():
                        shares[key][weighed.index - first] += share
    except ResumeError as error:
        _log.info("shares of the keys: %s", error)
        return None
    for position in range(count):
        others = sum(values[position] for key, values in shares.items() if key != reference)
        shares[reference][position] = max(0.0, 1.0 - others)
    return {key: tuple(round(value, 4) for value in values) for key, values in shares.items()}


def _own_shares(weighed: WeighedFrame, own: Mapping[int, NDArray[np.uint8]]) -> dict[int, float]:
    shares: dict[int, float] = {}
    for key_pass, weight in zip(weighed.passes, weighed.weights, strict=True):
        paint = own.get(key_pass.key)
        share = weight
        if paint is not None:
            size = weight.shape[1], weight.shape[0]
            share = weight * cv2.resize(paint, size, interpolation=cv2.INTER_AREA) / 255
        shares[key_pass.key] = shares.get(key_pass.key, 0.0) + float(share.mean())
    return shares
