"""Records of what a process has to undo before it ends; if it is killed, the next one finds them.

A folder holds one record for each process, ``<id>.json``, and beside it ``<id>.lock``, which the
process holds as long as it lives, however it ends.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from kadr.errors import OutputError
from kadr.files import make_folder, read_json_object, write_json_object


@dataclass
class UndoRecord:
    """What is to be undone. done: set when it is, so that the record is deleted."""

    content: Mapping[str, Any]
    done: bool = field(default=False)


@contextlib.contextmanager
def keep_record(folder: Path, content: Mapping[str, Any]) -> Iterator[UndoRecord]:
    """Write a record, and delete it at the end of the block if it is done by then.

    Raises OutputError if it cannot be written.
    """
    make_folder(folder)
    file = folder / f"{uuid.uuid4().hex}.json"
    record = UndoRecord(content)
    try:
        with _locked(file):
            write_json_object(file, content)
            if read_json_object(file) != content:
                raise OutputError(
                    f"{file}: cannot be written; free some space, or give it permissions"
                )
            yield record
    finally:
        if record.done:
            file.unlink(missing_ok=True)
            _lock_file(file).unlink(missing_ok=True)


@contextlib.contextmanager
def take_over_records(folder: Path) -> Iterator[list[UndoRecord]]:
    """The records of processes that have ended; those that are done after the block are deleted.

    During the block no other process takes them over. A damaged record is deleted.
    """
    with contextlib.ExitStack() as locks:
        records: dict[Path, UndoRecord] = {}
        for file in _files(folder):
            with contextlib.suppress(Timeout, OSError):
                locks.enter_context(_locked(file))
                content = read_json_object(file)
                records[file] = UndoRecord(content, done=not content)
        yield [record for record in records.values() if not record.done]
        for file, record in records.items():
            if record.done:
                file.unlink(missing_ok=True)
                _lock_file(file).unlink(missing_ok=True)


def living_records(folder: Path) -> list[Mapping[str, Any]]:
    """The contents of the records of processes that still run."""
    contents: list[Mapping[str, Any]] = []
    for file in _files(folder):
        try:
            with _locked(file):
                pass
        except (Timeout, OSError):
            contents.append(read_json_object(file))
    return contents


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.json")) if folder.is_dir() else []


def _lock_file(file: Path) -> Path:
    return file.with_suffix(".lock")


@contextlib.contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Hold the lock of a record. Raises Timeout if another process, or a block, holds it."""
    lock = FileLock(_lock_file(file), thread_local=False)
    lock.acquire(blocking=False)
    try:
        yield
    finally:
        lock.release()
