"""What a batch finished, so that it goes on where it was: each run with the facts of its files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from kadr.batch.entries import BatchEntry
from kadr.core.locations import url_of
from kadr.errors import KadrError
from kadr.files import read_json_object, write_json_object
from kadr.project.folder import open_project
from kadr.render.run_inputs import run_inputs
from kadr.storage.cache import cache_root

_FOLDERS = ("work", "out")
"""Folders of a project that runs write into."""


def history_folder(batch: Path) -> Path:
    """The folder in the cache for the record of a batch. It need not exist yet."""
    digest = hashlib.sha256(os.fsencode(batch.resolve())).hexdigest()[:12]
    return cache_root() / "batches" / digest


class BatchHistory:
    """The finished runs of a batch, in one file of the cache."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "finished.json"
        self._runs = read_json_object(self._file)

    def is_finished(self, entry: BatchEntry) -> bool:
        """Whether the entry was run with the files that it has now, and its output is there."""
        run = self._runs.get(_key(entry))
        if not isinstance(run, dict) or not run.get("output_state"):
            return False
        state = input_state(entry)
        return (
            state is not None
            and run.get("input_state") == state
            and run["output_state"] == _state([str(run["output"])])
        )

    def may_replace(self, entry: BatchEntry) -> bool:
        """Whether the output is the one that the batch wrote for this entry, unchanged since.

        At a URL only whether the batch wrote it is known.
        """
        run = self._runs.get(_key(entry))
        if not isinstance(run, dict):
            return False
        output = str(run.get("output", ""))
        if url_of(output) is not None:
            return True
        return bool(run.get("output_state")) and run["output_state"] == _state([output])

    def output(self, entry: BatchEntry) -> str:
        """The output of the finished run of an entry; "" if there is none."""
        run = self._runs.get(_key(entry))
        return str(run.get("output", "")) if isinstance(run, dict) else ""

    def record(self, entry: BatchEntry, state: str | None, output: str) -> None:
        """Note a finished run. state: of its inputs when it began; output: its path or URL."""
        self._runs[_key(entry)] = {
            "input_state": state,
            "output": output,
            "output_state": _state([output]),
        }
        write_json_object(self._file, self._runs)


def input_state(entry: BatchEntry) -> str | None:
    """A hash of the facts of all files that a run reads; None if they cannot be told."""
    if entry.output:
        return _state(entry.inputs, texts=entry.words, optional=entry.inputs[1:])
    try:
        project = open_project(entry.target)
        located = project.locate()
        layers = project.layers or (project,)
        inputs = {str(path) for layer in layers for path in run_inputs(layer.options(located))}
    except KadrError:
        return None
    return _state([str(project.toml), *sorted(inputs)], texts=entry.words)


def _key(entry: BatchEntry) -> str:
    return "\0".join([entry.target, *entry.words])


def _state(
    paths: Iterable[str], *, texts: Iterable[str] = (), optional: Iterable[str] = ()
) -> str | None:
    """A hash of facts of files and of folders' files; None for a URL, or one that is missing.

    optional: texts that may be paths.
    """
    digest, may_be_missing = hashlib.sha256(), set(optional)
    for text in texts:
        digest.update(f"{text}\0".encode("utf-8", "surrogateescape"))
    for text in paths:
        if url_of(text) is not None:
            return None
        facts = list(_facts(Path(text)))
        if not facts and text not in may_be_missing:
            return None
        for fact in facts:
            digest.update(repr(fact).encode())
    return digest.hexdigest()


def _facts(path: Path) -> Iterator[tuple[Any, ...]]:
    """Name, size and time of a file; of those in a folder, or beside a pattern."""
    try:
        folder = path if path.is_dir() else path.parent
        files = [path] if path.is_file() else sorted(folder.iterdir()) if folder.is_dir() else []
        if not path.exists() and not any(mark in path.name for mark in "#%*?["):
            files = []
        for file in files:
            status = file.stat()
            if file.is_file():
                yield os.fsencode(file), status.st_size, status.st_mtime_ns
    except (OSError, ValueError):  # a text that is no path
        return
