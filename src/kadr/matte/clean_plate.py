"""The empty scene of a locked camera: an image, or the median of sampled frames."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.events import CancelToken, Event
from kadr.core.frames import Frame, FrameRange, Image, to_8_bits
from kadr.errors import InputError
from kadr.image_files import read_image
from kadr.matte.base import work_image
from kadr.video.base import Clip

_STEP = "plate"
"""The step of events about sampled frames."""
_SAMPLES = 25
"""Frames, evenly over the clip, of which the median is taken and the noise is measured."""
_MAD_TO_SIGMA = 1.4826
_NOISE_RANGE = (0.8, 6.0)
"""Levels of 255: compression hides the noise of flat areas in one frame and shows it in another;
more than so much is not noise but a camera that moves."""
_MOST_LOCAL = 2.5
"""The noise of a place is at most this multiple of the frame's: more is the subject's motion."""
_EXPOSURE = (0.8, 1.25)
"""Limits of the factor by which the light of a frame may differ from that of the plate."""
_DARK = 16.0
_SMOOTHING = 0.8
"""Gaussian sigma in pixels, against noise; more would widen outlines."""

Values = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class CleanPlate:
    """The empty scene, (h, w, 3) float32 0–255, smoothed, and its noise, (h, w) float32, levels."""

    image: Values
    noise: Values

    def expose(self, frame: Values) -> Values:
        """The plate in the light of a frame: each channel times the median ratio of both."""
        bright = self.image.min(axis=2) > _DARK
        if not bright.any():
            return self.image
        ratio = np.median(frame[bright] / self.image[bright], axis=0)
        exposed: Values = self.image * np.clip(ratio, *_EXPOSURE).astype(np.float32)
        return exposed


def smooth(image: Image) -> Values:
    """(h, w, 3) uint8 as float32, with less noise."""
    smoothed: Values = cv2.GaussianBlur(image.astype(np.float32), (0, 0), _SMOOTHING)
    return smoothed


def build_clean_plate(
    clip: Clip, frames: FrameRange, path: Path | None, cancel: CancelToken
) -> Generator[Event, None, CleanPlate]:
    """The plate from a file, or as the median of the clip, with the noise of sampled frames.

    Yields progress. Keeps ``_SAMPLES`` frames at the work size in memory. Raises InputError for a
    file of another size than the clip's.
    """
    samples = []
    indices = _sampled(frames)
    for count, index in enumerate(indices, start=1):
        cancel.check()
        samples.append(smooth(work_image(clip.frame(index))))
        yield Event(_STEP, count, len(indices))
    if path is None:
        image: Values = np.median(samples, axis=0).astype(np.float32)
    else:
        image = smooth(_read(path, (clip.info.width, clip.info.height)))
    flat = CleanPlate(image, np.zeros(image.shape[:2], np.float32))
    residuals = np.stack([np.abs(s - flat.expose(s)).max(axis=2) for s in samples])
    deviation = np.median(residuals, axis=0) * _MAD_TO_SIGMA
    overall = float(np.clip(np.median(residuals) * _MAD_TO_SIGMA, *_NOISE_RANGE))
    noise = np.clip(cv2.blur(deviation, (5, 5)), overall, _MOST_LOCAL * overall)
    return CleanPlate(image, noise.astype(np.float32))


def _sampled(frames: FrameRange) -> Sequence[int]:
    count = min(_SAMPLES, len(frames))
    positions = np.linspace(frames.start, frames.stop - 1, count)
    return sorted({int(position) for position in positions})


def _read(path: Path, size: tuple[int, int]) -> Image:
    image = to_8_bits(read_image(path))
    if (image.shape[1], image.shape[0]) != size:
        raise InputError(
            f"{path}: a plate of {image.shape[1]}×{image.shape[0]}, the clip is {size[0]}×"
            f"{size[1]}; give a frame of the empty scene from the same camera"
        )
    return work_image(Frame(0, image))
