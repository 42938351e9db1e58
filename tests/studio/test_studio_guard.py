"""Who may talk to the studio: the same checks for HTTP and WebSocket."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from kadr.studio.guard import Access, Guard

PORT = 8477
LOCAL = f"http://localhost:{PORT}"


async def _answer(request: Any) -> PlainTextResponse:
    return PlainTextResponse("inside")


async def _events(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text("inside")
    await socket.close()


def _client(host: str, base: str) -> tuple[TestClient, Access]:
    routes = [
        Route("/", _answer),
        Route("/api/x", _answer, methods=["GET", "POST"]),
        WebSocketRoute("/api/events", _events),
    ]
    access = Access.of(host, PORT)
    return TestClient(Guard(Starlette(routes=routes), access), base_url=base), access


@pytest.fixture
def local() -> TestClient:
    return _client("127.0.0.1", LOCAL)[0]


def _opens(client: TestClient, headers: dict[str, str], host: str = f"localhost:{PORT}") -> bool:
    try:
        with client.websocket_connect(f"ws://{host}/api/events", headers=headers) as socket:
            return socket.receive_text() == "inside"
    except WebSocketDisconnect:
        return False


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": f"evil.example:{PORT}"},
        {"Host": "localhost:1"},
        {"Origin": "http://evil.example"},
        {"Origin": f"http://localhost:{PORT + 1}"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=str,
)
def test_what_comes_from_elsewhere_is_refused_for_http_and_websocket(
    local: TestClient, headers: dict[str, str]
) -> None:
    response = local.get("/api/x", headers=headers)
    assert response.status_code == 403
    assert response.json()["error"]["message"]
    assert not _opens(local, headers)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_the_own_page_is_served(local: TestClient, host: str) -> None:
    name = f"{host}:{PORT}"
    headers = {"Host": name, "Origin": f"http://{name}", "Sec-Fetch-Site": "same-origin"}
    assert local.get("/api/x", headers=headers).text == "inside"
    assert _opens(local, headers)


def test_a_change_needs_the_header_that_other_pages_cannot_send(local: TestClient) -> None:
    assert local.post("/api/x").status_code == 403
    assert local.post("/api/x", headers={"X-Kadr": "1"}).status_code == 200


def test_every_answer_has_safe_headers(local: TestClient) -> None:
    for response in (local.get("/"), local.get("/api/x", headers={"Host": "evil"})):
        assert response.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'self'" in response.headers["content-security-policy"]


def test_elsewhere_the_token_is_exchanged_for_a_cookie() -> None:
    client, access = _client("0.0.0.0", "http://studio.lan:8477")
    assert access.token
    assert access.token in access.url
    assert "0.0.0.0" not in access.url
    assert client.get("/", follow_redirects=False).status_code == 403
    assert client.get("/?token=wrong", follow_redirects=False).status_code == 403
    assert not _opens(client, {}, "studio.lan:8477")
    response = client.get(f"/?token={access.token}", follow_redirects=False)
    assert response.status_code == 303
    cookie = response.headers["set-cookie"].lower()
    assert f"kadr-studio-{PORT}=" in cookie
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert client.get("/api/x").text == "inside"
    assert _opens(client, {"Cookie": f"kadr-studio-{PORT}={access.token}"}, "studio.lan:8477")
    assert client.get("/api/x", headers={"Origin": "http://evil.example"}).status_code == 403


def test_tokens_differ_and_are_not_printed_by_accident() -> None:
    one, other = Access.of("0.0.0.0", 1), Access.of("0.0.0.0", 1)
    assert one.token != other.token
    assert one.token not in repr(one)
    assert Access.of("127.0.0.1", 1).url == "http://localhost:1/"
    assert Access.of("fe80::1", 1).url.startswith("http://[fe80::1]:1/?token=")
