"""``kadr compare``: a clip and a prompt in; keyframes and every frame, side by side, out."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kadr.cli.fields import field_options, read_fields
from kadr.cli.flags import (
    KEYS_PANEL,
    OUTPUT_PANEL,
    WORK_PANEL,
    ClipArgument,
    Detail,
    Frames,
    Json,
    Quiet,
    StylizerOptions,
    Verbose,
)
from kadr.cli.session import session
from kadr.cli.stylizer_arguments import (
    STYLIZER_FIELDS,
    STYLIZER_PANEL,
    LikePicture,
    PresetName,
    StylizerArguments,
    StylizerFlags,
    find_preset,
)
from kadr.options import RunOptions, detail_options

if TYPE_CHECKING:
    from kadr.compare import MethodResult

_KEYS = ("stylizer", "keys_budget", "min_gap", "max_gap", "every", "ignore_cuts")

Out = Annotated[
    str,
    typer.Option("--output", "-o", metavar="OUT.mp4", help="The video with all side by side."),
]


@field_options("work", RunOptions, ("threads", "workers", "seed", "work"), panel=WORK_PANEL)
@field_options("output", RunOptions, ("overwrite", "crf", "encoder_preset"), panel=OUTPUT_PANEL)
@field_options("flags", StylizerFlags, STYLIZER_FIELDS, panel=STYLIZER_PANEL)
@field_options("keys", RunOptions, _KEYS, panel=KEYS_PANEL)
def compare(
    clip: ClipArgument,
    *,
    out: Out,
    keys: dict[str, Any],
    preset: PresetName = None,
    flags: dict[str, Any],
    stylizer_options: StylizerOptions = None,
    like: LikePicture = None,
    detail: Detail = None,
    output: dict[str, Any],
    frames: Frames = None,
    work: dict[str, Any],
    quiet: Quiet = False,
    json: Json = False,
    verbose: Verbose = 0,
) -> None:
    """Restyle a clip both ways, by keyframes and every frame, and show them beside the filmed.

    Each has its time, how much the stylizer made, and how well it holds together written above.
    The results themselves are written beside OUT. What is finished is kept for the same command.
    """
    with session(quiet=quiet, json=json, verbose=verbose) as now:
        from kadr.compare import compare_methods
        from kadr.project.frame_numbers import with_numbers
        from kadr.storage.cache import cache_folder

        fields = read_fields(RunOptions, keys | output | work)
        found = find_preset(preset, False, fields, now.speaker.notice)
        look = StylizerArguments(found, like, flags, stylizer_options or (), work.get("seed"))
        picture = {}
        if found is not None:
            fields = {**found.run, **fields}
            detail, picture = detail or found.detail, dict(found.picture)
        name = look.stylizer(fields.get("stylizer"), "diffusion")
        values = {
            "clip": Path(clip),
            "output": out,
            "work": cache_folder(clip, out),
            "propagate": detail_options(detail or "medium", **picture),
            "stylizer_options": look.options(name, now.speaker.notice),
            **fields,
            "stylizer": name,
            "every_frame": True,
        }
        options = with_numbers(RunOptions(**values), (), frames)
        now.stopped = "stopped; what is finished is kept for the same command with --overwrite"
        with now.announced_kernels():
            made = now.follow(compare_methods(options, now.cancel))
        now.speaker.result(
            "\n".join([f"{made.output}: side by side", *map(_line, made.methods)]),
            output=made.output,
            methods=[{**asdict(way), "output": str(way.output)} for way in made.methods],
        )


def _line(way: MethodResult) -> str:
    measures = way.measures
    flicker = "–" if measures.flicker is None else f"{measures.flicker:.2f}"
    kept = " (some kept from an earlier run)" if way.resumed else ""
    return (
        f"{way.output}: {way.name}, {way.seconds:.1f} s{kept}, {way.styled} of {way.frames} "
        f"frames by the stylizer, change along motion {measures.warp:.2f}, flicker {flicker} of "
        "the filmed"
    )
