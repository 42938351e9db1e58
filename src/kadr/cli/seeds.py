"""``kadr seeds``: one frame stylized with many seeds on a sheet; keep one of them in a project."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kadr.cli.field_options import field_options
from kadr.cli.flags import Json, Overwrite, Quiet, StylizerOptions, Verbose
from kadr.cli.parse_values import parse_assignments, parse_path
from kadr.cli.session import Session, open_session
from kadr.cli.stylizer_choice import (
    STYLIZER_FLAGS,
    LikeImage,
    PresetName,
    SharedStylizerOptions,
    StylizerChoice,
    resolve_preset,
)
from kadr.core.parsing import expand_home
from kadr.errors import OptionsError, OutputError

if TYPE_CHECKING:
    from kadr.core.frames import Frame, FrameRange
    from kadr.project.folder import ProjectFolder
    from kadr.video.base import Clip

Target = Annotated[
    str,
    typer.Argument(
        parser=expand_home, metavar="FRAME|CLIP|NAME.kadr", help="An image, a clip or a project."
    ),
]
Count = Annotated[
    int | None,
    typer.Option(
        "-n",
        "--count",
        metavar="N",
        min=1,
        max=1024,
        help="How many seeds (default: 16).",
    ),
]
FrameNumber = Annotated[
    int | None,
    typer.Option("--frame", metavar="N", help="Which frame (default: the middle one)."),
]
FirstSeed = Annotated[int | None, typer.Option("--seed", metavar="N", help="The first seed.")]
Keep = Annotated[
    int | None,
    typer.Option(
        "--keep", metavar="SEED", help="Write this seed and the other options into the project."
    ),
]
Sheet = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        parser=parse_path,
        metavar="SHEET.png",
        help="The sheet (default: seeds.png).",
    ),
]
Images = Annotated[
    Path | None,
    typer.Option(
        "--images",
        parser=parse_path,
        metavar="FOLDER",
        help="Also write each image there, for kadr run --like.",
    ),
]
StylizerName = Annotated[
    str | None,
    typer.Option("--stylizer", metavar="NAME", help="The stylizer that makes the images."),
]

_AXES = ("cfg_scale", "denoising_strength", "steps")
"""Flags that take several values, separated by commas."""

_DEFAULT_COUNT = 16


@dataclass(frozen=True)
class _FrameSource:
    """The frame to stylize, its number, and the project that it comes from, if any.

    range_options: of the project's range that holds the frame. shots: names of ranges that are
    shots, which are not looked for.
    """

    frame: Frame
    number: int
    project: ProjectFolder | None
    range_options: Mapping[str, Any] = field(default_factory=dict)
    shots: tuple[str, ...] = ()


@field_options("flags", SharedStylizerOptions, STYLIZER_FLAGS)
def seeds(
    target: Target,
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
    like: LikeImage = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    json: Json = False,
    verbose: Verbose = 0,
) -> None:
    """Stylize one frame with many seeds, on a labelled sheet; keep one with --keep SEED NAME.kadr.

    --cfg-scale, --denoising-strength and --steps take several values, separated by commas: then the
    sheet is a grid of all combinations.
    """
    with open_session(quiet=quiet, json=json, verbose=verbose) as session:
        axis_texts = {name: flags[name] for name in _AXES if "," in str(flags.get(name, ""))}
        arguments = resolve_preset(
            preset,
            session.reporter.notice,
            like=like,
            flags={name: value for name, value in flags.items() if name not in axis_texts},
            assignments=stylizer_options,
        )
        choice = arguments.stylizer
        if keep is not None:
            if axis_texts:
                name, values = next(iter(axis_texts.items()))
                raise OptionsError(f"{name.replace('_', '-')} {values}: give the one to keep")
            unused = {"count": count, "frame": frame, "seed": seed, "output": out, "images": images}
            for name, value in unused.items():
                if value is not None:
                    raise OptionsError(f"--{name}: is not for --keep, which makes no sheet")
            _keep(target, keep, stylizer, choice, session)
            return
        from kadr.render.run_inputs import stylizer_files

        source = _frame_source(target, frame)
        project = source.project
        settings = None if project is None else project.settings
        name = choice.name(stylizer, _default_stylizer(project))
        options = choice.options(name, session.reporter.notice)
        if settings is not None and name == settings.stylizer:
            options = {**(settings.stylizer_options or {}), **source.range_options, **options}
            for shot in source.shots:
                session.reporter.notice(
                    f"stylizer range {shot}: kadr seeds does not look for shots; its values are "
                    "not used"
                )
        first = seed if seed is not None else options.get("seed") or 0
        axes = _axis_values(axis_texts, name)
        sheet = out or (Path("seeds.png") if project is None else project.out / "seeds.png")
        in_project = out is None and project is not None
        _check_outputs(sheet, images, overwrite or in_project)
        _check_apart(sheet, images, target, project, stylizer_files(name, options))
        _make_sheet(
            source,
            range(first, first + (count or _DEFAULT_COUNT)),
            name,
            options,
            axes,
            (sheet, images),
            session,
        )


def _default_stylizer(project: ProjectFolder | None) -> str:
    """The stylizer of a project, if it makes keys; else diffusion."""
    stylizer = "external" if project is None else project.settings.stylizer
    return "diffusion" if stylizer == "external" else stylizer


def _axis_values(axis_texts: Mapping[str, str], stylizer: str) -> dict[str, list[Any]]:
    """The values of each axis of a grid, checked as the stylizer's options are."""
    from kadr.stylize.registry import stylizer_options

    kind, owner = stylizer_options(stylizer), f"stylizer {stylizer}"
    return {
        axis: [parse_assignments([f"{axis}={part}"], kind, owner)[axis] for part in text.split(",")]
        for axis, text in axis_texts.items()
    }


