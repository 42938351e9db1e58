"""``kadr seeds``: one frame made with many seeds on a sheet, and the chosen one kept."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kadr.cli.fields import field_options
from kadr.cli.flags import Json, Overwrite, Quiet, StylizerOptions, Verbose
from kadr.cli.session import Session, session
from kadr.cli.stylizer_arguments import (
    STYLIZER_FIELDS,
    STYLIZER_PANEL,
    LikePicture,
    PresetName,
    StylizerArguments,
    StylizerFlags,
    find_preset,
)
from kadr.cli.values import parse_assignments
from kadr.errors import OptionsError, OutputError

if TYPE_CHECKING:
    from kadr.core.frames import Frame, FrameRange
    from kadr.project.folder import ProjectFolder
    from kadr.video.base import Clip

What = Annotated[
    str, typer.Argument(metavar="FRAME|CLIP|NAME.kadr", help="An image, a clip or a project.")
]
Count = Annotated[
    int | None,
    typer.Option("-n", "--count", min=1, max=1024, help="How many seeds (default: 16)."),
]
FrameNumber = Annotated[
    int | None,
    typer.Option("--frame", metavar="N", help="Which frame (default: the middle one)."),
]
FirstSeed = Annotated[int | None, typer.Option("--seed", metavar="N", help="The first seed.")]
Keep = Annotated[
    int | None,
    typer.Option(
        "--keep", metavar="SEED", help="Put this seed, and options beside it, into the project."
    ),
]
Sheet = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="SHEET.png", help="The sheet (default: seeds.png)."),
]
Images = Annotated[
    Path | None,
    typer.Option(
        "--images", metavar="FOLDER", help="Write each picture there too, for kadr run --like."
    ),
]
StylizerName = Annotated[
    str | None, typer.Option("--stylizer", metavar="NAME", help="What makes the pictures.")
]

_AXES = ("cfg_scale", "denoising_strength", "steps")
"""Flags of which several values may be given, commas between."""

_COUNT = 16


@dataclass(frozen=True)
class _Subject:
    """What is looked at: the frame, where it comes from, and the project if it is one."""

    frame: Frame
    number: int
    project: ProjectFolder | None


@field_options("flags", StylizerFlags, STYLIZER_FIELDS, panel=STYLIZER_PANEL)
def seeds(
    target: What,
    *,
    count: Count = None,
    frame: FrameNumber = None,
    seed: FirstSeed = None,
    keep: Keep = None,
    out: Sheet = None,
    images: Images = None,
    stylizer: StylizerName = None,
    preset: PresetName = None,
    flags: dict[str, Any],
    stylizer_options: StylizerOptions = None,
    like: LikePicture = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    json: Json = False,
    verbose: Verbose = 0,
) -> None:
    """Make one frame with many seeds, on a labelled sheet; keep one with --keep SEED NAME.kadr.

    Of --cfg-scale, --denoising-strength and --steps several values may be given, commas between:
    then the sheet is a grid over all of them.
    """
    with session(quiet=quiet, json=json, verbose=verbose) as now:
        found = find_preset(preset, False, {}, now.speaker.notice)
        many = {name: flags[name] for name in _AXES if "," in str(flags.get(name, ""))}
        rest = {name: value for name, value in flags.items() if name not in many}
        look = StylizerArguments(found, like, rest, stylizer_options or ())
        if keep is not None:
            if many:
                name, values = next(iter(many.items()))
                raise OptionsError(f"{name.replace('_', '-')} {values}: give the one to keep")
            idle = {"count": count, "frame": frame, "seed": seed, "output": out, "images": images}
            for name, value in idle.items():
                if value is not None:
                    raise OptionsError(f"--{name}: is not for --keep, which makes no sheet")
            _keep(target, keep, stylizer, look, now)
            return
        subject = _subject(target, frame)
        settings = None if subject.project is None else subject.project.settings
        other = "external" if settings is None else settings.stylizer
        name = look.stylizer(stylizer, "diffusion" if other == "external" else other)
        options = look.options(name, now.speaker.notice)
        if settings is not None and name == settings.stylizer:
            options = {**(settings.stylizer_options or {}), **options}
        first = seed if seed is not None else options.get("seed") or 0
        axes = _values_of(many, name)
        project = subject.project
        sheet = out or (Path("seeds.png") if project is None else project.out / "seeds.png")
        own = out is None and project is not None
        _check_outputs(sheet, images, overwrite or own)
        _make(
            subject,
            range(first, first + (count or _COUNT)),
            name,
            options,
            axes,
            (sheet, images),
            now,
        )


def _values_of(many: Mapping[str, str], stylizer: str) -> dict[str, list[Any]]:
    """The values of each axis of a grid, checked as the stylizer's options are."""
    from kadr.stylize.registry import stylizer_options as options_of

    known, where = options_of(stylizer), f"stylizer {stylizer}"
    return {
        axis: [
            parse_assignments([f"{axis}={part}"], known, where)[axis] for part in text.split(",")
        ]
        for axis, text in many.items()
    }


