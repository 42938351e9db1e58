"""Edits of project.toml: options, ranges, takes, undo; checked by what reads the file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kadr.core.parsing import parse_span
from kadr.errors import InputError, OptionsError
from kadr.project.folder import ProjectFolder, open_project, write_text
from kadr.project.layers import edit_layer, order_layers
from kadr.project.schema import sections, stylizer_entries
from kadr.project.settings import parse_toml
from kadr.studio.worker.call import Call
from kadr.studio.worker.journal import Journal
from kadr.studio.worker.open_folder import OpenFolder, open_folder
from kadr.studio.worker.option_schema import named_values
from kadr.studio.worker.takes import keep_take, read_takes, take_text, write_takes
from kadr.stylize.registry import stylizer_options


def _file_value(section: str, name: str, value: Any) -> Any:
    """A value of the page as the project file holds it."""
    for entry in sections()[section]:
        if entry.name == name:
            return named_values(entry, value)
    return value


_LAYER_ENTRIES = ("show", "keys.folder", "mask.mask", "mask.figure")
"""What the page sets of a layer."""


def set_options(call: Call) -> None:
    """Set entries of the project file. values: "section.entry" → value; None removes it.

    With another stylizer, options that it does not have are removed. Raises OptionsError.
    """
    project, values = open_project(Path(call["root"])), call["values"]
    if not isinstance(values, Mapping) or not values:
        raise OptionsError("options: expected an object of section.entry and value")
    by_section: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        section, _, entry = str(name).partition(".")
        if section not in sections() or not entry:
            raise OptionsError(f"option {name}: expected a section and an entry, picture.mapping")
        by_section.setdefault(section, {})[entry] = _file_value(section, entry, value)
    stylizer = by_section.get("stylizer", {}).get("name")
    if stylizer is not None and stylizer != project.settings.stylizer:
        by_section["stylizer"] = _without_others(project, stylizer) | by_section["stylizer"]
    label = f"set {', '.join(values)}"
    with Journal(project.root).edit(label, project.toml):
        # a stylizer and its options are one section, so each step gives a valid file
        for section, entries in by_section.items():
            project = project.edit(section, entries)
        if project.settings.frames is not None or "clip" in by_section:
            assert open_folder(call).frames


def set_layer(call: Call) -> None:
    """Set entries of a layer. values: as of ``edit_layer``. Raises OptionsError."""
    project, name = open_project(Path(call["root"])), str(call["name"])
    values = call["values"]
    if not isinstance(values, Mapping) or not values.keys() <= {*_LAYER_ENTRIES}:
        raise OptionsError(f"layer {name}: expected some of {', '.join(_LAYER_ENTRIES)}")
    label = f"set {', '.join(values)} of layer {name}"
    with Journal(project.root).edit(label, project.toml):
        edit_layer(project, name, values)


def set_layer_order(call: Call) -> None:
    """Set the order of all layers, from the bottom up. Raises OptionsError."""
    project = open_project(Path(call["root"]))
    with Journal(project.root).edit("order of layers", project.toml):
        order_layers(project, [str(name) for name in call["names"]])


def _without_others(project: ProjectFolder, stylizer: Any) -> dict[str, None]:
    """The entries of [stylizer] that another stylizer does not have, to be removed."""
    kind = stylizer_options(str(stylizer))
    names = {entry.name for entry in stylizer_entries(kind)} if stylizer != "external" else set()
    content = parse_toml(project.toml, project.text).get("stylizer", {})
    return {name: None for name in content if name not in {"name", "range", *names}}


def set_range(call: Call) -> None:
    """Set the frames that a key styles; ``first`` None: those up to its neighbours."""
    folder, index = open_folder(call), call["index"]
    if folder.view.layer:
        raise OptionsError(
            f"{folder.root}: has layers; write the range into {folder.project.toml}, in [[layer]]"
        )
    clip, number = folder.clip, _number(folder, index)
    kept = [text for text in folder.view.settings.ranges if parse_span(text, clip).key != index]
    first, last = call.get("first"), call.get("last")
    if first is not None and last is not None:
        text = f"{_number(folder, first)}:{number}:{_number(folder, last)}"
        parse_span(text, clip)
        kept.append(text)
        kept.sort(key=lambda item: parse_span(item, clip).key)
    with Journal(folder.root).edit(f"range of key {number}", folder.project.toml):
        folder.project.edit("keys", {"ranges": kept or None})


def _number(folder: OpenFolder, index: int) -> int:
    if not 0 <= index < len(folder.clip):
        raise InputError(f"frame {index}: the clip has {len(folder.clip)} frames")
    return folder.clip.number(index)


def undo(call: Call) -> dict[str, str]:
    """Undo the last edit."""
    return {"label": Journal(Path(call["root"])).step("undo")}


def redo(call: Call) -> dict[str, str]:
    """Do the last undone edit again."""
    return {"label": Journal(Path(call["root"])).step("redo")}


def add_take(call: Call) -> dict[str, int]:
    """Keep the present settings under a name."""
    return {"id": keep_take(open_project(Path(call["root"])), str(call["name"]))}


def use_take(call: Call) -> None:
    """Make the settings of a take current."""
    project = open_project(Path(call["root"]))
    text = take_text(project, call["id"])
    name = next(take["name"] for take in read_takes(project.root) if take["id"] == call["id"])
    with Journal(project.root).edit(f"take {name}", project.toml):
        write_text(project.toml, text)


def delete_take(call: Call) -> None:
    """Delete a take."""
    root = Path(call["root"])
    takes = read_takes(root)
    kept = [take for take in takes if take["id"] != call["id"]]
    if len(kept) == len(takes):
        raise InputError(f"take {call['id']}: there is no such take")
    write_takes(root, kept)
