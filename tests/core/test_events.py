"""Cancel tokens and events."""

from __future__ import annotations

import threading

import pytest

from kadr.core.events import CancelToken, Event
from kadr.errors import Cancelled, KadrError


def test_a_cancelled_token_raises() -> None:
    token = CancelToken()
    token.check()
    assert not token.cancelled
    token.cancel()
    token.cancel()
    assert token.cancelled
    with pytest.raises(Cancelled, match="nothing was written") as caught:
        token.check()
    assert isinstance(caught.value, KadrError)


def test_a_token_is_seen_from_another_thread() -> None:
    token, stopped = CancelToken(), threading.Event()

    def check_until_cancelled() -> None:
        try:
            while not stopped.wait(0.001):
                token.check()
        except Cancelled:
            stopped.set()

    thread = threading.Thread(target=check_until_cancelled)
    thread.start()
    token.cancel()
    thread.join(5)
    assert stopped.is_set()


def test_tokens_are_independent() -> None:
    first, second = CancelToken(), CancelToken()
    first.cancel()
    second.check()


def test_an_event_needs_no_preview() -> None:
    event = Event("write", 3, None)
    assert (event.step, event.index, event.total, event.preview, event.message) == (
        "write",
        3,
        None,
        None,
        "",
    )
