"""Finish a frame of a pass at full size: paint it from its key through the fields of the pass."""

from kadr.finish.fields import PassFields
from kadr.finish.finish import KeyFinisher

__all__ = ["KeyFinisher", "PassFields"]
