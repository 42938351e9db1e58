"""Arguments and flags that several commands share, as annotated types."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Annotated

import typer

from kadr.options import DETAIL, PropagateOptions

KEYS_PANEL, PICTURE_PANEL, OUTPUT_PANEL, WORK_PANEL = "Keyframes", "Picture", "Output", "Work"
"""Headings in the help of commands with many options."""

KEYS_FIELDS = (
    "stylizer",
    "keys_budget",
    "min_gap",
    "max_gap",
    "every_frame",
    "every",
    "masks",
    "refine",
    "refine_strength",
    "ignore_cuts",
    "fit_keys",
)
PICTURE_FIELDS = tuple(item.name for item in fields(PropagateOptions))
"""Fields of RunOptions and of PropagateOptions under these headings."""

ClipArgument = Annotated[
    str, typer.Argument(metavar="CLIP", help="A video, or a folder or pattern of images.")
]
ClipOrProject = Annotated[
    str,
    typer.Argument(
        metavar="CLIP|NAME.kadr", help="A video, a folder or pattern of images, or a project."
    ),
]
Output = Annotated[
    str,
    typer.Option(
        "--output",
        "-o",
        metavar="OUT",
        help="A video file, or a folder or pattern of images.",
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace files that exist.")]
AllowTruncated = Annotated[
    bool, typer.Option("--allow-truncated", help="Use the good frames of a damaged clip.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line on stdout.")]
Verbose = Annotated[
    int,
    typer.Option("--verbose", "-v", count=True, show_default=False, help="Tell more; twice: all."),
]

Keys = Annotated[
    list[Path] | None,
    typer.Option(
        "--keys",
        metavar="PATH...",
        help="Painted keyframes, named by frame number: a folder, or the files.",
        rich_help_panel=KEYS_PANEL,
    ),
]
StylizerOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--stylizer-option",
        "-O",
        metavar="NAME=VALUE",
        help="An option of the stylizer; see kadr stylizers.",
        rich_help_panel=KEYS_PANEL,
    ),
]
Ranges = Annotated[
    list[str] | None,
    typer.Option(
        "--range",
        metavar="FIRST:KEY:LAST",
        help="The frames that a key styles, both ends included; may overlap.",
        rich_help_panel=KEYS_PANEL,
    ),
]
Detail = Annotated[
    str | None,
    typer.Option(
        metavar="|".join(DETAIL),
        help="Trade time for quality (default medium); options beside it have the last word.",
        rich_help_panel=PICTURE_PANEL,
    ),
]
Frames = Annotated[
    str | None,
    typer.Option(
        metavar="FIRST:LAST",
        help="Work on these frames only, both included.",
        rich_help_panel=WORK_PANEL,
    ),
]
Rate = Annotated[
    str | None,
    typer.Option(
        metavar="RATE",
        help="Frames a second of an image sequence (default 24).",
        rich_help_panel=WORK_PANEL,
    ),
]
Limit = Annotated[
    str | None,
    typer.Option(
        "--work-limit",
        metavar="SIZE",
        help="The most to keep of work files, such as 20GB.",
        rich_help_panel=WORK_PANEL,
    ),
]
