"""One contract suite that every Store passes; fingerprints; temporary and named work folders."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from kadr.errors import KadrError, OutputError
from kadr.storage.store import FolderStore, MemoryStore, Store, WorkFolder, fingerprint

STORES: dict[str, Callable[[Path], Store]] = {
    "memory": lambda folder: MemoryStore(),
    "folder": lambda folder: FolderStore(folder / "store of 100 %"),
}
NAME = fingerprint("test", 1)
OTHER = fingerprint("test", 2)


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return STORES[request.param](tmp_path)


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


SHAPES = npst.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5)
IMAGES = npst.arrays(
    st.sampled_from([np.uint8, np.uint16]),
    st.tuples(st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 2, 3, 4, 5])),
)
ARRAYS = IMAGES | npst.arrays(npst.scalar_dtypes(), SHAPES)


@given(st.dictionaries(st.sampled_from(["image", "error", "a.b", "flow"]), ARRAYS, max_size=3))
@settings(
    deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_get_returns_what_was_put(store: Store, arrays: dict[str, np.ndarray]) -> None:
    store.put(NAME, arrays)
    stored = store.get(NAME)
    assert stored is not None
    assert stored.keys() == arrays.keys()
    assert all(_same(stored[name], arrays[name]) for name in arrays)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((0, 4, 3), np.uint8),
        np.arange(70000, dtype=np.uint8).reshape(1, -1),
        np.arange(24, dtype=np.uint8).reshape(2, 4, 3)[:, ::-1],
        np.asfortranarray(np.arange(24, dtype=np.uint16).reshape(2, 4, 3)),
        np.array([[0.0, -0.0, np.nan, np.inf]], np.float32),
        np.array(5),
        np.zeros((3, 3), np.bool_),
    ],
    ids=["no pixels", "very wide", "flipped view", "column order", "odd floats", "scalar", "bool"],
)
def test_unusual_arrays_are_restored(store: Store, array: np.ndarray) -> None:
    store.put(NAME, {"array": array})
    stored = store.get(NAME)
    assert stored is not None
    assert _same(stored["array"], array)


def test_a_second_put_replaces_the_first(store: Store) -> None:
    store.put(NAME, {"a": np.zeros(3), "b": np.ones(2)})
    store.put(NAME, {"a": np.ones(4)})
    stored = store.get(NAME)
    assert stored is not None
    assert stored.keys() == {"a"}
    assert _same(stored["a"], np.ones(4))


def test_part_of_an_entry_can_be_read(store: Store) -> None:
    store.put(NAME, {"image": IMAGE, "field": FIELD})
    stored = store.get(NAME, only=("field", "nothing"))
    assert stored is not None
    assert stored.keys() == {"field"}
    assert _same(stored["field"], FIELD)


def test_names_of_entries_may_have_parts(store: Store) -> None:
    store.put(f"pass/{NAME}/000012", {"a": np.zeros(3)})
    assert store.has(f"pass/{NAME}/000012")
    assert not store.has(f"pass/{NAME}/000013")
    assert not store.has(f"pass/{NAME}")
    store.discard(f"pass/{NAME}/000012")
    assert not store.has(f"pass/{NAME}/000012")


def test_a_file_has_an_entry_name_and_a_truncated_file_is_missing(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    store.put("a/b", {"image": IMAGE})
    assert store.entry(store.path("a/b")) == "a/b"
    content = store.path("a/b").read_bytes()
    for length in (0, 10, len(content) - 1):
        store.path("a/b").write_bytes(content[:length])
        assert not store.has("a/b")


def test_entries_are_independent_and_can_be_discarded(store: Store) -> None:
    assert store.get(NAME) is None
    store.discard(NAME)
    store.put(NAME, {"a": np.zeros(3)})
    store.put(OTHER, {"a": np.ones(3)})
    store.discard(NAME)
    assert store.get(NAME) is None
    stored = store.get(OTHER)
    assert stored is not None
    assert stored["a"].sum() == 3


def test_the_store_keeps_and_returns_copies(store: Store) -> None:
    array = np.zeros((4, 4, 3), np.uint8)
    store.put(NAME, {"a": array})
    array[:] = 9
    stored = store.get(NAME)
    assert stored is not None
    stored["a"] += 1  # results may be changed
    second = store.get(NAME)
    assert second is not None
    assert not second["a"].any()


IMAGE = (np.arange(90) ** 2 % 251).astype(np.uint8).reshape(5, 6, 3)
FIELD = np.arange(12, dtype=np.float32).reshape(2, 3, 2)


def _one_file(folder: Path) -> Path:
    (file,) = (path for path in folder.rglob("*") if path.is_file())
    return file


@given(st.data())
@settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_damaged_file_is_missing_or_harmless(tmp_path: Path, data: st.DataObject) -> None:
    store = FolderStore(tmp_path)
    arrays = {"image": IMAGE, "field": FIELD}
    store.put(NAME, arrays)
    file = _one_file(tmp_path)
    content = bytearray(file.read_bytes())
    position = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        content = content[:position]
    else:
        content[position] ^= data.draw(st.integers(1, 255))
    file.write_bytes(content)
    stored = store.get(NAME)
    if stored is not None:  # the byte was a date or other unused metadata
        for name in stored.keys() & arrays.keys():
            assert _same(stored[name], arrays[name])


def test_a_damaged_file_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = FolderStore(tmp_path)
    store.put(NAME, {"image": IMAGE})
    file = _one_file(tmp_path)
    file.write_bytes(file.read_bytes()[:-30])
    with caplog.at_level(logging.WARNING):
        assert store.get(NAME) is None
    (line,) = caplog.messages
    assert str(file) in line
    assert "damaged" in line
    store.put(NAME, {"image": IMAGE})
    stored = store.get(NAME)
    assert stored is not None
    assert _same(stored["image"], IMAGE)


def test_a_failing_put_keeps_the_previous_entry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FolderStore(tmp_path)
    store.put(NAME, {"image": IMAGE})
    before = sorted(tmp_path.rglob("*"))

    def full(*args: object, **keywords: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(np.lib.format, "write_array", full)
        with pytest.raises(OutputError, match="No space left"):
            store.put(NAME, {"first": IMAGE, "second": FIELD})
    assert sorted(tmp_path.rglob("*")) == before
    stored = store.get(NAME)
    assert stored is not None
    assert stored.keys() == {"image"}


def test_object_arrays_are_refused_and_leave_no_file(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    with pytest.raises(ValueError, match="Object arrays"):
        store.put(NAME, {"a": np.array([{}], object)})
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    assert store.get(NAME) is None


def test_a_store_reads_the_entries_of_its_folder(tmp_path: Path) -> None:
    FolderStore(tmp_path).put(NAME, {"image": IMAGE})
    stored = FolderStore(tmp_path).get(NAME)
    assert stored is not None
    assert _same(stored["image"], IMAGE)


def test_a_shared_folder_never_shows_half_an_entry(tmp_path: Path) -> None:
    """As two machines on one disk: both put the same entry again and again, and read it."""
    arrays = {"image": np.arange(90 * 160 * 3, dtype=np.uint8).reshape(90, 160, 3)}
    writer, reader = FolderStore(tmp_path), FolderStore(tmp_path)
    writer.put(NAME, arrays)
    with ThreadPoolExecutor(2) as pool:
        puts = [pool.submit(store.put, NAME, arrays) for store in (writer, reader) * 20]
        while not all(put.done() for put in puts):
            assert reader.has(NAME)
            entry = reader.get(NAME)
            assert entry is not None
            assert _same(entry["image"], arrays["image"])
    assert [put.result() for put in puts] == [None] * 40
    assert len(list(tmp_path.iterdir())) == 1


def test_a_file_in_place_of_a_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="file"):
        FolderStore(tmp_path / "file" / "store")


@dataclass(frozen=True)
class _Settings:
    radius: int = 3
    folder: Path = Path("keys")


def test_fingerprints_never_change() -> None:
    parts = (IMAGE, Path("a/b.mp4"), 3, 0.5, "x", None, {"b": [1, 2], "a": True}, _Settings())
    assert fingerprint("step", 1, *parts) == GOLDEN
    assert fingerprint("step", 1) == GOLDEN_BARE


GOLDEN = "022f8fee0b1b3bfb8630495814e2c6eb"
GOLDEN_BARE = "db117472b2dfd38a20cfac5aa616957f"

DISTINCT_PARTS: list[tuple[object, ...]] = [
    (),
    (1,),
    (2,),
    (1.0,),
    ("1",),
    (True,),
    (None,),
    (1, 2),
    (2, 1),
    ([1, 2],),
    ({"a": 1},),
    ({"a": 2},),
    ({"b": 1},),
    (Path("a"),),
    ("a",),
    (Fraction(1, 2),),
    ("1/2",),
    (_Settings(),),
    (_Settings(4),),
    (np.float32(1),),
    (np.int64(1),),
    (np.zeros(4, np.uint8),),
    (np.zeros(4, np.int8),),
    (np.zeros((2, 2), np.uint8),),
    (np.zeros((4, 1), np.uint8),),
    (np.zeros(1, np.uint32),),
    (np.array([0, 0, 0, 1], np.uint8),),
    (np.zeros(2, np.uint8), np.zeros(2, np.uint8)),
    ({"a": np.arange(5000)},),
    ({"a": np.where(np.arange(5000) == 2500, -1, np.arange(5000))},),
]


def test_different_parts_have_different_fingerprints() -> None:
    names = {fingerprint("step", 1, *parts) for parts in DISTINCT_PARTS}
    names |= {fingerprint("step", 2), fingerprint("other", 1)}
    assert len(names) == len(DISTINCT_PARTS) + 2


def test_equal_parts_have_one_fingerprint() -> None:
    assert fingerprint("s", 1, {"a": 1, "b": 2}) == fingerprint("s", 1, {"b": 2, "a": 1})
    assert fingerprint("s", 1, (1, 2)) == fingerprint("s", 1, [1, 2])
    assert fingerprint("s", 1, IMAGE[:, ::-1]) == fingerprint("s", 1, IMAGE[:, ::-1].copy())


def test_objects_without_a_stable_text_are_refused() -> None:
    with pytest.raises(TypeError, match="object has no fingerprint"):
        fingerprint("s", 1, {"a": object()})


def test_a_temporary_work_folder_is_deleted_after_the_run() -> None:
    with WorkFolder(None) as work:
        folder = work.folder
        FolderStore(work.folder).put(NAME, {"image": IMAGE})
        assert _one_file(folder)
    assert not folder.exists()


def test_a_temporary_work_folder_is_deleted_after_an_error() -> None:
    def fail() -> None:
        with WorkFolder(None) as work:
            folders.append(work.folder)
            FolderStore(work.folder).put(NAME, {"image": IMAGE})
            raise KadrError("as it happens")

    folders: list[Path] = []
    with pytest.raises(KadrError, match="as it happens"):
        fail()
    assert not folders[0].exists()


def test_a_named_work_folder_is_created_and_kept(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "work"
    with WorkFolder(folder) as work:
        FolderStore(work.folder).put(NAME, {"image": IMAGE})
    with WorkFolder(folder) as work:
        stored = FolderStore(work.folder).get(NAME)
    assert stored is not None
    assert _same(stored["image"], IMAGE)


def test_a_truncated_entry_is_missing_and_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = FolderStore(tmp_path)
    store.put("a", {"x": np.arange(100)})
    content = store.path("a").read_bytes()
    for length in (0, 10, len(content) - 1):
        store = FolderStore(tmp_path)
        store.path("a").write_bytes(content[:length])
        caplog.clear()
        assert not store.has("a")
        assert not store.has("a")
        assert caplog.text.count("a.zip: damaged, it was cut short") == 1
    assert not store.has("never stored")
