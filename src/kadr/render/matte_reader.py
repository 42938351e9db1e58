"""Read the mattes of frames from a mask: plain values that a task can have in, mattes out."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.composite import MatteOptions, make_matte
from kadr.core.closing import Closing
from kadr.core.frames import to_8_bits
from kadr.errors import InputError
from kadr.image_files import read_image_bytes
from kadr.render.run_inputs import check_planned
from kadr.video.base import Clip
from kadr.video.clip_source import ClipSource
from kadr.video.forward_frames import ForwardFrames
from kadr.video.mask_image import MaskImage, decode_mask, lowest_channel

_ASPECT_TOLERANCE = 0.02
"""How much a mask's aspect ratio may differ: sizes are rounded when images are reduced."""
_NOISE = 8
"""Levels of lossy files so near to black or white count as that."""
_EXACT_CODECS = ("png", "apng", "gif", "qtrle", "ffv1", "rawvideo", "huffyuv")
_CACHED_BYTES = 1 << 27
"""Of mattes that are kept for stylizers, so that each is read once for a batch of frames."""


@dataclass(frozen=True)
class MaskFacts:
    """What was found in all masks together, by which each of them is read.

    has_alpha: one of them is transparent somewhere, so alpha is the mask. has_numbers: they hold
    the numbers 0 and 1 (or another small one), not levels. largest: the highest level of all.
    """

    has_alpha: bool = False
    has_numbers: bool = False
    largest: int = 255


@dataclass(frozen=True)
class MaskSource:
    """Which mask each frame has, and how it becomes a matte; plain values only.

    size: (width, height) of frames. files: by frame, a file and the hash of its content. clip: a
    video or sequence of masks, and frames: by frame, its frame of that. fit: masks of another size
    are resized.
    """

    size: tuple[int, int]
    matte: MatteOptions
    facts: MaskFacts
    files: tuple[tuple[int, str, str], ...] = ()
    clip: ClipSource | None = None
    frames: tuple[tuple[int, int], ...] = ()
    fit: bool = False

    def part(self, indices: Iterable[int]) -> MaskSource:
        """The same for some frames, for a process with another working directory."""
        files, frames = self._by_frame
        chosen = list(indices)
        return replace(
            self,
            files=tuple(
                (index, str(Path(files[index][0]).absolute()), files[index][1])
                for index in chosen
                if index in files
            ),
            clip=None if self.clip is None else self.clip.absolute(),
            frames=tuple((index, frames[index]) for index in chosen if index in frames),
        )

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """Read what ``dataclasses.asdict`` made of it, after it was sent to a task."""
        clip = values["clip"]
        return cls(
            tuple(values["size"]),
            MatteOptions(**values["matte"]),
            MaskFacts(**values["facts"]),
            tuple((index, path, digest) for index, path, digest in values["files"]),
            None if clip is None else ClipSource(**clip),
            tuple((index, frame) for index, frame in values["frames"]),
            values["fit"],
        )

    @cached_property
    def _by_frame(self) -> tuple[dict[int, tuple[str, str]], dict[int, int]]:
        """Files with their hashes, and frames of the clip, by frame."""
        return {index: (path, digest) for index, path, digest in self.files}, dict(self.frames)

    @cached_property
    def _names(self) -> dict[int, str]:
        identity = "" if self.clip is None else self.clip.identity
        named = {index: f"{identity}:{frame}" for index, frame in self.frames}
        return named | {index: digest for index, _, digest in self.files}

    @property
    def indices(self) -> tuple[int, ...]:
        """The frames that have a mask, in order."""
        return tuple(sorted(self._names))

    def digest(self, index: int) -> str:
        """A hash of all that the matte of a frame is made from."""
        text = repr(
            (
                self._names[index],
                asdict(self.matte),
                self.facts.has_alpha,
                self.facts.has_numbers,
                self.size,
            )
        )
        return hashlib.sha256(text.encode()).hexdigest()[:32]


