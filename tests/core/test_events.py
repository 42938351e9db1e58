"""Cancel tokens and events."""

from __future__ import annotations

import threading
from collections.abc import Generator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kadr.core.events import CancelToken, Event, follow
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


def _operation(events: int, closed: list[bool]) -> Generator[Event, None, str]:
    try:
        for index in range(events):
            yield Event("step", index, events)
        return "result"
    finally:
        closed.append(True)


@given(st.integers(0, 9))
def test_follow_passes_events_on_and_returns_the_result(count: int) -> None:
    indices: list[int] = []
    closed: list[bool] = []
    events = _operation(count, closed)
    assert follow(events, lambda event: indices.append(event.index)) == "result"
    assert indices == list(range(count))
    assert closed == [True]
    assert follow(_operation(count, closed)) == "result"


def test_an_error_in_the_callback_closes_the_operation() -> None:
    closed: list[bool] = []

    def fail(event: Event) -> None:
        if event.index == 2:
            raise RuntimeError("the display failed")

    with pytest.raises(RuntimeError, match="the display failed"):
        follow(_operation(5, closed), fail)
    assert closed == [True]
