"""Compare stylized frames with the filmed ones; out come notices about those that look wrong.

A server may answer with the frame that it got, a black picture or the picture of another frame,
and a model may overflow. None of this is an error: a denoising strength of 0 gives the frame back.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.formatting import counted
from kadr.core.frames import Frame, Image, to_8_bits
from kadr.core.resize import shrink_to_side
from kadr.stylize.registry import stylizer_options

_SIDE = 64
"""Longest side of the reduced images that are compared: sampling them again changes little."""

_FLAT_LEVELS, _CONTRAST_LEVELS = 2, 16
"""Levels within which all pixels have one colour; those that a frame must span to be another."""

_EQUAL_LEVELS = 0.5
"""Mean difference up to which two images of one size are the same."""

_SAME_LEVELS, _OTHER_LEVELS = 3, 12
"""Largest difference between reduced images of one picture, and at least between two frames."""

_LIKE, _UNLIKE = 0.8, 0.5
"""Correlations of a picture with the frame that it shows, and with one that it does not show."""

_RECENT = 8
"""Frames that a picture is compared with besides its own."""

_MAX_NUMBERS = 8

_FLAT = "came back all of one colour"
_UNCHANGED = "came back unchanged"
_REPEATED = "came back as the same picture as another frame"
_EXCHANGED = "came back as a picture of another frame"
_ADVICE = {
    _FLAT: "values may have overflowed (A1111: --no-half-vae, ComfyUI: --fp32-vae), or a safety "
    "checker blanked it",
    _UNCHANGED: "raise {strength}, or look whether the prompt and the model are used",
    _REPEATED: "the filmed frames differ; look whether each frame is used",
    _EXCHANGED: "look whether something at the server keeps an older frame",
}
_AGAIN = "it is kept; change a setting such as the seed to make it again"


@dataclass(frozen=True, eq=False)
class _Filmed:
    """A filmed frame in 8 bits, reduced, and whether it is more than one colour."""

    image: Image
    small: NDArray[np.float32]
    has_contrast: bool


@dataclass(eq=False)
class StyledCheck:
    """Notices about the frames of one stylizer, each kind when it first occurs and at the end.

    stylizer: its name. number: the number of a frame index that people see. resizes: whether it
    works at a size of its own, so that even a frame that nothing was done to comes back resampled.
    subject: what the number counts. strength: the option that says how much a frame changes.
    ``add_frame`` may be called in another thread than the rest.
    """

    stylizer: str
    number: Callable[[int], int]
    resizes: bool
    subject: str = "frame"
    strength: str = "denoising-strength"
    _filmed: dict[int, _Filmed] = field(default_factory=dict)
    _recent: deque[tuple[int, NDArray[np.float32], str]] = field(
        default_factory=lambda: deque(maxlen=_RECENT)
    )
    _indices: dict[str, list[int]] = field(default_factory=dict)
    _checked: int = 0

    @classmethod
    def of(
        cls,
        stylizer: str,
        number: Callable[[int], int],
        *,
        subject: str = "frame",
        strength: str = "denoising-strength",
    ) -> StyledCheck:
        """The check for a stylizer of the registry."""
        resizes = any(option.name == "width" for option in fields(stylizer_options(stylizer)))
        return cls(stylizer, number, resizes, subject, strength)

    def add_frame(self, frame: Frame) -> None:
        """Remember a filmed frame until its stylized one is checked."""
        image = to_8_bits(frame.rgb)
        self._filmed[frame.index] = _Filmed(image, _reduced(image), _span(image) > _CONTRAST_LEVELS)

    def check(self, index: int, styled: Image, mask: NDArray[Any] | None = None) -> Iterator[str]:
        """Yield a notice if the stylized frame looks wrong in a way that is new.

        mask: where it was to be stylized; None: everywhere.
        """
        filmed, image = self._filmed.pop(index), styled[..., :3]
        self._checked += 1
        stylized = None if mask is None else np.asarray(mask) > 0
        if stylized is not None and not stylized.any():
            return
        kind, other = self._kind(filmed, image, stylized)
        if stylized is None:
            digest = hashlib.sha256(image.tobytes()).hexdigest()
            if not kind:
                kind, other = self._kind_among_recent(filmed, image, digest)
            self._recent.append((index, filmed.small, digest))
        if not kind:
            return
        indices = self._indices.setdefault(kind, [])
        indices.append(index)
        if len(indices) == 1:
            name = kind if other is None else f"{kind}, {self.number(other)}"
            again = f"; {_AGAIN}" if self.subject == "frame" else ""
            yield (
                f"stylizer {self.stylizer}: {self.subject} {self.number(index)} {name}; "
                f"{_ADVICE[kind].format(strength=self.strength)}{again}"
            )

    def summary(self) -> Iterator[str]:
        """Yield for each kind that occurred more than once how many frames it was, and which."""
        for kind, indices in self._indices.items():
            if len(indices) > 1:
                numbers = ", ".join(str(self.number(index)) for index in indices[:_MAX_NUMBERS])
                rest = " ..." if len(indices) > _MAX_NUMBERS else ""
                yield (
                    f"stylizer {self.stylizer}: {len(indices)} of "
                    f"{counted(self._checked, self.subject)} {kind}: {numbers}{rest}"
                )

    def _kind(
        self, filmed: _Filmed, image: Image, stylized: NDArray[np.bool_] | None
    ) -> tuple[str, None]:
        """What is wrong with an image beside its own frame, "" if nothing."""
        if not filmed.has_contrast:
            return "", None
        if _span(image if stylized is None else image[stylized]) <= _FLAT_LEVELS:
            return _FLAT, None
        difference = cv2.absdiff(np.ascontiguousarray(image), filmed.image)
        part = difference if stylized is None else difference[stylized]
        is_same = part.mean() <= _EQUAL_LEVELS
        if self.resizes and not is_same:
            is_same = _distance(_reduced(image), filmed.small) <= _SAME_LEVELS
        return (_UNCHANGED if is_same else ""), None

    def _kind_among_recent(
        self, filmed: _Filmed, image: Image, digest: str
    ) -> tuple[str, int | None]:
        """What is wrong with an image beside other frames, and the index of that frame."""
        others = [
            (index, other, other_digest)
            for index, other, other_digest in self._recent
            if _distance(other, filmed.small) > _OTHER_LEVELS
        ]
        for index, _, other_digest in others:
            if other_digest == digest:
                return _REPEATED, index
        small = _reduced(image)
        if others and _correlation(small, filmed.small) < _UNLIKE:
            likeness, index = max((_correlation(small, other), i) for i, other, _ in others)
            if likeness > _LIKE:
                return _EXCHANGED, index
        return "", None


def _reduced(image: Image) -> NDArray[np.float32]:
    return shrink_to_side(image, _SIDE).astype(np.float32)


def _span(pixels: Image) -> int:
    """Levels between the darkest and the brightest value of the channel that varies most."""
    return int(np.ptp(pixels.reshape(-1, pixels.shape[-1]), axis=0).max())


def _distance(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    return float(np.abs(first - second).max())


def _correlation(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Of the brightness of two images, -1 to 1; 0 if one of them has none that varies."""
    deviations = [image.mean(axis=2) - image.mean() for image in (first, second)]
    norm = float(np.sqrt(np.prod([np.square(deviation).sum() for deviation in deviations])))
    return float((deviations[0] * deviations[1]).sum()) / norm if norm > 0 else 0.0
