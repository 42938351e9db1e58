"""Every path that a run reads, and the check that no output lies there."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

from kadr.core.background import parse_background
from kadr.errors import InputError
from kadr.options import RunOptions
from kadr.stylize.registry import stylizer_options
from kadr.video.outputs_apart import check_outputs_apart

_CACHES = ("noise_cache",)
"""Options that name a folder which is written too."""


def check_run_outputs(options: RunOptions) -> None:
    """Raise OutputError if an output of the run would replace or be mixed with what it reads."""
    own_folders = [path for path in (options.work, options.frames_folder) if path is not None]
    per_key = () if options.per_key is None else (options.per_key,)
    outputs = [] if options.frames_only else [options.output]
    check_outputs_apart(outputs, run_inputs(options), trees=per_key, reserved=own_folders)


def check_planned(file: Path, digest: str | None, planned: str) -> None:
    """Raise InputError if a key, mask or guide that was read is not the one of the plan.

    digest: the hash of the bytes that were decoded. planned: the hash of the file when the run
    began, by which its results are named.
    """
    if digest != planned:
        raise InputError(
            f"{file}: was changed while the run read it; start again to use the new file"
        )


def run_inputs(options: RunOptions) -> list[Path]:
    """The clip, the keys, the guides, the masks, the background and the files of the stylizer."""
    masks = [path for path in (options.mask, options.figure) if path is not None]
    background = parse_background(options.background).path
    if background is not None:
        masks.append(background)
    values = [options.stylizer_options, *(item.options for item in options.stylizer_ranges)]
    files = [path for item in values for path in stylizer_files(options.stylizer, dict(item))]
    guides = [*options.guide.values(), *options.modulation.values()]
    return [options.clip, *options.keys, *guides, *masks, *files]


def stylizer_files(stylizer: str, values: dict[str, Any]) -> list[Path]:
    """The files and folders that options of a stylizer name, such as a style or a model."""
    return [
        path
        for item in fields(stylizer_options(stylizer))
        if item.name in values and item.name not in _CACHES
        for path in _paths(values[item.name], paths_only="Path" in str(item.type))
    ]


def _paths(value: Any, paths_only: bool) -> Iterator[Path]:
    """The paths in a value; ``paths_only``: whether the option takes paths and no other text."""
    if isinstance(value, (tuple, list)):
        for item in value:
            yield from _paths(item, paths_only)
    elif isinstance(value, Path) or (isinstance(value, str) and paths_only):
        yield from _existing(str(value))
    elif isinstance(value, str):
        # PATH, PATH:WEIGHT or NODE.input=PATH; a prompt is no path that exists
        for text in (value, value.rpartition(":")[0], value.partition("=")[2]):
            if "/" in text or "\\" in text or "." in text:
                yield from _existing(text)


def _existing(text: str) -> Iterator[Path]:
    """The path that a text names, if there is one."""
    # a text that can be no path at all, such as a long prompt, raises one of these
    with contextlib.suppress(OSError, ValueError, RuntimeError):
        path = Path(text).expanduser()
        if path.exists():
            yield path
