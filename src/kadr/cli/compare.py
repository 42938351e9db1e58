"""``kadr compare``: a clip and a prompt in; two ways to restyle it, side by side, out."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kadr.cli.field_options import field_options, read_fields
from kadr.cli.flags import (
    ClipArgument,
    Detail,
    Frames,
    Json,
    Quiet,
    StylizerOptions,
    Verbose,
)
from kadr.cli.session import open_session
from kadr.cli.stylizer_choice import (
    STYLIZER_FLAGS,
    LikeImage,
    PresetName,
    SharedStylizerOptions,
    resolve_preset,
)
from kadr.core.parsing import expand_home
from kadr.errors import OptionsError
from kadr.option_fields import KEYFRAMES, OUTPUT, RUN, fields_of_group
from kadr.options import RunOptions, detail_options

if TYPE_CHECKING:
    from kadr.compare import MethodResult

_KEYFRAME_FIELDS = fields_of_group(
    RunOptions,
    KEYFRAMES,
    # both ways stylize whole frames, with keys that the stylizer makes
    without=(
        "every_frame",
        "steady",
        "refine",
        "refine_strength",
        "fit_keys",
        "align_keys",
        "rotate_keys",
        "key_offset",
    ),
)
_OUTPUT_FIELDS = fields_of_group(
    RunOptions, OUTPUT, without=("per_key", "report", "size", "hold", "fill")
)
_WORK_FIELDS = fields_of_group(RunOptions, RUN, without=("allow_truncated", "work_limit"))

Out = Annotated[
    str,
    typer.Option(
        "--output",
        "-o",
        parser=expand_home,
        metavar="OUT.mp4",
        help="The video with both side by side.",
    ),
]


@field_options("running", RunOptions, _WORK_FIELDS)
@field_options("output", RunOptions, _OUTPUT_FIELDS)
@field_options("flags", SharedStylizerOptions, STYLIZER_FLAGS)
@field_options("keys", RunOptions, _KEYFRAME_FIELDS)
def compare(
    clip: ClipArgument,
    *,
    out: Out,
    keys: dict[str, Any],
    preset: PresetName = None,
    flags: dict[str, Any],
    stylizer_options: StylizerOptions = None,
    like: LikeImage = None,
    detail: Detail = None,
    output: dict[str, Any],
    frames: Frames = None,
    running: dict[str, Any],
    quiet: Quiet = False,
    json: Json = False,
    verbose: Verbose = 0,
) -> None:
    """Restyle a clip both ways, by keyframes and every frame, and show both beside the clip.

    Above each stands its time, the number of frames made by the stylizer, and its temporal
    consistency. The results themselves are written beside OUT. What is finished is kept for the
    same command.
    """
    with open_session(quiet=quiet, json=json, verbose=verbose) as session:
        from kadr.compare import compare_methods
        from kadr.project.frame_numbers import with_numbers
        from kadr.storage.cache import cache_folder

        notice = session.reporter.notice
        arguments = resolve_preset(
            preset,
            notice,
            like=like,
            flags=flags,
            assignments=stylizer_options,
            run=read_fields(RunOptions, keys | output | running),
            detail=detail,
            seed=running.get("seed"),
        )
        stylizer = arguments.stylizer.name(arguments.run.get("stylizer"), "diffusion")
        if stylizer == "external":
            raise OptionsError("compare: needs a stylizer that makes keys, such as diffusion")
        values = {
            "clip": Path(clip),
            "output": out,
            "work": cache_folder(clip, out),
            "propagate": detail_options(arguments.detail or "medium", **arguments.picture),
            "stylizer_options": arguments.stylizer.options(stylizer, notice),
            **arguments.run,
            "stylizer": stylizer,
            "every_frame": True,
        }
        options = with_numbers(RunOptions(**values), (), frames)
        session.stopped_text = (
            "stopped; what is finished is kept for the same command with --overwrite"
        )
        with session.report_compiling():
            comparison = session.follow(compare_methods(options, session.cancel))
        methods = comparison.methods
        session.reporter.result(
            f"{comparison.output}: side by side",
            *map(_line, methods),
            output=comparison.output,
            methods=[{**asdict(method), "output": str(method.output)} for method in methods],
        )


def _line(method: MethodResult) -> str:
    measures = method.measures
    flicker = "–" if measures.flicker is None else f"{measures.flicker:.2f}"
    note = " (partly kept from an earlier run)" if method.resumed else ""
    return (
        f"{method.output}: {method.name}, {method.seconds:.1f} s{note}, {method.styled} of "
        f"{method.frames} frames by the stylizer, change along motion {measures.warp:.2f}, "
        f"flicker {flicker} of the clip's"
    )
