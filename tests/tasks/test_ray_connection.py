"""What is refused before Ray is loaded."""

from __future__ import annotations

import importlib.util
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from kadr.errors import BackendError, OptionsError
from kadr.tasks.ray_connection import RayConnection, check_address


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("10.0.0.1:6379", ("10.0.0.1", 6379)),
        ("head-1.local:10001", ("head-1.local", 10001)),
        ("[::1]:80", ("::1", 80)),
    ],
)
def test_addresses_are_a_host_and_a_port(address: str, expected: tuple[str, int]) -> None:
    assert check_address(address) == expected


@pytest.mark.parametrize(
    "address",
    [
        "",
        "head",
        "head:",
        ":80",
        "head:0",
        "head:65536",
        "ray://head:10001",
        "auto",
        "a b:1",
        "h:1\n",
    ],
)
def test_other_addresses_are_refused(address: str) -> None:
    with pytest.raises(OptionsError, match="expected HOST:PORT"):
        check_address(address)


def test_an_address_where_nothing_answers_is_refused_at_once() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nothing listens there
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(OptionsError, match=f"address {address}: no Ray cluster answers there"):
            RayConnection(1, address)


def test_without_ray_the_line_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BackendError, match=r"install it with pip install 'kadr\[ray\]'"):
        RayConnection(1)


@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")
def test_ray_that_was_loaded_without_a_token_is_not_started() -> None:
    code = (
        "import ray\nfrom kadr.tasks.ray_connection import RayConnection\n"
        "try: RayConnection(1)\nexcept Exception as error: print(type(error).__name__, error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        env={"PYTHONPATH": str(Path(__file__).parents[2] / "src"), "PATH": ""},
    )
    assert done.stdout.startswith("BackendError executor ray: Ray was loaded before"), done
