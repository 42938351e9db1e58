"""Fixtures for all tests; the helper modules in HELPERS are importable everywhere."""

from __future__ import annotations

import functools
import gc
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main
from hypothesis import settings

settings.register_profile("kadr", deadline=None)  # kernels compile in some example or other
settings.load_profile("kadr")

HELPERS = (
    "",
    "cli",
    "matte",
    "project",
    "remote",
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


LONGEST = ("test_kill.py", "test_diffusion_runs.py", "test_guide.py")
"""Files with tests that take more than five seconds each."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest tests: in several processes the last one would run alone."""
    items.sort(key=lambda item: item.path.name not in LONGEST)


def pytest_collection_finish() -> None:
    """Look for garbage only in what comes from now on: libraries hold half a million objects."""
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _without_waiting() -> Iterator[None]:
    """Leave out what a process does once and tests would do thousands of times.

    ``fsync`` does not wait for the disk, which no test turns off; the real one is its
    ``__wrapped__``. Typer builds the commands once, and not again for every command line.
    """

    @functools.wraps(os.fsync)
    def check_descriptor(descriptor: int) -> None:
        os.fstat(descriptor)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", check_descriptor)
        patch.setattr(typer.main, "get_command", functools.cache(typer.main.get_command))
        yield


@pytest.fixture(scope="session")
def real_clips() -> Path:
    """A folder of real files, where the tester has one."""
    folder = os.environ.get("KADR_TEST_CLIPS")
    if not folder:
        pytest.skip("set KADR_TEST_CLIPS to a folder of real clips to run this")
    return Path(folder)
