"""Silence or collect the log messages of diffusers and transformers while they load something."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Let both libraries log errors only; restore their settings afterwards."""
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    libraries = (diffusers_logging, transformers_logging)
    levels = [library.get_verbosity() for library in libraries]
    bars_enabled = transformers_logging.is_progress_bar_enabled()
    for library in libraries:
        library.set_verbosity_error()
        library.disable_progress_bar()
    try:
        yield
    finally:
        for library, level in zip(libraries, levels):
            library.set_verbosity(level)
            if bars_enabled:
                library.enable_progress_bar()


@contextmanager
def collect_warnings() -> Iterator[list[str]]:
    """Collect what diffusers warns of, instead of showing it."""
    texts: list[str] = []
    library = logging.getLogger("diffusers")
    handlers, level, propagates = library.handlers[:], library.level, library.propagate
    library.handlers, library.propagate = [_Collector(texts)], False
    library.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield texts
    finally:
        library.handlers, library.propagate = handlers, propagates
        library.setLevel(level)


class _Collector(logging.Handler):
    def __init__(self, texts: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._texts = texts

    def emit(self, record: logging.LogRecord) -> None:
        self._texts.append(record.getMessage())
