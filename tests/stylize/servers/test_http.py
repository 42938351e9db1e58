"""The HTTP client against a real server, with every fault that a server or a line can have."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from fake_http import Answer, FakeServer, Seen, as_json
from hypothesis import given
from hypothesis import strategies as st

from kadr.core.events import CancelToken
from kadr.errors import Cancelled, OptionsError
from kadr.stylize.servers.address import parse_endpoint
from kadr.stylize.servers.answers import one_line, said
from kadr.stylize.servers.http import Client, ServerError


def _echo(seen: Seen) -> Answer:
    return as_json({"path": seen.path, "query": seen.query, "body": seen.body.decode("latin-1")})


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer(_echo) as running:
        yield running


def _client(server: FakeServer, **changes: object) -> Client:
    quick = Client(parse_endpoint(server.url), timeout=5, pause=0.01, hint="start it")
    return replace(quick, **changes)


def test_values_go_there_and_back(server: FakeServer) -> None:
    client = _client(server)
    assert client.get_json("/a", name="x y&z") == {
        "path": "/a",
        "query": {"name": "x y&z"},
        "body": "",
    }
    assert json.loads(client.post_json("/b", {"text": "слово"})["body"]) == {"text": "слово"}
    server.fail("/c", Answer(200))
    assert client.post_json("/c", {}) is None


def test_a_form_holds_its_fields_and_the_file(server: FakeServer) -> None:
    data = bytes(range(256)) * 3
    _client(server).post_form("/upload", {"type": "input"}, "image", "f.png", data)
    (seen,) = server.asked("/upload")
    boundary = seen.headers["content-type"].partition("boundary=")[2].encode()
    parts = seen.body.split(b"--" + boundary)
    assert b'name="type"\r\n\r\ninput\r\n' in parts[1]
    assert b'name="image"; filename="f.png"' in parts[2]
    assert parts[2].endswith(b"\r\n\r\n" + data + b"\r\n")
    assert parts[3] == b"--\r\n"


@pytest.mark.parametrize(
    "fault",
    [
        Answer(drop=True),
        Answer(200, b'{"a": 1, "b": 2}', cut=5),
        Answer(500, b'{"error": "RuntimeError"}'),
        Answer(503, headers={"Retry-After": "0"}),
        Answer(429),
    ],
)
def test_passing_faults_are_tried_again(server: FakeServer, fault: Answer) -> None:
    server.fail("/a", fault, times=2)
    assert _client(server).get_json("/a")["path"] == "/a"
    assert len(server.asked("/a")) == 3


def test_lasting_faults_end_after_the_retries(server: FakeServer) -> None:
    body = b'{"error": "RuntimeError", "detail": "", "errors": "mat1 and mat2"}'
    server.fail("/a", Answer(500, body), times=99)
    with pytest.raises(ServerError, match=r"/a: 500, RuntimeError; mat1 and mat2$") as caught:
        _client(server, retries=2).get("/a")
    assert caught.value.status == 500
    assert len(server.asked("/a")) == 3


def test_a_dropped_line_is_told_in_one_line(server: FakeServer) -> None:
    server.fail("/a", Answer(drop=True), times=99)
    with pytest.raises(ServerError, match=r"/a: the connection broke off .*see the server's log"):
        _client(server, retries=1).get("/a")


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (Answer(401), r"/a: 401, the server wants a user and a password; give auth"),
        (Answer(403, b"<html><body>No<br>entry</body></html>"), r"403, No entry$"),
        (Answer(404, b'{"detail": "Not Found"}'), r"404, the server has no such interface; start"),
        (Answer(404, b'{"detail": "Sampler not found"}'), r"404, Sampler not found$"),
        (
            Answer(422, b'{"detail": [{"loc": ["body", "steps"], "msg": "not an integer"}]}'),
            r"422, body\.steps: not an integer$",
        ),
        (Answer(302, headers={"Location": "https://x/"}), r"302, moved to https://x/; give that"),
        (Answer(500, b'{"error": "OutOfMemoryError"}'), r"500, OutOfMemoryError$"),
        (Answer(500, b'{"error": "NansException"}'), r"500, NansException$"),
        (Answer(500, b'{"errors": "A tensor with all NaNs was produced in VAE"}'), r"all NaNs"),
        (Answer(418), r"418, I'm a Teapot"),
        (Answer(200, b"<html>Sign in</html>"), r"is not JSON but begins '<html>Sign in"),
        (Answer(200, b"[" * 100_000), r"is not JSON but begins"),
    ],
)
def test_refusals_are_not_tried_again(server: FakeServer, fault: Answer, told: str) -> None:
    server.fail("/a", fault, times=99)
    with pytest.raises(ServerError, match=told) as caught:
        _client(server).get_json("/a")
    assert "\n" not in str(caught.value)
    assert len(server.asked("/a")) == 1


@pytest.mark.parametrize(
    ("fault", "times"),
    [(Answer(drop=True), 2), (Answer(504), 2), (Answer(500), 0), (Answer(503), 0)],
)
def test_work_that_may_go_on_is_given_up_before_it_is_asked_for_again(
    server: FakeServer, fault: Answer, times: int
) -> None:
    server.fail("/a", fault, times=2)
    asked: list[int] = []
    _client(server).post_json("/a", {}, abandon=lambda: asked.append(len(server.asked("/a"))))
    assert asked == list(range(1, times + 1))


def test_nobody_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    client = Client(parse_endpoint(f"127.0.0.1:{port}"), pause=0.01, retries=1, hint="start it")
    with pytest.raises(ServerError, match=rf"http://127.0.0.1:{port}: no server answers.*start it"):
        client.get("/a")


def test_a_slow_server_is_left_after_the_time_out(server: FakeServer) -> None:
    server.fail("/a", Answer(after=3), times=99)
    start = time.monotonic()
    with pytest.raises(ServerError, match=r"/a: no answer within 0\.2 s"):
        _client(server, timeout=0.2).get("/a")
    assert time.monotonic() - start < 2
    assert len(server.asked("/a")) == 1


def test_a_server_that_trickles_is_left_as_well() -> None:
    """Each byte comes in time, the whole does not."""
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def trickle() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
                while not stop.wait(0.02):
                    try:
                        connection.sendall(b" ")
                    except OSError:
                        return

        thread = threading.Thread(target=trickle)
        thread.start()
        url = f"127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(ServerError, match="no answer within"):
            Client(parse_endpoint(url), timeout=0.3).get("/a")
        stop.set()
        thread.join()


def test_something_else_than_http_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"SSH-2.0-OpenSSH\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        url = f"127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(ServerError, match="broke off"):
            Client(parse_endpoint(url), timeout=3, retries=0).get("/a")
        thread.join()


@pytest.mark.parametrize("waiting", ["for the answer", "for the next try"])
def test_a_stop_does_not_wait_for_the_server(server: FakeServer, waiting: str) -> None:
    fault = Answer(after=5) if waiting == "for the answer" else Answer(503)
    server.fail("/a", fault, times=99)
    cancel = CancelToken()
    threading.Timer(0.15, cancel.cancel).start()
    start = time.monotonic()
    with pytest.raises(Cancelled):
        _client(server, cancel=cancel, pause=20.0).get("/a")
    assert time.monotonic() - start < 2


def test_something_can_be_done_meanwhile(server: FakeServer) -> None:
    server.fail("/a", Answer(200, b"1", after=0.4))
    calls: list[float] = []
    client = _client(server)
    assert client.post_json("/a", {}, lambda: calls.append(time.monotonic())) == 1
    assert len(calls) >= 2

    def stop() -> None:
        raise KeyError("enough")

    server.fail("/a", Answer(200, b"1", after=2))
    with pytest.raises(KeyError):
        client.post_json("/a", {}, stop)


def test_a_refusal_before_all_is_read_is_still_heard() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def refuse() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
                connection.shutdown(socket.SHUT_WR)
                time.sleep(0.1)

        thread = threading.Thread(target=refuse)
        thread.start()
        url = f"127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(ServerError, match="413"):
            Client(parse_endpoint(url), timeout=5, retries=0).post_json("/a", "x" * 20_000_000)
        thread.join()


def test_a_password_is_sent_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVER_AUTH", "anna:s3cret:x")
    with FakeServer(_echo, auth="anna:s3cret:x") as server:
        host = server.url.removeprefix("http://")
        for url, auth in (
            (server.url, "anna:s3cret:x"),
            (server.url, "$SERVER_AUTH"),
            (f"http://anna:s3cret%3Ax@{host}", ""),
        ):
            assert Client(parse_endpoint(url, auth)).get_json("/a")["path"] == "/a"
        wrong = parse_endpoint(f"http://anna:hunter2@{host}")
        with pytest.raises(ServerError, match="refuses user 'anna'") as caught:
            Client(wrong).get("/a")
        assert "hunter2" not in str(caught.value)
        assert "hunter2" not in repr(wrong)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://127.0.0.1:7860", "http://127.0.0.1:7860"),
        ("127.0.0.1:7860/", "http://127.0.0.1:7860"),
        ("https://host", "https://host:443"),
        ("http://host/sd/", "http://host:80/sd"),
        ("http://[::1]:7860", "http://[::1]:7860"),
        ("http://user:pw@host:1", "http://host:1"),
    ],
)
def test_addresses(url: str, shown: str) -> None:
    assert parse_endpoint(url).shown == shown


@pytest.mark.parametrize("url", ["", "ftp://host", "http://", "http://host:port", "http://h:99999"])
def test_odd_addresses_are_named(url: str) -> None:
    with pytest.raises(OptionsError, match=r"expected an address such as http://127.0.0.1:7860"):
        parse_endpoint(url)


def test_odd_passwords_are_named_without_being_shown() -> None:
    with pytest.raises(OptionsError, match=r"auth: expected user:password") as caught:
        parse_endpoint("http://host", "s3cret")
    assert "s3cret" not in str(caught.value)
    with pytest.raises(OptionsError, match=r"auth \$KADR_NO_SUCH: no such environment variable"):
        parse_endpoint("http://host", "$KADR_NO_SUCH")


def test_waits_grow_and_spread_by_the_seed() -> None:
    client = Client(parse_endpoint("http://host"), pause=0.5)
    waits = [client._backoff(attempt) for attempt in range(1, 5)]
    for attempt, wait in enumerate(waits):
        assert 0.5 * 2**attempt * 0.5 <= wait <= 0.5 * 2**attempt * 1.5
    assert waits == [client._backoff(attempt) for attempt in range(1, 5)]
    assert waits != [replace(client, seed=1)._backoff(attempt) for attempt in range(1, 5)]
    assert client._backoff(50) == 30


@given(st.binary(max_size=200))
def test_whatever_a_server_says_becomes_one_short_line(body: bytes) -> None:
    line = said(body)
    assert len(line) <= 240
    assert line.isprintable()


def test_long_words_are_cut() -> None:
    assert one_line("a\n\tb") == "a b"
    assert one_line("x" * 300) == "x" * 239 + "…"
