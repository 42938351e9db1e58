"""Finish a frame of a pass at full size: paint it from its key through the fields of the pass."""

from kadr.finish.fields import FrameFields
from kadr.finish.finish import KeyFinisher, register_positions
from kadr.finish.refine import refine_matches

__all__ = ["FrameFields", "KeyFinisher", "refine_matches", "register_positions"]
