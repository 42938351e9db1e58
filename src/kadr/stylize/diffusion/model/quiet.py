"""No bars and no remarks of the libraries while they load; kadr shows its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet() -> Iterator[None]:
    """Let diffusers and transformers speak of errors only, and as before afterwards."""
    from diffusers.utils import logging as theirs
    from transformers.utils import logging as others

    levels = theirs.get_verbosity(), others.get_verbosity()
    bars = others.is_progress_bar_enabled()
    for log in (theirs, others):
        log.set_verbosity_error()
        log.disable_progress_bar()
    try:
        yield
    finally:
        for log, level in zip((theirs, others), levels):
            log.set_verbosity(level)
            if bars:
                log.enable_progress_bar()
