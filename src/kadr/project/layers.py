"""Add, order and change the layers of a project, and check that they can be restyled."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomlkit

from kadr.errors import InputError, OptionsError, OutputError
from kadr.image_files import IMAGE_SUFFIXES
from kadr.project.folder import ProjectFolder, open_project, relative_path, write_text
from kadr.project.layer_sections import LAYER, LAYER_ORDER, check_layer_name
from kadr.project.schema import describe_unknown
from kadr.project.settings import read_settings
from kadr.project.template import toml_value
from kadr.project.toml_lines import line_of
from kadr.storage.lock import lock_folder

_ORDER_LINE = re.compile(rf"^{LAYER_ORDER}\s*=.*$", re.MULTILINE)


def add_layer(
    project: ProjectFolder,
    name: str,
    *,
    mask: Path | None = None,
    figure: Path | None = None,
    keys: Path | None = None,
    below: str | None = None,
) -> ProjectFolder:
    """Add the layer ``name``, and make its folder of keys; returns the project as it is then.

    mask: where it is restyled. figure: masks of the filmed figure that its paint moves with.
    keys: its folder of painted keys; None: ``keys/NAME``. below: the layer that it lies below;
    None: it lies on top.
    Raises OptionsError for a name that is taken or cannot be one, InputError for masks or a folder
    of keys that do not exist, OutputError if another kadr works in the project.
    """
    names = [item.layer for item in project.layers]
    check_layer_name(name, names)
    if below is not None and below not in names:
        existing = describe_unknown(below, names) if names else "there is no layer yet"
        raise OptionsError(f"below {below}: {existing}")
    for path, what in ((mask, "mask"), (figure, "mask"), (keys, "folder of keys")):
        if path is not None and not path.exists():
            raise InputError(f"{path}: no such {what}; check the path")
    lines = ["", f"[[{LAYER}]]", f"name = {toml_value(name)}"]
    if keys is not None:
        lines += [f"[{LAYER}.keys]", f"folder = {toml_value(relative_path(keys, project.root))}"]
    masks = {"mask": mask, "figure": figure}
    masked = [
        f"{option} = {toml_value(relative_path(path, project.root))}"
        for option, path in masks.items()
        if path is not None
    ]
    if masked:
        lines += [f"[{LAYER}.mask]", *masked]
    text = project.text.rstrip() + "\n" + "\n".join(lines) + "\n"
    position = len(names) if below is None else names.index(below)
    order = [*names[:position], name, *names[position:]]
    text = _with_order(text, order, project.text, is_default=below is None)
    settings = read_settings(project.toml, text)
    with lock_folder(project.root / "work"):
        folder = project.root / "keys" / name if keys is None else keys
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{folder}: cannot be made ({error.strerror})") from error
        write_text(project.toml, text)
    assert settings.layers, "the layer was added"
    return open_project(project.root)


def order_layers(project: ProjectFolder, names: list[str]) -> ProjectFolder:
    """Set the order of the layers, from the bottom up.

    Raises OptionsError unless each layer is named once, OutputError as ``add_layer``.
    """
    text = _with_order(project.text, names, project.text, is_default=False)
    return _write(project, text)


def edit_layer(project: ProjectFolder, name: str, values: Mapping[str, Any]) -> ProjectFolder:
    """Set entries of a layer: "show", or "section.entry" such as "mask.mask"; None removes one.

    Paths are as written in the file. Raises OptionsError for a layer or a value that there is not
    or cannot be, and the file stays as it was; OutputError as ``add_layer``.
    """
    project.find_layer(name)
    document = tomlkit.parse(project.text)
    layers: Any = document[LAYER]
    table: Any = next(layer for layer in layers if layer["name"] == name)
    for entry, value in values.items():
        section, _, key = entry.rpartition(".")
        if section and section not in table:
            if value is None:
                continue
            table[section] = tomlkit.table()
        place = table[section] if section else table
        if value is None:
            place.pop(key, None)
        else:
            place[key] = value
    return _write(project, tomlkit.dumps(document))


def _write(project: ProjectFolder, text: str) -> ProjectFolder:
    """The project with another text of its file, which is checked first."""
    read_settings(project.toml, text)
    with lock_folder(project.root / "work"):
        write_text(project.toml, text)
    return open_project(project.root)


def _with_order(text: str, order: list[str], before: str, *, is_default: bool) -> str:
    """The text with the order of its layers, where it is not that of the sections."""
    line = f"{LAYER_ORDER} = {toml_value(tuple(order))}"
    if _ORDER_LINE.search(text):
        return _ORDER_LINE.sub(line, text, count=1)
    if is_default:
        return text
    lines = text.splitlines()
    position = line_of(before, (), "format")  # it lies in no section
    return "\n".join([*lines[:position], line, *lines[position:]]) + "\n"


def check_keys(layer: ProjectFolder) -> None:
    """Raise OptionsError if a layer is to be painted and its folder holds no key."""
    if layer.settings.stylizer != "external":
        return
    keys = layer.keys
    if not any(path.suffix.lower() in IMAGE_SUFFIXES for path in keys.glob("[!.]*")):
        raise OptionsError(
            f"layer {layer.layer}: no keys in {keys}; paint frames and save them there under their "
            f"numbers, or take the layer out of {layer.toml}"
        )
