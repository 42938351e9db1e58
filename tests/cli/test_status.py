from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli_samples import COUNT, SIZE, Call, make_keys

from kadr import new_project, read_image, write_image
from kadr.project.folder import ProjectFolder
from kadr.report.record import ClipRecord, KeyRecord, NextKey, RunRecord, write_record


@pytest.fixture
def project(video: Path, keys: Path, tmp_path: Path) -> ProjectFolder:
    """A project of the video with keys 0 and 5, painted long ago, that has not run."""
    new = new_project(video, [keys], tmp_path / "p.kadr", detail="low")
    for key in new.keys.iterdir():
        os.utime(key, (10**9, 10**9))
    return new


def _record(**changes: Any) -> RunRecord:
    facts: dict[str, Any] = {
        "clip": ClipRecord("clip.mp4", *SIZE, COUNT, 24.0),
        "keys": (KeyRecord(0, 0, 0, 5), KeyRecord(5, 5, 1, 6)),
        "first_frame": 0,
        "numbers": tuple(range(COUNT)),
        "measured": (0.0, 0.1, 0.2, 0.3, 0.1, 0.0),
        "started": "2025-02-03T04:05:06+00:00",
        "seconds": 75.0,
    }
    return RunRecord(**facts | changes)


def _lines(text: str) -> dict[str, str]:
    return {line[:10].strip(): line[12:] for line in text.splitlines()}


def test_a_project_that_has_not_run(kadr: Call, project: ProjectFolder, video: Path) -> None:
    done = kadr("status", project.root)
    assert (done.code, done.err) == (0, "")
    lines = _lines(done.out)
    assert Path(lines["clip"]).resolve() == video.resolve()
    assert lines["keys"] == "2: 0, 5"
    assert lines["detail"] == "low"
    assert lines["last run"].startswith("none yet; start with kadr run ")
    assert lines["output"].endswith("not written yet")


def test_a_project_after_a_run(kadr: Call, project: ProjectFolder) -> None:
    write_record(_record(next_key=NextKey(3, 3, 0.05)), project.record)
    lines = _lines(kadr("status", project.root).out)
    assert lines["last run"] == "finished in 1 min 15 s, begun 3 February 2025, 04:05"
    assert lines["frames"] == "6 of 6 made"
    assert lines["error"] == "11.7 % on average, 30.0 % at worst, in frame 3"
    assert lines["next"] == "paint frame 3: it should lower the mean error by 5.0 %"
    assert "since then" not in lines
    assert "kadr clean" in lines["work files"]


def test_frames_that_were_edited_or_damaged(kadr: Call, project: ProjectFolder) -> None:
    assert kadr("run", project.root).code == 0
    assert "edited" not in _lines(kadr("status", project.root).out)
    first, *_, last = sorted(project.frames.iterdir())
    write_image(first, 255 - read_image(first))
    last.write_bytes(last.read_bytes()[:-90] + bytes(90))
    done = kadr("status", project.root)
    assert _lines(done.out)["edited"] == (
        f"1 frame changed by hand would stay as it is: {first.name} in {project.frames}; "
        "delete it to have it made again"
    )
    assert f"{last.name}: damaged; it will be made again" in done.err
    facts = json.loads(kadr("status", project.root, "--json").out)
    assert facts["next_run"]["edited_files"] == [str(first)]
    assert facts["next_run"]["finished"] == 1


def test_a_run_that_was_stopped(kadr: Call, project: ProjectFolder) -> None:
    measured = (0.0, 0.1, None, None, None, 0.0)
    write_record(_record(measured=measured, finished=False), project.record)
    lines = _lines(kadr("status", project.root).out)
    assert lines["last run"].startswith("stopped after 1 min 15 s")
    assert lines["frames"].startswith("3 of 6 made, 3 missing; go on with kadr run ")


def test_keys_that_changed_since_the_run(kadr: Call, project: ProjectFolder) -> None:
    keys = (KeyRecord(0, 0, 0, 2), KeyRecord(2, 2, 1, 6), KeyRecord(5, 5, 2, 6))
    write_record(_record(keys=keys, next_key=NextKey(3, 3, 0.05)), project.record)
    make_keys(project.keys, 3)
    repainted = next(path for path in project.keys.iterdir() if "5" in path.stem)
    os.utime(repainted)
    lines = _lines(kadr("status", project.root).out)
    assert lines["keys"] == "3: 0, 3, 5"
    assert lines["since then"].startswith("keys new: 3; repainted: 5; gone: 2; ")
    assert "next" not in lines  # it has been painted


def test_for_programs(kadr: Call, project: ProjectFolder) -> None:
    write_record(_record(next_key=NextKey(3, 3, 0.05)), project.record)
    done = kadr("status", project.root, "--json")
    facts = json.loads(done.out)
    assert facts["keys"] == {"painted": [0, 5], "new": [], "changed": [], "gone": []}
    assert facts["last_run"]["worst_frame"] == 3
    assert facts["last_run"]["next_frame"] == 3
    assert facts["last_run"]["made"] == 6
    assert facts["notices"] == []
    assert facts["work_bytes"] > 0


def test_the_report_speaks_where_work_files_are_gone(kadr: Call, project: ProjectFolder) -> None:
    write_record(_record(), project.out / "report.json")
    assert _lines(kadr("status", project.root).out)["frames"] == "6 of 6 made"


def test_a_damaged_record_is_as_none(kadr: Call, project: ProjectFolder) -> None:
    write_record(_record(), project.record)
    project.record.write_text(project.record.read_text()[:50])
    done = kadr("status", project.root)
    assert done.code == 0
    assert _lines(done.out)["last run"].startswith("none yet")
    assert "ignored" in done.err


def test_a_project_without_its_clip_still_has_a_status(
    kadr: Call, project: ProjectFolder, tmp_path: Path
) -> None:
    text = project.text.replace(project.settings.clip, "nowhere/gone.mp4")
    assert text != project.text
    project.toml.write_text(text.replace(project.settings.sha256, "0" * 64), encoding="utf-8")
    done = kadr("status", project.root)
    assert done.code == 0
    assert _lines(done.out)["clip"] == "missing"
    assert "put it back" in done.out


def test_keys_that_a_stylizer_makes(kadr: Call, video: Path, tmp_path: Path) -> None:
    project = new_project(video, folder=tmp_path / "q.kadr", stylizer="paint", keys_budget=2)
    assert _lines(kadr("status", project.root).out)["keys"] == "made by paint"


def test_keys_still_to_be_painted(kadr: Call, video: Path, tmp_path: Path) -> None:
    project = new_project(video, folder=tmp_path / "q.kadr")
    assert _lines(kadr("status", project.root).out)["keys"].startswith("none yet; paint frames")


def test_what_is_no_project_is_refused(refused: Callable[..., str], tmp_path: Path) -> None:
    assert "not a kadr project" in refused("status", tmp_path)
