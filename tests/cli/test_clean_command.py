from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from cli_samples import Call

from kadr import new_project
from kadr.project.folder import ProjectFolder
from kadr.storage.cache import cache_folder
from kadr.storage.ownership import adopt_folder
from kadr.storage.store import FolderStore


@pytest.fixture
def project(video: Path, keys: Path, tmp_path: Path) -> ProjectFolder:
    """A project with two entries in its store and a file of somebody else."""
    new = new_project(video, [keys], tmp_path / "p.kadr")
    _fill(new.work)
    (new.work / "mine.txt").write_text("mine")
    return new


def _fill(work: Path) -> None:
    adopt_folder(work)
    for name in ("ab" * 16, "cd" * 16):
        FolderStore(work / "store").put(name, {"image": np.zeros((40, 40, 3), np.uint8)})


def _stored(work: Path) -> list[str]:
    return sorted(path.name for path in work.rglob("*.zip"))


def test_a_dry_run_says_what_would_go_and_deletes_nothing(
    kadr: Call, project: ProjectFolder
) -> None:
    size = sum(path.stat().st_size for path in project.work.rglob("*.zip"))
    done = kadr("clean", project.root, "--dry-run", "--json")
    assert done.code == 0
    assert done.objects[-1] == {
        "event": "result",
        "folders": [str(project.work)],
        "files": done.objects[-1]["files"],
        "bytes": done.objects[-1]["bytes"],
        "freed": 0,
        "kept": [str(project.work / "mine.txt")],
    }
    assert done.objects[-1]["files"] >= 2
    assert done.objects[-1]["bytes"] >= size
    assert _stored(project.work) == [f"{name * 16}.zip" for name in ("ab", "cd")]


def test_it_deletes_what_the_dry_run_lists(kadr: Call, project: ProjectFolder) -> None:
    facts = kadr("clean", project.root, "--dry-run", "--json").objects[-1]
    done = kadr("clean", project.root, "--yes", "--json").objects[-1]
    assert (done["files"], done["freed"]) == (facts["files"], facts["bytes"])
    assert _stored(project.work) == []
    assert (project.work / "mine.txt").exists()
    assert len(list(project.keys.iterdir())) == 2
    assert kadr("clean", project.root).out == "nothing to clean\n"


def test_notices_list_what_is_deleted_and_what_stays(kadr: Call, project: ProjectFolder) -> None:
    done = kadr("clean", project.root, "-y")
    assert "results of steps: 2 files, " in done.err
    assert "not made by kadr: mine.txt" in done.err
    assert done.out.startswith("freed ")


def test_without_a_terminal_nothing_is_deleted(kadr: Call, project: ProjectFolder) -> None:
    done = kadr("clean", project.root)
    assert done.code == 2
    assert done.err.endswith(
        "cannot ask for confirmation here; give --yes to delete, or --dry-run to look\n"
    )
    assert len(_stored(project.work)) == 2


@pytest.mark.parametrize(("answer", "remaining"), [("n\n", 2), ("\n", 2), ("y\n", 0)])
def test_it_asks(
    answer: str, remaining: int, kadr: Call, project: ProjectFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    stdin = io.StringIO(answer)
    stdin.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr("sys.stdin", stdin)
    done = kadr("clean", project.root)
    assert done.code == 0
    assert "Delete " in done.err
    assert len(_stored(project.work)) == remaining


def test_caches_of_runs_without_a_project(
    kadr: Call, project: ProjectFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KADR_CACHE", str(tmp_path / "cache"))
    folder = cache_folder("a.mp4", "b.mp4")
    _fill(folder)
    done = kadr("clean", "--all-caches", "--yes", "--json")
    assert done.objects[-1]["folders"] == [str(folder)]
    assert not folder.exists()
    assert len(_stored(project.work)) == 2


def test_something_to_clean_must_be_named(refused: Callable[..., str], tmp_path: Path) -> None:
    assert "NAME.kadr" in refused("clean")
    assert "not a kadr project" in refused("clean", tmp_path)