def _check_outputs(sheet: Path, images: Path | None, overwrite: bool) -> None:
    """Refuse, before anything is made, what cannot be written. Raises OutputError."""
    from kadr.files import IMAGE_SUFFIXES, make_folder, remove_empty

    suffix = sheet.suffix.lower()
    if suffix not in IMAGE_SUFFIXES:
        known = ", ".join(sorted(IMAGE_SUFFIXES))
        raise OutputError(f"{sheet}: unknown image type {suffix!r}; use one of {known}")
    if sheet.is_dir():
        raise OutputError(f"{sheet}: is a folder; use another name with -o")
    if sheet.exists() and not overwrite:
        raise OutputError(f"{sheet}: exists already; use --overwrite or another name with -o")
    for folder in (sheet.parent, *(() if images is None else (images,))):
        made = make_folder(folder)
        try:
            if not os.access(folder, os.W_OK | os.X_OK):
                raise OutputError(f"{folder}: cannot be written; choose another folder")
        finally:
            remove_empty(made)


def _make(
    subject: _Subject,
    seeds: range,
    stylizer: str,
    options: dict[str, Any],
    axes: dict[str, list[Any]],
    outputs: tuple[Path, Path | None],
    now: Session,
) -> None:
    from kadr.files import write_image
    from kadr.seed_grid import make_seed_grid, seed_grid_image

    made = now.follow(make_seed_grid(subject.frame, seeds, stylizer, options, axes, now.cancel))
    sheet, images = outputs
    write_image(sheet, seed_grid_image(subject.frame.rgb, made))
    files = []
    for trial in made if images is not None else ():
        assert images is not None
        parts = [f"{name}_{value}" for name, value in trial.settings.items()]
        path = images / ("-".join([f"{subject.number:05d}", f"seed_{trial.seed}", *parts]) + ".png")
        write_image(path, trial.image, {"parameters": trial.parameters} if trial.parameters else {})
        files.append(path)
    where = subject.project.root if subject.project is not None else "NAME.kadr"
    now.speaker.result(
        f"{sheet}: frame {subject.number} with seeds {seeds.start} to {seeds.stop - 1}; "
        f"keep one with kadr seeds {where} --keep SEED",
        sheet=sheet,
        frame=subject.number,
        seeds=list(seeds),
        images=files,
    )


def _subject(target: str, number: int | None) -> _Subject:
    from kadr.core.frames import Frame
    from kadr.files import read_image
    from kadr.project.folder import is_project, open_project
    from kadr.video.clips import open_clip

    if is_project(target):
        project = open_project(target)
        options = project.options(project.locate())
        with open_clip(options.clip, allow_truncated=options.allow_truncated) as clip:
            return _Subject(*_frame_of(clip, number, options.frames), project)
    path = Path(target)
    from kadr.files import IMAGE_SUFFIXES

    if path.is_file() and path.suffix.lower() in IMAGE_SUFFIXES:
        if number is not None:
            raise OptionsError(f"frame {number}: {target} is one image; leave out --frame")
        return _Subject(Frame(0, read_image(path)), 0, None)
    with open_clip(target) as clip:
        return _Subject(*_frame_of(clip, number), None)


def _frame_of(
    clip: Clip, number: int | None, frames: FrameRange | None = None
) -> tuple[Frame, int]:
    """A frame by its number, else the middle one of ``frames``, or of the clip without them."""
    chosen = range(len(clip)) if frames is None else range(frames.start, frames.stop)
    index = chosen[len(chosen) // 2] if number is None else clip.index_of(number)
    if index is None:
        raise OptionsError(
            f"frame {number}: the clip has frames {clip.number(0)}–{clip.number(len(clip) - 1)}"
        )
    return clip.frame(index), clip.number(index)


def _keep(
    target: str, seed: int, stylizer: str | None, look: StylizerArguments, now: Session
) -> None:
    """Write a seed, and what else was given, into a project's file."""
    from kadr.project.folder import is_project, open_project

    if not is_project(target):
        raise OptionsError(
            f"{target}: is no project to keep a seed in; make one with kadr new, or give --seed "
            f"{seed} to kadr run"
        )
    project = open_project(target)
    before = project.settings.stylizer
    name = look.stylizer(stylizer, "diffusion" if before == "external" else before)
    options = {**look.options(name, now.speaker.notice), "seed": seed}
    values: dict[str, Any] = {} if name == before else {"name": name}
    values |= {option.replace("_", "-"): _plain(value) for option, value in options.items()}
    project.edit("stylizer", values)
    now.speaker.result(
        f"{project.toml}: seed {seed} is kept; go on with kadr run {project.root}",
        project=project.root,
        seed=seed,
    )


def _plain(value: Any) -> Any:
    """As TOML holds it."""
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value
