"""The HTTP client against a real server, with every fault of a server or a connection."""

from __future__ import annotations

import json
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from fake_http import FakeServer, ReceivedRequest, Response, json_response
from hypothesis import given
from hypothesis import strategies as st

from kadr.core.events import CancelToken
from kadr.errors import Cancelled, OptionsError
from kadr.stylize.servers.client import Client, ServerError
from kadr.stylize.servers.endpoint import parse_endpoint
from kadr.stylize.servers.error_text import error_text, one_line
from kadr.stylize.servers.retry_after import retry_after


def _echo(request: ReceivedRequest) -> Response:
    return json_response(
        {"path": request.path, "query": request.query, "body": request.body.decode("latin-1")}
    )


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer(_echo) as running:
        yield running


def _client(server: FakeServer, **changes: object) -> Client:
    client = Client(parse_endpoint(server.url), timeout=5, retry_delay=0.01, hint="start it")
    return replace(client, **changes)


def test_values_are_sent_and_received(server: FakeServer) -> None:
    client = _client(server)
    assert client.get_json("/a", name="x y&z") == {
        "path": "/a",
        "query": {"name": "x y&z"},
        "body": "",
    }
    assert json.loads(client.post_json("/b", {"text": "слово"})["body"]) == {"text": "слово"}
    server.fail("/c", Response(200))
    assert client.post_json("/c", {}) is None


def test_a_form_contains_its_fields_and_the_file(server: FakeServer) -> None:
    data = bytes(range(256)) * 3
    _client(server).post_file("/upload", {"type": "input"}, "image", "f.png", data)
    (request,) = server.requests_to("/upload")
    boundary = request.headers["content-type"].partition("boundary=")[2].encode()
    parts = request.body.split(b"--" + boundary)
    assert b'name="type"\r\n\r\ninput\r\n' in parts[1]
    assert b'name="image"; filename="f.png"' in parts[2]
    assert parts[2].endswith(b"\r\n\r\n" + data + b"\r\n")
    assert parts[3] == b"--\r\n"


@pytest.mark.parametrize(
    "fault",
    [
        Response(drop=True),
        Response(200, b'{"a": 1, "b": 2}', cut=5),
        Response(500, b'{"error": "RuntimeError"}'),
        Response(503, headers={"Retry-After": "0"}),
        Response(429),
    ],
)
def test_temporary_errors_are_retried(server: FakeServer, fault: Response) -> None:
    server.fail("/a", fault, times=2)
    assert _client(server).get_json("/a")["path"] == "/a"
    assert len(server.requests_to("/a")) == 3


def test_a_lasting_error_is_raised_after_the_retries(server: FakeServer) -> None:
    body = b'{"error": "RuntimeError", "detail": "", "errors": "mat1 and mat2"}'
    server.fail("/a", Response(500, body), times=99)
    with pytest.raises(ServerError, match=r"/a: 500, RuntimeError; mat1 and mat2$") as caught:
        _client(server, retries=2).get("/a")
    assert caught.value.status == 500
    assert len(server.requests_to("/a")) == 3


def test_a_dropped_connection_is_one_line(server: FakeServer) -> None:
    server.fail("/a", Response(drop=True), times=99)
    with pytest.raises(ServerError, match=r"/a: the connection broke off .*see the server's log"):
        _client(server, retries=1).get("/a")


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (
            Response(401),
            r"/a: 401, the server wants a user and a password; give -O auth=user:password",
        ),
        (Response(403, b"<html><body>No<br>entry</body></html>"), r"403, No entry$"),
        (
            Response(404, b'{"detail": "Not Found"}'),
            r"404, the server has no such interface; start",
        ),
        (Response(404, b'{"detail": "Sampler not found"}'), r"404, Sampler not found$"),
        (
            Response(422, b'{"detail": [{"loc": ["body", "steps"], "msg": "not an integer"}]}'),
            r"422, body\.steps: not an integer$",
        ),
        (
            Response(302, headers={"Location": "https://x/"}),
            r"302, moved to https://x/; give --url https://x/",
        ),
        (Response(500, b'{"error": "OutOfMemoryError"}'), r"500, OutOfMemoryError$"),
        (Response(500, b'{"error": "NansException"}'), r"500, NansException$"),
        (Response(500, b'{"errors": "A tensor with all NaNs was produced in VAE"}'), r"all NaNs"),
        (Response(418), r"418, I'm a Teapot"),
        (Response(200, b"<html>Sign in</html>"), r"is not JSON but begins '<html>Sign in"),
        (Response(200, b"[" * 100_000), r"is not JSON but begins"),
        (Response(400, b'{"detail": [{"loc": 5, "msg": [1]}]}'), r"400, body: \[1\]$"),
        (Response(400, b'{"error": null, "detail": 3, "errors": [[{"a": "b"}]]}'), r"400, b$"),
        (Response(400, b'{"error":' * 900 + b"1" + b"}" * 900), r'400, {"error":{"error"'),
        (Response(400, b'{"error":' * 60 + b"1" + b"}" * 60), "400, Bad Request"),
        (Response(400, b'{"error": "a\\ud800b"}'), r"400, a\?b$"),
    ],
)
def test_refusals_are_not_retried(server: FakeServer, fault: Response, message: str) -> None:
    server.fail("/a", fault, times=99)
    with pytest.raises(ServerError, match=message) as caught:
        _client(server).get_json("/a")
    assert "\n" not in str(caught.value)
    assert len(server.requests_to("/a")) == 1


