"""A reference key, another key frame and where both show the same in; that frame in its style."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.composite import extend_colours
from kadr.core.frames import Frame, Image
from kadr.core.warp import Field, sample
from kadr.finish import KeyFinisher
from kadr.finish.finish import enlarge_positions
from kadr.match.correspondence import Correspondence
from kadr.options import PropagateOptions
from kadr.propagate import PassState, propagate
from kadr.render.pass_key import PassKey
from kadr.render.shared_flow import SharedFlow
from kadr.render.work_frame import FrameReducer

_ROUNDS = 3
"""How often the frame is made, each time from the matches of the last one."""
_VOTES, _SEARCHES = 3, 2
"""At least so many search-and-vote rounds: the start is farther off than from frame to frame."""


_FINEST = 0.6
"""Sigma in pixels: what is finer is restored."""
_BOX = (9, 9)
"""Over which the finest contrast is averaged."""
_RESTORATIONS = 2
_FLOOR, _MOST_GAIN = 0.1, 1.6
"""Square of levels below which there is nothing to restore, and the largest factor."""


@dataclass(frozen=True, eq=False)
class CarriedStyle:
    """A key frame in the style of the reference key.

    image: (H, W, 3) uint8. filmed, reference: (h, w, 3) uint8, the filmed frames of both at the
    size at which matches are found. matches: (h, w, 2) float32, in the reference.
    """

    image: Image
    filmed: Image
    reference: Image
    matches: Field


class ReferencePainter:
    """Paints other key frames with the patches of one key, as a pass would."""

    def __init__(
        self,
        frame: Frame,
        style: Image,
        options: PropagateOptions,
        seed: int,
        flow: SharedFlow,
        sources: NDArray[np.bool_] | None = None,
    ) -> None:
        """style: (H, W, 3 or 4) uint8. sources: (H, W) bool, where patches may come from."""
        if style.shape[2] == 4:
            visible = style[..., 3] > 0
            sources = visible if sources is None else sources & visible
            style = extend_colours(style)
        options = replace(
            options,
            vote_iterations=max(_VOTES, options.vote_iterations),
            search_iterations=max(_SEARCHES, options.search_iterations),
        )
        self._style, reducer = style, FrameReducer(frame.size, options)
        key = reducer.make(frame)
        self._key = PassKey(reducer, key, style, options, seed, flow, sources)
        self._finisher = KeyFinisher(style) if reducer.is_reduced else None

    def paint(self, frame: Frame, correspondence: Correspondence) -> CarriedStyle:
        """Another key frame in the reference key's style, all of it."""
        style = self._key.style
        positions = enlarge_positions(correspondence.positions, style.size[::-1])
        confidence = cv2.resize(
            correspondence.confidence, style.size[::-1], interpolation=cv2.INTER_LINEAR
        )
        output = sample(style.style, positions, interpolation=cv2.INTER_CUBIC)
        state = PassState(frame.index, output, positions, positions, confidence)
        for _ in range(_ROUNDS):
            step = self._key.step_in_place(frame, 1 - confidence)
            ((painted, state),) = propagate(style, iter([step]), replace(state, index=frame.index))
        image = painted.image
        if self._finisher is not None:
            fields = self._key.fields(painted, state)
            assert fields is not None, "a reduced pass has fields"
            image = self._finisher.finish(fields)
        matches = enlarge_positions(state.matches, (image.shape[1], image.shape[0]))
        image = _restore_finest(image, self._style, matches)
        return CarriedStyle(image, step[0].rgb, style.image, state.matches)


def _restore_finest(image: Image, style: Image, matches: Field) -> Image:
    """Give an image back the finest contrast of the style, which sampling between pixels softens.

    A pass leaves that as it is, since it hardly shows; but passes of this key sample it once more.
    matches: (H, W, 2), where in the style each pixel is taken from.
    """
    wanted = sample(cv2.blur(np.square(_finest(style)).sum(axis=2), _BOX), matches)
    for _ in range(_RESTORATIONS):  # what is amplified has a part in the blur that is taken off
        fine = _finest(image)
        present = cv2.blur(np.square(fine).sum(axis=2), _BOX)
        ratio = (wanted + np.float32(_FLOOR)) / (present + np.float32(_FLOOR))
        gain = np.clip(np.sqrt(ratio), 1, _MOST_GAIN).astype(np.float32) - 1
        image = np.clip(np.rint(image + gain[..., None] * fine), 0, 255).astype(np.uint8)
    return image


def _finest(image: Image) -> NDArray[np.float32]:
    """(H, W, 3) what only the finest details are."""
    values = image.astype(np.float32)
    finest: NDArray[np.float32] = values - cv2.GaussianBlur(values, (0, 0), _FINEST)
    return finest
