"""The options of a project in, what the page needs to make its panels out.

Everything comes from the metadata of the options' fields: a new option appears by itself.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

from kadr.cli.parse_values import parse_named_values
from kadr.core.encodings import CODECS, ENCODER_PRESETS
from kadr.option_fields import GUIDES, KEYFRAMES, MASK, OUTPUT, PICTURE, RUN
from kadr.options import DETAIL, PropagateOptions, RunOptions
from kadr.project.folder import ProjectFolder
from kadr.project.schema import Entry, sections, stylizer_entries
from kadr.project.settings import parse_toml
from kadr.stylize.registry import stylizer_names, stylizer_options

_GROUPS = {
    "clip": KEYFRAMES, "keys": KEYFRAMES, "stylizer": KEYFRAMES, "picture": PICTURE,
    "guides": GUIDES, "mask": MASK, "output": OUTPUT, "run": RUN,
}  # fmt: skip
_KINDS = {bool: "flag", int: "integer", float: "number", str: "text", Path: "path"}
_NOT_SHOWN = {("clip", "sha256"), ("clip", "size"), ("clip", "path")}
_PACKAGES = {"diffusion": "torch", "onnx": "onnxruntime"}
"""Stylizer → a package that it needs; an extra of kadr with the stylizer's name installs it."""


def option_schema(project: ProjectFolder) -> dict[str, Any]:
    """``sections`` with the values of the project file, and ``stylizers`` with their options."""
    content = parse_toml(project.toml, project.text)
    name = project.settings.stylizer
    listed = []
    for section, entries in sections().items():
        values = content.get(section, {})
        if section == "stylizer":
            entries = (*entries, *_stylizer_entries(name))
        listed.append({"name": section, "options": list(_options(section, entries, values, name))})
    return {"sections": listed, "stylizers": [_stylizer(item) for item in stylizer_names()]}


def _stylizer_entries(name: str) -> tuple[Entry, ...]:
    return () if name == "external" else stylizer_entries(stylizer_options(name))


def _stylizer(name: str) -> dict[str, Any]:
    package = _PACKAGES.get(name)
    is_missing = package is not None and importlib.util.find_spec(package) is None
    module = stylizer_options(name).__doc__ or ""
    return {
        "name": name,
        "help": module.partition("\n")[0].strip(),
        "needs": f"install it with pip install 'kadr[{name}]'" if is_missing else "",
        "options": list(_options("stylizer", _stylizer_entries(name), {}, name)),
    }


def _options(
    section: str, entries: tuple[Entry, ...], values: Mapping[str, Any], stylizer: str
) -> Iterator[dict[str, Any]]:
    for entry in entries:
        if (section, entry.name) not in _NOT_SHOWN:
            yield _option(section, entry, values.get(entry.name), stylizer)


def _option(section: str, entry: Entry, value: Any, stylizer: str) -> dict[str, Any]:
    metadata = _metadata(section, entry, stylizer)
    choices = _choices(section, entry.name)
    kind = "choice" if choices else "size" if entry.unit == "bytes" else _kind(entry.kind)
    return {
        "section": section,
        "name": entry.name,
        "label": entry.name.replace("-", " ").capitalize(),
        "help": str(metadata.get("help") or entry.help)
        + ("; NAME=VALUE" if is_named(entry.kind) else ""),
        "kind": "path" if entry.unit == "path" else kind,
        "low": metadata.get("low"),
        "high": metadata.get("high"),
        "default": _plain(_default(section, entry)),
        "unset": str(metadata.get("unset") or ""),
        "value": _plain(value),
        "choices": choices,
        "group": str(metadata.get("group") or _GROUPS[section]),
        "needs": str(metadata.get("needs") or ""),
    }


def _metadata(section: str, entry: Entry, stylizer: str) -> Mapping[str, Any]:
    """The metadata of the field that an entry stands for; empty for an entry of the project."""
    kinds: list[Any] = [RunOptions, PropagateOptions]
    if section == "stylizer":
        kinds = [] if entry.name == "name" else [stylizer_options(stylizer)]
    for kind in kinds:
        item = kind.__dataclass_fields__.get(entry.field)
        if item is not None:
            return dict(item.metadata)
    return {}


def _default(section: str, entry: Entry) -> Any:
    texts = {("picture", "detail"): "medium", ("stylizer", "name"): "external"}
    if (section, entry.name) in texts:
        return texts[section, entry.name]
    return entry.default if entry.field and entry.unit != "bytes" else None


def _choices(section: str, name: str) -> list[str] | None:
    choices = {
        ("picture", "detail"): list(DETAIL),
        ("stylizer", "name"): list(stylizer_names()),
        ("output", "encoder-preset"): list(ENCODER_PRESETS),
        ("output", "codec"): list(CODECS),
    }
    return choices.get((section, name))


def _kind(hint: Any) -> str:
    if get_origin(hint) in (Union, UnionType):
        hint = next(part for part in get_args(hint) if part is not NoneType)
    if get_origin(hint) in (tuple, list) or is_named(hint):
        return "list"
    return _KINDS.get(hint, "text")


def is_named(hint: Any) -> bool:
    """Whether an entry holds values by name, which the page shows as lines NAME=VALUE."""
    return get_origin(hint) is Mapping


def named_values(entry: Entry, lines: Any) -> Any:
    """The lines NAME=VALUE of the page as the project file holds them; others as they are.

    Raises OptionsError for a line without a name or a value.
    """
    if not is_named(entry.kind) or not isinstance(lines, list):
        return lines
    kind = get_args(entry.kind)[1]
    return parse_named_values(list(map(str, lines)), str if kind is Path else kind, entry.name)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return [f"{name}={item}" for name, item in value.items()]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return str(value)
