"""Propagate a style over the frames of a span: one forward and one backward pass per key."""

from kadr.propagate.figure import PaintedFigure, paint_beside
from kadr.propagate.propagation import KeyStyle, PassFrame, propagate
from kadr.propagate.state import STATE_INTERVAL, PassState, pack_state, unpack_state
from kadr.propagate.user_guides import GuideFrame, UserGuides

__all__ = [
    "STATE_INTERVAL",
    "GuideFrame",
    "KeyStyle",
    "PaintedFigure",
    "PassFrame",
    "PassState",
    "UserGuides",
    "pack_state",
    "paint_beside",
    "propagate",
    "unpack_state",
]
