"""Numbered changes: pages get what they missed, or take a new snapshot."""

from __future__ import annotations

import asyncio

from kadr.studio.events import EventLog, merge_events
from kadr.studio.page_state import PageState


def test_a_page_gets_what_it_missed() -> None:
    log = EventLog("boot")
    for number in range(3):
        log.publish("tab", set={"a": number})
    assert [event["n"] for event in log.since(1)] == [2, 3]
    assert log.since(3) == []
    assert log.since(4) is None  # from another server


def test_a_page_that_missed_too_much_takes_a_snapshot() -> None:
    log = EventLog("boot")
    for number in range(600):
        log.publish(set={"a": number})
    assert log.since(50) is None
    assert len(log.since(100)) == 500


def test_members_that_are_replaced_again_are_sent_once() -> None:
    events = [
        {"n": 1, "author": "a", "set": {"keys": 1, "jobs": 1}},
        {"n": 2, "author": None, "frames": {"versions": {"1": "x"}}},
        {"n": 3, "author": None, "set": {"jobs": 2}},
        {"n": 4, "author": "b", "set": {"keys": 2}},
    ]
    assert merge_events(events) == [
        {"n": 2, "author": None, "frames": {"versions": {"1": "x"}}},
        {"n": 3, "author": None, "set": {"jobs": 2}},
        {"n": 4, "author": "b", "set": {"keys": 2}},
    ]
    whole = {"n": 5, "author": None, "set": {"frames": {}}}
    assert merge_events([*events, whole])[-1] == whole
    assert all("frames" not in event for event in merge_events([*events, whole]))


def test_waiting_ends_with_the_next_change() -> None:
    async def run() -> None:
        log = EventLog("boot")
        waiting = asyncio.create_task(log.wait(0, 60))
        await asyncio.sleep(0)
        log.publish(set={})
        await asyncio.wait_for(waiting, 1)
        await log.wait(1, 0.01)  # nothing comes: it returns

    asyncio.run(run())


def test_only_members_that_differ_are_changes_and_a_restart_is_another_boot() -> None:
    state = PageState("1.0")
    boot = state.snapshot()["boot"]
    assert state.set(keys=[1])
    assert not state.set(keys=[1])
    state.raise_revision("tab", keys=[2])
    snapshot = state.snapshot()
    assert (snapshot["event"], snapshot["revision"], snapshot["keys"]) == (2, 1, [2])
    state.restart()
    snapshot = state.snapshot()
    assert snapshot["boot"] != boot
    assert (snapshot["event"], snapshot["revision"], snapshot["keys"]) == (0, 0, None)