@pytest.mark.parametrize(
    ("fault", "times"),
    [(Response(drop=True), 2), (Response(504), 2), (Response(500), 0), (Response(503), 0)],
)
def test_before_retry_is_called_if_the_server_may_still_process_the_request(
    server: FakeServer, fault: Response, times: int
) -> None:
    server.fail("/a", fault, times=2)
    counts: list[int] = []
    _client(server).post_json(
        "/a", {}, before_retry=lambda: counts.append(len(server.requests_to("/a")))
    )
    assert counts == list(range(1, times + 1))


def test_no_server_at_the_address() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    client = Client(
        parse_endpoint(f"127.0.0.1:{port}"), retry_delay=0.01, retries=1, hint="start it"
    )
    with pytest.raises(ServerError, match=rf"http://127.0.0.1:{port}: no server answers.*start it"):
        client.get("/a")


def test_a_slow_server_exceeds_the_time_out(server: FakeServer) -> None:
    server.fail("/a", Response(delay=3), times=99)
    start = time.monotonic()
    with pytest.raises(ServerError, match=r"/a: no answer within 0\.2 s"):
        _client(server, timeout=0.2).get("/a")
    assert time.monotonic() - start < 2
    assert len(server.requests_to("/a")) == 1


def test_a_server_that_sends_byte_by_byte_exceeds_the_time_out() -> None:
    """Each byte comes in time, the whole response does not."""
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def send_slowly() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
                while not stop.wait(0.02):
                    try:
                        connection.sendall(b" ")
                    except OSError:
                        return

        thread = threading.Thread(target=send_slowly)
        thread.start()
        url = f"127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(ServerError, match="no answer within"):
            Client(parse_endpoint(url), timeout=0.3).get("/a")
        stop.set()
        thread.join()


def test_a_server_without_http() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def respond() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"SSH-2.0-OpenSSH\r\n")

        thread = threading.Thread(target=respond)
        thread.start()
        url = f"127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(ServerError, match="broke off"):
            Client(parse_endpoint(url), timeout=3, retries=0).get("/a")
        thread.join()


@pytest.mark.parametrize("waiting", ["for the response", "for the body", "for the retry"])
def test_cancellation_does_not_wait_for_the_server(server: FakeServer, waiting: str) -> None:
    fault = {
        "for the response": Response(delay=5),
        "for the body": Response(body=bytes(10), cut=5, stall=5),
        "for the retry": Response(503),
    }[waiting]
    server.fail("/a", fault, times=99)
    cancel = CancelToken()
    threading.Timer(0.15, cancel.cancel).start()
    start = time.monotonic()
    with pytest.raises(Cancelled):
        _client(server, cancel=cancel, retry_delay=20.0).get("/a")
    assert time.monotonic() - start < 1
    assert _request_threads() == []


def _request_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "kadr-http"]


def test_a_cancelled_connection_attempt_sends_nothing() -> None:
    """The thread ends as soon as it has connected."""
    cancel = CancelToken()
    connecting, cancelled = threading.Event(), threading.Event()

    def connect(*args: object, **options: object) -> socket.socket:
        connecting.set()
        assert cancelled.wait(5)
        return create_connection(*args, **options)

    create_connection = socket.create_connection
    with FakeServer() as server, pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "create_connection", connect)
        threading.Thread(target=lambda: (connecting.wait(5), cancel.cancel())).start()
        with pytest.raises(Cancelled):
            _client(server, cancel=cancel).get("/a")
        cancelled.set()
        for thread in _request_threads():
            thread.join(2)
        assert _request_threads() == []
        assert server.requests == []


@pytest.mark.skipif(sys.platform == "win32", reason="raises no signal in a waiting thread")
def test_ctrl_c_does_not_wait_for_the_server(server: FakeServer) -> None:
    server.fail("/a", Response(delay=5))
    threading.Timer(0.15, signal.pthread_kill, (threading.get_ident(), signal.SIGINT)).start()
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        _client(server).get("/a")
    assert time.monotonic() - start < 1
    assert _request_threads() == []