def _check_outputs(sheet: Path, images: Path | None, overwrite: bool) -> None:
    """Raise OutputError, before any work, if the sheet or the images cannot be written."""
    from kadr.files import make_folder, remove_empty
    from kadr.image_files import WRITABLE_SUFFIXES

    suffix = sheet.suffix.lower()
    if suffix not in WRITABLE_SUFFIXES:
        suffixes = ", ".join(sorted(WRITABLE_SUFFIXES))
        raise OutputError(f"{sheet}: unknown image type {suffix!r}; use one of {suffixes}")
    if sheet.is_dir():
        raise OutputError(f"{sheet}: is a folder; use another name with -o")
    if sheet.exists() and not overwrite:
        raise OutputError(f"{sheet}: exists already; use --overwrite or another name with -o")
    for folder in (sheet.parent, *(() if images is None else (images,))):
        created = make_folder(folder)
        try:
            if not os.access(folder, os.W_OK | os.X_OK):
                raise OutputError(f"{folder}: cannot be written; choose another folder")
        finally:
            remove_empty(created)


def _check_apart(
    sheet: Path,
    images: Path | None,
    target: str,
    project: ProjectFolder | None,
    files: Sequence[Path],
) -> None:
    """Raise OutputError if the sheet or the images would be taken for what they are made from."""
    from kadr.video.outputs_apart import check_outputs_apart

    inputs = [Path(target)] if project is None else [project.clip, project.keys]
    outputs: list[Path | str] = [sheet]
    if images is not None:
        outputs.append(f"{images}/")
    check_outputs_apart(outputs, [*inputs, *files])


def _make_sheet(
    source: _FrameSource,
    seeds: range,
    stylizer: str,
    options: dict[str, Any],
    axes: dict[str, list[Any]],
    outputs: tuple[Path, Path | None],
    session: Session,
) -> None:
    from kadr.image_files import write_image
    from kadr.seed_grid import make_seed_grid, seed_grid_image

    trials = session.follow(
        make_seed_grid(source.frame, seeds, stylizer, options, axes, session.cancel)
    )
    sheet, images = outputs
    write_image(sheet, seed_grid_image(source.frame.rgb, trials))
    files = []
    for trial in trials if images is not None else ():
        assert images is not None
        parts = [f"{name}_{value}" for name, value in trial.settings.items()]
        path = images / ("-".join([f"{source.number:05d}", f"seed_{trial.seed}", *parts]) + ".png")
        write_image(path, trial.image, {"parameters": trial.parameters} if trial.parameters else {})
        files.append(path)
    project = source.project.root if source.project is not None else "NAME.kadr"
    session.reporter.result(
        f"{sheet}: frame {source.number} with seeds {seeds.start} to {seeds.stop - 1}; "
        f"keep one with kadr seeds {project} --keep SEED",
        sheet=sheet,
        frame=source.number,
        seeds=list(seeds),
        images=files,
    )


def _frame_source(target: str, number: int | None) -> _FrameSource:
    from kadr.core.frames import Frame
    from kadr.image_files import IMAGE_SUFFIXES, read_image
    from kadr.project.folder import is_project, open_project
    from kadr.video.clip_source import ClipSource
    from kadr.video.clips import open_clip

    if is_project(target):
        project = open_project(target)
        options = project.options(project.locate())
        with ClipSource.of(options).open() as clip:
            frame, number = _frame_of(clip, number, options.frames)
        ranges = options.stylizer_ranges
        values = [item.options for item in ranges if item.frames and frame.index in item.frames]
        shots = tuple(item.name for item in ranges if item.frames is None)
        return _FrameSource(frame, number, project, values[0] if values else {}, shots)
    path = Path(target)
    if path.is_file() and path.suffix.lower() in IMAGE_SUFFIXES:
        if number is not None:
            raise OptionsError(f"frame {number}: {target} is one image; leave out --frame")
        return _FrameSource(Frame(0, read_image(path)), 0, None)
    with open_clip(target) as clip:
        return _FrameSource(*_frame_of(clip, number), None)


def _frame_of(
    clip: Clip, number: int | None, frames: FrameRange | None = None
) -> tuple[Frame, int]:
    """A frame and its number; without ``number`` the middle one of ``frames``, or of all."""
    indices = range(len(clip)) if frames is None else range(frames.start, frames.stop)
    index = indices[len(indices) // 2] if number is None else clip.index_of(number)
    if index is None:
        raise OptionsError(
            f"frame {number}: the clip has frames {clip.number(0)}–{clip.number(len(clip) - 1)}"
        )
    return clip.frame(index), clip.number(index)


def _keep(
    target: str, seed: int, stylizer: str | None, choice: StylizerChoice, session: Session
) -> None:
    """Write a seed and the other options into a project file."""
    from kadr.project.folder import is_project, open_project

    if not is_project(target):
        raise OptionsError(
            f"{target}: is no project to keep a seed in; make one with kadr new, or give --seed "
            f"{seed} to kadr run"
        )
    project = open_project(target)
    name = choice.name(stylizer, _default_stylizer(project))
    options = {**choice.options(name, session.reporter.notice), "seed": seed}
    values: dict[str, Any] = {} if name == project.settings.stylizer else {"name": name}
    values |= {option.replace("_", "-"): _plain(value) for option, value in options.items()}
    project.edit("stylizer", values)
    session.reporter.result(
        f"{project.toml}: seed {seed} is kept; go on with kadr run {project.root}",
        project=project.root,
        seed=seed,
    )


def _plain(value: Any) -> Any:
    """The value as TOML has it."""
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value
