"""Command line options for the stylizer in, the name of the stylizer and its options out.

Options come from, in increasing priority: a preset, an image that carries its settings, flags that
many stylizers have, and ``-O NAME=VALUE``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kadr.cli.parse_values import parse_assignments, parse_path
from kadr.core.parsing import expand_home
from kadr.errors import OptionsError
from kadr.option_fields import KEYFRAMES, STYLIZER, fields_of_group, option
from kadr.stylize.shared_help import SHARED_HELP

if TYPE_CHECKING:
    from kadr.project.presets import Preset

PresetName = Annotated[
    str | None,
    typer.Option(
        "--preset",
        parser=expand_home,
        metavar="NAME|FILE.toml",
        help="A preset: classic, fast, faithful, keyframes, or a file; see kadr presets.",
        rich_help_panel=KEYFRAMES,
    ),
]
LikeImage = Annotated[
    Path | None,
    typer.Option(
        "--like",
        parser=parse_path,
        metavar="FRAME.png",
        help="Take the settings that an image made by kadr, A1111 or ComfyUI carries.",
        rich_help_panel=STYLIZER,
    ),
]


def _flag(default: Any, help: str) -> Any:
    return option(default, help, group=STYLIZER)


@dataclass(frozen=True)
class SharedStylizerOptions:
    """Options that several stylizers have, as flags; ``-O`` sets all others."""

    prompt: str | None = _flag(None, SHARED_HELP["prompt"])
    negative_prompt: str | None = _flag(None, SHARED_HELP["negative_prompt"])
    model: str | None = _flag(
        None, "a model file, a diffusers folder or a hub name; for a server, the name there"
    )
    denoising_strength: float | None = _flag(None, SHARED_HELP["denoising_strength"])
    cfg_scale: float | None = _flag(None, SHARED_HELP["cfg_scale"])
    sampler: str | None = _flag(None, "the stepping rule: Euler, DPM++ 2M Karras ...")
    steps: int | None = _flag(None, SHARED_HELP["steps"])
    inversion: str | None = _flag(
        None, f"{SHARED_HELP['inversion']}: refined, plain, adjusted, none"
    )
    original_prompt: str | None = _flag(None, SHARED_HELP["original_prompt"])
    lora: str | None = _flag(None, f"{SHARED_HELP['lora']}, separated by commas")
    lora_dir: str | None = _flag(None, SHARED_HELP["lora_dir"])
    batch: int | None = _flag(None, SHARED_HELP["batch"])
    download: bool = _flag(False, SHARED_HELP["download"])
    url: str | None = _flag(None, "the address of a server")
    server_patience: float | None = _flag(None, SHARED_HELP["server_patience"])
    workflow: str | None = _flag(None, SHARED_HELP["workflow"])


STYLIZER_FLAGS = fields_of_group(SharedStylizerOptions, STYLIZER)


@dataclass(frozen=True)
class StylizerChoice:
    """The stylizer and its options as the command line has them, most of them still text.

    flags: fields of SharedStylizerOptions. assignments: ``NAME=VALUE`` each. seed: the text of
    ``--seed``.
    """

    preset: Preset | None = None
    like: Path | None = None
    flags: Mapping[str, Any] = field(default_factory=dict)
    assignments: Sequence[str] = ()
    seed: str | None = None

    def name(self, stylizer: str | None, default: str) -> str:
        """The name: ``stylizer``, else that of the preset, else one for the image, else default."""
        preset = self.preset.stylizer if self.preset is not None else ""
        for_image = "diffusion" if self.like is not None and default == "external" else default
        return stylizer or preset or for_image

    def options(self, stylizer: str, notice: Callable[[str], None]) -> dict[str, Any]:
        """The options of ``stylizer``; notices name those of a preset or image that it lacks.

        Raises OptionsError for a flag that the stylizer does not have, or beside painted keys.
        """
        if stylizer == "external":
            for name in self._used_flags():
                raise OptionsError(
                    f"{name}: is for a stylizer that makes keys; give --stylizer, or leave it out"
                )
            return {}
        from kadr.stylize.image_settings import read_image_settings
        from kadr.stylize.registry import stylizer_options
        from kadr.stylize.servers.error_text import one_line

        kind = stylizer_options(stylizer)
        names = {item.name for item in fields(kind)}
        options: dict[str, Any] = {}
        if self.preset is not None:
            options |= _preset_options(self.preset, stylizer, names, notice)
        if self.like is not None:
            like = read_image_settings(self.like, stylizer)
            options |= like.options
            unused = [
                f"{name.replace('_', '-')} {one_line(str(value), 80)}"
                for name, value in like.left_out.items()
                if name not in self.flags
            ]
            if like.note:
                notice(like.note)
            if unused:
                notice(f"{self.like}: left out {', '.join(unused)}")
        assignments = [f"{name}={_text(value)}" for name, value in self.flags.items()]
        if self.seed is not None and "seed" in names:
            assignments.append(f"seed={self.seed}")
        return options | parse_assignments(
            [*assignments, *self.assignments], kind, f"stylizer {stylizer}"
        )

    def _used_flags(self) -> list[str]:
        names = [name.replace("_", "-") for name in self.flags]
        names += [f"stylizer-option {text.partition('=')[0].strip()}" for text in self.assignments]
        return names + ["like"] * (self.like is not None)


def _preset_options(
    preset: Preset, stylizer: str, names: set[str], notice: Callable[[str], None]
) -> dict[str, Any]:
    """The options of a preset; another stylizer takes those that it has, without the model."""
    options = dict(preset.stylizer_options)
    if stylizer == preset.stylizer:
        return options
    options.pop("model", None)
    unknown = [name.replace("_", "-") for name in options if name not in names]
    if unknown:
        notice(f"preset {preset.name}: {stylizer} has no {', '.join(unknown)}; left out")
    return {name: value for name, value in options.items() if name in names}


@dataclass(frozen=True)
class RunArguments:
    """Options of a run: those of a preset, and over them those of the command line.

    run, picture: fields of RunOptions and of PropagateOptions, only those that are set.
    """

    run: Mapping[str, Any]
    picture: Mapping[str, Any]
    detail: str | None
    stylizer: StylizerChoice


def resolve_preset(
    name: str | None,
    notice: Callable[[str], None],
    *,
    like: Path | None,
    flags: Mapping[str, Any],
    assignments: Sequence[str] | None,
    run: Mapping[str, Any] | None = None,
    picture: Mapping[str, Any] | None = None,
    detail: str | None = None,
    painted: bool = False,
    seed: str | None = None,
) -> RunArguments:
    """The options of the command line over those of the preset that it names, if any.

    flags, assignments, seed: as in StylizerChoice. run, picture: values of fields, as in
    RunArguments. painted: whether there are painted keys. Raises OptionsError for an unknown
    preset, or one that makes keys beside painted keys.
    """
    run, picture = dict(run or {}), dict(picture or {})
    preset = _read_preset(name, painted, run, notice)
    if preset is not None:
        run, picture = {**preset.run, **run}, {**preset.picture, **picture}
        detail = detail or preset.detail
    choice = StylizerChoice(preset, like, flags, assignments or (), seed)
    return RunArguments(run, picture, detail, choice)


def _read_preset(
    name: str | None, painted: bool, run: dict[str, Any], notice: Callable[[str], None]
) -> Preset | None:
    """The preset that was named.

    ``--preset`` was once the name of ``--encoder-preset``: a speed of the encoder goes into
    ``run``, if there are painted keys or no preset has this name.
    """
    from kadr.core.encodings import ENCODER_PRESETS
    from kadr.project.presets import preset_names, read_preset

    if name is None:
        return None
    if name in ENCODER_PRESETS and (painted or name not in preset_names()):
        run.setdefault("encoder_preset", name)
        notice(f"preset {name}: is taken as --encoder-preset {name}, as it is called now")
        return None
    preset = read_preset(name)
    if painted and preset.stylizer:
        raise OptionsError(
            f"preset {name}: makes the keys with {preset.stylizer}; leave out --keys, or the preset"
        )
    return preset


def _text(value: Any) -> str:
    return "yes" if value is True else str(value)
