"""Fixtures for all tests; the helper modules in HELPERS are importable everywhere."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("kadr", deadline=None)  # kernels compile in some example or other
settings.load_profile("kadr")

HELPERS = (
    "",
    "matte",
    "project",
    "report",
    "stylize",
    "stylize/diffusion",
    "stylize/servers",
    "video",
)
"""Folders of tests whose helper modules other folders use too."""
sys.path += [str(Path(__file__).parent / folder) for folder in HELPERS]

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # shells let what they run in the background ignore it, and so would all that tests start
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest tests: in several processes the last one would run alone."""
    items.sort(key=lambda item: item.path.name != "test_kill.py")


@pytest.fixture(scope="session")
def real_clips() -> Path:
    """A folder of real files, where the tester has one."""
    folder = os.environ.get("KADR_TEST_CLIPS")
    if not folder:
        pytest.skip("set KADR_TEST_CLIPS to a folder of real clips to run this")
    return Path(folder)
