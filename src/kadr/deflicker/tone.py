"""Steady brightness and hue, of whole frames and of regions: moments in, corrected moments out.

Each frame is compared with those around it at a small size, along the motion of the film. The mean
difference, weighted by how alike the film is, is what the frame lies aside by; that is subtracted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.frames import Image
from kadr.core.resize import fit_in_box
from kadr.core.warp import Field, grid, sample
from kadr.deflicker.motion import Link, Moment, Size
from kadr.guides.confidence import similarity, smoothstep

Plane = NDArray[np.float32]

_SIDE = 96
"""Longest side in pixels at which colours are compared: strokes are averaged out."""
_REGION = 1 / 12
"""Width of a region, as a part of the longest side: colours of neighbours flicker alike."""
_REGION_WEIGHT = np.float32(0.5)
"""Weight of the region's correction beside the pixel's own, in frames: it counts where the film
tells nothing about the pixel."""
_SIMILARITY_RANGE = (0.6, 0.9)
_PATCH = 5
_OTHER = np.float32(24)
"""Difference in levels from the region's at which a pixel has a quarter of the weight: what is
restyled as something else is no flicker."""


@dataclass(eq=False)
class _Small:
    """A moment with its colours, (h, w, 3) float32, film and link at the small size.

    moment: None once it was corrected.
    """

    moment: Moment | None
    colours: NDArray[np.float32]
    filmed: Image
    link: Link | None


def steady_tone(items: Iterable[Moment], reach: int, strength: float) -> Iterator[Moment]:
    """Correct the colours of each frame towards those of ``reach`` frames before and after it.

    Holds ``2 · reach + 1`` frames at the small size, and ``reach + 1`` at full size.
    """
    before: deque[_Small] = deque(maxlen=reach)
    ahead: deque[_Small] = deque()
    for moment in items:
        ahead.append(_reduce(moment))
        if len(ahead) > reach:
            yield _steady(before, ahead, reach, strength)
    while ahead:
        yield _steady(before, ahead, reach, strength)


def _reduce(moment: Moment) -> _Small:
    height, width = moment.styled.shape[:2]
    size = fit_in_box((width, height), (_SIDE, _SIDE))
    colours = shrink(moment.styled[..., :3], size).astype(np.float32)
    link = None if moment.link is None else moment.link.reduced(size)
    return _Small(moment, colours, shrink(moment.filmed, size), link)


def shrink(image: Image, size: Size) -> Image:
    """An image averaged over areas to a ``size``, enlarged if it is smaller."""
    small: Image = cv2.resize(np.ascontiguousarray(image), size, interpolation=cv2.INTER_AREA)
    return small


def _steady(before: deque[_Small], ahead: deque[_Small], reach: int, strength: float) -> Moment:
    """Take the first frame off ``ahead``, and return it corrected."""
    frames, start = [*before, *ahead], len(before)
    correction = _correction(frames, start, reach) * np.float32(strength)
    current = ahead.popleft()
    assert current.moment is not None, "it was corrected before"
    styled = add_colours(current.moment.styled, correction)
    # its uncorrected colours stay for the frames after it; images are not needed for them
    before.append(replace(current, moment=None))
    return replace(current.moment, styled=styled)


def add_colours(image: Image, colours: NDArray[np.float32]) -> Image:
    """Add colours (h, w, 3) of a small size to an image (H, W, 3 or 4); alpha stays."""
    height, width = image.shape[:2]
    enlarged = cv2.resize(colours, (width, height), interpolation=cv2.INTER_LINEAR)
    result = image.copy()
    # half a level is added, as conversion to integers truncates
    np.clip(image[..., :3] + enlarged + np.float32(0.5), 0, 255, out=enlarged)
    result[..., :3] = enlarged
    return result


def _correction(frames: Sequence[_Small], start: int, reach: int) -> NDArray[np.float32]:
    """(h, w, 3) levels that bring a frame to the mean of the frames around it."""
    own = frames[start]
    sigma = max(own.colours.shape) * _REGION
    total, weights = np.zeros_like(own.colours), np.ones(own.colours.shape[:2], np.float32)
    for end in (len(frames) - 1, 0):
        for place, positions, alike in _walk(frames, start, end):
            difference = sample(frames[place].colours, positions) - own.colours
            nearness = np.float32(1 - abs(place - start) / (reach + 1))
            beside = difference - _regional(difference * alike[..., None], alike, sigma)
            other = np.abs(beside).mean(axis=2) / _OTHER
            weight = nearness * alike / np.square(1 + np.square(other))
            total += difference * weight[..., None]
            weights += weight
    region = _regional(total, weights, sigma)
    correction: NDArray[np.float32] = (total + _REGION_WEIGHT * region) / (
        weights + _REGION_WEIGHT
    )[..., None]
    return correction


def _regional(total: NDArray[np.float32], weights: Plane, sigma: float) -> NDArray[np.float32]:
    """The weighted mean of the region around each pixel."""
    spread = cv2.GaussianBlur(weights, (0, 0), sigma) + np.float32(1e-3)
    mean: NDArray[np.float32] = cv2.GaussianBlur(total, (0, 0), sigma) / spread[..., None]
    return mean


def _walk(frames: Sequence[_Small], start: int, end: int) -> Iterator[tuple[int, Field, Plane]]:
    """Each place after ``start`` up to ``end`` or a cut; positions there; how alike the film is."""
    step = 1 if end > start else -1
    own = frames[start].filmed
    positions = grid(*own.shape[:2])
    for place in range(start, end, step):
        link = frames[place if step > 0 else place - 1].link
        if link is None:
            return
        flow = link.forward if step > 0 else link.backward
        positions = positions + sample(flow, positions)
        there = sample(frames[place + step].filmed, positions)
        alike = smoothstep(similarity(there, own, _PATCH), *_SIMILARITY_RANGE)
        yield place + step, positions, alike
