"""Compare two methods side by side: measures with known answers, the video, errors."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kadr.cli.main import main
from kadr.compare import compare_methods
from kadr.core.events import Event, follow
from kadr.core.frames import FrameRange
from kadr.errors import FolderInUseError, OutputError
from kadr.options import RunOptions, detail_options
from kadr.pipeline import RunResult, restyle_events
from kadr.storage.lock import lock_folder
from kadr.storage.ownership import adopt_folder
from kadr.video.clips import open_clip
from kadr.video.side_by_side import Heading, SideBySide
from scenes import sliding, write_sequence

RUN = ("--stylizer", "paint", "--keys-budget", "2", "--every", "2", "--detail", "draft")


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KADR_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_sequence(tmp_path / "clip", sliding(12, 1.0, height=48, width=64), 1)


def test_panels_are_below_their_headings() -> None:
    panels = SideBySide([Heading("filmed"), Heading("made", ("1 s", "2 frames"))], (400, 200))
    black, white = np.zeros((200, 400, 3), np.uint8), np.full((200, 400, 3), 255, np.uint8)
    frame = panels.frame([black, white])
    height, width = frame.shape[:2]
    assert height % 2 == width % 2 == 0
    assert height > 200
    assert frame[-1, 10].tolist() == [0, 0, 0]
    assert frame[-1, -10].tolist() == [255, 255, 255]
    assert frame[: height - 200].max() > 200, "text in the headings"


def test_both_methods_side_by_side(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "beside.mp4"
    assert main(["compare", str(clip), "-o", str(out), *RUN, "--json"]) == 0
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    keys, every = summary["methods"]
    assert (keys["name"], every["name"]) == ("keyframes", "every 2")
    assert (keys["styled"], every["styled"]) == (2, 7)
    assert keys["frames"] == every["frames"] == 12
    assert keys["measures"]["warp"] > 0
    with open_clip(out) as film:
        assert len(film) == 12
        assert film.info.width > 3 * 300
    for method in summary["methods"]:
        with open_clip(method["output"]) as film:
            assert (len(film), film.info.width) == (12, 64)
    assert main(["compare", str(clip), "-o", str(out), *RUN]) == 2
    assert "beside.mp4: exists already" in capsys.readouterr().err
    again = ["compare", str(clip), "-o", str(out), *RUN, "--overwrite", "--json"]
    assert main(again) == 0
    steps = {json.loads(line).get("step") for line in capsys.readouterr().out.splitlines()}
    assert "keyframes: stylize" not in steps, "all keys are stored"


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[RunOptions]:
    """The options of all runs that a comparison starts."""
    started: list[RunOptions] = []

    def spy(options: RunOptions, *arguments: Any) -> Generator[Event, None, RunResult]:
        started.append(options)
        return restyle_events(options, *arguments)

    monkeypatch.setattr("kadr.compare.restyle_events", spy)
    return started


def _options(clip: Path, detail: str = "draft", **values: Any) -> RunOptions:
    folder = clip.parent
    return RunOptions(
        clip,
        folder / "beside.mp4",
        stylizer="paint",
        keys_budget=2,
        every_frame=True,
        every=2,
        propagate=detail_options(detail),
        overwrite=True,
        **{"work": folder / "work", **values},
    )


def test_a_sequence_plays_at_the_frame_rate_of_the_options(clip: Path) -> None:
    options = _options(clip, frame_rate=12.0)
    comparison = follow(compare_methods(options), None)
    for output in (comparison.output, *(method.output for method in comparison.methods)):
        with open_clip(output) as video:
            assert video.info.frame_rate == 12


def test_methods_with_results_of_an_earlier_run_are_reported_as_resumed(clip: Path) -> None:
    assert [method.resumed for method in follow(compare_methods(_options(clip)), None).methods] == [
        False,
        False,
    ]
    assert [method.resumed for method in follow(compare_methods(_options(clip)), None).methods] == [
        True,
        True,
    ]
    other = follow(compare_methods(_options(clip, "low")), None)
    assert [method.resumed for method in other.methods] == [True, True], "the keys are stored"


def test_a_warm_up_run_comes_before_the_timed_runs(clip: Path, runs: list[RunOptions]) -> None:
    follow(compare_methods(_options(clip, frames=FrameRange(3, 9))), None)
    warm_up, *methods = runs
    assert (warm_up.frames, warm_up.every_frame, warm_up.keys_budget) == (
        FrameRange(3, 5),
        False,
        1,
    )
    assert warm_up.work is None
    assert [run.every_frame for run in methods] == [False, True]


def test_the_folder_of_a_method_may_not_be_a_link(clip: Path, tmp_path: Path) -> None:
    options, outside = _options(clip), tmp_path / "outside"
    assert options.work is not None
    adopt_folder(options.work)
    outside.mkdir()
    try:
        (options.work / "keyframes").symlink_to(outside)
    except OSError:
        pytest.skip("links need rights on Windows")
    with pytest.raises(OutputError, match="keyframes: is a link; delete it"):
        follow(compare_methods(options), None)
    assert list(outside.iterdir()) == []


def test_a_comparison_locks_the_folder_of_both_methods(clip: Path) -> None:
    options = _options(clip)
    assert options.work is not None
    with lock_folder(options.work), pytest.raises(FolderInUseError):
        follow(compare_methods(options), None)


@pytest.mark.parametrize("name", ["beside", "beside-keyframes", "beside-every-frame"])
def test_existing_outputs_are_refused_before_any_run(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (tmp_path / f"{name}.mp4").write_bytes(b"mine")
    out = str(tmp_path / "beside.mp4")
    assert main(["compare", str(clip), "-o", out, *RUN, "--json"]) == 2
    printed = capsys.readouterr()
    assert f"{name}.mp4: exists already" in printed.out + printed.err
    assert '"step"' not in printed.out
    assert not (tmp_path / "cache").exists()


def test_errors_say_what_is_wrong(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments, message in (
        (["-o", str(tmp_path / "o.mp4"), "--stylizer", "external"], "compare: needs a stylizer"),
        (["-o", str(tmp_path / "frames"), *RUN], "expected a video file"),
        (["-o", str(tmp_path / "o.mp4")], "no model"),
    ):
        assert main(["compare", str(clip), *arguments]) == 2
        assert message in capsys.readouterr().err
