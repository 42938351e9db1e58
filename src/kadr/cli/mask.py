"""``kadr mask``: a clip, and what tells its subject, in; a folder of mattes out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from kadr.cli.field_options import field_options, read_fields
from kadr.cli.flags import (
    READING,
    ClipArgument,
    Frames,
    Json,
    Overwrite,
    Quiet,
    Verbose,
)
from kadr.cli.parse_values import parse_part, parse_path
from kadr.cli.session import open_session
from kadr.core.formatting import counted
from kadr.errors import OptionsError
from kadr.matte.options import DifferenceOptions, EdgeOptions, OnnxOptions
from kadr.matte.registry import method_names
from kadr.options import RunOptions

_DIFFERENCE = ("threshold", "keep_shadows")
_ONNX = ("model", "model_class", "model_range", "model_order", "model_size")

Painted = Annotated[
    Path | None,
    typer.Option(
        "--from",
        parser=parse_path,
        metavar="PAINTED",
        help="Masks painted on one frame or a few: an image, or a folder named by frame number.",
    ),
]
Method = Annotated[
    str | None,
    typer.Option(
        metavar="|".join(method_names()),
        help="How the subject is found (default: what --from, --plate or --model is for).",
    ),
]
CleanPlate = Annotated[
    Path | None,
    typer.Option(
        "--plate",
        parser=parse_path,
        metavar="IMAGE",
        help="For difference: the scene without the subject (default: the median of the clip).",
    ),
]
Folder = Annotated[
    Path,
    typer.Option(
        "--output", "-o", parser=parse_path, metavar="DIR", help="The folder for the masks."
    ),
]


@field_options("reading", RunOptions, READING)
@field_options("edges", EdgeOptions, ("grow", "feather", "invert"))
@field_options("model", OnnxOptions, _ONNX)
@field_options("difference", DifferenceOptions, _DIFFERENCE)
def mask(
    clip: ClipArgument,
    *,
    painted: Painted = None,
    out: Folder,
    method: Method = None,
    clean_plate: CleanPlate = None,
    difference: dict[str, Any],
    model: dict[str, Any],
    edges: dict[str, Any],
    frames: Frames = None,
    reading: dict[str, Any],
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    json: Json = False,
    verbose: Verbose = 0,
) -> None:
    """Make a mask of the subject for every frame: from a few painted ones, a plate or a model.

    propagate carries painted masks along the motion of the clip. difference compares each frame of
    a locked camera with the empty scene. onnx runs a segmentation or matting model. The masks are
    8-bit PNG files with soft edges, named as the frames are: for --mask, and for compositing.
    """
    with open_session(quiet=quiet, json=json, verbose=verbose) as session:
        from kadr.matte.make import make_mattes
        from kadr.matte.registry import create_method
        from kadr.video.clip_source import ClipSource

        values = {
            "propagate": {} if painted is None else {"painted": painted},
            "difference": read_fields(DifferenceOptions, difference)
            | ({} if clean_plate is None else {"clean_plate": clean_plate}),
            "onnx": read_fields(OnnxOptions, model),
        }
        name = _choose_method(method, values)
        source = ClipSource(clip, **read_fields(RunOptions, reading))
        session.stopped_text = "stopped; what is finished is kept for the same command"
        with session.report_compiling():
            result = session.follow(
                make_mattes(
                    source,
                    out,
                    create_method(name, **values[name]),
                    edges=EdgeOptions(**read_fields(EdgeOptions, edges)),
                    frames=parse_part(frames, source),
                    overwrite=overwrite,
                    cancel=session.cancel,
                )
            )
        reused = result.frames - result.computed
        note = f", {reused} of them made before" if reused else ""
        session.reporter.result(
            f"{out}: {counted(result.frames, 'mask')} by {name}{note}",
            output=out,
            method=name,
            frames=result.frames,
            computed=result.computed,
        )


_FLAGS = {"painted": "from", "clean_plate": "plate"}
"""Field of a method's options → the option of the command, where that has another name."""


def _choose_method(name: str | None, values: dict[str, dict[str, Any]]) -> str:
    """The method that was named, or the one whose options were used.

    Raises OptionsError if there is none, or for an option of another method.
    """
    used = [method for method, options in values.items() if options]
    if name is None:
        if not used:
            raise OptionsError(
                "mask: nothing tells the subject; give painted masks (--from), a model (--model), "
                "or --method difference"
            )
        name = used[0]
    elif name not in values:
        raise OptionsError(f"method {name!r}: expected one of {', '.join(values)}")
    for method in used:
        if method != name:
            option = next(iter(values[method]))
            flag = _FLAGS.get(option, option).replace("_", "-")
            raise OptionsError(f"{flag}: is for method {method}, not {name}; leave it out")
    return name
