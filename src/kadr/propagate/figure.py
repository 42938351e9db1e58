"""The figure that paint belongs to: where it is filmed, and how paint beside it moves with it.

A hat or a ring of hair lies over the background of the film. There the film shows how the
background moves, so the positions of the figure are continued to it from inside the silhouette.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.pull_push import pull_push
from kadr.core.warp import Field, grid, sample
from kadr.guides.confidence import smoothstep
from kadr.guides.continuation import continue_positions, fill_positions

_TOLERANCE = 0.006
"""Share of the longest side by which alpha and silhouette may differ: no paint is meant there."""
_BAND = 0.012
"""The same, the width of the band inside the silhouette where optical flow mixes two motions."""
_OVER = 0.3
"""Share of its reach by which paint lies over the silhouette too, and is not bent by it."""
_MOST_REACH = 0.5
_LEAST_EVIDENCE = np.float32(0.02)
"""Weight of what does not look like the key: used where nothing does."""
_LEAST_NEARNESS = np.float32(1e-4)
_SOFT = np.float32(3)

_Plane = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class FollowedFrame:
    """A frame whose paint follows its figure.

    transport: (H, W, 2) float32, key positions. inside: (H, W) bool, where the figure is filmed.
    visible: (H, W) float32, 0–1, what of the paint counts: not where the figure is hidden.
    beside: (H, W) float32, 0–1, how far the transport is that of paint beside the figure, or over
    its silhouette, about which the film says nothing.
    """

    transport: Field
    inside: NDArray[np.bool_]
    visible: _Plane
    beside: _Plane


class PaintedFigure:
    """What is painted beside the silhouette of a figure in a key."""

    def __init__(
        self,
        silhouette: NDArray[np.bool_],
        painted: NDArray[np.bool_],
        masks: Callable[[int], NDArray[np.bool_]],
        *,
        is_cut_out: bool,
    ) -> None:
        """silhouette: (H, W) bool, where the key's frame shows the figure. painted: (H, W) bool,
        what of the key may be seen. masks: by frame index, (H, W) bool, where a frame shows it.
        is_cut_out: whether the paint has an outline of its own, its alpha.
        """
        self.silhouette, self._masks = silhouette, masks
        self._is_cut_out = is_cut_out
        longest = max(silhouette.shape)
        self._tolerance = _tolerance(silhouette)
        self._band = max(4.0, _BAND * longest)
        beside = paint_beside(silhouette, painted)
        away = _distance(~silhouette)
        furthest = np.max(away, initial=0, where=beside)
        self._reach = float(np.clip(furthest, 6, _MOST_REACH * longest))
        self._is_beside = bool(beside.any())
        to_paint = _distance(~beside) if self._is_beside else np.full(silhouette.shape, np.inf)
        # what much of the paint is near to: a mane goes with the head, not with the shoulders
        near = cv2.GaussianBlur(beside.astype(np.float32), (0, 0), self._reach)
        near /= max(float(near.max()), 1e-6)
        self._depth = smoothstep(_distance(silhouette), 1.0, self._band)
        self._near = np.maximum(near, _LEAST_NEARNESS)
        gap = max(4.0, self._reach / 2)
        joined = (np.float32(gap) + _SOFT - to_paint) / _SOFT
        self._joined = np.clip(joined, 0, 1).astype(np.float32)
        # without the edge of the figure's own paint, which touches it
        self._apart = (beside & (away > self._tolerance)).astype(np.float32)

    def follow(self, index: int, transport: Field, evidence: _Plane) -> FollowedFrame:
        """Let what lies beside the figure in frame ``index`` follow it.

        transport: (H, W, 2), as found in the film. evidence: (H, W) 0–1, where the key, moved by
        it, looks like the frame.
        """
        inside = self._masks(index)
        if not (inside.any() and self._is_beside):
            return self._unchanged(transport, inside)
        depth = _distance(inside)
        deep = smoothstep(depth, 1.0, self._band)
        holds = deep * np.maximum(evidence, _LEAST_EVIDENCE) * sample(self._depth, transport)
        fields = _continue(transport, holds, sample(self._near, transport), self._reach)
        if fields is None:
            return self._unchanged(transport, inside)
        continued, along = fields
        over = 1 - smoothstep(depth, 1.0, max(self._band, self._reach * _OVER))
        if not self._is_cut_out:
            followed = transport + over[..., None] * (continued - transport)
            return FollowedFrame(followed, inside, np.ones_like(over), over)
        visible = inside.astype(np.float32)
        joined = sample(self._joined, continued)
        apart = (sample(self._apart, continued) > 0) & ~inside
        core = _grown(apart, 2 * self._tolerance + 1)
        reached = self._band + max(4.0, self._reach * _OVER)
        zone = _grown(core, reached).astype(np.float32)
        side = 2 * int(self._band / 2) + 1
        zone = cv2.blur(zone, (side, side))
        zone[core] = 1
        visible = np.maximum(self._near_silhouette(inside, visible), joined * core)
        # at the silhouette and a little beyond it everything moves with the nearest inside
        edge = 1 - smoothstep(_distance(~inside), self._tolerance, self._tolerance + self._band)
        followed = transport + (edge * (1 - deep))[..., None] * (along - transport)
        beside = zone * over
        followed += beside[..., None] * (continued - followed)
        return FollowedFrame(followed, inside, visible, beside)

    def _unchanged(self, transport: Field, inside: NDArray[np.bool_]) -> FollowedFrame:
        outside = (~inside).astype(np.float32)
        visible = self._near_silhouette(inside, inside.astype(np.float32))
        return FollowedFrame(transport, inside, visible, outside)

    def _near_silhouette(self, inside: NDArray[np.bool_], visible: _Plane) -> _Plane:
        """Alpha may reach a little beyond the silhouette everywhere."""
        if not inside.any():
            return visible
        grown = _grown(inside, self._tolerance)
        near: _Plane = np.maximum(visible, grown.astype(np.float32))
        return near


def _continue(
    transport: Field, holds: _Plane, near: _Plane, reach: float
) -> tuple[Field, Field] | None:
    """The transport continued from what is near the paint, and from what is nearest at all.

    Both are smooth, so they are found at half the size.
    """
    height, width = holds.shape
    size = max(1, width // 2), max(1, height // 2)
    scale = np.array([width / size[0], height / size[1]], np.float32)

    def reduce(plane: _Plane) -> _Plane:
        reduced: _Plane = cv2.resize(plane, size, interpolation=cv2.INTER_AREA)
        return reduced

    own, held = grid(size[1], size[0]), reduce(holds)
    weighted = reduce((transport - grid(height, width)) * holds[..., None])
    motion = weighted / np.maximum(held, np.float32(1e-9))[..., None] / scale
    positions = np.asarray(own + motion, np.float32)
    continued = continue_positions(positions, reduce(holds * near), reach / float(scale.mean()))
    if continued is None:
        return None
    along = fill_positions(positions, continued, held)
    far, nearest = (
        grid(height, width)
        + cv2.resize((field - own) * scale, (width, height), interpolation=cv2.INTER_LINEAR)
        for field in (continued, along)
    )
    return far, nearest


def paint_beside(silhouette: NDArray[np.bool_], painted: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(H, W) bool: what is painted beside a silhouette, and is more than the edge of its paint."""
    outside, tolerance = painted & ~silhouette, _tolerance(silhouette)
    if not silhouette.any():
        return outside
    reaching = outside & (_distance(~silhouette) > tolerance)
    beside: NDArray[np.bool_] = outside & _grown(reaching, tolerance + 1)
    return beside


def continue_error(error: NDArray[np.uint8], inside: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The error (H, W) of a figure, continued beside it: its paint comes from the same key."""
    weight = inside.astype(np.float32)
    if not inside.any():
        return np.zeros_like(error)
    filled = pull_push((error * weight)[..., None], weight)[..., 0]
    continued: NDArray[np.uint8] = np.clip(np.rint(filled), 0, 255).astype(np.uint8)
    return continued


def _tolerance(silhouette: NDArray[np.bool_]) -> float:
    return max(3.0, _TOLERANCE * float(max(silhouette.shape)))


def _distance(inside: NDArray[np.bool_]) -> _Plane:
    """Pixels to the nearest pixel outside, (H, W) float32; 0 outside."""
    if inside.all():
        return np.full(inside.shape, max(inside.shape), np.float32)
    distance: _Plane = cv2.distanceTransform(inside.view(np.uint8), cv2.DIST_L2, 5)
    return distance


def _grown(mask: NDArray[np.bool_], radius: float) -> NDArray[np.bool_]:
    """What lies in a mask or at most ``radius`` pixels away from it."""
    if not mask.any():
        return mask
    grown: NDArray[np.bool_] = _distance(~mask) <= radius
    return grown
