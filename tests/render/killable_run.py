"""``kadr run`` in a process that can be killed, forked from a server that has kadr loaded.

Loading kadr takes longer than the runs of these tests; a fork of a process that has it loaded
starts at once. The server has one thread and has run nothing, so a fork is like a new process.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Sequence
from pathlib import Path

LOADED = ("kadr.cli.main", "kadr.pipeline", "kadr.project.folder", "kadr.video.clips")


def run_killable(words: Sequence[str], stderr: Path, lines: int | None = None) -> int:
    """Run ``kadr`` and kill it after ``lines`` lines of output. Returns its exit code."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*LOADED])
    reader, writer = os.pipe()
    process = context.Process(target=_main, args=(list(words), _Pipe(writer), str(stderr)))
    process.start()
    os.close(writer)
    with os.fdopen(reader, "rb") as output:
        for count, _ in enumerate(output, start=1):
            if count == lines:
                process.kill()
    process.join()
    assert process.exitcode is not None
    return process.exitcode


class _Pipe:
    """A file descriptor that a child process gets a copy of."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def __reduce__(self) -> tuple[object, ...]:
        from multiprocessing.reduction import DupFd

        return _attach, (DupFd(self.descriptor),)


def _attach(duplicate: object) -> _Pipe:
    return _Pipe(duplicate.detach())  # type: ignore[attr-defined]


def _main(words: list[str], pipe: _Pipe, stderr: str) -> None:
    os.dup2(pipe.descriptor, 1)
    os.close(pipe.descriptor)
    errors = os.open(stderr, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(errors, 2)
    sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
    from kadr.cli.main import main

    code = main(words)
    sys.stdout.flush()
    os._exit(code)
