"""A file on a server in, the same file on this machine out, read in blocks that suit video."""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from kadr.core.formatting import size
from kadr.errors import InputError
from kadr.files import HIDDEN, Sync, publish
from kadr.remote.connection import Connection
from kadr.remote.listing import RemoteFile
from kadr.remote.transfers import TransferProgress

BLOCK_BYTES = 4 << 20
"""Of one request: a second of video or so; with smaller ones the requests cost more than bytes."""

_AHEAD = 4
"""Blocks that are requested at once, and the most that are in memory."""


def read_file(
    source: Connection, facts: RemoteFile, path: Path, progress: TransferProgress
) -> None:
    """Read a file to ``path``, which appears complete or not at all.

    Raises InputError if it cannot be read or has another length than the server told.
    """
    handle, name = tempfile.mkstemp(prefix=HIDDEN, suffix=path.suffix, dir=path.parent)
    temporary = Path(name)
    try:
        with source.errors(), open(handle, "wb") as file:  # noqa: PTH123 - of a descriptor
            if facts.size is None or not _takes_ranges(source, facts):
                source.files.get_file(source.key, name)
                progress.add(temporary.stat().st_size)
            else:
                for block in _blocks(source, facts.size):
                    file.write(block)
                    progress.add(len(block))
        count = temporary.stat().st_size
        if facts.size is not None and count != facts.size:
            raise InputError(f"{source.url}: {size(count)} came of {size(facts.size)}; try again")
        publish(temporary, path, Sync.CONTENT)
    finally:
        temporary.unlink(missing_ok=True)


def _takes_ranges(source: Connection, facts: RemoteFile) -> bool:
    """Whether the server sends a part of a file where only that is asked for."""
    if source.scheme in ("s3", "gs") or facts.size is None or facts.size <= BLOCK_BYTES:
        return True
    return len(source.files.cat_file(source.key, start=0, end=1)) == 1


def _blocks(source: Connection, total: int) -> Iterator[bytes]:
    """The blocks of a file of ``total`` bytes in order."""
    starts = iter(range(0, total, BLOCK_BYTES))
    waiting: deque[Future[bytes]] = deque()
    with ThreadPoolExecutor(_AHEAD, "kadr-read") as pool:
        try:
            while True:
                while len(waiting) < _AHEAD and (start := next(starts, None)) is not None:
                    end = min(start + BLOCK_BYTES, total)
                    waiting.append(
                        pool.submit(source.files.cat_file, source.key, start=start, end=end)
                    )
                if not waiting:
                    return
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
