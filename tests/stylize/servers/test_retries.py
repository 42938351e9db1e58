"""When a request is sent again: after passing errors, and while a server starts or restarts."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from fake_http import FakeServer, Response, json_response

from kadr.core.events import CancelToken
from kadr.errors import Cancelled
from kadr.stylize.servers import retries
from kadr.stylize.servers.client import Client, ServerError
from kadr.stylize.servers.endpoint import parse_endpoint
from kadr.stylize.servers.retries import Failure, Retries, RetryPolicy


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "_ABSENT_DELAY", 0.02)


def _free_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return int(unused.getsockname()[1])


def _client(port: int, **changes: Any) -> Client:
    endpoint = parse_endpoint(f"127.0.0.1:{port}")
    return replace(Client(endpoint, timeout=5, retries=0, retry_delay=0.01), **changes)


@contextmanager
def _started_later(server: FakeServer, seconds: float) -> Iterator[None]:
    timer = threading.Timer(seconds, server.__enter__)
    timer.start()
    try:
        yield
    finally:
        timer.join()
        server.__exit__()


def test_a_server_that_starts_is_waited_for_and_that_is_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = FakeServer(lambda request: json_response("up"))
    server.port = _free_port()
    # the port of a web interface is open before the interface is there
    server.fail("/a", Response(404, b'{"detail": "Not Found"}'), times=2)
    server.fail("/a", Response(503), times=2)
    with caplog.at_level(logging.WARNING), _started_later(server, 0.25):
        assert _client(server.port, patience=5.0).get_json("/a") == "up"
    waiting = f"http://127.0.0.1:{server.port}: no server answers there yet; waiting for it up to 5"
    (message,) = [record.getMessage() for record in caplog.records]
    assert message.startswith(waiting)
    assert "--server-patience SECONDS" in message


def test_patience_ends() -> None:
    start = time.monotonic()
    with pytest.raises(ServerError, match="no server answers there"):
        _client(_free_port(), patience=0.2, retries=100).get("/a")
    assert 0.2 <= time.monotonic() - start < 3


def test_the_wait_for_a_server_can_be_cancelled() -> None:
    cancel = CancelToken()
    threading.Timer(0.1, cancel.cancel).start()
    with pytest.raises(Cancelled):
        _client(_free_port(), patience=30.0, cancel=cancel).get("/a")


def test_a_missing_interface_of_a_server_that_was_there_is_an_error_at_once() -> None:
    with FakeServer() as server:
        server.port = int(server.url.rpartition(":")[2])
        with pytest.raises(ServerError, match="no such interface"):
            _client(server.port, patience=5.0, retries=3).get("/a")
        assert len(server.requests) == 1


def test_a_server_that_is_gone_again_is_waited_for_anew() -> None:
    waits: list[None] = []
    policy = RetryPolicy(count=1, first_delay=0.01, patience=0.1, seed=0)
    request = Retries(policy, lambda: waits.append(None))
    assert request.next_delay(Failure.ABSENT, None) == pytest.approx(0.02)
    time.sleep(0.11)
    assert request.next_delay(Failure.ABSENT, None) is None
    assert request.next_delay(Failure.TEMPORARY, None) is not None
    assert request.next_delay(Failure.ABSENT, 9.0) == pytest.approx(0.1, abs=0.05)
    assert request.next_delay(Failure.TEMPORARY, None) is None  # the only retry was used
    assert len(waits) == 2


def test_retry_delays_grow_and_have_a_jitter_from_the_seed() -> None:
    policy = RetryPolicy(3, 0.5, 0, seed=0)
    delays = [policy.delay(attempt) for attempt in range(1, 5)]
    for attempt, delay in enumerate(delays):
        assert 0.5 * 2**attempt * 0.5 <= delay <= 0.5 * 2**attempt * 1.5
    assert delays == [policy.delay(attempt) for attempt in range(1, 5)]
    assert delays != [replace(policy, seed=1).delay(attempt) for attempt in range(1, 5)]
    assert policy.delay(50) == 30
