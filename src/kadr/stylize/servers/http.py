"""A request in, a server's answer out: with time-outs, retries, a password, and cancelling.

Connects straight to the server, never through a proxy: it runs on this machine or one nearby.
"""

from __future__ import annotations

import http.client
import json
import logging
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from kadr.core.events import CancelToken
from kadr.core.seeds import derive_seed
from kadr.errors import BackendError, Cancelled
from kadr.stylize.servers.address import Endpoint
from kadr.stylize.servers.answers import one_line, said
from kadr.stylize.servers.exchange import MOST_BYTES, Exchange, Reply, Request, TooMuchError

log = logging.getLogger(__name__)

_PASSING = frozenset({429, 500, 502, 503, 504})
"""Statuses that the same request may not get a second time."""

_LASTING = ("OutOfMemory", "NansException", "tensor with all NaNs")
"""Words of failures that the same request, with the same seed, meets again: each try would take
as long as the first."""

_TICK = 0.05
"""Seconds between two looks at whether an answer came or a stop was asked for."""

_LONGEST_WAIT = 30.0


class ServerError(BackendError):
    """A server that is down, refuses, fails or answers nonsense.

    status: of the answer, None without one.
    detail: one line of what the server said, "" if nothing.
    may_go_on: whether the server may still be at work on the request, for nobody.
    """

    def __init__(self, message: str, status: int | None = None, detail: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.detail = detail

    @property
    def may_go_on(self) -> bool:
        # 502 and 504 are said by a gateway that lost its server, or would wait no longer
        return self.status in (None, 502, 504)


@contextmanager
def stopping(stop: Callable[[], object]) -> Iterator[None]:
    """Call ``stop`` if the block is left with the server perhaps still at work, for nobody."""
    try:
        yield
    except (Cancelled, KeyboardInterrupt):
        stop()
        raise
    except ServerError as error:
        if error.may_go_on:
            stop()
        raise


@dataclass(frozen=True)
class Client:
    """Sends requests to one server.

    timeout: seconds that a whole answer may take.
    retries: how often a request is sent again after a drop or a passing fault.
    pause: seconds before the first retry; each further one waits twice as long.
    seed: the jitter of those waits follows from it.
    hint: what to do when nobody answers there, or someone else does.
    """

    endpoint: Endpoint
    timeout: float = 600.0
    retries: int = 3
    pause: float = 0.5
    seed: int = 0
    hint: str = "start the server or give its address"
    cancel: CancelToken = field(default_factory=CancelToken)

    def get(self, path: str, **query: str) -> bytes:
        """The bytes at a path. Raises ServerError, or Cancelled when asked to stop."""
        return self._send(Request("GET", f"{path}?{urlencode(query)}" if query else path))

    def get_json(self, path: str, **query: str) -> Any:
        """The JSON value at a path."""
        return self._json(path, self.get(path, **query))

    def post_json(
        self,
        path: str,
        value: Any,
        meanwhile: Callable[[], object] | None = None,
        abandon: Callable[[], object] | None = None,
    ) -> Any:
        """Send a JSON value, get one back; None for an empty answer.

        meanwhile: called again and again while the server is at work; what it raises ends it.
        abandon: called before the value is sent again to a server that may still be at work on it.
        """
        body = json.dumps(value).encode()
        answer = self._send(Request("POST", path, body, "application/json"), meanwhile, abandon)
        return self._json(path, answer) if answer.strip() else None

    def post_form(
        self, path: str, fields: Mapping[str, str], name: str, file_name: str, data: bytes
    ) -> Any:
        """Upload one file with some fields, as web pages do; get a JSON value back."""
        # no part holds these 64 random bits
        boundary = f"kadr{derive_seed(self.seed, len(data), file_name):016x}{os.urandom(8).hex()}"
        mark, disposition = f"--{boundary}\r\n", "Content-Disposition: form-data"
        body = "".join(
            f'{mark}{disposition}; name="{key}"\r\n\r\n{value}\r\n' for key, value in fields.items()
        )
        body += f'{mark}{disposition}; name="{name}"; filename="{file_name}"\r\n'
        body += "Content-Type: application/octet-stream\r\n\r\n"
        whole = body.encode() + data + f"\r\n--{boundary}--\r\n".encode()
        kind = f"multipart/form-data; boundary={boundary}"
        return self._json(path, self._send(Request("POST", path, whole, kind)))

    def _json(self, path: str, answer: bytes) -> Any:
        try:
            return json.loads(answer)
        except (ValueError, RecursionError) as error:
            raise ServerError(
                f"{self.endpoint.shown}{path}: the answer is not JSON but begins "
                f"{one_line(answer[:60].decode('utf-8', 'replace'))!r}; {self.hint}"
            ) from error

    def _send(
        self,
        request: Request,
        meanwhile: Callable[[], object] | None = None,
        abandon: Callable[[], object] | None = None,
    ) -> bytes:
        attempt = 0
        while True:
            self.cancel.check()
            try:
                return self._attempt(request, meanwhile)
            except _PassingError as fault:
                if attempt >= self.retries:
                    raise fault.error from fault.__cause__
                attempt += 1
                wait = fault.wait if fault.wait is not None else self._backoff(attempt)
                log.info("%s; trying again in %.1f s", fault.error, wait)
                if abandon is not None and fault.error.may_go_on:
                    abandon()
                self.wait(wait)

    def _backoff(self, attempt: int) -> float:
        """Twice as long each time, half to one and a half of it, so that clients spread out."""
        share: float = derive_seed(self.seed, "retry", attempt) / 2**63
        return min(_LONGEST_WAIT, self.pause * 2.0 ** (attempt - 1) * (0.5 + share))

    def wait(self, seconds: float) -> None:
        """Let time pass; raises Cancelled when asked to stop."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.cancel.check()
            time.sleep(min(_TICK, left))

    def _attempt(self, request: Request, meanwhile: Callable[[], object] | None) -> bytes:
        exchange = Exchange(self.endpoint, request, self.timeout)
        end = time.monotonic() + self.timeout
        try:
            while not exchange.done.wait(_TICK):
                self.cancel.check()
                if time.monotonic() > end:
                    raise ServerError(
                        f"{self.endpoint.shown}{request.bare}: no answer within "
                        f"{self.timeout:g} s; give a longer timeout, or ask for less"
                    )
                if meanwhile is not None:
                    meanwhile()
        finally:
            exchange.stop()
        if exchange.error is not None:
            raise self._unreached(request, exchange.error)
        assert exchange.reply is not None, "an exchange ends in a reply or an error"
        if exchange.reply.status in range(200, 300):
            return exchange.reply.body
        raise self._refused(request, exchange.reply)

    def _unreached(self, request: Request, error: Exception) -> Exception:
        """What to raise when there was no whole answer."""
        where = self.endpoint.shown
        if isinstance(error, TooMuchError):
            return ServerError(f"{where}{request.bare}: answers over {MOST_BYTES >> 20} MiB")
        if isinstance(error, socket.gaierror):
            return ServerError(f"{where}: no such host ({one_line(str(error))}); {self.hint}")
        if isinstance(error, ConnectionRefusedError):
            fault = ServerError(f"{where}: no server answers there; {self.hint}")
        else:
            cause = one_line(str(error)) or type(error).__name__
            fault = ServerError(
                f"{where}{request.bare}: the connection broke off ({cause}); see the server's log"
            )
        passing = _PassingError(fault)
        passing.__cause__ = error
        return passing

    def _refused(self, request: Request, reply: Reply) -> Exception:
        """What to raise for an answer that is not a success."""
        status, detail = reply.status, said(reply.body)
        where = f"{self.endpoint.shown}{request.bare}: {status}"
        if status == 401:
            user = self.endpoint.user
            whom = f"refuses user {user!r}" if user else "wants a user and a password"
            text = f"{where}, the server {whom}; give auth as user:password"
        elif status in range(300, 400):
            target = reply.headers.get("location", "nowhere")
            text = f"{where}, moved to {target}; give that address as url"
        elif status == 404 and not detail.removeprefix("Not Found"):
            text = f"{where}, the server has no such interface; {self.hint}"
        else:
            text = f"{where}, {detail or http.client.responses.get(status, 'no reason given')}"
        error = ServerError(text, status, detail)
        if status not in _PASSING or any(word in detail for word in _LASTING):
            return error
        seconds = reply.headers.get("retry-after", "")
        wait = min(_LONGEST_WAIT, float(seconds)) if seconds.isdigit() else None
        return _PassingError(error, wait)


class _PassingError(Exception):
    """A fault that may be gone when the request is sent again."""

    def __init__(self, error: ServerError, wait: float | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        self.wait = wait
