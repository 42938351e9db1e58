"""Batches through the command line: side by side, resumed, with failures, stopped."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
from cli_samples import COUNT, make_keys, make_video

from kadr.batch.batch import BATCH, run_batch
from kadr.batch.child import Child, ChildEvent
from kadr.batch.entries import BatchEntry
from kadr.cli.main import main
from kadr.core.events import CancelToken, Event
from kadr.errors import FolderInUseError

Kadr = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KADR_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def kadr(capsys: pytest.CaptureFixture[str]) -> Kadr:
    """Call the command line: exit code, standard output, standard error."""

    def call(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        return code, *capsys.readouterr()

    return call


def _states(out: str) -> dict[str, str]:
    """The state of each run, from what ``--json`` printed."""
    results = [json.loads(line) for line in out.splitlines()]
    (result,) = (item for item in results if item["event"] == "result")
    return {run["name"]: run["state"] for run in result["runs"]}


def test_films_are_made_side_by_side_and_not_again(tmp_path: Path, kadr: Kadr) -> None:
    clip, keys = make_video(tmp_path / "a.mp4"), make_keys(tmp_path / "keys", 0, COUNT - 1)
    settings = ("--detail", "draft", "--quiet")
    assert kadr("new", clip, "--keys", keys, "-o", "p.kadr", *settings)[0] == 0
    (tmp_path / "batch.toml").write_text(
        "[options]\ndetail = 'draft'\n[[project]]\npath = 'p.kadr'\n"
        "[[clip]]\npath = 'a.mp4'\nkeys = 'keys'\noutput = 'a_out.mp4'\n"
        "[[clip]]\npath = 'missing.mp4'\nkeys = 'keys'\noutput = 'b_out.mp4'\n"
    )
    code, out, err = kadr("batch", "batch.toml", "--jobs", "2", "--json")
    assert code == 2
    assert err == "error: batch.toml: 1 of 3 runs failed: missing\n"
    finished = {"p.kadr": "finished", "a": "finished"}
    assert _states(out) == finished | {"missing": "failed"}
    assert "missing.mp4: no such file; check the path" in out
    assert (tmp_path / "p.kadr/out/a.mp4").read_bytes() == (tmp_path / "a_out.mp4").read_bytes()
    assert not (tmp_path / "b_out.mp4").exists()
    # what failed is run again, what is finished is not
    shutil.copyfile("a.mp4", "missing.mp4")
    before = (tmp_path / "a_out.mp4").stat().st_mtime_ns
    code, out, err = kadr("batch", "batch.toml")
    assert code == 0, err
    assert [line.split()[:2] for line in out.splitlines()[1:4]] == [
        ["p.kadr", "finished"], ["a", "finished"], ["missing", "finished"],
    ]  # fmt: skip
    assert "3 runs: 2 finished before, 1 finished" in out
    assert out.splitlines()[2].endswith("  a_out.mp4")
    assert (tmp_path / "a_out.mp4").stat().st_mtime_ns == before
    # a key that changes is noticed, and the film that the batch wrote is replaced
    (tmp_path / "keys" / "00000.png").write_bytes((tmp_path / "keys" / "00005.png").read_bytes())
    (tmp_path / "b_out.mp4").write_bytes(b"edited by hand")
    code, out, err = kadr("batch", "batch.toml", "--json")
    states = {"p.kadr": "finished before", "a": "finished", "missing": "failed"}
    assert (code, _states(out)) == (2, states)
    assert "b_out.mp4: exists already; use --overwrite or another name" in out
    assert (tmp_path / "b_out.mp4").read_bytes() == b"edited by hand"


class _FakeChild(Child):
    """Takes the place of a process: tells what it was asked, and what a list says."""

    started: ClassVar[list[list[str]]] = []
    running: ClassVar[int] = 0
    most: ClassVar[int] = 0
    answers: ClassVar[dict[str, list[ChildEvent]]] = {}

    def __init__(self, words: Any, on_event: Callable[[ChildEvent], None]) -> None:
        kind = type(self)
        kind.started.append(list(words))
        kind.running += 1
        kind.most = max(kind.most, kind.running)
        self.stopped = False
        self._on_event = on_event
        done = [{"event": "result"}, {"event": "exit", "code": 0}]
        for event in self.answers.get(words[1], done):
            on_event(event)

    def stop(self) -> None:
        self._on_event({"event": "exit", "code": 130})

    def close(self) -> None:
        type(self).running -= 1


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> type[_FakeChild]:
    monkeypatch.setattr(_FakeChild, "started", [])
    monkeypatch.setattr(_FakeChild, "answers", {})
    monkeypatch.setattr(_FakeChild, "running", 0)
    monkeypatch.setattr(_FakeChild, "most", 0)
    monkeypatch.setattr("kadr.batch.batch.Child", _FakeChild)
    return _FakeChild


def _entries(*names: str) -> list[BatchEntry]:
    return [BatchEntry(name, name, (), (name,), f"{name}.out") for name in names]


def _run(entries: list[BatchEntry], cancel: CancelToken | None = None, **options: Any) -> Any:
    """The rows of a batch, and its events."""
    events: list[Event] = []
    generator = run_batch(Path("b.toml"), entries, cancel or CancelToken(), **options)
    while True:
        try:
            events.append(next(generator))
        except StopIteration as stop:
            return stop.value, events


def test_cores_are_shared_and_no_more_runs_than_asked_for(fake: type[_FakeChild]) -> None:
    rows, events = _run(_entries("a", "b", "c", "d"), jobs=2)
    assert [row.state for row in rows] == ["finished"] * 4
    assert fake.most == 2
    assert fake.running == 0
    assert all(any(word.startswith("--threads=") for word in words) for words in fake.started)
    assert [event.index for event in events if event.step == BATCH] == [0, 1, 2, 3, 4]
    fake.started.clear()
    _run(_entries("a"), jobs=4)
    assert fake.started == [["run", "a", "--json"]]


def test_a_process_that_dies_is_a_failure_with_its_cause(fake: type[_FakeChild]) -> None:
    error = {"event": "error", "message": "a.mp4: no such file"}
    fake.answers["a"] = [error, {"event": "exit", "code": 2}]
    fake.answers["b"] = [{"event": "exit", "code": -9}]
    fake.answers["c"] = [{"event": "notice", "message": "look"}, {"event": "exit", "code": 0}]
    rows, events = _run(_entries("a", "b", "c", "d"))
    assert [row.state for row in rows] == ["failed", "failed", "failed", "finished"]
    assert rows[0].error == "a.mp4: no such file"
    assert rows[1].error == "b: its process ended by signal 9, without a message"
    assert rows[2].error == "c: its process ended with code 0, without a message"
    assert "c: look" in [event.message for event in events]


def test_a_dry_run_tells_what_would_be_made(fake: type[_FakeChild]) -> None:
    facts = {"finished": 3, "frames": 9, "seconds": 12.0}
    fake.answers["a"] = [{"event": "result", **facts}, {"event": "exit", "code": 0}]
    rows, _ = _run(_entries("a"), dry_run=True)
    assert (rows[0].state, rows[0].facts) == ("planned", facts)
    assert fake.started == [["run", "a", "--json", "--dry-run"]]


def test_a_stopped_batch_starts_nothing_more(fake: type[_FakeChild]) -> None:
    fake.answers["b"] = [{"event": "progress", "step": "blend", "index": 1, "total": 3}]
    cancel = CancelToken()
    generator = run_batch(Path("b.toml"), _entries("a", "b", "c"), cancel)
    rows = None
    while rows is None:
        try:
            if next(generator).step == "b: blend":
                cancel.cancel()
        except StopIteration as stop:
            rows = stop.value
    assert [row.state for row in rows] == ["finished", "stopped", "not run"]


def test_one_process_at_a_time_runs_a_batch(fake: type[_FakeChild]) -> None:
    first = run_batch(Path("b.toml"), _entries("a"), CancelToken())
    next(first)
    with pytest.raises(FolderInUseError, match="another kadr works here"):
        next(run_batch(Path("b.toml"), _entries("a"), CancelToken()))
    first.close()
    assert _run(_entries("a"))[0][0].state == "finished"


def test_ctrl_c_stops_a_real_run_and_keeps_its_work(tmp_path: Path) -> None:
    make_video(tmp_path / "a.mp4", 40)
    make_keys(tmp_path / "keys", 0)
    words = ("--keys=keys", "--output=a_out.mp4", "--detail=draft", "--threads=1")
    entry, cancel = BatchEntry("a", "a.mp4", words, ("a.mp4",), "a_out.mp4"), CancelToken()
    generator = run_batch(Path("b.toml"), [entry], cancel)
    rows = None
    while rows is None:
        try:
            if next(generator).step.startswith("a: "):
                cancel.cancel()
        except StopIteration as stop:
            rows = stop.value
    assert rows[0].state == "stopped"
    assert not (tmp_path / "a_out.mp4").exists()
