"""A project in, its keys out: painted files, exported frames, keys that a stylizer made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kadr.core.frames import Span
from kadr.core.parsing import parse_span
from kadr.errors import KadrError, OptionsError
from kadr.image_files import IMAGE_SUFFIXES, read_image_header
from kadr.plan.key_spans import assign_spans
from kadr.report.record import RunRecord
from kadr.studio.error_facts import error_facts
from kadr.studio.file_versions import file_version
from kadr.studio.worker.open_folder import OpenFolder
from kadr.stylize.external import KeyFile, find_keys, load_key

PAINTED, TO_PAINT, STYLIZED = "painted", "to-paint", "made"
"""States of a key."""


@dataclass(frozen=True)
class KeyEntry:
    """One key. path: of its file; None for a key that only a run holds."""

    index: int
    path: Path | None
    state: str
    error: dict[str, Any] | None = None


_errors: dict[tuple[Any, ...], dict[str, Any] | None] = {}


def list_keys(folder: OpenFolder, record: RunRecord | None) -> tuple[list[KeyEntry], Any]:
    """The keys by frame index, and an error about files whose frame is unknown, or None."""
    entries, error = _painted(folder)
    entries = {**{entry.index: entry for entry in _to_paint(folder)}, **entries}
    if folder.view.settings.stylizer != "external" and record is not None:
        stylized = {key.index: KeyEntry(key.index, None, STYLIZED) for key in record.keys}
        entries = {**stylized, **entries}
    count = len(folder.clip)
    return [entries[index] for index in sorted(entries) if index < count], error


def _painted(folder: OpenFolder) -> tuple[dict[int, KeyEntry], Any]:
    files = key_images(folder.view.keys)
    error = None
    try:
        keys = find_keys(files, folder.clip, folder.key_offset) if files else []
    except KadrError as refused:
        error, keys = error_facts(refused), list(_one_by_one(files, folder))
    entries = [KeyEntry(key.index, key.path, PAINTED, _error(key, folder)) for key in keys]
    return {entry.index: entry for entry in entries}, error


def _one_by_one(files: Sequence[Path], folder: OpenFolder) -> Iterator[KeyFile]:
    """The keys whose own name is good, if another one's is not."""
    for file in files:
        try:
            yield from find_keys([file], folder.clip, folder.key_offset)
        except KadrError:
            continue


def _to_paint(folder: OpenFolder) -> Iterator[KeyEntry]:
    for key in _one_by_one(key_images(folder.paint), replace_offset(folder)):
        yield KeyEntry(key.index, key.path, TO_PAINT)


def replace_offset(folder: OpenFolder) -> OpenFolder:
    """The same project without a key offset: exported frames have their own names."""
    settings = folder.view.settings
    run = {name: value for name, value in (settings.run or {}).items() if name != "key_offset"}
    return replace(folder, view=replace(folder.view, settings=replace(settings, run=run)))


def key_images(folder: Path) -> list[Path]:
    """The image files in a folder of keys, sorted; links and hidden files are left out."""
    if not folder.is_dir():
        return []
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in IMAGE_SUFFIXES
        and not path.name.startswith(".")
        and path.is_file()
        and not path.is_symlink()
    )


def _error(key: KeyFile, folder: OpenFolder) -> dict[str, Any] | None:
    """Why a key cannot be used; found once for a file, from its header if that is good."""
    fitting = folder.fit_keys, folder.key_turn
    name = (key.path, file_version(key.path), *fitting, folder.clip.version)
    if name not in _errors:
        _errors[name] = _find_error(key, folder)
    return _errors[name]


def _find_error(key: KeyFile, folder: OpenFolder) -> dict[str, Any] | None:
    size = folder.clip.width, folder.clip.height
    try:
        header = read_image_header(key.path)
        if (header.width, header.height) != size:
            load_key(key, size, fit=folder.fit_keys, turn=folder.key_turn)
    except (KadrError, OSError) as error:
        return error_facts(error)
    return None


def key_spans(
    folder: OpenFolder, entries: Sequence[KeyEntry], cuts: Sequence[int]
) -> tuple[dict[int, Span], set[int], Any]:
    """The frames that each key styles, the keys with a range set by hand, and an error or None."""
    frames, settings = folder.frames, folder.view.settings
    try:
        manual = [parse_span(text, folder.clip) for text in settings.ranges]
        keys = [entry.index for entry in entries if entry.index in frames]
        if not keys and not manual:
            return {}, set(), None
        with_file = [span for span in manual if span.key in keys]
        spans = assign_spans(keys, frames, with_file, cuts=cuts, number=folder.clip.number)
        if len(with_file) < len(manual):
            # the whole set is what a run checks
            assign_spans(keys, frames, manual, cuts=cuts, number=folder.clip.number)
    except OptionsError as error:
        return _spans_by_hand(folder), set(), error_facts(error)
    return {span.key: span for span in spans}, {span.key for span in manual}, None


def _spans_by_hand(folder: OpenFolder) -> dict[int, Span]:
    """What the ranges say, where the whole of them is wrong."""
    spans = {}
    for text in folder.view.settings.ranges:
        try:
            span = parse_span(text, folder.clip)
        except OptionsError:
            continue
        spans[span.key] = span
    return spans
