"""Composite styled frames: levels of masks in, mattes out; a styled image, a matte and a background
in, the finished frame out.

Everything here works on the encoded 8-bit values, as video editors do by default and as the "over"
of 8-bit images is defined: linear light would make soft edges of dark paint look too thin.
"""

from kadr.composite.colours import extend_colours
from kadr.composite.matte import MatteOptions, make_matte
from kadr.composite.porter_duff import over
from kadr.composite.work_area import WorkArea

__all__ = [
    "MatteOptions",
    "WorkArea",
    "extend_colours",
    "make_matte",
    "over",
]
