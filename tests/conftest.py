"""Fixtures for all tests; the helpers beside this file are importable from every folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_clips() -> Path:
    """A folder of real files, where the tester has one."""
    folder = os.environ.get("KADR_TEST_CLIPS")
    if not folder:
        pytest.skip("set KADR_TEST_CLIPS to a folder of real clips to run this")
    return Path(folder)
