"""Options of every step: frozen dataclasses, checked on creation.

``option_fields`` tells how their fields describe themselves. The options of a plug-in stand in the
plug-in's own file.
"""

from kadr.options.picture import DETAIL, PropagateOptions, SynthOptions, detail_options
from kadr.options.run import RunOptions
from kadr.options.run_checks import GUIDE_WEIGHT, INLINE, PROCESSES, RAY, check_deinterlace
from kadr.options.stylizer_ranges import StylizerRange, check_overlaps

__all__ = [
    "DETAIL",
    "GUIDE_WEIGHT",
    "INLINE",
    "PROCESSES",
    "RAY",
    "PropagateOptions",
    "RunOptions",
    "StylizerRange",
    "SynthOptions",
    "check_deinterlace",
    "check_overlaps",
    "detail_options",
]
