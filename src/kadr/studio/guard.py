"""Who may talk to the server: checks of Host, Origin and token, for HTTP and WebSocket alike."""

from __future__ import annotations

import hmac
import secrets
import socket
from collections.abc import Iterable
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlsplit

from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CHANGE_HEADER = "x-kadr"
"""Every call that changes something must have it: pages of other origins cannot send it."""

_ANY = ("0.0.0.0", "::", "")
"""Hosts that stand for all addresses of this machine."""

LOOPBACK = ("127.0.0.1", "localhost", "::1")

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; "
    "base-uri 'none'; frame-ancestors 'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_READING = ("GET", "HEAD")
_POLICY_REFUSED = 1008
"""WebSocket close code for what the server does not allow."""


@dataclass(frozen=True)
class Access:
    """Who may use the server. host: it listens there; token: "" on a loopback address."""

    host: str
    port: int
    token: str = field(default="", repr=False)

    @classmethod
    def of(cls, host: str, port: int) -> Access:
        """Access for an address: beyond this machine only with a new random token."""
        return cls(host, port, "" if is_loopback(host) else secrets.token_urlsafe(24))

    @property
    def cookie(self) -> str:
        """The name of the cookie that holds the token; cookies do not tell ports apart."""
        return f"kadr-studio-{self.port}"

    @property
    def url(self) -> str:
        """The address to open, with the token if there is one."""
        host = "localhost" if is_loopback(self.host) else self.host
        if host in _ANY:
            host = _own_address(host)
        host = f"[{host}]" if ":" in host else host
        query = f"?token={self.token}" if self.token else ""
        return f"http://{host}:{self.port}/{query}"


def is_loopback(host: str) -> bool:
    """Whether only programs of this machine reach an address."""
    return host in LOOPBACK or host.startswith("127.")


def _own_address(host: str) -> str:
    """The address under which other machines reach this one; its name if there is no network."""
    family = socket.AF_INET6 if host == "::" else socket.AF_INET
    target = "2001:db8::1" if host == "::" else "192.0.2.1"  # for documentation: nobody is there
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((target, 9))  # sends nothing; it only chooses a way there
        except OSError:
            return socket.gethostname()
        return str(probe.getsockname()[0])


class Guard:
    """Refuses what does not come from the studio's own page, and adds safe headers."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it with a refusal."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = _headers(scope["headers"])
        response = self._refusal(scope, headers)
        if response is not None:
            if scope["type"] == "websocket":
                await receive()
                await send({"type": "websocket.close", "code": _POLICY_REFUSED})
            else:
                await response(scope, receive, _with_headers(send))
            return
        await self._app(scope, receive, _with_headers(send))

    def _refusal(self, scope: Scope, headers: dict[str, str]) -> Response | None:
        host, access = headers.get("host", ""), self._access
        if not access.token and host not in _loopback_hosts(access.port):
            return _refused(f"Host {host!r}: is not this studio's")
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != host:
            return _refused(f"Origin {origin!r}: is not this studio's page")
        if origin is not None and urlsplit(origin).scheme not in ("http", "https"):
            return _refused(f"Origin {origin!r}: is not this studio's page")
        site = headers.get("sec-fetch-site", "none")
        is_call = scope["path"].startswith("/api/")
        if is_call and site not in ("same-origin", "none"):
            return _refused("only the studio's own page may use this address")
        is_change = scope["type"] == "http" and scope["method"] not in _READING
        if is_change and CHANGE_HEADER not in headers:
            return _refused("the header X-Kadr is missing")
        return self._check_token(scope, headers) if access.token else None

    def _check_token(self, scope: Scope, headers: dict[str, str]) -> Response | None:
        access = self._access
        values = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])
        if scope["type"] == "http" and scope["path"] == "/" and _same(values[0], access.token):
            redirect = RedirectResponse("/", status_code=303)
            redirect.set_cookie(
                access.cookie, access.token, httponly=True, samesite="lax", path="/"
            )
            return redirect
        if not _same(_cookie(headers.get("cookie", ""), access.cookie), access.token):
            return _refused("no token; open the address that kadr studio printed")
        return None


def _loopback_hosts(port: int) -> tuple[str, ...]:
    hosts = ("127.0.0.1", "localhost", "[::1]")
    names = tuple(f"{host}:{port}" for host in hosts)
    return (*names, *hosts) if port == 80 else names


def _same(value: str, token: str) -> bool:
    return hmac.compare_digest(value.encode(), token.encode())


def _cookie(text: str, name: str) -> str:
    try:
        cookie = SimpleCookie(text)
    except CookieError:
        return ""
    return cookie[name].value if name in cookie else ""


def _headers(items: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in items}


def _refused(message: str) -> Response:
    error = {"kind": "Refused", "message": message, "remedy": None}
    return JSONResponse({"error": error}, status_code=403)


def _with_headers(send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            present = {name.lower() for name, _ in message["headers"]}
            message["headers"] = [
                *message["headers"],
                *(
                    (name.lower().encode(), value.encode())
                    for name, value in HEADERS.items()
                    if name.lower().encode() not in present
                ),
            ]
        await send(message)

    return send_with_headers
