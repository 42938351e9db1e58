"""A stylized image in, the options of a stylizer that make others like it out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from kadr.stylize.infotext import infotext_settings
from kadr.stylize.infotext_files import read_infotext
from kadr.stylize.registry import stylizer_options

_FILES = ("model", "vae")
"""What a picture calls by a name, where kadr's own stylizer needs a file."""


@dataclass(frozen=True)
class Like:
    """What an image says of how it was made.

    options: those that the stylizer has. left_out: what else it says, by name.
    """

    options: Mapping[str, Any]
    left_out: Mapping[str, Any]


def settings_like(image: Path, stylizer: str) -> Like:
    """Read the parameters that an image carries, as options of a stylizer.

    A model that is not on this machine under its name is left out: a picture holds no path.
    Raises InputError if the file cannot be read or carries none, OptionsError for an unknown
    stylizer.
    """
    known = {item.name for item in fields(stylizer_options(stylizer))}
    options: dict[str, Any] = {}
    left_out: dict[str, Any] = {}
    for name, value in infotext_settings(read_infotext(image)).items():
        absent = stylizer == "diffusion" and name in _FILES and not Path(value).exists()
        if name in known and not absent:
            options[name] = value
        elif value != "":
            left_out[name] = value
    return Like(options, left_out)
