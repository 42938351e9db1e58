"""How many inputs the tests with arbitrary input try.

``KADR_FUZZ=2000`` runs so many for each parser, chosen anew each time. The suite takes fewer, the
same ones in every run.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

_COUNT = int(os.environ.get("KADR_FUZZ", "0"))


def fuzz(count: int) -> settings:
    """So many examples in the suite, or as many as KADR_FUZZ asks for."""
    return settings(
        max_examples=_COUNT or count,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
        derandomize=not _COUNT,
        database=None,
    )
