"""Failures of one request in, the seconds until it is sent again out; None to give up."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from kadr.core.seeds import derive_seed

MAX_DELAY = 30.0
"""The longest delay in seconds, whatever a server asks for."""

_ABSENT_DELAY = 1.0
"""Seconds between two attempts to reach a server that starts."""


class Failure(Enum):
    """Why a request failed, as far as it matters for sending it again."""

    TEMPORARY = auto()
    """The same request may succeed: a lost connection, an error of the server."""

    ABSENT = auto()
    """No server answers, or what stands before it says that it is unavailable."""

    INTERFACE_MISSING = auto()
    """A server that starts opens its port before its interface."""


@dataclass(frozen=True)
class RetryPolicy:
    """How often and when a request that fails is sent again.

    count: attempts after the first one. first_delay: seconds before the first retry; the delay
    doubles with each further one. patience: seconds to wait for a server that starts or restarts,
    which counts as no attempt; 0: it counts. seed: determines the jitter of the delays.
    """

    count: int
    first_delay: float
    patience: float
    seed: int

    def delay(self, attempt: int) -> float:
        """Seconds before a retry, with a jitter of ±50 % to spread clients."""
        jitter: float = derive_seed(self.seed, "retry", attempt) / 2**63
        return min(MAX_DELAY, self.first_delay * 2.0 ** (attempt - 1) * (0.5 + jitter))


class Retries:
    """The retries of one request. on_absent: called once when the wait for a server begins."""

    def __init__(self, policy: RetryPolicy, on_absent: Callable[[], object]) -> None:
        self._policy, self._on_absent = policy, on_absent
        self._attempt = 0
        self._absent_since: float | None = None

    def next_delay(self, failure: Failure, requested: float | None) -> float | None:
        """Seconds until the request is sent again, None for no more.

        requested: seconds that the server asked for, if it did.
        """
        if self._policy.patience and failure is not Failure.TEMPORARY:
            return self._wait_for_server(failure, requested)
        self._absent_since = None
        if failure is Failure.INTERFACE_MISSING or self._attempt >= self._policy.count:
            return None
        self._attempt += 1
        return self._policy.delay(self._attempt) if requested is None else requested

    def _wait_for_server(self, failure: Failure, requested: float | None) -> float | None:
        if self._absent_since is None:
            if failure is Failure.INTERFACE_MISSING:
                return None
            self._absent_since = time.monotonic()
            self._on_absent()
        remaining = self._absent_since + self._policy.patience - time.monotonic()
        if remaining <= 0:
            return None
        return min(_ABSENT_DELAY if requested is None else requested, remaining)
