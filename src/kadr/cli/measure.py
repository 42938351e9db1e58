"""``kadr measure``: a clip and a restyled clip in; measures as a table, JSON and a page out."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kadr.cli.field_options import field_options, read_fields
from kadr.cli.flags import (
    READING,
    ClipOrProject,
    Frames,
    Json,
    Overwrite,
    Quiet,
    Verbose,
)
from kadr.cli.parse_values import parse_part, parse_path
from kadr.cli.session import Session, open_session
from kadr.errors import InputError, OptionsError
from kadr.options import RunOptions

if TYPE_CHECKING:
    from kadr.measure.inputs import MeasureInputs
    from kadr.measure.output import Measurement

Restyled = Annotated[
    Path | None,
    typer.Argument(
        parser=parse_path,
        metavar="OUTPUT",
        help="The restyled clip: a video, a folder or a pattern (default: the project's).",
        show_default=False,
    ),
]
KeyPaths = Annotated[
    list[Path] | None,
    typer.Option(
        "--keys",
        parser=parse_path,
        metavar="PATH",
        help="The painted keys, a folder or a file; repeatable (default: the project's).",
    ),
]
KeyOffset = Annotated[
    int | None,
    typer.Option(
        "--key-offset", metavar="N", help="Add this to the frame numbers in the names of keys."
    ),
]
Truth = Annotated[
    Path | None,
    typer.Option(
        "--truth",
        parser=parse_path,
        metavar="PATH",
        help="What the output should be: a video, a folder or a pattern of images.",
    ),
]
Page = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        parser=parse_path,
        metavar="PAGE.html",
        help="Also write a page with plots over time and frames to compare.",
    ),
]


@field_options("reading", RunOptions, READING)
def measure(
    clip: ClipOrProject,
    output: Restyled = None,
    *,
    keys: KeyPaths = None,
    key_offset: KeyOffset = None,
    truth: Truth = None,
    page: Page = None,
    frames: Frames = None,
    reading: dict[str, Any],
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    json: Json = False,
    verbose: Verbose = 0,
) -> None:
    """Measure a restyled clip: warp error, flicker, visible keys, ghosting, style, detail, jumps.

    Values are means over frames, beside them those of the filmed clip or of the keys. With --truth
    also PSNR and SSIM. No single number is enough: freezing lowers flicker, blurring lowers warp
    error, noise raises detail.
    """
    with open_session(quiet=quiet, json=json, verbose=verbose) as session:
        from kadr.measure.output import measure_output
        from kadr.measure.table import table_lines

        inputs = _inputs(
            session,
            clip,
            output,
            truth,
            keys=tuple(keys or ()),
            key_offset=key_offset,
            frames=frames,
            reading=read_fields(RunOptions, reading),
        )
        with session.report_compiling():
            result = session.follow(
                measure_output(inputs, page=page, overwrite=overwrite, cancel=session.cancel)
            )
        lines = table_lines(result.measures, result.numbers)
        if result.page is not None:
            lines.append(f"{result.page}: plots over time, and frames to compare")
        session.reporter.result(*lines, **_facts(inputs, result))


def _inputs(
    session: Session,
    clip: str,
    output: Path | None,
    truth: Path | None,
    *,
    keys: tuple[Path, ...],
    key_offset: int | None,
    frames: str | None,
    reading: dict[str, Any],
) -> MeasureInputs:
    """What to measure; a project fills in what is not given."""
    from kadr.measure.inputs import MeasureInputs
    from kadr.project.folder import is_project
    from kadr.video.clip_source import ClipSource

    if is_project(clip):
        source, values = _of_project(session, clip, keys, key_offset, output)
    elif output is None:
        raise OptionsError(f"measure: give the restyled clip too: kadr measure {clip} OUTPUT")
    else:
        source = ClipSource(clip, **reading)
        values = {"output": output, "keys": keys, "key_offset": key_offset or 0}
    if frames is not None:
        values["frames"] = parse_part(frames, source)
    return MeasureInputs(source, truth=truth, **values)


def _of_project(
    session: Session,
    path: str,
    keys: tuple[Path, ...],
    key_offset: int | None,
    output: Path | None,
) -> tuple[Any, dict[str, Any]]:
    """The clip of a project, and its output, keys and frames as fields of MeasureInputs."""
    from kadr.project.folder import open_project
    from kadr.video.clip_source import ClipSource

    project = open_project(path)
    located = project.locate()
    for notice in located.notices:
        session.reporter.notice(notice)
    options = project.options(located)
    if output is None:
        has_frames = project.frames.is_dir() and any(project.frames.glob("*.png"))
        output = project.frames if has_frames else Path(options.output)
        if not has_frames and not project.output_exists:
            raise InputError(f"{output}: not there yet; make it with kadr run {project.root}")
    values = {
        "output": output,
        # the keys of layers are not those of the whole
        "keys": keys or (() if project.layers else options.keys),
        "key_offset": options.key_offset if key_offset is None else key_offset,
        "frames": options.frames,
    }
    return ClipSource.of(options), values


def _facts(inputs: MeasureInputs, result: Measurement) -> dict[str, Any]:
    """The result as plain values for programs."""
    curves = result.curves
    measures = {
        name: {
            **asdict(measure),
            "ratio": measure.ratio,
            "worst_frame": None
            if measure.worst_position is None
            else result.numbers[measure.worst_position],
        }
        for name, measure in result.measures.items()
    }
    for facts in measures.values():
        del facts["name"], facts["worst_position"]
    return {
        "input": inputs.clip.path,
        "output": inputs.output,
        "page": result.page,
        "measures": measures,
        "exact_keys": curves.exact_keys,
        "keys": [result.numbers[position] for position in curves.keys],
        "cuts": [result.numbers[position] for position in curves.cuts],
        "frames": list(result.numbers),
        "curves": {
            name: [None if value is None else round(value, 5) for value in curve]
            for name, curve in curves.by_name().items()
        },
    }
