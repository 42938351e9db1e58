"""Frames as reduced: decoded once for both passes, the same when read, then deleted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from kadr.core.frames import Frame
from kadr.options import PropagateOptions, RunOptions
from kadr.pipeline import restyle
from kadr.render.pass_task import SEGMENT
from kadr.render.shared_frames import SharedFrames
from kadr.render.work_frame import FrameReducer, WorkFrame
from kadr.storage.layout import STORED, file_kind
from kadr.storage.store import FolderStore
from scenes import paint, sliding, write_sequence

OPTIONS = PropagateOptions(work_size=64)
IMAGES = sliding(9, 3.0, 1.0, height=96, width=128)
NAME = "flow/" + 32 * "a"
SHARED = range(1, 8)


class _Clip:
    """A clip of images that counts what is decoded."""

    def __init__(self) -> None:
        self.decoded: list[int] = []
        self.times = list(range(len(IMAGES)))

    def frame(self, index: int) -> Frame:
        self.decoded.append(index)
        return Frame(index, IMAGES[index], self.times[index])

    def frames(self, start: int, stop: int) -> Iterator[Frame]:
        return map(self.frame, range(start, stop))

    def frames_backward(self, start: int, stop: int) -> Iterator[Frame]:
        return map(self.frame, range(stop - 1, start - 1, -1))


@pytest.fixture
def clip() -> _Clip:
    return _Clip()


def _shared(clip: _Clip, folder: Path, options: PropagateOptions = OPTIONS) -> SharedFrames:
    return SharedFrames(clip, FrameReducer((128, 96), options), FolderStore(folder), NAME)


def _stored(folder: Path) -> list[int]:
    return sorted(int(path.stem) for path in folder.rglob("*.zip"))


def _same(frames: list[WorkFrame], others: list[WorkFrame]) -> bool:
    return all(
        a.index == b.index
        and a.reduced.time == b.reduced.time
        and np.array_equal(a.reduced.rgb, b.reduced.rgb)
        and np.array_equal(a.registered, b.registered)
        for a, b in zip(frames, others, strict=True)
    )


def test_the_second_pass_decodes_nothing_and_sees_the_same(clip: _Clip, tmp_path: Path) -> None:
    forward = list(_shared(clip, tmp_path).frames(range(9), SHARED))
    assert clip.decoded == list(range(9))
    backward = list(_shared(clip, tmp_path).frames(range(8, -1, -1), SHARED))
    assert clip.decoded == list(range(9))
    assert _same(forward, backward[::-1])
    assert forward[3].reduced.rgb.shape == (48, 64, 3)
    assert forward[3].registered is not None
    assert forward[3].registered.shape == (96, 128)


def test_what_both_passes_had_is_deleted_but_where_tasks_start(clip: _Clip, tmp_path: Path) -> None:
    list(_shared(clip, tmp_path).frames(range(5), SHARED))
    assert _stored(tmp_path) == [0, 1, 2, 3, 4]  # the first and the last are borders
    list(_shared(clip, tmp_path).frames(range(7, 0, -1), SHARED))
    assert _stored(tmp_path) == [0, 1, 5, 6, 7]


def test_frames_of_one_pass_alone_are_not_stored(clip: _Clip, tmp_path: Path) -> None:
    list(_shared(clip, tmp_path).frames(range(9), range(6, 8)))
    assert _stored(tmp_path) == [0, 6, 7, 8]


def test_reading_alone_changes_nothing(clip: _Clip, tmp_path: Path) -> None:
    list(_shared(clip, tmp_path).frames(range(3, 6), SHARED))
    frames = list(_shared(clip, tmp_path).frames(range(9), None))
    assert [frame.index for frame in frames] == list(range(9))
    assert clip.decoded == [3, 4, 5, 0, 1, 2, 6, 7, 8]
    assert _stored(tmp_path) == [3, 4, 5]


def test_the_frame_of_a_key_stays(clip: _Clip, tmp_path: Path) -> None:
    first, second = (_shared(clip, tmp_path).key(4) for _ in range(2))
    assert clip.decoded == [4]
    assert _same([first], [second])


def test_a_damaged_entry_is_decoded_again(clip: _Clip, tmp_path: Path) -> None:
    expected = list(_shared(clip, tmp_path).frames(range(9), SHARED))
    (damaged,) = tmp_path.rglob("000004.zip")
    content = bytearray(damaged.read_bytes())
    content[len(content) // 3] ^= 0x55
    damaged.write_bytes(content)
    read = list(_shared(clip, tmp_path).frames(range(9), SHARED))
    assert clip.decoded[9:] == [4]
    assert _same(read, expected)


def test_frames_of_the_work_size_are_not_stored(clip: _Clip, tmp_path: Path) -> None:
    shared = _shared(clip, tmp_path, PropagateOptions(work_size=128))
    frames = list(shared.frames(range(9), SHARED))
    shared.key(0)
    assert all(frame.registered is None for frame in frames)
    assert np.array_equal(frames[2].reduced.rgb, IMAGES[2])
    assert _stored(tmp_path) == []


def test_a_run_leaves_only_what_other_tasks_may_read(tmp_path: Path) -> None:
    last = SEGMENT + 5
    images = sliding(last + 1, 1.0, 0.5, height=96, width=128)
    clip = write_sequence(tmp_path / "clip", images)
    keys = [write_sequence(tmp_path / f"key-{key}", [paint(images[key])], key) for key in (0, last)]
    options = RunOptions(
        clip,
        tmp_path / "out",
        tuple(keys),
        work=tmp_path / "work",
        propagate=OPTIONS,
        threads=1,
    )
    restyle(options)
    store = tmp_path / "work" / "store"
    # both keys, the first and the last frame of each pass, and where its second segment starts
    assert _stored(store / "reduced") == [0, 1, last - SEGMENT, SEGMENT, last - 1, last]
    for path in (store / "reduced").rglob("*.zip"):
        assert file_kind(path.relative_to(tmp_path / "work")) == STORED
