"""How much memory the tasks of a run need, so that as many run at once as fit.

Measured at 2160×3840 with one thread each (``benchmarks/README.md``), and rounded up.
"""

from __future__ import annotations

from kadr.options import PropagateOptions

_OF_PROCESS = 250 * 1024 * 1024
_PASS = 240
"""Bytes for each pixel of the size at which a pass works."""
_GUIDE = 60
"""The same for each guide of the user: its images, packed and not, and their difference."""
_REDUCED = 55
"""Bytes for each pixel of the frames that a reduced pass decodes and reduces."""
_REGISTERED = 40
"""Bytes for each pixel of the size at which it registers positions: twice that of its work."""
_BLEND = 40
"""Bytes for each pixel of a blended frame; three channels."""


def pass_memory(size: tuple[int, int], options: PropagateOptions, guides: int = 0) -> int:
    """Bytes that a pass over frames of ``size`` (width, height) needs.

    guides: how many of the user's it has.
    """
    pixels, longest = size[0] * size[1], max(size)
    side = options.pass_side(longest)
    if side == longest:
        return _OF_PROCESS + (_PASS + _GUIDE * guides) * pixels
    share = side / longest
    registered = min(1.0, 2 * share)
    each = (_PASS + _GUIDE * guides) * share**2 + _REGISTERED * registered**2 + _REDUCED
    return _OF_PROCESS + round(each * pixels)


def blend_memory(size: tuple[int, int], channels: int, keys: int) -> int:
    """Bytes that blending frames of ``size`` (width, height) from some keys' passes needs."""
    pixels = size[0] * size[1]
    return _OF_PROCESS + pixels * (_BLEND * channels // 3 + channels * keys)
