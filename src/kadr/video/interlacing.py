"""Samples of a video in, whether its frames are woven of two fields of different times out."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kadr.video.decoder import Decoder
from kadr.video.frame_index import EntryPoint, FrameIndex

_SAMPLES = 4
"""Places of the clip at which frames are looked at."""
_FRAMES = 24
"""Frames that are looked at in all."""
_COLUMN_STEP = 4
"""Every so many columns are compared: combing runs along rows."""
_MOST_LINES = 1088
"""No interlaced format has more lines than 1080, and 8 that pad them."""

_LEAST_MOTION, _LEAST_LEVELS = 0.03, 0.1
"""How much more combed fields of two frames must be than those of one, as a part of what is there
and in levels, to tell anything: in a still scene they are alike."""
_COMBED, _LEAST_SHARE, _LEAST_AGREEMENT = 0.7, 0.25, 0.9
"""The ratio below which a pair of frames counts as combed; the share of such pairs, by how much
moves in them; how many of them must have the same order of fields. Progressive film has ratios of
0.8 to 1, woven fields 0.4 and less, and more where they move little or an encoder blurred them. In
film on interlaced video two frames of five are combed."""
_CLEARLY, _LEAST_CLEAR = 0.3, 2
"""The ratio of a pair that is clearly combed, and how many there must be."""
_LEAST_PAIRS = 3
_MOST_WEIGHT = 2.0
"""A pair counts for at most so many of medium motion: at a cut everything differs."""


@dataclass(frozen=True)
class Fields:
    """How the frames of a clip are deinterlaced.

    order: which field is earlier; "flags": as each frame says. flagged_only: only frames that are
    flagged as interlaced.
    """

    order: Literal["flags", "top", "bottom"]
    flagged_only: bool = False


@dataclass(frozen=True)
class _Pair:
    """Two frames in a row that show motion.

    ratio: near 0 if the fields of one frame are of different times, near 1 if they are of one.
    top_first: which order of fields the motion tells. motion: how much moves, in levels.
    """

    ratio: float
    top_first: bool
    motion: float


@dataclass(frozen=True)
class _Evidence:
    flagged: bool
    pairs: Sequence[_Pair]

    @property
    def share(self) -> float:
        """The share of moving pairs that are combed, those counting more in which more moves."""
        if not self.pairs:
            return 0.0
        most = _MOST_WEIGHT * statistics.median(pair.motion for pair in self.pairs)
        weights = [min(pair.motion, most) for pair in self.pairs]
        combed = (w for w, pair in zip(weights, self.pairs, strict=True) if pair.ratio < _COMBED)
        return sum(combed) / sum(weights)

    @property
    def _combed(self) -> list[_Pair]:
        return [pair for pair in self.pairs if pair.ratio < _COMBED]

    @property
    def order(self) -> Literal["top", "bottom"] | None:
        """The order of fields in which most combed pairs agree; None if the clip is progressive."""
        combed = self._combed
        clear = sum(pair.ratio < _CLEARLY for pair in combed)
        if len(combed) < _LEAST_PAIRS or clear < _LEAST_CLEAR or self.share < _LEAST_SHARE:
            return None
        top = sum(pair.top_first for pair in combed) / len(combed)
        if max(top, 1 - top) < _LEAST_AGREEMENT:
            return None
        return "top" if top > 0.5 else "bottom"


def find_fields(
    path: Path, index: FrameIndex | None, deinterlace: str
) -> tuple[Fields | None, str]:
    """How the frames of a video are to be deinterlaced, None for not at all, and a notice or "".

    index: of its frames; None if they are counted. deinterlace: "auto", "on" or "off". Frames are
    interlaced if they are flagged so, or, without flags, if they are combed where things move.
    """
    if deinterlace == "off":
        return None, ""
    evidence = _look(path, index)
    order = evidence.order
    if deinterlace == "on":
        return Fields(order or ("flags" if evidence.flagged else "top")), ""
    keep = "--deinterlace off keeps them as they are stored"
    if evidence.flagged:
        doubt = ""
        if len(evidence.pairs) >= _LEAST_PAIRS and not evidence.share:
            doubt = ", though no combing was seen in those that were looked at"
        text = f"{path}: its frames are marked as interlaced{doubt}; they are deinterlaced; {keep}"
        # marks of the order of fields are wrong more often than clear motion
        return Fields(order or "flags", flagged_only=True), text
    if order is not None:
        text = (
            f"{path}: its frames are not marked as interlaced but are combed, the {order} field "
            f"first; they are deinterlaced; {keep}"
        )
        return Fields(order), text
    return None, ""


def _look(path: Path, index: FrameIndex | None) -> _Evidence:
    """Decode a few frames at some places of the clip."""
    entries = _places(index)
    flagged, pairs = False, list[_Pair]()
    decoder = Decoder(path)
    try:
        for entry in entries:
            previous: NDArray[np.int16] | None = None
            for frame in _first(decoder.decode(entry), entry, _FRAMES // len(entries)):
                flagged = flagged or frame.interlaced_frame
                if frame.height > _MOST_LINES:
                    previous = None
                    continue
                image = _luma(frame)
                if previous is not None and previous.shape == image.shape:
                    pair = _compare(previous, image)
                    pairs += [] if pair is None else [pair]
                previous = image
    finally:
        decoder.close()
    return _Evidence(flagged, pairs)


def _places(index: FrameIndex | None) -> list[EntryPoint | None]:
    """Where decoding can start, spread over the clip; None: at its start."""
    if index is None:
        return [None]
    count = len(index.pts)
    places = (next(index.entries_before(count * i // _SAMPLES)) for i in range(_SAMPLES))
    return list(dict.fromkeys(places))


def _first(frames: Iterator[Any], entry: EntryPoint | None, count: int) -> Iterator[Any]:
    """The first frames of a place; those before it may depend on frames that were not decoded."""
    for frame in frames:
        if entry is not None and (frame.pts is None or frame.pts < entry.pts):
            continue
        yield frame
        count -= 1
        if not count:
            return


def _luma(frame: Any) -> NDArray[np.int16]:
    """(H, W / step) levels, an even number of rows."""
    gray = frame.reformat(format="gray").to_ndarray()
    rows = gray.shape[0] // 2 * 2
    image: NDArray[np.int16] = gray[:rows, ::_COLUMN_STEP].astype(np.int16)
    return image


def _compare(first: NDArray[np.int16], second: NDArray[np.int16]) -> _Pair | None:
    """Weave fields of two frames: those that are nearer in time are combed less.

    None if nothing moves, or the frames are too small to tell.
    """
    if first.shape[0] < 8:
        return None
    own = (_combing(first) + _combing(second)) / 2
    top, bottom = first.copy(), first.copy()
    top[1::2], bottom[::2] = second[1::2], second[::2]
    # with the top field first its distance to the next bottom field is three times that to its own
    top_of_first, bottom_of_first = _combing(top) - own, _combing(bottom) - own
    far, near = max(top_of_first, bottom_of_first), min(top_of_first, bottom_of_first)
    if far < max(_LEAST_LEVELS, _LEAST_MOTION * own):
        return None
    return _Pair(near / far, top_of_first > bottom_of_first, far)


def _combing(image: NDArray[np.int16]) -> float:
    """How far rows are from the mean of the rows around them, in levels."""
    if image.shape[0] < 3:
        return 0.0
    return float(np.abs(image[:-2] - 2 * image[1:-1] + image[2:]).mean()) / 2
