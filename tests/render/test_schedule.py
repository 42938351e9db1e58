"""What is missing, and what has to be walked again to make it."""

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
    """Keep every frame of every pass, and every state."""
    for each in schedule.passes:
        for distance in range(1, len(each) + 1):
            store.put(each.frame_entry(each.index(distance)), PIXELS)
            if distance % 16 == 0:
                store.put(each.state_entry(each.index(distance)), PIXELS)


def _finish(folder: FrameFolder, schedule: RunSchedule) -> None:
    for index in schedule.frames:
        folder.put(index, PIXELS["image"], schedule.frame_name(index), 0.1)


def test_at_first_everything_is_missing(store: FolderStore, folder: FrameFolder) -> None:
    missing = _schedule(SPANS, FRAMES).missing(store, folder)
    assert missing.pass_frames == 49 + 49 + 49
    assert missing.finished_frames == 98
    assert missing.keys == (0, 50)
    assert missing


def test_at_last_nothing_is(store: FolderStore, folder: FrameFolder) -> None:
    schedule = _schedule(SPANS, FRAMES)
    _finish(folder, schedule)
    assert not schedule.missing(store, folder)  # work files may be thrown away
    _fill(store, schedule)
    assert not schedule.missing(store, folder, all_passes=True)


def test_a_lost_frame_is_walked_from_the_state_before(
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


def test_a_state_without_its_frame_is_no_state(store: FolderStore, folder: FrameFolder) -> None:
    schedule = _schedule(SPANS, FRAMES)
    _fill(store, schedule)
    forward = schedule.passes[0]
    for index in (32, 33):
        store.discard(forward.frame_entry(index))
    assert schedule.missing(store, folder).distances == {forward: tuple(range(17, 34))}


def test_only_what_unfinished_frames_need_is_made(store: FolderStore, folder: FrameFolder) -> None:
    schedule = _schedule(SPANS, FRAMES)
    _finish(folder, schedule)
    folder.path(70).unlink()  # no more than its chunk's warming up: one pass alone is there
    missing = schedule.missing(store, folder)
    assert missing.finished_frames == 1
    (only,) = missing.distances
    assert (only.key, only.direction) == (50, 1)
    assert missing.distances[only] == tuple(range(1, 21))


def test_a_frame_changed_by_hand_is_kept(store: FolderStore, folder: FrameFolder) -> None:
    schedule = _schedule(SPANS, FRAMES)
    _finish(folder, schedule)
    for index in (50, 71):
        with folder.path(index).open("ab") as file:
            file.write(b"painted over")
    missing = schedule.missing(store, folder)
    assert missing.edited == (50, 71)
    assert not missing


def _ids(schedule: RunSchedule, store: FolderStore, folder: FrameFolder) -> list[tuple[str, int]]:
    missing = schedule.missing(store, folder)
    planned = list(schedule.work(missing, store.folder, folder.folder, "{:03d}".format, 100))
    ids: set[str] = set()
    for work, task in planned:
        assert type(work).from_values(Task.from_json(task.to_json()).values) == work
        assert set(task.after) <= ids, "a task comes after those that it waits for"
        assert task.id not in ids
        ids.add(task.id)
    return [(task.type, index) for work, task in planned for index in work.indices]


def test_tasks_make_just_what_is_missing(store: FolderStore, folder: FrameFolder) -> None:
    schedule = _schedule(SPANS, FRAMES)
    made = _ids(schedule, store, folder)
    assert sorted(i for name, i in made if name == "blend") == [
        i for i in FRAMES if i not in (0, 50)
    ]
    walked = sorted(i for name, i in made if name == "propagate")
    assert walked == sorted([*range(1, 50), *range(1, 50), *range(51, 100)])


@given(
    keys=st.lists(st.integers(0, 79), min_size=1, max_size=6, unique=True),
    lost=st.sets(st.integers(0, 400)),
)
def test_whatever_is_lost_can_be_made_again(
    tmp_path_factory: pytest.TempPathFactory, keys: list[int], lost: set[int]
) -> None:
    root = tmp_path_factory.mktemp("any")
    store, folder = FolderStore(root / "store"), FrameFolder(root / "frames", str)
    order = sorted(keys)
    edges = [-1, *order, 80]
    spans = [Span(k, a + 1, b) for a, k, b in zip(edges, order, edges[2:], strict=False)]
    schedule = _schedule(spans, FrameRange(0, 80))
    entries = []
    for each in schedule.passes:
        for distance in range(1, len(each) + 1):
            entries.append(each.frame_entry(each.index(distance)))
            if distance % 16 == 0:
                entries.append(each.state_entry(each.index(distance)))
    kept = {entry for at, entry in enumerate(entries) if at not in lost}

    class Known(FolderStore):
        def has(self, fingerprint: str) -> bool:
            return fingerprint in kept

    missing = schedule.missing(Known(store.folder), folder)
    for each, steps in missing.distances.items():
        reached = {0} | {
            d
            for d in range(16, len(each) + 1, 16)
            if each.state_entry(each.index(d)) in kept and each.frame_entry(each.index(d)) in kept
        }
        for distance in steps:  # each step starts where a state or the step before ended
            assert distance - 1 in reached or distance - 1 in steps
        wanted = {d for d in range(1, len(each) + 1) if each.frame_entry(each.index(d)) not in kept}
        assert wanted <= set(steps)
        assert len(steps) <= 16 * len(wanted) + 16 * len(lost)


def test_a_budget_takes_whole_gaps_from_the_first(store: FolderStore, folder: FrameFolder) -> None:
    schedule = _schedule([Span(0, 0, 20), Span(20, 1, 40), Span(40, 21, 60)], FrameRange(0, 60))
    missing = schedule.missing(store, folder)
    assert missing.first_gaps(None, 10) is missing
    gap = 19 + 19  # both keys' frames between them
    part = missing.first_gaps(gap * 10, 10)
    assert {chunk.gap_start for chunk in part.frames} == {1}
    assert missing.first_gaps(5, 10).frames == part.frames  # one gap at least
    everything = missing.first_gaps(10**6, 10)
    assert everything.frames == missing.frames


def test_what_can_be_spared_comes_in_order(store: FolderStore, folder: FrameFolder) -> None:
    schedule = _schedule(SPANS, FRAMES)
    _fill(store, schedule)
    store.put("propagate/old/000001", PIXELS)
    store.put("stylize/old", PIXELS)
    store.put("stylize/0", PIXELS)
    pending = set(range(70, 100))
    removed = [store.entry(path) for path in schedule.removable(store, pending)]
    assert removed[:2] == ["propagate/old/000001", "stylize/old"]
    assert "stylize/0" not in removed
    rest = removed[2:]
    states = [entry.endswith("-state") for entry in rest]
    assert states == sorted(states)  # frames first
    last = schedule.passes[-1]
    assert last.frame_entry(75) not in rest
    assert schedule.passes[0].frame_entry(5) in rest
