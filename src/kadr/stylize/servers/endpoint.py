"""Parse a server's address and password into an endpoint."""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

import httpx

from kadr.errors import OptionsError


@dataclass(frozen=True)
class Endpoint:
    """Where a server is, and the ``Authorization`` header that it needs."""

    secure: bool
    host: str
    port: int
    path: str
    authorization: str | None = field(repr=False)
    user: str

    @property
    def address(self) -> str:
        """The address without any password: also what error messages show."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.secure else 'http'}://{host}:{self.port}{self.path}"

    @property
    def websocket_address(self) -> str:
        """The same address for a WebSocket."""
        return f"ws{self.address.removeprefix('http')}"

    @property
    def headers(self) -> dict[str, str]:
        """The headers that every request to the server carries."""
        return {} if self.authorization is None else {"Authorization": self.authorization}


def parse_endpoint(url: str, auth: str = "") -> Endpoint:
    """Parse an address such as ``http://127.0.0.1:7860`` or ``host:7860``.

    auth: "user:password" or "". ``$NAME`` reads it from that environment variable, so that it
    need not be written down. Raises OptionsError for anything else.
    """
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        secure = parts.scheme == "https"
        port = parts.port or (443 if secure else 80)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(url)
        httpx.URL(parts.geturl())
    except (ValueError, httpx.InvalidURL):
        raise OptionsError(
            f"url {_without_password(url)!r}: expected an address such as http://127.0.0.1:7860"
        ) from None
    if auth.startswith("$"):
        if auth[1:] not in os.environ:
            raise OptionsError(f"auth {auth}: no such environment variable; set it or give another")
        auth = os.environ[auth[1:]]
    elif not auth and parts.username:
        auth = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    if auth and ":" not in auth:
        raise OptionsError("auth: expected user:password, or $NAME of a variable that holds it")
    return Endpoint(
        secure,
        parts.hostname,
        port,
        parts.path.rstrip("/"),
        "Basic " + base64.b64encode(auth.encode("utf-8", "surrogateescape")).decode()
        if auth
        else None,
        auth.partition(":")[0],
    )


def _without_password(url: str) -> str:
    """An address that could not be parsed, without what may be a password in it."""
    start, _, rest = url.rpartition("@")
    return f"{start.rpartition('//')[0]}…@{rest}" if start else rest
