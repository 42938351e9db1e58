"""Finish a frame of a pass at full size: paint it from its key through the fields of the pass."""

from kadr.finish.fields import FrameFields, join_fields
from kadr.finish.finish import KeyFinisher, register_positions

__all__ = ["FrameFields", "KeyFinisher", "join_fields", "register_positions"]
