"""Remove flicker from a clip that was restyled frame by frame."""

from kadr.deflicker.make import DeflickerResult, deflicker
from kadr.deflicker.options import DeflickerOptions

__all__ = ["DeflickerOptions", "DeflickerResult", "deflicker"]
