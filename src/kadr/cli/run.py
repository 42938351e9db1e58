"""``kadr run``: a clip and a few painted keyframes in, the whole clip restyled out."""

from __future__ import annotations

from dataclasses import fields, replace
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any

import typer

from kadr.cli.fields import field_options, read_fields
from kadr.cli.flags import Json, Output, Quiet, Source, Verbose
from kadr.cli.session import Session, session
from kadr.cli.values import parse_assignments
from kadr.core.numbers import parse_frames, parse_rate, parse_span
from kadr.errors import OptionsError
from kadr.options import DETAIL, PropagateOptions, RunOptions, detail_options

_KEYS, _PICTURE, _OUTPUT, _WORK = "Keyframes", "Picture", "Output", "Work"

Keys = Annotated[
    list[Path] | None,
    typer.Option(
        "--keys",
        metavar="PATH...",
        help="Painted keyframes, named by frame number: a folder, or the files.",
        rich_help_panel=_KEYS,
    ),
]
StylizerOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--stylizer-option",
        "-O",
        metavar="NAME=VALUE",
        help="An option of the stylizer; see kadr stylizers.",
        rich_help_panel=_KEYS,
    ),
]
Ranges = Annotated[
    list[str] | None,
    typer.Option(
        "--range",
        metavar="FIRST:KEY:LAST",
        help="The frames that a key styles, both ends included; may overlap.",
        rich_help_panel=_KEYS,
    ),
]
Detail = Annotated[
    str,
    typer.Option(
        metavar="|".join(DETAIL),
        help="Trade time for quality; options given beside it have the last word.",
        rich_help_panel=_PICTURE,
    ),
]
Frames = Annotated[
    str | None,
    typer.Option(
        metavar="FIRST:LAST",
        help="Work on these frames only, both included.",
        rich_help_panel=_WORK,
    ),
]
Rate = Annotated[
    str | None,
    typer.Option(
        metavar="RATE",
        help="Frames a second of an image sequence (default 24).",
        rich_help_panel=_WORK,
    ),
]


@field_options("work", RunOptions, ("allow_truncated", "threads", "seed", "work"), panel=_WORK)
@field_options("output", RunOptions, ("per_key", "overwrite", "crf", "preset"), panel=_OUTPUT)
@field_options(
    "picture",
    PropagateOptions,
    [item.name for item in fields(PropagateOptions)],
    panel=_PICTURE,
)
@field_options("keys", RunOptions, ("stylizer", "keys_budget", "fit_keys"), panel=_KEYS)
def run(
    context: typer.Context,
    clip: Source,
    out: Output,
    keys: dict[str, Any],
    output: dict[str, Any],
    picture: dict[str, Any],
    work: dict[str, Any],
    key_paths: Keys = None,
    stylizer_options: StylizerOptions = None,
    ranges: Ranges = None,
    detail: Detail = "medium",
    frames: Frames = None,
    fps: Rate = None,
    quiet: Quiet = False,
    json: Json = False,
    verbose: Verbose = 0,
) -> None:
    """Restyle a clip from a few painted keyframes, or from keyframes that a filter paints."""
    with session(quiet=quiet, json=json, verbose=verbose) as now:
        options = read_fields(RunOptions, keys | output | work)
        options["keys"] = _all_keys(key_paths or [], context.args)
        options["frame_rate"] = _frame_rate(fps, clip)
        options["propagate"] = detail_options(detail, **read_fields(PropagateOptions, picture))
        options["stylizer_options"] = _assigned(
            options.get("stylizer", "external"), stylizer_options or []
        )
        _check_heeded(options)
        chosen = RunOptions(clip=Path(clip), output=out, **options)
        if ranges or frames is not None:
            chosen = _with_frames(chosen, ranges or [], frames)
        _restyle(chosen, now)


def _restyle(options: RunOptions, now: Session) -> None:
    from kadr import restyle_events

    with now.announced_kernels():
        made = now.follow(restyle_events(options, now.cancel))
    now.speaker.result(
        f"{made.output}: {made.frame_count} frames from {len(made.keys)} keys "
        f"in {made.seconds:.1f} s ({made.frame_count / made.seconds:.2f} frames/s)",
        output=made.output,
        keys=made.keys,
        frames=made.frame_count,
        seconds=round(made.seconds, 3),
    )


def _all_keys(given: list[Path], more: list[str]) -> tuple[Path, ...]:
    """Keys after ``--keys``, and those that a shell's ``--keys painted/*.png`` left behind it."""
    if more and not given:
        raise OptionsError(f"{more[0]}: one clip at a time; give keys after --keys, and -o OUT")
    return (*given, *map(Path, more))


def _frame_rate(fps: str | None, clip: str) -> float | None:
    if fps is None:
        return None
    rate = parse_rate(fps)
    if Path(clip).is_file():
        raise OptionsError(f"fps {fps}: is for image sequences; {clip} has a rate of its own")
    return float(rate)


def _assigned(stylizer: str, given: list[str]) -> dict[str, Any]:
    if not given:
        return {}
    from kadr import stylizer_options

    return parse_assignments(given, stylizer_options(stylizer), f"stylizer {stylizer}")


def _check_heeded(options: dict[str, Any]) -> None:
    """Refuse what would be left unheeded beside the rest."""
    if options["keys"] and "keys_budget" in options:
        raise OptionsError(
            f"keys-budget {options['keys_budget']}: is for a stylizer that makes keys; "
            "leave it out beside --keys"
        )
    if options["keys"] and options["stylizer_options"]:
        raise OptionsError(
            f"stylizer-option {next(iter(options['stylizer_options']))}: is for a stylizer that "
            "makes keys; leave it out beside --keys"
        )
    if options.get("fit_keys") and not options["keys"]:
        raise OptionsError("fit-keys: is for painted keys; give them with --keys, or leave it out")


def _with_frames(options: RunOptions, ranges: list[str], frames: str | None) -> RunOptions:
    """Ranges and frames are given by numbers, which only the clip can turn into indices."""
    from kadr import open_clip

    rate = None if options.frame_rate is None else Fraction(options.frame_rate)
    with open_clip(options.clip, allow_truncated=options.allow_truncated, frame_rate=rate) as clip:
        return replace(
            options,
            ranges=tuple(parse_span(text, clip) for text in ranges),
            frames=None if frames is None else parse_frames(frames, clip),
        )
