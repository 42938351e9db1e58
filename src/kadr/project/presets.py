"""The name or the file of a preset in, the options it sets out; sections as in project.toml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from kadr.core.formatting import shorten
from kadr.core.parsing import expand_home
from kadr.errors import InputError, OptionsError
from kadr.options import detail_options
from kadr.project.schema import Entry, sections
from kadr.project.settings import (
    RUN_SECTIONS,
    EntryErrors,
    check_sections,
    parse_toml,
    read_entries,
    read_stylizer,
)

_SECTIONS = ("keys", "stylizer", "picture", "guides", "mask", "output", "run")
_SUFFIX = ".toml"


@dataclass(frozen=True)
class Preset:
    """The options that a preset sets. text: the content of its file, to be read and copied.

    picture, run: fields of PropagateOptions and of RunOptions. stylizer: "" if it sets none.
    """

    name: str
    text: str
    stylizer: str = ""
    stylizer_options: Mapping[str, Any] = field(default_factory=dict)
    detail: str | None = None
    picture: Mapping[str, Any] = field(default_factory=dict)
    run: Mapping[str, Any] = field(default_factory=dict)

    @property
    def about(self) -> str:
        """The first paragraph of the comment that the file begins with, as one line."""
        words: list[str] = []
        for line in self.text.splitlines():
            if not line.startswith("# "):
                break
            words.append(line.removeprefix("# ").strip())
        return " ".join(words)


def preset_names() -> tuple[str, ...]:
    """The presets that come with kadr."""
    names = (item.name for item in files("kadr").joinpath("presets").iterdir())
    return tuple(sorted(name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX)))


def read_preset(name: str) -> Preset:
    """A preset by its name, or by the path of a TOML file.

    Raises InputError if there is none, OptionsError naming the file and the line for anything
    unknown or wrong in it.
    """
    path = Path(name)
    if name in preset_names():
        text = files("kadr").joinpath("presets", f"{name}{_SUFFIX}").read_text("utf-8")
    elif path.suffix == _SUFFIX:
        path = Path(expand_home(name))
        try:
            text = path.read_text("utf-8-sig")
        except UnicodeDecodeError as error:
            raise InputError(f"{path}: is not UTF-8 text; save it as UTF-8") from error
        except (OSError, ValueError) as error:
            cause = error.strerror if isinstance(error, OSError) else error
            raise InputError(f"{path}: cannot be read ({cause})") from error
        name = path.stem
    else:
        raise OptionsError(
            f"preset {shorten(name)!r}: expected one of {', '.join(preset_names())}, or a .toml "
            "file; see kadr presets"
        )
    return _preset(name, path, text)


def _preset(name: str, path: Path, text: str) -> Preset:
    content, entry_errors, schema = parse_toml(path, text), EntryErrors(path, text), sections()
    check_sections(content, _SECTIONS, entry_errors)
    stylizer: dict[str, Any] = {"name": ""}
    if "stylizer" in content:
        stylizer = read_stylizer(
            content["stylizer"], schema["stylizer"][0], entry_errors, complete=False
        )
    fields: dict[str, dict[str, Any]] = {}
    for section in _SECTIONS:
        if section != "stylizer":
            entries = tuple(entry for entry in schema[section] if _may_be_set(entry))
            values = read_entries(section, entries, content.get(section, {}), entry_errors)
            by_name = {entry.name: entry.field or entry.name for entry in entries}
            fields[section] = {by_name[entry]: value for entry, value in values.items()}
    picture = fields["picture"]
    detail = picture.pop("detail", None)
    with entry_errors("picture", "detail"):
        detail_options(detail or "medium")
    with entry_errors.any_of("picture", {field.replace("_", "-"): field for field in picture}):
        detail_options(detail or "medium", **picture)
    return Preset(
        name,
        text,
        stylizer.pop("name"),
        stylizer,
        detail,
        picture,
        {
            name: value
            for section in RUN_SECTIONS
            for name, value in fields.get(section, {}).items()
        },
    )


def _may_be_set(entry: Entry) -> bool:
    """Whether a preset may hold the entry: not one that belongs to a single clip."""
    return bool(entry.field) or entry.name == "detail"
