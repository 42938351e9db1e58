"""An unexpected error in, a log file with its traceback out."""

from __future__ import annotations

import contextlib
import os
import platform
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

import kadr
from kadr.core.locations import mask_secrets

_PREFIX, _SUFFIX = "kadr-fault-", ".log"
_MOST_LOGS = 5
"""Older logs of the same folder are deleted."""


def write_log(error: BaseException, words: Sequence[str], program: str) -> Path | None:
    """Write what a report of the error needs; None if no folder can be written. Never raises.

    The log is for reading by people: passwords in addresses are left out.
    """
    try:
        text = mask_secrets(_text(error, words, program))
    except Exception:  # an error's own text may fail
        text = f"{type(error).__name__}, which cannot be printed\n"
    for folder in _folders():
        with contextlib.suppress(Exception):
            return _write(folder, text)
    return None


def _text(error: BaseException, words: Sequence[str], program: str) -> str:
    lines = [
        f"kadr {kadr.__version__}, Python {platform.python_version()}, {platform.platform()}",
        f"time: {datetime.now().astimezone().isoformat(timespec='seconds')}",
        f"command: {' '.join(map(repr, [program, *words]))}",
        f"folder: {_working_folder()}",
        "",
        "".join(traceback.format_exception(error)),
    ]
    return "\n".join(lines)


def _working_folder() -> str:
    try:
        return os.getcwd()  # noqa: PTH109 - a folder that was deleted has no path
    except OSError as error:
        return str(error)


def _folders() -> Iterator[Path]:
    """Where logs may go, the best place first."""
    with contextlib.suppress(Exception):
        from kadr.storage.cache import log_folder

        yield log_folder()
    with contextlib.suppress(Exception):
        yield Path(tempfile.gettempdir())


def _write(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    prefix = f"{_PREFIX}{datetime.now():%Y%m%d-%H%M%S}-"
    # a name that nobody can foresee: the folder may be one that others write to
    handle, name = tempfile.mkstemp(prefix=prefix, suffix=_SUFFIX, dir=folder)
    with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(text)
    logs = sorted(folder.glob(f"{_PREFIX}*{_SUFFIX}"), key=lambda path: (path.name[:26], path.name))
    for old in [log for log in logs if log.name != Path(name).name][: -(_MOST_LOGS - 1)]:
        with contextlib.suppress(OSError):
            old.unlink()
    return Path(name)
