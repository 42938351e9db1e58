"""A key and what other keys show of the same surfaces in; the key in their colours out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.frames import Image
from kadr.core.warp import sample
from kadr.match.colours import Plane, fit_colours, from_lab, to_lab
from kadr.match.correspondence import Correspondence, reduce_frame

_COLOUR_BLUR, _TEXTURE_BLUR = 0.012, 0.006
"""Sigmas, as shares of the longest side, of what is compared: of colours, so that strokes and
forms that lie a little aside do not count, and of the texture that is taken over."""
_MOST_TEXTURE = 12.0
"""The largest difference in Lab units that counts as texture."""
AGREE = 2.0
"""Keys whose colours differ less (CIE 1976, median) stay as they are."""
LEAST_COVERAGE = 0.02
"""Share of a key frame that another must show, so that they have anything in common."""


@dataclass(frozen=True, eq=False)
class KeyView:
    """A key as it is compared: its filmed frame and its painting.

    filmed, painted: (h, w, 3) uint8, of ``reduce_frame``. weight: (h, w) float32, where it is
    painted, 0–1; None: everywhere.
    """

    filmed: Image
    painted: Image
    weight: NDArray[np.float32] | None = None

    @classmethod
    def of(cls, filmed: Image, style: Image, mask: NDArray[np.bool_] | None = None) -> KeyView:
        """From full-size images; style: (H, W, 3 or 4). mask: (H, W), where it is stylized."""
        weight = None
        if style.shape[2] == 4:
            weight = reduce_frame(style[..., 3:]).astype(np.float32) / np.float32(255)
        if mask is not None:
            inside = reduce_frame((mask * np.uint8(255))[..., None]).astype(np.float32) / 255
            weight = inside if weight is None else np.minimum(weight, inside)
        weight = None if weight is None else weight.reshape(weight.shape[:2])
        return cls(reduce_frame(filmed), reduce_frame(style[..., :3]), weight)


def match_key(
    style: Image,
    key: KeyView,
    others: Sequence[tuple[KeyView, Correspondence]],
    *,
    strength: float = 1.0,
    own_share: float = 0.0,
) -> Image | None:
    """The style (H, W, 3 or 4) uint8 of a key in the colours of others; None if they agree already.

    others: with where they show what the key frame shows. own_share: the weight of the key's own
    colours beside each of theirs: 0 towards the others, 1 towards the mean of all. Colours that the
    film itself has changed in between are expected to differ by as much.
    """
    side = max(key.painted.shape[:2])
    own = to_lab(key.painted)
    target, weight = _target(key, own, others, own_share, side)
    source = _blur(own, _COLOUR_BLUR * side)
    goal = _blur(target, _COLOUR_BLUR * side)
    if weight.mean() < LEAST_COVERAGE * 0.5:
        return None
    if _difference(source, goal, weight) < AGREE * (1 - own_share / (own_share + len(others))):
        return None
    colours = fit_colours(source, goal, weight)
    lab = to_lab(np.ascontiguousarray(style[..., :3]))
    matched = colours.apply(lab)
    texture = _texture(colours.apply(own), target, weight, side)
    texture = cv2.resize(texture, (style.shape[1], style.shape[0]), interpolation=cv2.INTER_LINEAR)
    matched += texture
    result = from_lab(lab + np.float32(strength) * (matched - lab))
    return result if style.shape[2] == 3 else np.dstack([result, style[..., 3]])


def colour_difference(key: KeyView, other: KeyView, correspondence: Correspondence) -> float:
    """How far the colours of two keys differ on the same surface: median, CIE 1976."""
    side = max(key.painted.shape[:2])
    own = to_lab(key.painted)
    target, weight = _target(key, own, [(other, correspondence)], 0.0, side)
    sigma = _COLOUR_BLUR * side
    return _difference(_blur(own, sigma), _blur(target, sigma), weight)


def _target(
    key: KeyView,
    own: Plane,
    others: Sequence[tuple[KeyView, Correspondence]],
    own_share: float,
    side: int,
) -> tuple[Plane, Plane]:
    """What the key should show, (h, w, 3) Lab, and how sure that is, (h, w)."""
    filmed = to_lab(key.filmed)
    total = np.zeros(own.shape[:2], np.float32)
    target = np.zeros_like(own)
    for other, correspondence in others:
        positions = correspondence.positions
        weight = correspondence.confidence
        if key.weight is not None:
            weight = weight * key.weight
        if other.weight is not None:
            weight = weight * sample(other.weight, positions)
        painted = sample(to_lab(other.painted), positions)
        change = filmed - sample(to_lab(other.filmed), positions)
        painted += _blur(change, _COLOUR_BLUR * side)
        target += weight[..., None] * painted
        total += weight
    confidence = total / np.float32(len(others))
    own_weight = np.full(total.shape, own_share, np.float32)
    target += own_weight[..., None] * own
    target /= np.maximum(total + own_weight, np.float32(1e-6))[..., None]
    nowhere = total < np.float32(1e-3)
    target[nowhere] = own[nowhere]
    return target, np.where(nowhere, np.float32(0), confidence)


def _texture(mapped: Plane, target: Plane, weight: Plane, side: int) -> Plane:
    """The broad strokes in which the target differs, (h, w, 3) Lab; none where it is not sure."""
    sigma = _TEXTURE_BLUR * side
    sure = weight * weight
    residual = np.clip(target - mapped, -_MOST_TEXTURE, _MOST_TEXTURE) * sure[..., None]
    near = cv2.GaussianBlur(sure, (0, 0), sigma)
    blurred = _blur(residual, sigma) / np.maximum(near, np.float32(0.05))[..., None]
    texture: Plane = blurred * np.minimum(near, np.float32(1))[..., None]
    return texture


def _blur(image: Plane, sigma: float) -> Plane:
    blurred: Plane = cv2.GaussianBlur(image, (0, 0), max(0.6, sigma))
    return blurred


def _difference(a: Plane, b: Plane, weight: Plane) -> float:
    """The weighted median of the difference of colour."""
    size = np.sqrt(np.square(a - b).sum(axis=2)).reshape(-1)
    order = np.argsort(size, kind="stable")
    sums = np.cumsum(weight.reshape(-1)[order].astype(np.float64))
    if sums[-1] <= 0:
        return 0.0
    return float(size[order[np.searchsorted(sums, sums[-1] / 2)]])
