"""Filmed key frames and the frames between them in; where they show the same surface out.

Only the film is looked at, so a correspondence serves for any style. Between neighbouring keys the
flow of all frames between is composed; links are then chained from key to key, and corrected
against the two key frames themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.frames import Image
from kadr.core.packed_positions import pack_positions, position_scale, unpack_positions
from kadr.core.resize import shrink_to_side
from kadr.core.warp import Field, grid, sample
from kadr.guides.confidence import similarity, smoothstep
from kadr.guides.flow import denoised_flow, estimate_flow, gray
from kadr.guides.transport import identity, local_stretch, register

SIDE = 384
"""Longest side in pixels at which surfaces are followed: colours need no more."""
_SIMILARITY_RANGE = (0.6, 0.85)
"""Similarity of both key frames at which confidence rises from 0 and reaches 1."""
_STRETCH_RANGE = (1.6, 2.4)
"""Stretch at which confidence falls from 1 and reaches 0."""


@dataclass(frozen=True, eq=False)
class Correspondence:
    """Where another key frame shows what a key frame shows.

    positions: (h, w, 2) float32, for each pixel of the key frame its position in the other, in
    pixels of frames reduced to ``SIDE``. confidence: (h, w) float32, 0–1.
    """

    positions: Field
    confidence: NDArray[np.float32]

    @property
    def coverage(self) -> float:
        """The share of the key frame that the other shows, 0–1."""
        return float(self.confidence.mean())


@dataclass(frozen=True, eq=False)
class Link:
    """Two neighbouring keys: ``forward``, in the earlier, for each pixel of the later;
    ``backward``, in the later, for each pixel of the earlier; both (h, w, 2) float32.
    """

    forward: Field
    backward: Field

    def pack(self) -> dict[str, NDArray[Any]]:
        """The arrays to store, uint16."""
        scale = position_scale(self.forward.shape)
        fields = {"forward": self.forward, "backward": self.backward}
        return {name: pack_positions(field, scale) for name, field in fields.items()}

    @classmethod
    def unpack(cls, arrays: dict[str, NDArray[Any]], shape: tuple[int, ...]) -> Self:
        """The link of ``pack``, of reduced frames of ``shape`` (h, w). Raises ValueError."""
        height, width = shape[:2]
        for name in ("forward", "backward"):
            if name not in arrays or arrays[name].shape != (2 * height, width):
                raise ValueError(f"not the link of frames of {width}×{height} pixels")
        scale = position_scale((height, width, 2))
        return cls(*(unpack_positions(arrays[name], scale) for name in ("forward", "backward")))


def reduce_frame(image: Image) -> Image:
    """A frame (H, W, 3) at the size at which surfaces are followed."""
    return np.ascontiguousarray(shrink_to_side(image, SIDE))


def link_keys(frames: Iterable[Image]) -> Link:
    """Follow all pixels from a key to the next one, and back, in one sweep.

    frames: (h, w, 3) uint8, reduced, both keys and all frames between them, in order.
    """
    iterator = iter(frames)
    before = gray(next(iterator))
    first = before
    forward = identity(*before.shape)  # of this frame, in the first
    backward = identity(*before.shape)  # of the first, in this frame
    for image in iterator:
        frame = gray(image)
        forward = sample(forward, denoised_flow(frame, before) + grid(*frame.shape))
        backward = backward + sample(denoised_flow(before, frame), backward)
        before = frame
    clipped = _within(backward)
    return Link(
        _within(register(forward, first, before)), _within(register(clipped, before, first))
    )


def chain(links: Sequence[Link], later: int, earlier: int) -> Field:
    """Positions in key ``earlier`` for each pixel of key ``later``; keys count along the links.

    The other way round if ``later`` comes first.
    """
    step = 1 if earlier > later else -1
    positions: Field | None = None
    for key in range(later, earlier, step):
        link = links[key] if step > 0 else links[key - 1]
        field = link.backward if step > 0 else link.forward
        positions = field if positions is None else _within(sample(field, positions))
    assert positions is not None, "a key is chained to another one"
    return positions


def correspond(frame: Image, other: Image, chained: Field | None = None) -> Correspondence:
    """Where ``other`` shows what a key frame shows, both (h, w, 3) uint8, reduced.

    chained: positions from the frames between. Flow between both frames is tried as well, for what
    was hidden in between and came back. Of both the position is taken where the frames agree most.
    """
    luma, other_luma = gray(frame), gray(other)
    candidates = [] if chained is None else [register(chained, other_luma, luma)]
    direct = _within(estimate_flow(luma, other_luma) + grid(*luma.shape))
    candidates.append(_within(register(direct, other_luma, luma)))
    best: Correspondence | None = None
    for positions in candidates:
        confidence = _confidence(positions, frame, other)
        if best is None:
            best = Correspondence(positions, confidence)
            continue
        better = cv2.blur(confidence, (9, 9)) > cv2.blur(best.confidence, (9, 9)) + np.float32(0.1)
        best = Correspondence(
            np.where(better[..., None], positions, best.positions),
            np.where(better, confidence, best.confidence),
        )
    assert best is not None
    return best


def _confidence(positions: Field, frame: Image, other: Image) -> NDArray[np.float32]:
    similar = smoothstep(similarity(sample(other, positions), frame), *_SIMILARITY_RANGE)
    similar *= 1 - smoothstep(local_stretch(positions), *_STRETCH_RANGE)
    eroded = np.minimum(similar, cv2.erode(similar, np.ones((5, 5), np.uint8)))
    blurred: NDArray[np.float32] = cv2.blur(eroded, (5, 5))
    return np.minimum(blurred, similar)


def _within(positions: Field) -> Field:
    height, width = positions.shape[:2]
    limits = np.array([width - 1, height - 1], np.float32)
    clipped: Field = np.clip(positions, np.float32(0), limits)
    return clipped
