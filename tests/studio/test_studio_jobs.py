"""The queue is kept in the project's folder and read again by the next server."""

from __future__ import annotations

from pathlib import Path

import pytest

from kadr.errors import OutputError
from kadr.studio import jobs
from kadr.studio.jobs import DONE, QUEUED, STOPPED, STOPPING, WORKING, JobList


def test_what_worked_when_the_server_was_killed_is_done_again(tmp_path: Path) -> None:
    file = tmp_path / "queue.json"
    listed = JobList(file)
    first, second, third = (listed.add("run", {}, author="tab") for _ in range(3))
    first.begin()
    second.begin()
    second.state = STOPPING
    third.finish(DONE, result={"frames": 3})
    listed.paused = True
    listed.save()
    again = JobList(file)
    assert [(job.id, job.state) for job in again] == [(1, QUEUED), (2, STOPPED), (3, DONE)]
    assert again.paused
    assert again.add("plan", {}).id == 4
    assert again.find(3).result == {"frames": 3}


@pytest.mark.parametrize("text", ["", "{", '{"jobs": 3}', '{"jobs": [{"id": 1}], "next": 2}'])
def test_a_damaged_queue_is_empty(tmp_path: Path, text: str) -> None:
    file = tmp_path / "queue.json"
    file.write_text(text)
    assert list(JobList(file)) == []


def test_only_the_newest_ended_jobs_are_kept_and_those_that_wait_come_first(tmp_path: Path) -> None:
    listed = JobList(tmp_path / "queue.json")
    for number in range(30):
        job = listed.add("plan", {})
        job.finish(DONE)
        job.ended = float(number)
    waiting = listed.add("run", {})
    numbers = [facts["id"] for facts in listed.facts()]
    assert numbers == [waiting.id, *range(30, 10, -1)]


def test_a_job_that_cannot_be_kept_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = JobList(tmp_path / "queue.json")

    def full(*_: object) -> None:
        raise OutputError("queue.json: cannot be written; free some space and try again")

    monkeypatch.setattr(jobs, "atomic_file", full)
    with pytest.raises(OutputError):
        listed.add("run", {})
    assert list(listed) == []


def test_progress_and_the_last_notices_are_shown(tmp_path: Path) -> None:
    job = JobList(tmp_path / "queue.json").add("run", {})
    job.begin()
    assert job.state == WORKING
    job.take({"step": "propagate", "index": 3, "total": 6, "share": 0.5, "seconds_left": 2.0})
    for number in range(60):
        job.take({"notice": f"line {number}"})
    facts = job.facts()
    assert (facts["index"], facts["share"], facts["message"]) == (3, 0.5, "line 59")
    assert len(facts["notices"]) == 50
