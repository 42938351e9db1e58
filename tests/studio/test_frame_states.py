"""States of frames from their files and from what a run would make."""

from __future__ import annotations

import time

from kadr.studio.frame_table import FrameFile, FrameTable, Work, scan_frames, state_runs


def _table(*finished: int, count: int = 6, first: int = 0, last: int = 5) -> FrameTable:
    table = FrameTable(count, first, last)
    table.finished = {index: FrameFile(f"v{index}", index) for index in finished}
    table.set_pending([], [])
    table.patch(Work())
    return table


def _states(table: FrameTable) -> list[list[object]]:
    return table.facts()["states"]


def test_a_frame_without_a_file_is_not_made_whatever_a_dry_run_told() -> None:
    assert _states(_table(0, 1, 4)) == [
        ["current", 0, 1],
        ["not-made", 2, 3],
        ["current", 4, 4],
        ["not-made", 5, 5],
    ]


def test_frames_that_a_run_would_make_again_are_stale_until_their_file_changes() -> None:
    table = _table(0, 1, 2, 3, 4, 5)
    table.set_pending([[2, 4]], [[5, 5]])
    assert table.patch(Work())["states"] == [["stale", 2, 4], ["edited", 5, 5]]
    assert table.pending_count == 3
    table.finished[3] = FrameFile("new", 9)
    assert table.patch(Work()) == {"states": [["current", 3, 3]], "versions": {"3": "new"}}
    assert table.pending_count == 2


def test_what_a_run_will_make_is_queued_and_what_a_preview_makes_is_working() -> None:
    table = _table(0, 1)
    patch = table.patch(Work(running=True, working=frozenset({3})))
    assert patch["states"] == [["queued", 2, 2], ["working", 3, 3], ["queued", 4, 5]]
    assert table.patch(Work(queued=frozenset({0})))["states"][0] == ["queued", 0, 0]


def test_what_a_run_has_at_work_is_working_if_it_has_to_be_made() -> None:
    table = _table(0, 1)
    patch = table.patch(Work(running=True, making=frozenset({1, 3})))
    assert patch["states"] == [["queued", 2, 2], ["working", 3, 3], ["queued", 4, 5]]
    assert table.current_versions == {0: "v0", 1: "v1"}


def test_frames_outside_of_the_run_stay_outside() -> None:
    table = _table(2, first=1, last=3)
    table.patch(Work(running=True))
    assert _states(table) == [
        ["outside", 0, 0],
        ["queued", 1, 1],
        ["current", 2, 2],
        ["queued", 3, 3],
        ["outside", 4, 5],
    ]


def test_a_patch_tells_what_went() -> None:
    table = _table(0)
    table.previews, table.failed = {3: {"version": "a", "exact": False}}, {4: "no memory"}
    patch = table.patch(Work())
    assert patch["previews"] == {"3": {"version": "a", "exact": False}}
    assert patch["failed"] == {"4": "no memory"}
    assert ["failed", 4, 4] in patch["states"]
    table.previews, table.failed, table.finished = {}, {}, {}
    patch = table.patch(Work())
    assert patch["previews"] == {"3": None}
    assert patch["failed"] == {"4": None}
    assert patch["versions"] == {"0": None}
    assert table.patch(Work()) is None


def test_five_thousand_frames_are_looked_through_in_a_moment() -> None:
    table = _table(*range(0, 5000, 2), count=5000, last=4999)
    start = time.perf_counter()
    assert table.patch(Work(running=True)) is not None
    assert time.perf_counter() - start < 0.2


def test_runs_join_neighbours_of_one_state_only() -> None:
    states = ["a", "a", "b", "b", "a"]
    assert state_runs(states, [0, 1, 3, 4]) == [["a", 0, 1], ["b", 3, 3], ["a", 4, 4]]


def test_only_pngs_of_the_clip_are_frames(tmp_path) -> None:  # type: ignore[no-untyped-def]
    for name in ("a.png", "b.png", ".kadr-x.png", "c.jpg", "other.png"):
        (tmp_path / name).write_bytes(b"1")
    assert scan_frames(tmp_path, {"a": 0, "b": 1, "c": 2}).keys() == {0, 1}
    assert scan_frames(tmp_path / "none", {"a": 0}) == {}
