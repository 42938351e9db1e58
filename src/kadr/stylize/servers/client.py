"""Send requests to a server: timeouts, retries, a password and cancellation included."""

from __future__ import annotations

import json
import logging
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import responses as reasons
from typing import Any

import httpx

from kadr.core.events import CancelToken
from kadr.errors import BackendError, Cancelled
from kadr.stylize.option_hints import with_option
from kadr.stylize.servers.endpoint import Endpoint
from kadr.stylize.servers.error_text import error_text, one_line
from kadr.stylize.servers.json_values import parse_json
from kadr.stylize.servers.retries import MAX_DELAY, Failure, Retries, RetryPolicy
from kadr.stylize.servers.retry_after import retry_after
from kadr.stylize.servers.transport import PendingRequest, Response, TooLargeError

log = logging.getLogger(__name__)

_TEMPORARY_STATUSES = frozenset({429, 500, 502, 503, 504})
"""Statuses after which the same request may succeed."""

_ABSENT_STATUSES = frozenset({502, 503})
"""Statuses with which a proxy, or a server that starts, says that there is no server yet."""

_PERMANENT_ERRORS = ("OutOfMemory", "NansException", "tensor with all NaNs")
"""Errors that the same request, with the same seed, causes again; a retry would only take time."""

_POLL_SECONDS = 0.05
"""Seconds between two checks for a response, a cancellation or a timeout."""

_MAX_MESSAGE = 1000
"""Characters of an error: names that a server made up may be in it."""

_MAX_BYTES = 1 << 28
"""Of any answer."""

_MAX_JSON_BYTES = 1 << 25
"""Of an answer without images: parsed, it may take twenty times as much memory."""


class ServerError(BackendError):
    """A server that is down, refuses, fails or sends an invalid answer.

    status: the HTTP status, None without a response.
    detail: the server's own error message in one line, or "".
    """

    def __init__(self, message: str, status: int | None = None, detail: str = "") -> None:
        super().__init__(one_line(message, _MAX_MESSAGE))
        self.status = status
        self.detail = detail

    @property
    def may_still_run(self) -> bool:
        """Whether the server may still process the request, though nobody waits for the result."""
        # 502 and 504 come from a gateway that lost its server, or did not wait longer
        return self.status in (None, 502, 504)


@contextmanager
def interrupt_on_failure(interrupt: Callable[[], object]) -> Iterator[None]:
    """Call ``interrupt`` if the block fails while the server may still process its request."""
    try:
        yield
    except (Cancelled, KeyboardInterrupt):
        interrupt()
        raise
    except ServerError as error:
        if error.may_still_run:
            interrupt()
        raise


