"""The [[layer]] sections of a project file: their names, their order and what they inherit."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from kadr.core.formatting import shorten
from kadr.errors import OptionsError
from kadr.project.schema import describe_unknown

if TYPE_CHECKING:
    from kadr.project.settings import EntryErrors

LAYER = "layer"
LAYER_ORDER = "layer-order"
SHOW = "show"
"""The entry of a [[layer]] that leaves it out of runs if it is false."""
LAYER_SECTIONS = ("keys", "stylizer", "picture", "guides", "mask")
"""Sections that a [[layer]] may have: [layer.keys] and so on."""

_LAYER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,59}")


def layer_contents(
    content: Mapping[str, Any],
    layers: Any,
    entry_errors: EntryErrors,
) -> dict[str, dict[str, Any]]:
    """Name of each [[layer]] → the sections of the project as they are for it."""
    with entry_errors((), LAYER):
        if not isinstance(layers, list) or not all(isinstance(item, dict) for item in layers):
            raise OptionsError(f"{LAYER}: expected sections, [[{LAYER}]]")
    contents: dict[str, dict[str, Any]] = {}
    for number, layer in enumerate(layers, start=1):
        section = (LAYER, str(number))
        with entry_errors(section, "name"):
            name = check_layer_name(layer.get("name"), contents)
        own = {key: value for key, value in layer.items() if key not in ("name", SHOW)}
        with entry_errors(section, SHOW):
            if not isinstance(layer.get(SHOW, True), bool):
                raise OptionsError(f"{SHOW} {shorten(repr(layer[SHOW]))}: expected true or false")
        for key, values in own.items():
            with entry_errors((*section, key)):
                if key not in LAYER_SECTIONS:
                    existing = ("name", SHOW, *(f"[{LAYER}.{item}]" for item in LAYER_SECTIONS))
                    raise OptionsError(f"{LAYER} {name}: {describe_unknown(key, existing)}")
                if not isinstance(values, dict):
                    raise OptionsError(f"{key}: expected a section, [{LAYER}.{key}]")
        with entry_errors((*section, "mask"), "background"):
            if "background" in own.get("mask", {}):
                raise OptionsError(
                    f"{LAYER} {name}: background is for all layers together; set it in [mask]"
                )
        shared = {key: values for key, values in content.items() if key not in ("keys", "mask")}
        merged = {**shared, **own, "picture": content.get("picture", {}) | own.get("picture", {})}
        merged["keys"] = {"folder": f"keys/{name}", **own.get("keys", {})}
        contents[name] = merged
    return contents


def check_layer_name(name: Any, others: Collection[str]) -> str:
    """A name that a new layer beside ``others`` may have. Raises OptionsError for any other."""
    if not isinstance(name, str) or not _LAYER_NAME.fullmatch(name):
        raise OptionsError(
            f"{LAYER} name {shorten(repr(name))}: expected letters, digits, - and _, such as "
            "person, at most 60"
        )
    same = next((other for other in others if other.lower() == name.lower()), None)
    if same is not None:
        raise OptionsError(f"{LAYER} {name}: there is a layer {same} already; choose another name")
    return name


def ordered_layers(names: list[str], order: Any) -> list[str]:
    """The names of layers from the bottom up: as they follow each other, or as ``order`` says."""
    if order is None:
        return names
    if not isinstance(order, list) or not all(isinstance(name, str) for name in order):
        raise OptionsError(f"{LAYER_ORDER}: expected names of layers in brackets, bottom first")
    for name in order:
        if name not in names:
            raise OptionsError(f"{LAYER_ORDER}: {describe_unknown(name, names or ['none'])}")
    missing = [name for name in names if name not in order]
    if missing or len(order) != len(names):
        fault = f"{missing[0]} is missing" if missing else "a name comes twice"
        raise OptionsError(f"{LAYER_ORDER}: {fault}; name each layer once, bottom first")
    return order
