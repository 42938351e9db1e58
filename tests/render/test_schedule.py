"""Find missing frames and the steps of passes that must run again to compute them."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kadr.core.frames import FrameRange, Span
from kadr.options import PropagateOptions
from kadr.render.blend_task import gap_chunks
from kadr.render.key_pass import KeyPass, PassInput
from kadr.render.keyframes import KeyEntry
from kadr.render.schedule import RunSchedule
from kadr.storage.frame_folder import FrameFolder
from kadr.storage.store import FolderStore
from kadr.tasks.task import Task
from kadr.video.clip_source import ClipSource

PIXELS = {"image": np.zeros((4, 4, 3), np.uint8)}
SOURCE = ClipSource("clip.mp4")


def _schedule(spans: list[Span], frames: FrameRange) -> RunSchedule:
    inputs = {s.key: PassInput("its hash", s.key, PropagateOptions(), 0) for s in spans}
    styles = {s.key: KeyEntry(f"stylize/{s.key}", f"style{s.key}") for s in spans}
    passes = []
    for span in spans:
        for direction, last in ((1, span.stop - 1), (-1, span.start)):
            if last != span.key:
                name = inputs[span.key].pass_name(styles[span.key].digest, direction)
                passes.append(KeyPass(span.key, last, name))
    edges = [frames.start - 1, *(span.key for span in spans), frames.stop]
    chunks = []
    for before, after in itertools.pairwise(edges):
        anchor = before if before in frames else None
        chunks += gap_chunks(before + 1, after, anchor, passes)
    return RunSchedule(
        SOURCE, tuple(spans), frames, tuple(passes), tuple(chunks), styles, 3, inputs
    )


SPANS = [Span(0, 0, 50), Span(50, 1, 100)]
FRAMES = FrameRange(0, 100)


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "store")


@pytest.fixture
def folder(tmp_path: Path) -> FrameFolder:
    return FrameFolder(tmp_path / "frames", lambda index: f"{index:03d}")


def _fill(store: FolderStore, schedule: RunSchedule) -> None:
    """Store every frame and every state of every pass."""
    for key_pass in schedule.passes:
        for distance in range(1, len(key_pass) + 1):
            store.put(key_pass.frame_entry(key_pass.index(distance)), PIXELS)
            if distance % 16 == 0:
                store.put(key_pass.state_entry(key_pass.index(distance)), PIXELS)


def _finish(folder: FrameFolder, schedule: RunSchedule) -> None:
    for index in schedule.frames:
        folder.put(index, PIXELS["image"], schedule.frame_name(index), 0.1)


def test_everything_is_missing_in_an_empty_store(store: FolderStore, folder: FrameFolder) -> None:
    missing = _schedule(SPANS, FRAMES).missing(store, folder)
    assert missing.pass_frames == 49 + 49 + 49
    assert missing.finished_frames == 98
    assert missing.keys == (0, 50)
    assert missing


def test_nothing_is_missing_when_all_frames_are_finished(
    store: FolderStore, folder: FrameFolder
) -> None:
    schedule = _schedule(SPANS, FRAMES)
    _finish(folder, schedule)
    assert not schedule.missing(store, folder)  # work files are not needed any more
    _fill(store, schedule)
    assert not schedule.missing(store, folder, all_passes=True)


def test_a_missing_pass_frame_is_computed_from_the_last_state_before_it(
    store: FolderStore, folder: FrameFolder
) -> None:
    schedule = _schedule(SPANS, FRAMES)
    _fill(store, schedule)
    forward = schedule.passes[0]
    store.discard(forward.frame_entry(37))
    steps = schedule.missing(store, folder).distances
    assert steps == {forward: tuple(range(33, 38))}
    store.discard(forward.state_entry(32))
    assert schedule.missing(store, folder).distances == {forward: tuple(range(17, 38))}


def test_a_state_without_its_frame_is_not_used(store: FolderStore, folder: FrameFolder) -> None:
    schedule = _schedule(SPANS, FRAMES)
    _fill(store, schedule)
    forward = schedule.passes[0]
    for index in (32, 33):
        store.discard(forward.frame_entry(index))
    assert schedule.missing(store, folder).distances == {forward: tuple(range(17, 34))}


def test_only_passes_that_missing_frames_need_are_computed(
    store: FolderStore, folder: FrameFolder
) -> None:
    schedule = _schedule(SPANS, FRAMES)
    _finish(folder, schedule)
    folder.path(70).unlink()  # in the first chunk after key 50, which only one pass covers
    missing = schedule.missing(store, folder)
    assert missing.finished_frames == 1
    (key_pass,) = missing.distances
    assert (key_pass.key, key_pass.direction) == (50, 1)
    assert missing.distances[key_pass] == tuple(range(1, 21))


def test_edited_frames_are_not_missing(store: FolderStore, folder: FrameFolder) -> None:
    schedule = _schedule(SPANS, FRAMES)
    _finish(folder, schedule)
    for index in (50, 71):
        with folder.path(index).open("ab") as file:
            file.write(b"painted over")
    missing = schedule.missing(store, folder)
    assert missing.edited == (50, 71)
    assert not missing


def _planned_frames(
    schedule: RunSchedule, store: FolderStore, folder: FrameFolder
) -> list[tuple[str, int]]:
    missing = schedule.missing(store, folder)
    planned = list(schedule.work(missing, store.folder, folder.folder, "{:03d}".format, (10, 10)))
    ids: set[str] = set()
    for typed_task, task in planned:
        assert type(typed_task).from_values(Task.from_json(task.to_json()).values) == typed_task
        assert set(task.after) <= ids, "a task follows its dependencies"
        assert task.id not in ids
        ids.add(task.id)
    return [(task.type, index) for typed_task, task in planned for index in typed_task.indices]


def test_tasks_compute_exactly_what_is_missing(store: FolderStore, folder: FrameFolder) -> None:
    schedule = _schedule(SPANS, FRAMES)
    planned = _planned_frames(schedule, store, folder)
    assert sorted(index for name, index in planned if name == "blend") == [
        index for index in FRAMES if index not in (0, 50)
    ]
    pass_indices = sorted(index for name, index in planned if name == "propagate")
    assert pass_indices == sorted([*range(1, 50), *range(1, 50), *range(51, 100)])


@given(
    keys=st.lists(st.integers(0, 79), min_size=1, max_size=6, unique=True),
    lost_positions=st.sets(st.integers(0, 400)),
)
def test_any_missing_entries_can_be_computed_again(
    tmp_path_factory: pytest.TempPathFactory, keys: list[int], lost_positions: set[int]
) -> None:
    root = tmp_path_factory.mktemp("any")
    store, folder = FolderStore(root / "store"), FrameFolder(root / "frames", str)
    order = sorted(keys)
    edges = [-1, *order, 80]
    spans = [Span(k, a + 1, b) for a, k, b in zip(edges, order, edges[2:], strict=False)]
    schedule = _schedule(spans, FrameRange(0, 80))
    entries = []
    for key_pass in schedule.passes:
        for distance in range(1, len(key_pass) + 1):
            entries.append(key_pass.frame_entry(key_pass.index(distance)))
            if distance % 16 == 0:
                entries.append(key_pass.state_entry(key_pass.index(distance)))
    stored = {entry for position, entry in enumerate(entries) if position not in lost_positions}

    class PartialStore(FolderStore):
        def has(self, fingerprint: str) -> bool:
            return fingerprint in stored

    missing = schedule.missing(PartialStore(store.folder), folder)
    for key_pass, steps in missing.distances.items():
        reached = {0} | {
            d
            for d in range(16, len(key_pass) + 1, 16)
            if key_pass.state_entry(key_pass.index(d)) in stored
            and key_pass.frame_entry(key_pass.index(d)) in stored
        }
        for distance in steps:  # a step starts from a stored state or from the step before it
            assert distance - 1 in reached or distance - 1 in steps
        missing_distances = {
            d
            for d in range(1, len(key_pass) + 1)
            if key_pass.frame_entry(key_pass.index(d)) not in stored
        }
        assert missing_distances <= set(steps)
        assert len(steps) <= 16 * len(missing_distances) + 16 * len(lost_positions)


def test_a_budget_takes_complete_gaps_in_order(store: FolderStore, folder: FrameFolder) -> None:
    schedule = _schedule([Span(0, 0, 20), Span(20, 1, 40), Span(40, 21, 60)], FrameRange(0, 60))
    missing = schedule.missing(store, folder)
    assert missing.first_gaps(None, 10) is missing
    gap = 19 + 19  # the frames between two keys, from both keys
    part = missing.first_gaps(gap * 10, 10)
    assert {chunk.gap_start for chunk in part.frames} == {1}
    assert missing.first_gaps(5, 10).frames == part.frames  # one gap at least
    everything = missing.first_gaps(10**6, 10)
    assert everything.frames == missing.frames


def test_removable_entries_come_in_order(store: FolderStore, folder: FrameFolder) -> None:
    schedule = _schedule(SPANS, FRAMES)
    _fill(store, schedule)
    store.put("propagate/old/000001", PIXELS)
    store.put("stylize/old", PIXELS)
    store.put("stylize/0", PIXELS)
    pending = set(range(70, 100))
    removed = [store.entry(path) for path in schedule.removable(store, pending)]
    assert removed[:2] == ["propagate/old/000001", "stylize/old"]
    kept = schedule.removable(store, (), all_passes=True)
    assert [store.entry(path) for path in kept] == removed[:2]
    assert "stylize/0" not in removed
    current = removed[2:]
    states = [entry.endswith("-state") for entry in current]
    assert states == sorted(states)  # frames first
    last = schedule.passes[-1]
    assert last.frame_entry(75) not in current
    assert schedule.passes[0].frame_entry(5) in current
