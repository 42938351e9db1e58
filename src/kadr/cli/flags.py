"""Arguments and flags that several commands share, as annotated types."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kadr.cli.field_options import sentence
from kadr.cli.parse_values import parse_location, parse_path
from kadr.core.parsing import expand_home
from kadr.option_fields import KEYFRAMES, PICTURE, RUN, option_help
from kadr.options import DETAIL, RunOptions


def _help(field: str, note: str = "") -> str:
    """The help of a field of RunOptions, for an option that is written in another way."""
    return sentence(option_help(RunOptions, field), note)


ClipArgument = Annotated[
    str, typer.Argument(parser=parse_location, metavar="CLIP", help=_help("clip"))
]
ClipOrProject = Annotated[
    str,
    typer.Argument(
        parser=parse_location,
        metavar="CLIP|NAME.kadr",
        help="A video, a folder or pattern of images, or a project.",
    ),
]
READING = ("allow_truncated", "deinterlace", "allow_resize")
"""The fields of RunOptions that say how a clip is read, for commands that do nothing else with it.
"""

Output = Annotated[
    str, typer.Option("--output", "-o", parser=expand_home, metavar="OUT", help=_help("output"))
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace files that exist.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON to stdout, one object per line.")]
JsonObject = Annotated[bool, typer.Option("--json", help="Print one JSON object to stdout.")]
Verbose = Annotated[
    int,
    typer.Option(
        "--verbose", "-v", count=True, show_default=False, help="Print more; twice: everything."
    ),
]
Layer = Annotated[
    str | None,
    typer.Option("--layer", metavar="NAME", help="The layer, in a project that has layers."),
]

ProjectArgument = Annotated[
    str, typer.Argument(parser=expand_home, metavar="NAME.kadr", help="The folder of a project.")
]

Keys = Annotated[
    list[Path] | None,
    typer.Option(
        "--keys",
        parser=parse_path,
        metavar="PATH...",
        help=_help("keys", "a folder, or the files"),
        rich_help_panel=KEYFRAMES,
    ),
]
StylizerOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--stylizer-option",
        "-O",
        metavar="NAME=VALUE",
        help="An option of the stylizer; see kadr stylizers.",
        rich_help_panel=KEYFRAMES,
    ),
]
Ranges = Annotated[
    list[str] | None,
    typer.Option(
        "--range",
        metavar="FIRST:KEY:LAST",
        help=_help("ranges"),
        rich_help_panel=KEYFRAMES,
    ),
]
Detail = Annotated[
    str | None,
    typer.Option(
        metavar="|".join(DETAIL),
        help="Preset that trades time for quality (default: medium); other options change it.",
        rich_help_panel=PICTURE,
    ),
]
Frames = Annotated[
    str | None, typer.Option(metavar="FIRST:LAST", help=_help("frames"), rich_help_panel=RUN)
]
Rate = Annotated[
    str | None,
    typer.Option(
        "--fps", metavar="RATE", help=_help("frame_rate", "default: 24"), rich_help_panel=RUN
    ),
]
