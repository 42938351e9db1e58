"""Check that the options of a run fit together, each with an error that says what to do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from kadr.core.background import parse_background
from kadr.core.encodings import CODECS, DEPTHS
from kadr.core.formatting import shorten
from kadr.core.locations import is_below_url, path_text
from kadr.core.output_size import parse_output_size
from kadr.errors import OptionsError
from kadr.option_fields import check_unused

if TYPE_CHECKING:
    from kadr.options.run import RunOptions

DEINTERLACE = ("auto", "on", "off")
"""Which frames are deinterlaced: those that are found to be interlaced, all, or none."""

REFINE_STRENGTH = 0.3
"""How much refined frames change, by default."""

GUIDE_WEIGHT = 16.0
"""Of a guide of the user without a weight: levels 11 to 25 apart begin to be told apart."""

_GUIDE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,59}")

INLINE, PROCESSES, RAY = "inline", "processes", "ray"
EXECUTORS = (INLINE, PROCESSES, RAY)
"""Where the tasks of a run are carried out."""


def check_run(options: RunOptions) -> None:
    """Raise OptionsError for options that exclude each other, or need others."""
    check_deinterlace(options.deinterlace)
    _check_stylizer(options)
    _check_output(options)
    _check_every(options)
    _check_places(options)
    _check_mask(options)
    _check_guides(options)
    _check_match(options)
    _check_executor(options)
    _check_refine(options)
    if options.steady and not options.every_frame:
        raise OptionsError("steady: is for every-frame; give that too, or leave it out")
    if options.steady and options.frames_only:
        raise OptionsError("steady: is for an output, and a layer has none; leave it out")
    if options.min_gap and options.max_gap and options.min_gap > options.max_gap:
        raise OptionsError(
            f"min-gap {options.min_gap}: is more than max-gap {options.max_gap}; lower it"
        )


def check_deinterlace(choice: str) -> None:
    """Raise OptionsError unless it is one of DEINTERLACE."""
    if choice not in DEINTERLACE:
        raise OptionsError(f"deinterlace {choice!r}: expected one of {', '.join(DEINTERLACE)}")


def _check_stylizer(options: RunOptions) -> None:
    """Raise OptionsError unless there are either painted keys or a stylizer that makes keys."""
    if options.stylizer == "external" and not options.keys:
        raise OptionsError(
            "no keys: give painted keyframes with --keys, or a filter with --stylizer paint"
        )
    if options.stylizer == "external" and options.stylizer_ranges:
        raise OptionsError(
            f"stylizer range {options.stylizer_ranges[0].name}: is for a stylizer that makes "
            "keys; leave it out beside painted keys"
        )
    if options.stylizer != "external" and options.keys:
        raise OptionsError(
            f"stylizer {options.stylizer}: makes its own keys; leave out --keys, or use external"
        )
    if options.stylizer == "external" and options.every_frame:
        raise OptionsError(
            "every-frame: is for a stylizer that makes keys; leave it out beside painted keys"
        )


def _check_every(options: RunOptions) -> None:
    """Raise OptionsError for frames that cannot be made or shown so."""
    if options.made_step % options.hold:
        raise OptionsError(
            f"hold {options.hold}: does not divide every {options.every}, so that frames would be "
            f"shown for uneven times; give a multiple of {options.hold} as every, or leave it out"
        )
    if not options.fill:
        return
    if options.every_frame:
        raise OptionsError("fill: every-frame fills by itself; leave fill out")
    if options.hold > 1:
        raise OptionsError(
            f"fill: makes the frames that hold {options.hold} leaves out; leave one of them out"
        )
    if options.every == 1:
        raise OptionsError("fill: is for every, such as every 2; give that too")


def _check_output(options: RunOptions) -> None:
    """Raise OptionsError for an encoding that no output has."""
    if options.codec is not None and options.codec not in CODECS:
        raise OptionsError(f"codec {options.codec!r}: expected one of {', '.join(CODECS)}")
    if options.depth is not None and options.depth not in DEPTHS:
        raise OptionsError(f"depth {options.depth}: expected {', '.join(map(str, DEPTHS))}")
    if options.size is not None:
        parse_output_size(options.size)


def _check_places(options: RunOptions) -> None:
    """Raise OptionsError for a URL where only a folder on this machine will do."""
    for name in ("per_key", "work", "frames_folder", "report"):
        path = getattr(options, name)
        if path is not None and is_below_url(Path(path)):
            raise OptionsError(
                f"{name.replace('_', '-')} {path_text(path)}: cannot be at a URL; give a "
                "folder on this machine, or one that several machines share"
            )


def _check_mask(options: RunOptions) -> None:
    """Raise OptionsError for a bad background, or for options of a mask without one."""
    parse_background(options.background)
    if options.mask is None:
        check_unused(options, ("invert_mask", "grow", "feather"), "a mask", "mask too")
    if options.mask is None and options.figure is None:
        check_unused(options, ("fit_mask",), "a mask", "mask too")
    if options.figure is not None and options.stylizer != "external":
        raise OptionsError(
            f"figure {options.figure}: is for painted keys; {options.stylizer} makes its own"
        )


def _check_guides(options: RunOptions) -> None:
    """Raise OptionsError for names that no guide can have, or for values of no guide."""
    for name, folder in options.guide.items():
        if not _GUIDE_NAME.fullmatch(name):
            raise OptionsError(
                f"guide {shorten(name)}={folder}: expected a name of letters, digits, - and _, "
                "such as normals"
            )
    for option_name in ("guide_weight", "modulation"):
        for name, value in getattr(options, option_name).items():
            if name not in options.guide:
                existing = f"only {', '.join(options.guide)}" if options.guide else "nor any other"
                raise OptionsError(
                    f"{option_name.replace('_', '-')} {shorten(name)}={value}: there is no "
                    f"guide of this name, {existing}; give --guide {shorten(name)}=FOLDER too"
                )
    if options.guide and options.every_frame and options.every == 1:
        raise OptionsError(
            f"guide {next(iter(options.guide))}: is for propagated frames, and every-frame "
            "stylizes all; leave one of them out, or give every 2"
        )


def _check_executor(options: RunOptions) -> None:
    """Raise OptionsError for an unknown executor, or options that it does not have."""
    if options.executor not in (None, *EXECUTORS):
        raise OptionsError(
            f"executor {shorten(options.executor)}: expected one of {', '.join(EXECUTORS)}"
        )
    if options.address is not None and options.executor != RAY:
        raise OptionsError(
            f"address {shorten(options.address)}: is for executor ray; give --executor ray too"
        )
    if options.workers is not None and options.executor == INLINE:
        raise OptionsError(
            f"workers {options.workers}: executor inline has none; leave one of them out"
        )


def _check_match(options: RunOptions) -> None:
    """Raise OptionsError for options of matched keys that exclude each other."""
    if options.reference_key is not None and options.one_style is not None:
        raise OptionsError(
            f"reference-key {options.reference_key}: one-style {options.one_style} names the "
            "reference already; leave one of them out"
        )
    if options.reference_key is not None and options.match_keys == 0:
        raise OptionsError(
            f"reference-key {options.reference_key}: is for match-keys above 0; leave one out"
        )
    if options.every_frame and options.every == 1:
        for name in ("match_keys", "reference_key", "one_style"):
            value = getattr(options, name)
            if value is not None and (value or name != "match_keys"):
                raise OptionsError(
                    f"{name.replace('_', '-')}: is for keys with frames between them, and "
                    "every-frame makes every frame; leave one out, or give every 2"
                )


def _check_refine(options: RunOptions) -> None:
    """Raise OptionsError for refined frames that cannot be made."""
    if options.refine is not None and options.stylizer == "external":
        raise OptionsError(
            f"refine {options.refine}: is for a stylizer that makes keys; leave it out beside "
            "painted keys"
        )
    if options.refine is not None and options.work_limit is not None:
        raise OptionsError(
            "refine: needs work files that work-limit deletes; leave one of them out"
        )
    if options.refine is None and options.refine_strength != REFINE_STRENGTH:
        raise OptionsError(
            f"refine-strength {options.refine_strength}: is for refine; give that too, or leave "
            "it out"
        )
    if options.refine is not None and options.every_frame and options.every == 1:
        raise OptionsError(
            f"refine {options.refine}: is for propagated frames, and every-frame stylizes all; "
            "leave one of them out, or give every 2"
        )
