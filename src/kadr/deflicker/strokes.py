"""Steady strokes: moments with steady colours in, finished frames out.

The restyled frames at both ends of a short range of frames are carried through it along the motion
of the film, and one fades into the other. So strokes are whole, and change slowly. Where the film
does not show at an end what it shows in a frame, or where the restyled frames differ by more than
strokes, the frame is averaged with its neighbours instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.blend.pyramid import blend_images
from kadr.core.frames import Image
from kadr.core.resize import fit_in_box
from kadr.core.warp import Field, grid, sample
from kadr.deflicker.motion import Moment
from kadr.deflicker.tone import add_colours, shrink
from kadr.finish.finish import enlarge_positions, reduce_positions
from kadr.guides.confidence import similarity, smoothstep
from kadr.guides.contrast import local_contrast, restore_contrast
from kadr.guides.transport import local_stretch, register

Plane = NDArray[np.float32]

NEAR = 3
"""Frames before and after a frame that it is averaged with where nothing can be carried."""
_CARRIED_WEIGHT = np.float32(40)
"""Weight of what is carried beside the average of the neighbours."""
_SIMILARITY_RANGE = (0.75, 0.93)
_STRETCH_RANGE = (1.5, 2.2)
"""Stretch at which the confidence falls from 1 and reaches 0: what is carried would smear."""
_OTHER = np.float32(16)
"""Difference of restyled frames in levels, over a patch, at which a weight is half: more than
strokes differ by. The average of neighbours is noisier, so it allows for more."""
_PATCH, _NEAR_PATCH = (9, 9), (3, 3)
_NEAR_SHARE = np.float32(0.6)
"""Share of the difference over the smaller patch that counts."""
_BASE_SIDE, _BASE_SIGMA = 96, 6.0
"""Longest side and blur of the colours of regions, which are those of each frame itself."""
_RESTORED = np.float32(1.7)
"""Strength with which fine contrast is restored: sampling softens what is finer than a local mean
tells."""
_MOST_TONE = np.float32(24)
"""Difference of steadied colours in levels that counts half: larger ones are other pictures."""


@dataclass(eq=False)
class _Restyled:
    """A moment, and its restyled image reduced: at the size of flow, and to colours of regions."""

    moment: Moment

    @cached_property
    def base(self) -> NDArray[np.float32]:
        height, width = self.moment.styled.shape[:2]
        size = fit_in_box((width, height), (_BASE_SIDE, _BASE_SIDE))
        small = shrink(self.moment.styled[..., :3], size).astype(np.float32)
        base: NDArray[np.float32] = cv2.GaussianBlur(small, (0, 0), _BASE_SIGMA)
        return base

    @cached_property
    def strokes(self) -> NDArray[np.float32]:
        """(h, w, 3) without the colours of regions."""
        size = self.moment.luma.shape[1], self.moment.luma.shape[0]
        small = shrink(self.moment.styled[..., :3], size).astype(np.float32)
        base = cv2.resize(self.base, size, interpolation=cv2.INTER_LINEAR)
        strokes: NDArray[np.float32] = small - base
        return strokes


@dataclass(frozen=True, eq=False)
class _Version:
    """Another frame as it shows in a frame. confidence, strokes: at the size of flow."""

    image: Image
    strokes: NDArray[np.float32]
    confidence: Plane


def steady_strokes(
    items: Iterable[Moment], window: int, strength: float
) -> Iterator[tuple[int, Image]]:
    """Yield the index and the finished image of each frame, (H, W, 3 or 4) uint8.

    window: frames from one end of a range to the other; the first frame of a shot begins one, and
    its last range may be shorter, or up to ``NEAR`` frames longer. Holds ``window + 2 · NEAR``
    frames.
    """
    frames: list[_Restyled] = []
    begin = 0
    for moment in items:
        frames.append(_Restyled(moment))
        if moment.link is None:
            yield from _range(frames, range(begin, len(frames)), len(frames) - 1, window, strength)
            frames, begin = [], 0
        elif len(frames) == begin + window + NEAR + 1:
            end = begin + window
            yield from _range(frames, range(begin, end), end, window, strength)
            unused = begin + window - NEAR
            del frames[: max(unused, 0)]
            begin += window - max(unused, 0)


def _range(
    frames: Sequence[_Restyled], places: range, end: int, window: int, strength: float
) -> Iterator[tuple[int, Image]]:
    """Finish the frames at ``places``, which begin with one end and reach up to the other."""
    begin = places.start
    from_end = _positions_backward(frames, begin, end)
    positions = grid(*frames[begin].moment.luma.shape)
    for place in places:
        if place > begin:
            positions = _compose(positions, frames, place, place - 1, begin)
        # a shorter range does not change faster: the strokes of its end do not show in full
        share = np.float32((place - begin) / max(end - begin, window))
        share *= share * (3 - 2 * share)  # strokes of both ends show together for a short time only
        carried = {end: (from_end[place - begin], share), begin: (positions, 1 - share)}
        image = _finish(frames, place, carried, strength)
        yield frames[place].moment.index, image


def _positions_backward(frames: Sequence[_Restyled], begin: int, end: int) -> list[Field]:
    """Where the pixels of each frame from ``begin`` to ``end`` are in ``end``."""
    fields = [grid(*frames[end].moment.luma.shape)]
    for place in range(end - 1, begin - 1, -1):
        fields.append(_compose(fields[-1], frames, place, place + 1, end))
    return fields[::-1]


def _compose(
    positions: Field, frames: Sequence[_Restyled], place: int, neighbour: int, end: int
) -> Field:
    """Where the pixels of ``place`` are in ``end``, from those of its ``neighbour``."""
    moved = sample(positions, _step(frames, place, neighbour))
    if neighbour == end:
        return moved
    return register(moved, frames[end].moment.luma, frames[place].moment.luma)


def _step(frames: Sequence[_Restyled], place: int, neighbour: int) -> Field:
    """Where the pixels of a frame are in the one before or after it."""
    link = frames[min(place, neighbour)].moment.link
    assert link is not None, "a cut lies in a range"
    flow = link.forward if neighbour > place else link.backward
    return flow + grid(*flow.shape[:2])


def _finish(
    frames: Sequence[_Restyled],
    place: int,
    carried: Mapping[int, tuple[Field, np.float32]],
    strength: float,
) -> Image:
    """Blend what is carried from the ends with the average of the neighbours.

    carried: place of an end → positions in it, and its share.
    """
    own, share_of_others = frames[place], np.float32(strength)
    if strength == 0:
        return own.moment.styled
    average, strokes = _average(frames, place)
    images = [average]
    weights: list[Plane] = [np.full(own.moment.luma.shape, share_of_others, np.float32)]
    for end, (positions, share) in carried.items():
        if share > 0:
            version = _version(frames, place, end, positions)
            weight = version.confidence * _likeness(version.strokes, strokes, _OTHER)
            images.append(version.image)
            weights.append(share_of_others * _CARRIED_WEIGHT * share * weight)
    total = sum(weights[1:], weights[0])
    weights = [weight * (share_of_others / total) for weight in weights]
    if strength < 1:
        images.append(np.ascontiguousarray(own.moment.styled[..., :3]))
        weights.append(np.full(own.moment.luma.shape, 1 - share_of_others, np.float32))
    blended = blend_images(images, weights)
    styled = own.moment.styled
    full = np.full(styled.shape[:2], _RESTORED, np.float32)
    finished = restore_contrast(blended, local_contrast(styled), full)
    return np.concatenate([finished, styled[..., 3:]], axis=2)


def _average(frames: Sequence[_Restyled], place: int) -> tuple[Image, NDArray[np.float32]]:
    """A frame averaged with its neighbours, and its strokes at the size of flow."""
    own = frames[place]
    height, width = own.moment.styled.shape[:2]
    total = own.moment.styled[..., :3].astype(np.float32)
    weights = np.ones((height, width), np.float32)
    strokes, small_weights = own.strokes.copy(), np.ones(own.moment.luma.shape, np.float32)
    for neighbour, positions in _neighbours(frames, place):
        version = _version(frames, place, neighbour, positions)
        nearness = np.float32(1 - abs(neighbour - place) / (NEAR + 1))
        likeness = _likeness(version.strokes, own.strokes, 1.5 * _OTHER)
        weight = nearness * version.confidence * likeness
        strokes += version.strokes * weight[..., None]
        small_weights += weight
        large = cv2.resize(weight, (width, height), interpolation=cv2.INTER_LINEAR)
        total += version.image * large[..., None]
        weights += large
    average: Image = cv2.convertScaleAbs(total / weights[..., None])
    return average, strokes / small_weights[..., None]


def _neighbours(frames: Sequence[_Restyled], place: int) -> Iterator[tuple[int, Field]]:
    """The frames near a frame in the same shot, and where its pixels are in them."""
    for step in (1, -1):
        positions = grid(*frames[place].moment.luma.shape)
        for at in range(place, place + step * NEAR, step):
            neighbour = at + step
            if not 0 <= neighbour < len(frames):
                break
            flow = _step(frames, at, neighbour) - grid(*positions.shape[:2])
            positions = positions + sample(flow, positions)
            yield neighbour, positions


def _version(frames: Sequence[_Restyled], place: int, other: int, positions: Field) -> _Version:
    """Another frame at ``positions``, with the colours of regions that the frame has."""
    own, source = frames[place], frames[other]
    height, width = own.moment.styled.shape[:2]
    full = enlarge_positions(positions, (width, height))
    styled = np.ascontiguousarray(source.moment.styled[..., :3])
    image = sample(styled, full, interpolation=cv2.INTER_CUBIC)
    base_size = own.base.shape[1], own.base.shape[0]
    there = sample(source.base, reduce_positions(positions, base_size))
    there_filmed = sample(source.moment.filmed, positions)
    confidence = smoothstep(similarity(there_filmed, own.moment.filmed), *_SIMILARITY_RANGE)
    confidence *= 1 - smoothstep(local_stretch(positions), *_STRETCH_RANGE)
    tone = own.base - there
    tone /= 1 + np.square(np.abs(tone).mean(axis=2, keepdims=True) / _MOST_TONE)
    return _Version(add_colours(image, tone), sample(source.strokes, positions), confidence)


def _likeness(
    strokes: NDArray[np.float32], others: NDArray[np.float32], scale: float | np.float32
) -> Plane:
    """1 where two restyled frames differ by strokes only, falling to 0 where by more."""
    difference = np.abs(strokes - others).mean(axis=2)
    # over few pixels strokes may differ by more, but the corners of a ghost show there
    near = _NEAR_SHARE * cv2.blur(difference, _NEAR_PATCH)
    difference = np.maximum(cv2.blur(difference, _PATCH), near)
    likeness: Plane = 1 / (1 + (difference / np.float32(scale)) ** 6)
    return likeness
