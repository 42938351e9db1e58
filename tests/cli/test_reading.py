"""How clips are read: the options, and the same notices from every command and the studio."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_samples import Call, frames_of

from kadr.core.events import CancelToken
from kadr.studio.worker.call import Call as WorkerCall
from kadr.studio.worker.project_calls import describe
from video.interlaced_samples import FLAGGED, moving, woven, write_video

NOTICE = "marked as interlaced"


@pytest.fixture(scope="module")
def interlaced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve interlaced frames."""
    frames = woven(moving(24, size=(96, 64)), top_first=False)
    return write_video(tmp_path_factory.mktemp("reading") / "camera.mp4", frames, options=FLAGGED)


def test_all_commands_tell_the_same(kadr: Call, interlaced: Path, tmp_path: Path) -> None:
    project = tmp_path / "camera.kadr"
    facts = json.loads(kadr("info", interlaced, "--json").out)
    (notice,) = facts["notices"]
    assert NOTICE in notice
    commands = (
        ("new", interlaced, "-o", project),
        ("plan", interlaced, "--dry-run"),
        ("frames", interlaced, tmp_path / "frames"),
        ("run", interlaced, "--stylizer", "ink", "--frames", "0:1", "-o", tmp_path / "a.mp4"),
    )
    for command in commands:
        done = kadr(*command)
        assert done.code == 0, done
        assert notice in done.err, command
    told = describe(WorkerCall({"root": str(project)}, CancelToken()))["clip"]["notices"]
    assert [text.split(": ", 1)[1] for text in told] == [notice.split(": ", 1)[1]]
    assert told[0].startswith("camera.mp4: ")


def test_deinterlacing_is_turned_off(kadr: Call, interlaced: Path, tmp_path: Path) -> None:
    pictures = []
    for number, options in enumerate(((), ("--deinterlace", "off"))):
        folder = tmp_path / str(number)
        done = kadr("frames", interlaced, folder, *options)
        assert done.code == 0
        assert (NOTICE in done.err) is not bool(options)
        pictures.append(frames_of(folder))
    assert len(pictures[0]) == len(pictures[1]) == 12
    assert abs(pictures[0][6].astype(int) - pictures[1][6]).max() > 20


def test_a_project_keeps_how_its_clip_is_read(kadr: Call, interlaced: Path, tmp_path: Path) -> None:
    project = tmp_path / "camera.kadr"
    assert kadr("new", interlaced, "-o", project, "--deinterlace", "off").code == 0
    assert '\ndeinterlace = "off"' in (project / "project.toml").read_text()
    facts = describe(WorkerCall({"root": str(project)}, CancelToken()))
    assert facts["clip"]["notices"] == []
    assert facts["source"]["reading"]["deinterlace"] == "off"


@pytest.mark.parametrize("command", ["info", "run"])
def test_an_unknown_choice_is_refused(
    kadr: Call, interlaced: Path, tmp_path: Path, command: str
) -> None:
    output = ("--stylizer", "ink", "-o", tmp_path / "a.mp4") if command == "run" else ()
    done = kadr(command, interlaced, "--deinterlace", "bob", *output)
    assert done.code == 2
    assert done.err == "error: deinterlace 'bob': expected one of auto, on, off\n"
    assert not list(tmp_path.iterdir())
