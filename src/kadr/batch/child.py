"""Words of a command line in; a process that runs ``kadr`` with them, and what it prints, out."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

_OWN_LINES = ("error: ", "stopped")
"""Lines that are printed as objects too."""

ChildEvent = dict[str, Any]


class Child:
    """One process. on_event: called with each object it prints, in threads of this one.

    A line that is no object is a notice. After the last one comes ``{"event": "exit", "code": …}``.
    """

    def __init__(self, words: Sequence[str], on_event: Callable[[ChildEvent], None]) -> None:
        # in a session of its own, so that Ctrl-C in a terminal reaches it once, from here
        self._process = subprocess.Popen(
            [sys.executable, "-m", "kadr", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self._on_event = on_event
        self._threads = [
            threading.Thread(target=read, daemon=True)
            for read in (self._read_output, self._read_errors)
        ]
        for thread in self._threads:
            thread.start()

    def _read_output(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with contextlib.suppress(ValueError):
                content = json.loads(line)
                if isinstance(content, dict):
                    self._on_event(content)
        self._threads[1].join()
        self._on_event({"event": "exit", "code": self._process.wait()})

    def _read_errors(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            text = line.decode("utf-8", "replace").strip()
            if text and not text.startswith(_OWN_LINES):
                self._on_event({"event": "notice", "message": text})

    def stop(self) -> None:
        """Ask the process to stop at its next frame."""
        with contextlib.suppress(OSError):
            if os.name == "nt":
                self._process.terminate()
            else:
                self._process.send_signal(signal.SIGINT)

    def close(self) -> None:
        """End the process now, if it still runs, and with it what it started."""
        if self._process.poll() is None:
            with contextlib.suppress(OSError):
                if os.name == "nt":
                    self._process.kill()
                else:
                    os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for thread in self._threads:
            thread.join()
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()
