"""Painted keys and a clip in, notices on keys that show another frame or lie aside out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.events import CancelToken
from kadr.core.formatting import counted
from kadr.core.frames import Image
from kadr.core.resize import shrink_to_side
from kadr.files import file_digest, read_json_object, write_json_object
from kadr.render.departure import outline_departs
from kadr.render.run_context import RunContext
from kadr.storage.store import fingerprint
from kadr.stylize.displacement import VERSION as ALIGN_VERSION
from kadr.stylize.displacement import Displacement, align_key, measure_displacement
from kadr.stylize.external import KeyFile, load_key, turn_image

VERSION = 3

_MOST_KEYS = 12
"""So many keys are compared, evenly chosen: a mistake in numbering shows in each of them."""
_REACH = 3
"""Frames before and after its own that a key is compared with."""
_SIDE = 256
"""Longest side in pixels at which images are compared."""
_SMOOTH, _LOCAL = 1.5, 12.0
"""Sigmas in pixels: of what is finer than outlines, and of what is coarser."""

_LEAST_FIT, _LEAST_GAIN, _CLEAR_GAIN = 0.2, 0.02, 0.04
"""The correlation that a fit must reach; how much better the better frame must fit, if other keys
say the same, and by itself. Good keys reach 0.3 to 0.9, frames that look alike differ by 0.005."""
_LEAST_SHIFT = 0.005
"""Displacement that is told, as a part of the longest side, and 2 pixels at least; painters are not
more exact."""
_SHIFT_GAIN = 0.02
"""How much better a key must fit its frame moved back than the frames around it as it is."""
_MOST_NOTICES = 3


@dataclass(frozen=True)
class _Fit:
    """How one key fits. offset: to the frame that it fits best, 0 for its own or if none is better.

    gain: how much better it fits there. displacement: against its own frame; None if it lies well,
    or if that cannot be told. departs: its alpha, or else a stroke, has an outline that the frame
    has not. cut_out: it has alpha. turned: it fits its frame better turned as the clip is, or, if
    it was turned, turned back.
    """

    index: int
    offset: int
    gain: float
    displacement: Displacement | None = None
    departs: bool = False
    cut_out: bool = False
    turned: bool = False


def key_fit_notices(run: RunContext, keys: Sequence[KeyFile], cancel: CancelToken) -> list[str]:
    """A notice for each key that clearly shows another frame than its number says, or lies aside.

    And one if paint departs from what was filmed, and no masks say which figure it belongs to.

    Outlines of key and frames are compared, so textures and colours do not matter. Keys of static
    parts and keys that are repainted altogether tell nothing. Measured once for the same files.
    """
    chosen = _evenly(keys, _MOST_KEYS)
    digests = [(key.index, file_digest(key.path)) for key in chosen]
    parts = (run.clip_identity, run.options.fit_keys, run.key_turn, digests, ALIGN_VERSION)
    file = run.layout.key_fit(fingerprint("key-fit", VERSION, *parts))
    fits = _stored(read_json_object(file).get("fits"))
    if fits is None:
        fits = [_measure(run, key, cancel) for key in chosen]
        write_json_object(file, {"fits": [asdict(fit) for fit in fits]})
    paths = {key.index: key for key in chosen}
    turned = _turned_notices(run, fits, paths)
    if turned:
        return turned  # nothing else can be told of them
    notices = [*_offset_notices(run, fits, paths), *_shift_notices(run, fits, paths)]
    if len(notices) > _MOST_NOTICES:
        rest = counted(len(notices) - _MOST_NOTICES, "more key")
        notices[_MOST_NOTICES:] = [f"{rest} fit badly too; compare keys and frames"]
    return [*notices, *_departure_notices(run, fits, paths)]


def _evenly(keys: Sequence[KeyFile], count: int) -> list[KeyFile]:
    if len(keys) <= count:
        return list(keys)
    return [keys[round(i * (len(keys) - 1) / (count - 1))] for i in range(count)]


def _stored(content: Any) -> list[_Fit] | None:
    """Fits as they were stored; None if there are none that can be read."""
    try:
        return [
            _Fit(
                int(item["index"]),
                int(item["offset"]),
                float(item["gain"]),
                None if item["displacement"] is None else Displacement(**item["displacement"]),
                bool(item["departs"]),
                bool(item["cut_out"]),
                bool(item["turned"]),
            )
            for item in content
        ]
    except (TypeError, KeyError, ValueError):
        return None


def _turned_notices(run: RunContext, fits: Sequence[_Fit], keys: dict[int, KeyFile]) -> list[str]:
    """A notice if keys fit their frames better as they are stored: their size may be the same."""
    turned = [fit for fit in fits if fit.turned]
    if not turned or 2 * len(turned) < len(fits):
        return []
    also = f", as {counted(len(turned) - 1, 'more key')} would" if turned[1:] else ""
    key = keys[turned[0].index].path
    if run.key_turn:
        return [f"{key}: fits its frame better as it was saved{also}; leave out --rotate-keys"]
    degrees = run.clip.info.rotation
    return [f"{key}: fits its frame better turned by {degrees}°{also}; give --rotate-keys"]


def _offset_notices(
    run: RunContext, fits: Sequence[_Fit], keys: dict[int, KeyFile]
) -> Iterator[str]:
    telling = [fit for fit in fits if fit.gain >= _LEAST_GAIN]
    offsets = {fit.offset for fit in telling}
    if not telling or offsets == {0}:
        return
    first = telling[0]
    if len(offsets) == 1 and (len(telling) > 1 or first.gain >= _CLEAR_GAIN):
        total, others = run.options.key_offset + first.offset, len(telling) - 1
        same = f", as {counted(others, 'more key')} would" if others else ""
        remedy = f"give --key-offset {total}" if total else "leave out --key-offset"
        yield (
            f"{_fits_better(run, first, keys)}{same}; if the names count from another number, "
            f"{remedy}"
        )
        return
    for fit in telling:
        if fit.offset and fit.gain >= _CLEAR_GAIN:
            yield f"{_fits_better(run, fit, keys)}; rename it if that is meant"


def _fits_better(run: RunContext, fit: _Fit, keys: dict[int, KeyFile]) -> str:
    number = run.clip.number
    return (
        f"{keys[fit.index].path}: fits frame {number(fit.index + fit.offset)} better than "
        f"its own, {number(fit.index)}"
    )


def _shift_notices(
    run: RunContext, fits: Sequence[_Fit], keys: dict[int, KeyFile]
) -> Iterator[str]:
    least = max(2.0, _LEAST_SHIFT * max(run.size))
    for fit in fits:
        if fit.displacement is None or fit.displacement.largest(run.size) < least:
            continue
        place = f"{keys[fit.index].path}: lies beside its frame {run.clip.number(fit.index)}"
        if not fit.displacement.explained:
            yield (
                f"{place} in parts, and no single shift and scale explains it; it is used as it "
                "is, compare it with the frame"
            )
            continue
        remedy = (
            "it is moved back" if run.options.align_keys else "give --align-keys to move it back"
        )
        yield f"{place}, {_describe(fit.displacement)}; {remedy}"


def _describe(displacement: Displacement) -> str:
    """Such as "about 12 pixels to the right and 3 % larger"."""
    x, y = round(displacement.x), round(displacement.y)
    percent = round(100 * (displacement.scale - 1), 1)
    shifts = [
        f"{counted(abs(x), 'pixel')} to the {'right' if x > 0 else 'left'}" if x else "",
        f"{counted(abs(y), 'pixel')} {'down' if y > 0 else 'up'}" if y else "",
        f"{abs(percent):g} % {'larger' if percent > 0 else 'smaller'}" if percent else "",
    ]
    return f"about {' and '.join(filter(None, shifts))}"


def _departure_notices(
    run: RunContext, fits: Sequence[_Fit], keys: dict[int, KeyFile]
) -> Iterator[str]:
    """Offered, not guessed: only its painter knows whether paint belongs to a figure."""
    departing = [fit for fit in fits if fit.departs and not fit.offset and fit.displacement is None]
    if not departing or run.figures is not None:
        return
    first, others = departing[0], len(departing) - 1
    cut = first.cut_out or run.masks is not None
    also = f", as in {counted(others, 'more key')}" if others else ""
    remedy = "give" if cut else "cut both out of the key, with alpha, and give"
    yield (
        f"{keys[first.index].path}: has an outline that frame {run.clip.number(first.index)} has "
        f"not{also}; if it belongs to a figure, as a hat does, {remedy} --figure MASKS of the "
        "filmed figure, which kadr mask makes"
    )


def _measure(run: RunContext, key: KeyFile, cancel: CancelToken) -> _Fit:
    """Compare a key with its frame and the frames around it, which are decoded in order."""
    image = load_key(key, run.size, fit=run.options.fit_keys, turn=run.key_turn)
    outlines, opaque = _outlines(image), _opaque(image)
    start, stop = max(0, key.index - _REACH), min(len(run.clip), key.index + _REACH + 1)
    fits: dict[int, float] = {}
    own: Image | None = None
    departs = False
    for frame in run.clip.frames(start, stop):
        cancel.check()
        other = _outlines(frame.rgb)
        fits[frame.index - key.index] = _correlation(outlines * opaque, other * opaque)
        if frame.index == key.index:
            own = frame.rgb
            departs = outline_departs(image, frame.rgb)
    best = max(fits, key=lambda offset: (fits[offset], -abs(offset)))
    # how much better than its own frame; for its own: how much better than all others
    rival = max((fits[i] for i in fits if i != best), default=fits[best]) if best == 0 else fits[0]
    gain = fits[best] - rival if fits[best] >= _LEAST_FIT else 0.0
    displacement = None if own is None else measure_displacement(image, own)
    if displacement is not None and displacement.explained and own is not None:
        moved = align_key(image, displacement)
        fit = _correlation(_outlines(moved) * _opaque(moved), _outlines(own) * _opaque(moved))
        if fit - max(fits.values()) < _SHIFT_GAIN:
            displacement = None  # what moved in the film is no displacement of the key
    if displacement is not None:
        best, gain = 0, 0.0  # beside its frame it cannot tell which frame it shows
    cut_out = image.shape[2] == 4 and bool(image[..., 3].min() < 255)
    offset = best if gain else 0
    turned = own is not None and _fits_turned(run, image, own)
    return _Fit(key.index, offset, round(gain, 4), displacement, departs, cut_out, turned)


def _fits_turned(run: RunContext, image: Image, own: Image) -> bool:
    """Whether a key fits its frame better turned as the clip was, or turned back.

    Only if it has the shape of the frame both ways; others are refused by their size.
    """
    degrees = run.clip.info.rotation
    if not degrees or (degrees % 180 and run.size[0] != run.size[1]):
        return False
    other = turn_image(image, -degrees if run.key_turn else degrees)
    outlines = _outlines(own)
    as_is = _correlation(_outlines(image) * _opaque(image), outlines * _opaque(image))
    turned = _correlation(_outlines(other) * _opaque(other), outlines * _opaque(other))
    return turned >= _LEAST_FIT and turned - as_is >= _CLEAR_GAIN


def _outlines(image: Image) -> NDArray[np.float32]:
    """(h, w) float32 at the reduced size: strength of outlines, above that around them."""
    gray = cv2.cvtColor(np.ascontiguousarray(image[..., :3]), cv2.COLOR_RGB2GRAY)
    small = shrink_to_side(gray, _SIDE).astype(np.float32)
    smooth = cv2.GaussianBlur(small, (0, 0), _SMOOTH)
    x, y = cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
    strength = np.sqrt(np.hypot(x, y))  # the root lets a faint outline count beside a strong one
    local: NDArray[np.float32] = strength - cv2.GaussianBlur(strength, (0, 0), _LOCAL)
    return local


def _opaque(image: Image) -> NDArray[np.bool_]:
    """(h, w) bool at the reduced size: where a key covers its frame, away from its borders."""
    if image.shape[2] == 3:
        return np.ones(shrink_to_side(image[..., 0], _SIDE).shape, np.bool_)
    small = shrink_to_side(np.ascontiguousarray(image[..., 3]), _SIDE)
    opaque: NDArray[np.bool_] = cv2.erode(small, np.ones((7, 7), np.uint8)) > 250
    return opaque


def _correlation(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """−1 to 1; 0 where there is nothing to compare."""
    power = float(np.square(a).sum() * np.square(b).sum())
    return float((a * b).sum()) / power**0.5 if power > 0 else 0.0
