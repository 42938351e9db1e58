"""Make mattes from the difference to the empty scene, as a locked camera sees it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.events import Event, notice
from kadr.core.formatting import counted
from kadr.core.frames import FrameRange
from kadr.core.prefetch import prefetch
from kadr.matte.base import STEP, FrameMatte, Matte, MatteContext, work_image
from kadr.matte.clean_plate import CleanPlate, Values, build_clean_plate, smooth
from kadr.matte.options import DifferenceOptions
from kadr.video.base import Clip

_SIGMAS = 3.5
"""Difference, in multiples of the noise, that counts as the subject."""
_LEAST_THRESHOLD = 8.0
"""Levels of 255: what cameras and codecs change in a still scene is below."""
_STRONG = 1.6
"""A region is kept if it has a difference of this multiple of the threshold somewhere."""
_EDGE = 5
"""Pixels: width of the windows in which the largest difference is that of a covered pixel."""
_SHADOW = (0.4, 1.12)
"""Brightness of a shadow, as a share of the plate's."""
_DETAIL = 4.0
"""Gaussian sigma in pixels: structure below this size is what a shadow leaves visible."""
_SPECK, _HOLE = 2e-4, 1e-2
"""Shares of the frame: smaller regions are dropped, smaller holes closed."""
_SMALLEST = 30
"""Pixels of a region, whatever the size of the frame."""
_CLOSING = 0.004
"""Width of cracks that are closed, as a share of the longer side."""
_MOVED = 0.5
"""Share of differing pixels from which the camera or the light must have changed."""


class Difference:
    """The method that compares each frame with the empty scene."""

    Options: ClassVar[type[DifferenceOptions]] = DifferenceOptions
    VERSION = 1
    name = "difference"

    def __init__(self, options: DifferenceOptions) -> None:
        self.options = options

    @property
    def files(self) -> tuple[Path, ...]:
        """The plate, if it is a file."""
        return () if self.options.clean_plate is None else (self.options.clean_plate,)

    @property
    def settings(self) -> Mapping[str, object]:
        """The threshold, and what becomes of shadows."""
        return {"threshold": self.options.threshold, "shadows": self.options.keep_shadows}

    def mattes(
        self, clip: Clip, frames: FrameRange, wanted: FrameRange, context: MatteContext
    ) -> Iterator[Event | FrameMatte]:
        """See MatteMethod. A notice tells if most of the picture differs in some frames."""
        scene = yield from build_clean_plate(clip, frames, self.options.clean_plate, context.cancel)
        threshold = self._threshold(scene)
        moved: list[int] = []
        for frame in prefetch(clip.frames(wanted.start, wanted.stop)):
            context.cancel.check()
            image = work_image(frame)
            difference = _measure(smooth(image), scene, self.options.keep_shadows)
            relative = difference / threshold
            if float(np.mean(relative > 1)) > _MOVED:
                moved.append(frame.index)
            yield FrameMatte(frame, image, _clean(relative))
        if moved:
            yield notice(
                STEP,
                f"{counted(len(moved), 'frame')}, the first {clip.number(moved[0])}: "
                "more than half of the picture differs from the empty scene; difference needs a "
                "locked camera and steady light, else paint masks and give --from",
            )

    def _threshold(self, scene: CleanPlate) -> Values:
        if self.options.threshold is not None:
            return np.full_like(scene.noise, self.options.threshold)
        threshold: Values = scene.noise * np.float32(_SIGMAS)
        return np.maximum(threshold, np.float32(_LEAST_THRESHOLD), out=threshold)


def _measure(frame: Values, scene: CleanPlate, keep_shadows: bool) -> Values:
    """The difference of a frame and the plate, (h, w) float32 levels.

    A darker surface of the same colour with the structure of the plate is in shadow: there only the
    difference of colour and structure counts (brightness and chromaticity distortion, Horprasert et
    al. 1999).
    """
    empty = scene.expose(frame)
    difference: Values = np.abs(frame - empty).max(axis=2)
    if keep_shadows:
        return difference
    brightness = np.sum(frame * empty, axis=2) / np.maximum(
        np.sum(np.square(empty), axis=2), np.float32(1)
    )
    shaded = empty * brightness[..., None]
    colour = np.abs(frame - shaded).max(axis=2)
    structure = np.abs(_fine(frame.mean(axis=2)) - _fine(empty.mean(axis=2)) * brightness)
    unlike = np.maximum(colour, structure)
    in_shadow = (brightness > _SHADOW[0]) & (brightness < _SHADOW[1])
    return np.where(in_shadow, np.minimum(unlike, difference), difference)


def _fine(luma: Values) -> Values:
    fine: Values = luma - cv2.GaussianBlur(luma, (0, 0), _DETAIL)
    return fine


def _clean(relative: Values) -> Matte:
    """The matte of differences in multiples of the threshold: holes closed, specks dropped."""
    height, width = relative.shape
    weak = (relative > 1).astype(np.uint8)
    side = 2 * round(_CLOSING * max(height, width)) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    closed = cv2.morphologyEx(weak, cv2.MORPH_CLOSE, disc)
    kept = _kept_regions(closed, relative > _STRONG, max(_SMALLEST, _SPECK * height * width))
    filled = ~_large_regions(~kept, _HOLE * height * width)
    # at the border the difference is that of the subject times how far it covers the pixel
    window = np.ones((_EDGE, _EDGE), np.uint8)
    even = cv2.morphologyEx(relative, cv2.MORPH_CLOSE, window)
    coverage = np.minimum(even / np.maximum(cv2.dilate(even, window), 1), 1)
    inner = cv2.erode(filled.astype(np.uint8), window).view(np.bool_)
    return np.where(inner, np.float32(1), np.where(filled, coverage, np.float32(0)))


def _kept_regions(
    mask: NDArray[np.uint8], strong: NDArray[np.bool_], smallest: float
) -> NDArray[np.bool_]:
    """The connected regions that are large enough and have a strong pixel."""
    count, labels, facts, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    has_strong = np.bincount(labels[strong], minlength=count) > 0
    keep = has_strong & (facts[:, cv2.CC_STAT_AREA] >= smallest)
    keep[0] = False
    kept: NDArray[np.bool_] = keep[labels]
    return kept


def _large_regions(mask: NDArray[np.bool_], smallest: float) -> NDArray[np.bool_]:
    """The connected regions that have at least ``smallest`` pixels."""
    _, labels, facts, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    keep = facts[:, cv2.CC_STAT_AREA] >= smallest
    keep[0] = False
    kept: NDArray[np.bool_] = keep[labels]
    return kept