def test_a_response_above_the_limit_is_not_read_to_its_end(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kadr.stylize.servers.client._MAX_BYTES", 1000)
    server.fail("/a", Response(body=bytes(1000)))
    assert _client(server).get("/a") == bytes(1000)
    server.fail("/a", Response(body=bytes(2000), cut=1001, stall=5))
    start = time.monotonic()
    with pytest.raises(ServerError, match=r"/a: the answer is larger than 1\.0 KB; see"):
        _client(server).get("/a")
    assert time.monotonic() - start < 2
    assert len(server.requests_to("/a")) == 2


def test_no_proxy_is_used(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert _client(server, retries=0).get_json("/a")["path"] == "/a"


def test_a_server_without_tls(server: FakeServer) -> None:
    endpoint = parse_endpoint(server.url.replace("http:", "https:"))
    with pytest.raises(ServerError, match=r"the connection broke off .*SSL"):
        _client(server, endpoint=endpoint, retries=0).get("/a")


def test_on_poll_is_called_while_waiting(server: FakeServer) -> None:
    server.fail("/a", Response(200, b"1", delay=0.4))
    calls: list[float] = []
    client = _client(server)
    assert client.post_json("/a", {}, lambda: calls.append(time.monotonic())) == 1
    assert len(calls) >= 2

    def stop() -> None:
        raise KeyError("enough")

    server.fail("/a", Response(200, b"1", delay=2))
    with pytest.raises(KeyError):
        client.post_json("/a", {}, stop)


def test_a_refusal_before_the_whole_request_is_read() -> None:
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


def test_a_password_is_sent_but_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
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
    ("url", "address"),
    [
        ("http://127.0.0.1:7860", "http://127.0.0.1:7860"),
        ("127.0.0.1:7860/", "http://127.0.0.1:7860"),
        ("https://host", "https://host:443"),
        ("http://host/sd/", "http://host:80/sd"),
        ("http://[::1]:7860", "http://[::1]:7860"),
        ("http://user:pw@host:1", "http://host:1"),
    ],
)
def test_addresses(url: str, address: str) -> None:
    assert parse_endpoint(url).address == address


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://host",
        "http://",
        "http://host:port",
        "http://h:99999",
        "http://ü..x",
        "http://[::1",
        "[",
        "http://[v1.a]",
        "http://a\udc80b",
        "//",
    ],
)
def test_invalid_addresses_are_named(url: str) -> None:
    with pytest.raises(OptionsError, match=r"expected an address such as http://127.0.0.1:7860"):
        parse_endpoint(url)


def test_invalid_passwords_are_refused_without_being_shown() -> None:
    with pytest.raises(OptionsError, match=r"auth: expected user:password") as caught:
        parse_endpoint("http://host", "s3cret")
    assert "s3cret" not in str(caught.value)
    with pytest.raises(OptionsError, match=r"expected an address") as caught:
        parse_endpoint("http://anna:s3cret@[::1")
    assert "s3cret" not in str(caught.value)
    with pytest.raises(OptionsError, match=r"auth \$KADR_NO_SUCH: no such environment variable"):
        parse_endpoint("http://host", "$KADR_NO_SUCH")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2", 2.0),
        (" 0 ", 0.0),
        ("120", 30.0),
        ("9" * 5000, 30.0),
        ("-5", None),
        ("1.5", None),
        ("²", None),
        ("٣", None),
        ("", None),
        ("soon", None),
        ("Fri, 31 Dec 1999 23:59:59 GMT", None),
        ("Fri, 31 Dec 2999 23:59:59 GMT", 30.0),
        ("Fri, 31 Dec 2999 23:59:59", 30.0),
        ("Fri, 31 Dec 99999 23:59:59 GMT", None),
    ],
)
def test_the_time_to_retry_is_read_or_ignored(text: str, seconds: float | None) -> None:
    assert retry_after(text, 30.0) == seconds


def test_a_server_may_ask_for_any_time_to_retry(server: FakeServer) -> None:
    for value in ("²".encode().decode("latin-1"), "-1", "0", "Fri, 31 Dec 1999 23:59:59 GMT"):
        server.fail("/a", Response(503, headers={"Retry-After": value}))
        assert _client(server).get_json("/a")["path"] == "/a"


def test_an_answer_without_images_has_a_smaller_limit(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kadr.stylize.servers.client._MAX_JSON_BYTES", 1 << 20)
    server.fail("/a", Response(body=b"[" + b"[]," * (1 << 19) + b"[]]"), times=2)
    with pytest.raises(ServerError, match=r"larger than 1\.0 MB"):
        _client(server).get_json("/a")
    assert len(_client(server).get("/a")) > 1 << 20


def test_an_answer_shorter_than_it_says_is_one_line(server: FakeServer) -> None:
    server.fail("/a", Response(body=b"[1]", headers={"Content-Length": "9"}), times=9)
    with pytest.raises(ServerError, match="the connection broke off") as caught:
        _client(server, retries=0).get_json("/a")
    assert "\n" not in str(caught.value)


@given(st.binary(max_size=200))
def test_any_error_body_becomes_one_short_line(body: bytes) -> None:
    line = error_text(body)
    assert len(line) <= 240
    assert line.isprintable()


def test_long_text_is_cut() -> None:
    assert one_line("a\n\tb") == "a b"
    assert one_line("x" * 300) == "x" * 239 + "…"
