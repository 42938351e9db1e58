"""``kadr deflicker``: a clip that was restyled frame by frame, and its film, in; no flicker out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from kadr.cli.field_options import field_options, read_fields, sentence
from kadr.cli.flags import (
    READING,
    Frames,
    Json,
    Output,
    Overwrite,
    Quiet,
    Verbose,
)
from kadr.cli.parse_values import parse_path, parse_value
from kadr.cli.session import open_session
from kadr.core.formatting import counted
from kadr.core.parsing import expand_home, parse_frames
from kadr.deflicker.options import DeflickerOptions
from kadr.option_fields import option_help
from kadr.options import RunOptions

Restyled = Annotated[
    Path,
    typer.Argument(
        parser=parse_path,
        metavar="RESTYLED",
        help="The clip that flickers: a video, a folder or a pattern of images.",
    ),
]
Film = Annotated[
    str,
    typer.Option(
        "--clip", parser=expand_home, metavar="CLIP", help="The film that it was made from."
    ),
]


@field_options("encoding", RunOptions, ("crf", "codec", "depth"))
@field_options("reading", RunOptions, READING)
@field_options("steadying", DeflickerOptions, ("strength", "window"))
def deflicker(
    restyled: Restyled,
    *,
    clip: Film,
    out: Output,
    steadying: dict[str, Any],
    frames: Frames = None,
    encoding: dict[str, Any],
    encoder_preset: Annotated[
        str | None,
        typer.Option(metavar="NAME", help=sentence(option_help(RunOptions, "encoder_preset"))),
    ] = None,
    threads: Annotated[
        str | None, typer.Option(metavar="N", help=sentence("how many cores to use"))
    ] = None,
    reading: dict[str, Any],
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    json: Json = False,
    verbose: Verbose = 0,
) -> None:
    """Remove the flicker of a clip that was restyled frame by frame, as by Stable Diffusion.

    Each frame is steadied by the frames around it, along the motion of the film: first brightness
    and hue, then strokes. The output has the times and the sound of the film. The command has no
    work files: what is stopped begins anew.
    """
    with open_session(quiet=quiet, json=json, verbose=verbose) as session:
        from kadr.deflicker.make import deflicker as run
        from kadr.measure.inputs import MeasureInputs
        from kadr.video.clip_source import ClipSource

        options = DeflickerOptions(**read_fields(DeflickerOptions, steadying))
        source = ClipSource(clip, **read_fields(RunOptions, reading))
        part = None
        if frames is not None:
            with source.open() as opened:
                part = parse_frames(frames, opened)
        with session.report_compiling():
            result = session.follow(
                run(
                    MeasureInputs(source, restyled, frames=part),
                    out,
                    options,
                    overwrite=overwrite,
                    **read_fields(RunOptions, encoding),
                    encoder_preset=encoder_preset,
                    threads=None if threads is None else parse_value(threads, int, "threads"),
                    cancel=session.cancel,
                )
            )
        session.reporter.result(
            f"{result.output}: {counted(result.frames, 'frame')}",
            output=result.output,
            frames=result.frames,
        )
