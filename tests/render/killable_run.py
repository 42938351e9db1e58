"""``kadr run`` in a process that can be killed, forked from a server that has kadr loaded.

Loading kadr takes longer than the runs of these tests; a fork of a process that has it loaded
starts at once, and so do the workers of the run, which are forked from the same server. It has one
thread and has run nothing, so a fork is like a new process.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

PRELOADED = (
    "kadr.cli.main",
    "kadr.pipeline",
    "kadr.project.folder",
    "kadr.tasks.process_executor",
    "kadr.tasks.worker",
    "kadr.render.blend_task",
    "kadr.render.pass_task",
    "kadr.video.clips",
    "av",
    "scenedetect",
    "typer",
)
"""What a run imports, some of it only in functions."""


def run_killable(arguments: Sequence[str], stderr: Path, lines: int | None = None) -> int:
    """Run ``kadr`` and kill it after ``lines`` lines of output. Returns its exit code."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*PRELOADED])
    reader, writer = os.pipe()
    process = context.Process(target=_main, args=(list(arguments), _Pipe(writer), str(stderr)))
    process.start()
    os.close(writer)
    with os.fdopen(reader, "rb") as output:
        for number, _ in enumerate(output, start=1):
            if number == lines:
                process.kill()
    process.join()
    assert process.exitcode is not None
    return process.exitcode


class _Pipe:
    """A file descriptor that is copied into a child process."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def __reduce__(self) -> tuple[object, ...]:
        from multiprocessing.reduction import DupFd

        return _attach, (DupFd(self.descriptor),)


def _attach(duplicate: object) -> _Pipe:
    return _Pipe(duplicate.detach())  # type: ignore[attr-defined]


def _main(arguments: list[str], pipe: _Pipe, stderr: str) -> None:
    os.dup2(pipe.descriptor, 1)
    os.close(pipe.descriptor)
    errors = os.open(stderr, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(errors, 2)
    sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
    from kadr.cli.main import main
    from kadr.tasks import worker_process

    worker_process._start = _ForkedWorker  # type: ignore[assignment]
    code = main(arguments)
    sys.stdout.flush()
    os._exit(code)


class _ForkedWorker:
    """A worker process with the methods of ``subprocess.Popen`` that a run uses."""

    def __init__(self, cores: int, stderr: int) -> None:
        reader, stdin = os.pipe()
        stdout, writer = os.pipe()
        streams = _Pipe(reader), _Pipe(writer), _Pipe(stderr)
        context = multiprocessing.get_context("forkserver")
        self._process = context.Process(target=_work, args=streams)
        self._process.start()
        os.close(reader)
        os.close(writer)
        self.stdin, self.stdout = os.fdopen(stdin, "wb", 0), os.fdopen(stdout, "rb")
        self.pid = self._process.pid

    def kill(self) -> None:
        self._process.kill()

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("worker", timeout or 0)
        return self._process.exitcode


def _work(*streams: _Pipe) -> None:
    for number, pipe in enumerate(streams):
        os.dup2(pipe.descriptor, number)
        os.close(pipe.descriptor)
    from kadr.tasks.worker import main

    main()
