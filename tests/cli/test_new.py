"""``kadr new``: projects, messages and errors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cli_samples import Call

from kadr import Span, open_project
from kadr.cli.main import app
from kadr.project.schema import run_fields


def test_a_project_is_made_and_says_how_to_go_on(
    kadr: Call, video: Path, keys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = kadr("new", video, "--keys", keys)
    assert done.code == 0
    assert done.out == "clip.kadr: a new project with 2 keys; go on with kadr run clip.kadr\n"
    project = open_project(tmp_path / "clip.kadr")
    assert project.locate().path == video
    assert sorted(path.name for path in project.keys.iterdir()) == ["00000.png", "00005.png"]


def test_options_reach_the_project(kadr: Call, video: Path, keys: Path, tmp_path: Path) -> None:
    files = sorted(keys.iterdir())
    arguments = ["--keys", files[0], files[1], "--range", "0:0:4", "--frames", "0:4"]
    arguments += ["--detail", "draft", "--mapping", "3", "--crf", "20", "--work-limit", "2GB"]
    arguments += ["--workers", "1", "--max-gap", "40", "--to", tmp_path / "x.mkv"]
    done = kadr("new", video, "-o", tmp_path / "p.kadr", "--json", *arguments)
    assert done.code == 0, done
    assert done.objects[-1]["keys"] == 2
    project = open_project(tmp_path / "p.kadr")
    assert project.settings.detail == "draft"
    options = project.options()
    assert options.ranges == (Span(0, 0, 5),)
    assert options.propagate.mapping == 3
    assert (options.crf, options.work_limit, options.workers) == (20, 2 * 10**9, 1)
    assert options.max_gap == 40
    assert Path(options.output).resolve() == tmp_path / "x.mkv"


def test_without_keys_it_says_where_they_go(kadr: Call, video: Path, tmp_path: Path) -> None:
    done = kadr("new", video, "-o", tmp_path / "p.kadr")
    assert f"with 0 keys; paint keys into {tmp_path / 'p.kadr' / 'keys'}" in done.out
    done = kadr("new", video, "-o", tmp_path / "q.kadr", "--stylizer", "paint", "-O", "radius=5")
    assert "paint keys" not in done.out
    assert open_project(tmp_path / "q.kadr").options().stylizer_options == {"radius": 5.0}


def test_errors_are_one_line(
    refused: Callable[..., str], video: Path, keys: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "p.kadr"
    assert "crf 99: expected 0 to 63" in refused("new", video, "-o", folder, "--crf", "99")
    assert "no frame 9" in refused("new", video, "-o", folder, "--range", "0:3:9")
    assert "fps fast" in refused("new", video, "-o", folder, "--fps", "fast")
    assert "one clip at a time" in refused("new", video, keys, "-o", folder)
    assert "work-limit much" in refused("new", video, "-o", folder, "--work-limit", "much")
    assert not folder.exists()
    folder.mkdir()
    (folder / "x").touch()
    assert "exists already" in refused("new", video, "-o", folder)


def test_every_setting_of_a_project_is_an_option() -> None:
    """``kadr new`` has every field of RunOptions that a project file may hold."""
    import inspect

    command = next(item for item in app.registered_commands if item.name == "new")
    assert command.callback is not None
    taken = set(inspect.signature(command.callback).parameters)
    assert set(run_fields()) <= taken
