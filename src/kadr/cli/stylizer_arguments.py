"""What a command line says of how keys are made in, a stylizer's name and its options out.

From least to most weight: a preset, a picture to be like, flags that many stylizers know, and
``-O NAME=VALUE``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kadr.cli.flags import KEYS_PANEL
from kadr.cli.values import parse_assignments
from kadr.errors import OptionsError
from kadr.options import option

if TYPE_CHECKING:
    from kadr.project.presets import Preset

STYLIZER_PANEL = "Stylizer"

PresetName = Annotated[
    str | None,
    typer.Option(
        "--preset",
        metavar="NAME|FILE.toml",
        help="Settings by a name: classic, fast, faithful, keyframes; or a file. See kadr presets.",
        rich_help_panel=KEYS_PANEL,
    ),
]
LikePicture = Annotated[
    Path | None,
    typer.Option(
        "--like",
        metavar="FRAME.png",
        help="Take the settings that a picture by kadr or A1111 carries.",
        rich_help_panel=STYLIZER_PANEL,
    ),
]


@dataclass(frozen=True)
class StylizerFlags:
    """Options that several stylizers have, as flags; ``-O`` reaches all others."""

    prompt: str | None = option(
        None, "what the frames are to look like; (word:1.2) stresses a word"
    )
    negative_prompt: str | None = option(None, "what they are not to look like")
    model: str | None = option(
        None, "a .safetensors or .ckpt file, a diffusers folder, a hub name; a server's own name"
    )
    denoising_strength: float | None = option(None, "how far from the filmed frame")
    cfg_scale: float | None = option(None, "how firmly the prompt is followed")
    sampler: str | None = option(None, "the stepping rule: Euler, DPM++ 2M Karras ...")
    steps: int | None = option(None, "sampling steps")
    inversion: str | None = option(
        None, "find each frame's own noise: refined, plain, adjusted, none"
    )
    original_prompt: str | None = option(None, "what the filmed frames show; for inversion")
    lora: str | None = option(None, "LoRA files, each PATH or PATH:WEIGHT, commas between")
    batch: int | None = option(None, "frames that are restyled at once")
    download: bool = option(False, "fetch the model if it is not on this machine")
    url: str | None = option(None, "the address of a server")
    workflow: str | None = option(None, "a graph saved by ComfyUI's Export (API)")


STYLIZER_FIELDS = tuple(item.name for item in fields(StylizerFlags))


@dataclass(frozen=True)
class StylizerArguments:
    """What was given of a stylizer and its options, most of it still as text.

    flags: fields of StylizerFlags. assignments: ``NAME=VALUE`` each. seed: ``--seed`` as it stands.
    """

    preset: Preset | None = None
    like: Path | None = None
    flags: Mapping[str, Any] = field(default_factory=dict)
    assignments: Sequence[str] = ()
    seed: str | None = None

    @property
    def names(self) -> list[str]:
        """What was given, by the names people gave it."""
        named = [name.replace("_", "-") for name in self.flags]
        named += [f"stylizer-option {text.partition('=')[0].strip()}" for text in self.assignments]
        return named + ["like"] * (self.like is not None)

    def stylizer(self, given: str | None, other: str) -> str:
        """The stylizer: the ``given`` one, the preset's, one for the picture, else ``other``."""
        preset = self.preset.stylizer if self.preset is not None else ""
        likely = "diffusion" if self.like is not None and other == "external" else other
        return given or preset or likely

    def options(self, stylizer: str, notice: Callable[[str], None]) -> dict[str, Any]:
        """The options of ``stylizer``; what a preset or a picture says in vain is noticed.

        Raises OptionsError for a flag that the stylizer does not have, or beside painted keys.
        """
        if stylizer == "external":
            for name in self.names:
                raise OptionsError(
                    f"{name}: is for a stylizer that makes keys; give --stylizer, or leave it out"
                )
            return {}
        from kadr.stylize.image_settings import read_image_settings
        from kadr.stylize.registry import stylizer_options

        kind = stylizer_options(stylizer)
        known = {item.name for item in fields(kind)}
        options: dict[str, Any] = {}
        if self.preset is not None:
            options |= self._of_preset(self.preset, stylizer, known, notice)
        if self.like is not None:
            like = read_image_settings(self.like, stylizer)
            options |= like.options
            vain = {name: value for name, value in like.left_out.items() if name not in self.flags}
            if vain:
                told = ", ".join(f"{name} {value}" for name, value in vain.items())
                notice(f"{self.like}: left out {told}")
        given = [f"{name}={_text(value)}" for name, value in self.flags.items()]
        if self.seed is not None and "seed" in known:
            given.append(f"seed={self.seed}")
        return options | parse_assignments(
            [*given, *self.assignments], kind, f"stylizer {stylizer}"
        )

    @staticmethod
    def _of_preset(
        preset: Preset, stylizer: str, known: set[str], notice: Callable[[str], None]
    ) -> dict[str, Any]:
        """A preset's options; another stylizer takes those that it has, but for the model."""
        own = dict(preset.stylizer_options)
        if stylizer == preset.stylizer:
            return own
        own.pop("model", None)
        vain = [name.replace("_", "-") for name in own if name not in known]
        if vain:
            notice(f"preset {preset.name}: {stylizer} has no {', '.join(vain)}; left out")
        return {name: value for name, value in own.items() if name in known}


def find_preset(
    given: str | None, painted: bool, fields: dict[str, Any], notice: Callable[[str], None]
) -> Preset | None:
    """The preset that was named; a speed of the encoder, as it was once called, goes to ``fields``.

    painted: there are painted keys, beside which only the encoder can be meant.
    """
    from kadr.project.presets import preset_names, read_preset
    from kadr.video.clips import ENCODER_PRESETS

    if given is None:
        return None
    if given in ENCODER_PRESETS and (painted or given not in preset_names()):
        fields.setdefault("encoder_preset", given)
        notice(f"preset {given}: is taken as --encoder-preset {given}, as it is called now")
        return None
    preset = read_preset(given)
    if painted and preset.stylizer:
        raise OptionsError(
            f"preset {given}: makes the keys with {preset.stylizer}; leave out --keys, or the "
            "preset"
        )
    return preset


def _text(value: Any) -> str:
    return "yes" if value is True else str(value)
