"""An address and a password as people write them in, an endpoint to connect to out."""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from kadr.errors import OptionsError


@dataclass(frozen=True)
class Endpoint:
    """Where a server is. ``shown`` is its address without any password."""

    secure: bool
    host: str
    port: int
    path: str
    authorization: str | None = field(repr=False)
    user: str

    @property
    def shown(self) -> str:
        """The address for people."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.secure else 'http'}://{host}:{self.port}{self.path}"


def parse_endpoint(url: str, auth: str = "") -> Endpoint:
    """An address such as ``http://127.0.0.1:7860`` or ``host:7860`` with "user:password" or "".

    auth: ``$NAME`` takes it from that environment variable, so that it need not be written down.
    Raises OptionsError for anything else.
    """
    parts = urlsplit(url if "://" in url else f"http://{url}")
    try:
        port = parts.port
    except ValueError:
        port = -1
    if parts.scheme not in ("http", "https") or not parts.hostname or port == -1:
        raise OptionsError(f"url {url!r}: expected an address such as http://127.0.0.1:7860")
    if auth.startswith("$"):
        if auth[1:] not in os.environ:
            raise OptionsError(f"auth {auth}: no such environment variable; set it or give another")
        auth = os.environ[auth[1:]]
    elif not auth and parts.username:
        auth = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    if auth and ":" not in auth:
        raise OptionsError("auth: expected user:password, or $NAME of a variable that holds it")
    basic = "Basic " + base64.b64encode(auth.encode()).decode() if auth else None
    secure = parts.scheme == "https"
    return Endpoint(
        secure,
        parts.hostname,
        port or (443 if secure else 80),
        parts.path.rstrip("/"),
        basic,
        auth.partition(":")[0],
    )