class MatteReader(Closing):
    """Reads mattes; safe to use from several threads."""

    def __init__(
        self, source: MaskSource, clip: Clip | None = None, *, cached_bytes: int = _CACHED_BYTES
    ) -> None:
        """clip: the masks' clip if it is open already, and closed by somebody else.

        cached_bytes: of mattes that are kept; the newest always is.
        """
        self._source, self._cached_bytes = source, cached_bytes
        self._files = {index: (Path(path), digest) for index, path, digest in source.files}
        self._frames = dict(source.frames)
        self._clip, self._own_clip = clip, False
        self._masks: ForwardFrames | None = None
        self._cached: OrderedDict[str, NDArray[np.float32]] = OrderedDict()
        self._lock = threading.Lock()

    def matte(self, index: int) -> NDArray[np.float32]:
        """(H, W) float32, 0–1; not to be written to. Raises InputError if it cannot be read."""
        key = self._source._names[index]
        with self._lock:
            matte = self._cached.pop(key, None)
            if matte is None:
                matte = make_matte(
                    mask_levels(self.image(index), self._source.facts, self._source.size),
                    self._source.matte,
                )
                matte.flags.writeable = False
            self._cached[key] = matte
            total = sum(cached.nbytes for cached in self._cached.values())
            while total > self._cached_bytes and len(self._cached) > 1:
                total -= self._cached.popitem(last=False)[1].nbytes
            return matte

    def image(self, index: int) -> MaskImage:
        """The mask of a frame as it is stored.

        Raises InputError if it has another size and is not to be resized, or was changed.
        """
        name: object
        if index in self._files:
            path, planned = self._files[index]
            content = read_image_bytes(path)
            check_planned(path, hashlib.sha256(content).hexdigest(), planned)
            name, image = path, decode_mask(path, content)
        else:
            name, image = self._clip_image(index)
        self._check_size(name, image.levels)
        return image

    def _clip_image(self, index: int) -> tuple[Path, MaskImage]:
        if self._clip is None:
            assert self._source.clip is not None, "a mask is in files or in a clip"
            self._clip, self._own_clip = self._source.clip.open(), True
        if self._masks is None:
            self._masks = ForwardFrames(self._clip)
        info, frame = self._clip.info, self._masks.get(self._frames[index])
        image = to_8_bits(frame.image)
        alpha = image[..., 3] if image.shape[2] == 4 else None
        exact = info.kind == "video" and info.codec in _EXACT_CODECS
        return info.path, MaskImage(lowest_channel(image), alpha, exact)

    def _check_size(self, name: object, levels: NDArray[np.uint8]) -> None:
        size, (height, width) = self._source.size, levels.shape
        if (width, height) == size:
            return
        text = f"{name}: a mask of {width}×{height}, the clip is {size[0]}×{size[1]}"
        if abs(width * size[1] / (height * size[0]) - 1) > _ASPECT_TOLERANCE:
            raise InputError(f"{text}, another shape; give a mask of what the frame shows")
        if not self._source.fit:
            raise InputError(f"{text}; resize the mask, or give --fit-mask to resize it here")

    def close(self) -> None:
        """Free the clip that was opened here."""
        if self._masks is not None:
            self._masks.close()
            self._masks = None
        if self._own_clip and self._clip is not None:
            self._clip.close()
            self._clip = None


def mask_levels(
    image: MaskImage, facts: MaskFacts, size: tuple[int, int] | None = None
) -> NDArray[np.uint8]:
    """(H, W) uint8: 255 where a mask is set, 0 where it is not, soft between.

    size: (width, height) that it is resized to.
    """
    levels = image.levels
    if facts.has_alpha:
        levels = np.full_like(levels, 255) if image.alpha is None else image.alpha
    elif facts.has_numbers:
        levels = np.where(levels > 0, 255, 0).astype(np.uint8)
    if not image.exact:
        stretched = (levels.astype(np.float32) - _NOISE) * (255 / (255 - 2 * _NOISE))
        levels = np.rint(np.clip(stretched, 0, 255)).astype(np.uint8)
    if size is not None and (levels.shape[1], levels.shape[0]) != size:
        shrinks = size[0] < levels.shape[1]
        method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        levels = cv2.resize(levels, size, interpolation=method).astype(np.uint8)
    return levels
