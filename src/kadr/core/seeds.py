"""Derive child seeds from names, never from threads or the order of execution."""

from __future__ import annotations

import hashlib


def derive_seed(seed: int, *names: int | str) -> int:
    """A 63-bit seed for one part of a run, e.g. ``derive_seed(seed, "frame", 12)``."""
    text = "\x1f".join([str(seed), *(f"{type(name).__name__}:{name}" for name in names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1
