"""Records of what a process has to undo, kept while it lives and found when it was killed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kadr.errors import OutputError
from kadr.storage.undo_records import keep_record, living_records, take_over_records

KEEP = """
import sys, time
from pathlib import Path
from kadr.storage.undo_records import keep_record
with keep_record(Path(sys.argv[1]), {"a": 1}):
    print("kept", flush=True)
    time.sleep(60)
"""


def test_a_record_lives_as_long_as_what_it_tells_is_not_undone(tmp_path: Path) -> None:
    folder = tmp_path / "records"
    assert living_records(folder) == []
    with keep_record(folder, {"a": 1}) as record:
        assert living_records(folder) == [{"a": 1}]
        with take_over_records(folder) as records:
            assert records == []
        record.done = True
    assert list(folder.iterdir()) == []
    with pytest.raises(KeyError), keep_record(folder, {"a": 2}):
        raise KeyError
    assert living_records(folder) == []
    with take_over_records(folder) as (record,):
        assert record.content == {"a": 2}
        with take_over_records(folder) as others:  # nobody else takes it over meanwhile
            assert others == []
    with take_over_records(folder) as (record,):
        record.done = True
    assert list(folder.iterdir()) == []
    _fail_when_all_is_undone(folder)
    assert list(folder.iterdir()) == []


def _fail_when_all_is_undone(folder: Path) -> None:
    with contextlib.suppress(KeyError), keep_record(folder, {"a": 3}) as record:
        record.done = True
        raise KeyError


def test_the_record_of_a_killed_process_is_taken_over(tmp_path: Path) -> None:
    paths = os.pathsep.join(path for path in sys.path if path)
    process = subprocess.Popen(
        [sys.executable, "-c", KEEP, str(tmp_path)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": paths},
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"kept\n"
        assert living_records(tmp_path) == [{"a": 1}]
        process.send_signal(signal.SIGKILL)
    assert living_records(tmp_path) == []
    with take_over_records(tmp_path) as records:
        assert [record.content for record in records] == [{"a": 1}]


def test_a_damaged_record_is_deleted(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{")
    with take_over_records(tmp_path) as records:
        assert records == []
    assert not list(tmp_path.glob("*.json"))


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises((OSError, OutputError)), keep_record(tmp_path / "file", {"a": 1}):
        pass