@dataclass(frozen=True)
class Client:
    """Sends requests to one server. All methods raise ServerError, or Cancelled when cancelled.

    timeout: seconds for one whole response.
    retries: how often a request is sent again after a lost connection or a temporary error.
    patience: seconds to wait for a server that starts or restarts; 0: that is an error like others.
    retry_delay: seconds before the first retry; the delay doubles with each further one.
    seed: determines the jitter of those delays.
    hint: what to do when no server answers, or the wrong one.
    """

    endpoint: Endpoint
    timeout: float = 600.0
    retries: int = 3
    patience: float = 0.0
    retry_delay: float = 0.5
    seed: int = 0
    hint: str = "start the server or give its address"
    cancel: CancelToken = field(default_factory=CancelToken)

    def get(self, path: str, **query: str) -> bytes:
        """The response body at a path."""
        return self._send(path, self._request("GET", path, params=query or None))

    def get_json(self, path: str, **query: str) -> Any:
        """The JSON value at a path."""
        request = self._request("GET", path, params=query or None)
        return self._parse(path, self._send(path, request, max_bytes=_MAX_JSON_BYTES))

    def post_json(
        self,
        path: str,
        value: Any,
        on_poll: Callable[[], object] | None = None,
        before_retry: Callable[[], object] | None = None,
    ) -> Any:
        """Send a JSON value and return the one in the response; None for an empty response.

        on_poll: called repeatedly while waiting for the response; what it raises ends the request.
        before_retry: called before a retry if the server may still process the last request.
        """
        request = self._request(
            "POST", path, content=json.dumps(value), headers={"Content-Type": "application/json"}
        )
        body = self._send(path, request, on_poll, before_retry)
        return self._parse(path, body) if body.strip() else None

    def post_file(
        self, path: str, fields: Mapping[str, str], name: str, file_name: str, data: bytes
    ) -> Any:
        """Upload a file as field ``name`` of a form; returns the JSON value in the response."""
        file = (file_name, data, "application/octet-stream")
        request = self._request("POST", path, data=fields, files={name: file})
        return self._parse(path, self._send(path, request))

    def wait(self, seconds: float) -> None:
        """Wait for some time, or until it is cancelled."""
        end = time.monotonic() + seconds
        while (remaining := end - time.monotonic()) > 0:
            self.cancel.check()
            time.sleep(min(_POLL_SECONDS, remaining))

    def _request(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, **content: Any
    ) -> httpx.Request:
        headers = {
            "Connection": "close",
            "User-Agent": "kadr",
            **self.endpoint.headers,
            **(headers or {}),
        }
        url = f"{self.endpoint.address}{path}"
        try:
            return httpx.Request(method, url, headers=headers, **content)
        except httpx.InvalidURL as error:
            raise ServerError(
                f"{one_line(url)}: not a valid address ({error}); {self.hint}"
            ) from error

    def _parse(self, path: str, body: bytes) -> Any:
        try:
            return parse_json(body)
        except ValueError as error:
            raise ServerError(
                f"{self.endpoint.address}{path}: the answer is not JSON but begins "
                f"{one_line(body[:60].decode('utf-8', 'replace'))!r}; {self.hint}"
            ) from error

    def _send(
        self,
        path: str,
        request: httpx.Request,
        on_poll: Callable[[], object] | None = None,
        before_retry: Callable[[], object] | None = None,
        max_bytes: int | None = None,
    ) -> bytes:
        retries = Retries(
            RetryPolicy(self.retries, self.retry_delay, self.patience, self.seed),
            self._announce_wait,
        )
        while True:
            self.cancel.check()
            try:
                return self._send_once(path, request, on_poll, max_bytes or _MAX_BYTES)
            except _RetryableError as problem:
                delay = retries.next_delay(problem.failure, problem.delay)
                if delay is None:
                    raise problem.error from problem.__cause__
                log.info("%s; trying again in %.1f s", problem.error, delay)
                if before_retry is not None and problem.error.may_still_run:
                    before_retry()
                self.wait(delay)

    def _announce_wait(self) -> None:
        log.warning(
            "%s: no server answers there yet; waiting for it up to %g s (%s)",
            self.endpoint.address,
            self.patience,
            with_option("server_patience", "SECONDS"),
        )

    def _send_once(
        self,
        path: str,
        request: httpx.Request,
        on_poll: Callable[[], object] | None,
        max_bytes: int,
    ) -> bytes:
        where = f"{self.endpoint.address}{path}"
        end = time.monotonic() + self.timeout
        pending = PendingRequest(request, self.timeout, max_bytes)
        try:
            while not pending.wait(_POLL_SECONDS):
                self.cancel.check()
                if time.monotonic() > end:
                    raise ServerError(
                        f"{where}: no answer within {self.timeout:g} s; "
                        f"give a longer {with_option('timeout', 'SECONDS')}, or ask for less"
                    )
                if on_poll is not None:
                    on_poll()
        finally:
            pending.stop()
        if pending.error is not None:
            raise self._connection_error(where, pending.error)
        assert pending.response is not None, "a request ends in a response or an error"
        if pending.response.status in range(200, 300):
            return pending.response.body
        raise self._status_error(where, pending.response)

    def _connection_error(self, where: str, error: Exception) -> Exception:
        """What to raise when there is no complete response."""
        if isinstance(error, TooLargeError):
            return ServerError(f"{where}: the answer is larger than {error}; see the server's log")
        address, cause = self.endpoint.address, _os_error(error)
        if isinstance(cause, socket.gaierror):
            return ServerError(f"{address}: no such host ({one_line(str(cause))}); {self.hint}")
        failure = Failure.TEMPORARY
        if isinstance(cause, ConnectionRefusedError):
            message = f"{address}: no server answers there; {self.hint}"
            failure = Failure.ABSENT
        else:
            reason = one_line(str(error)).rstrip(".") or type(error).__name__
            message = f"{where}: the connection broke off ({reason}); see the server's log"
        problem = _RetryableError(ServerError(message), failure)
        problem.__cause__ = error
        return problem

    def _status_error(self, where: str, response: Response) -> Exception:
        """What to raise for a status that is not a success."""
        status, detail = response.status, error_text(response.body)
        failure = Failure.ABSENT if status in _ABSENT_STATUSES else Failure.TEMPORARY
        if status == 401:
            user = self.endpoint.user
            problem = f"refuses user {user!r}" if user else "wants a user and a password"
            problem = f"the server {problem}; give {with_option('auth', 'user:password')}"
        elif status in range(300, 400):
            target = one_line(response.headers.get("location", "nowhere"))
            problem = f"moved to {target}; give {with_option('url', target)}"
        elif status == 404 and not detail.removeprefix("Not Found"):
            problem = f"the server has no such interface; {self.hint}"
            failure = Failure.INTERFACE_MISSING
        else:
            problem = detail or reasons.get(status, "no reason given")
        error = ServerError(f"{where}: {status}, {problem}", status, detail)
        is_permanent = any(text in detail for text in _PERMANENT_ERRORS)
        if failure is not Failure.INTERFACE_MISSING and (
            status not in _TEMPORARY_STATUSES or is_permanent
        ):
            return error
        delay = retry_after(response.headers.get("retry-after", ""), MAX_DELAY)
        return _RetryableError(error, failure, delay)


class _RetryableError(Exception):
    """A failure after which the request may be sent again, after ``delay`` seconds if given."""

    def __init__(self, error: ServerError, failure: Failure, delay: float | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        self.failure = failure
        self.delay = delay


def _os_error(error: BaseException | None) -> OSError | None:
    """The error of the operating system that caused an error, if any."""
    while error is not None and not isinstance(error, OSError):
        error = error.__cause__ or error.__context__
    return error
