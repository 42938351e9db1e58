"""Models as deep as published ones: the names of weights depend on the depth."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tiny_models import FindModel, Kind, TinyNetworks


@pytest.fixture(scope="session")
def tiny_parts(deep_parts: Callable[[Kind], TinyNetworks]) -> Callable[[Kind], TinyNetworks]:
    return deep_parts


@pytest.fixture(scope="session")
def tiny_model(deep_model: FindModel) -> FindModel:
    return deep_model
