"""Both ways of restyling side by side: measures with known answers, the video, bad ends."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kadr.cli.main import main
from kadr.compare import _MeasureSums, compare_methods
from kadr.core.events import Event, follow
from kadr.core.frames import FrameRange, Image
from kadr.options import RunOptions, detail_options
from kadr.pipeline import RunResult, restyle_events
from kadr.video.clips import open_clip
from kadr.video.side_by_side import Heading, SideBySide
from scenes import sliding, texture, write_sequence

RUN = ("--stylizer", "paint", "--keys-budget", "2", "--every", "2", "--detail", "draft")


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KADR_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_sequence(tmp_path / "clip", sliding(12, 1.0, height=48, width=64), 1)


def _measure(filmed: list[Image], styled: list[Image], dx: float) -> _MeasureSums:
    measure = _MeasureSums()
    back = np.zeros((*filmed[0].shape[:2], 2), np.float32)
    back[..., 0] = -dx
    seen = np.ones(back.shape[:2], np.bool_)
    seen[:, :8] = False
    for at in range(1, len(filmed)):
        measure.add((filmed[at - 1], filmed[at]), (styled[at - 1], styled[at]), back, seen)
    return measure


def test_what_moves_along_is_steady_and_what_stays_is_not() -> None:
    rng = np.random.default_rng(3)
    noise = [rng.integers(-4, 5, (48, 64, 3)) for _ in range(6)]
    moving = sliding(6, 4.0, height=48, width=64)
    filmed = [np.clip(i + n, 0, 255).astype(np.uint8) for i, n in zip(moving, noise, strict=True)]
    along = _measure(filmed, [255 - image for image in filmed], 4.0).result()
    assert along.warp == pytest.approx(1.0)
    assert along.flicker is None, "nothing stands still"
    stuck = _measure(filmed, [texture(48, 64)] * 6, 4.0).result()
    assert stuck.warp > 3


def test_flicker_is_change_where_nothing_moves() -> None:
    rng = np.random.default_rng(3)
    still = texture(48, 64)
    filmed = [
        np.clip(still + rng.integers(-2, 3, still.shape), 0, 255).astype(np.uint8) for _ in range(5)
    ]
    twice = [np.clip(still + (i.astype(int) - still) * 2, 0, 255).astype(np.uint8) for i in filmed]
    assert _measure(filmed, twice, 0.0).result().flicker == pytest.approx(2, abs=0.1)
    assert _measure(filmed, [still] * 5, 0.0).result().flicker == 0


def test_panels_stand_under_their_headings() -> None:
    beside = SideBySide([Heading("filmed"), Heading("made", ("1 s", "2 frames"))], (400, 200))
    black, white = np.zeros((200, 400, 3), np.uint8), np.full((200, 400, 3), 255, np.uint8)
    picture = beside.frame([black, white])
    height, width = picture.shape[:2]
    assert height % 2 == width % 2 == 0
    assert height > 200
    assert picture[-1, 10].tolist() == [0, 0, 0]
    assert picture[-1, -10].tolist() == [255, 255, 255]
    assert picture[: height - 200].max() > 200, "words"


def test_both_methods_side_by_side(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "beside.mp4"
    assert main(["compare", str(clip), "-o", str(out), *RUN, "--json"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    keys, every = told["methods"]
    assert (keys["name"], every["name"]) == ("keyframes", "every 2")
    assert (keys["styled"], every["styled"]) == (2, 7)
    assert keys["frames"] == every["frames"] == 12
    assert keys["measures"]["warp"] > 0
    with open_clip(out) as made:
        assert len(made) == 12
        assert made.info.width > 3 * 300
    for way in told["methods"]:
        with open_clip(way["output"]) as made:
            assert (len(made), made.info.width) == (12, 64)
    assert main(["compare", str(clip), "-o", str(out), *RUN]) == 2
    assert "beside.mp4: exists already" in capsys.readouterr().err
    again = ["compare", str(clip), "-o", str(out), *RUN, "--overwrite", "--json"]
    assert main(again) == 0
    steps = {json.loads(line).get("step") for line in capsys.readouterr().out.splitlines()}
    assert "keyframes: stylize" not in steps, "all is kept"


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[RunOptions]:
    """The options of all runs that comparisons start."""
    seen: list[RunOptions] = []

    def spy(options: RunOptions, *rest: Any) -> Generator[Event, None, RunResult]:
        seen.append(options)
        return restyle_events(options, *rest)

    monkeypatch.setattr("kadr.compare.restyle_events", spy)
    return seen


def _options(clip: Path, detail: str = "draft", **values: Any) -> RunOptions:
    place = clip.parent
    return RunOptions(
        clip,
        place / "beside.mp4",
        stylizer="paint",
        keys_budget=2,
        every_frame=True,
        every=2,
        propagate=detail_options(detail),
        overwrite=True,
        **{"work": place / "work", **values},
    )


def test_a_sequence_plays_at_the_frame_rate_of_the_options(clip: Path) -> None:
    options = _options(clip, frame_rate=12.0)
    comparison = follow(compare_methods(options), None)
    for output in (comparison.output, *(method.output for method in comparison.methods)):
        with open_clip(output) as video:
            assert video.info.frame_rate == 12


def test_what_an_earlier_run_made_is_said_to_be_kept(clip: Path) -> None:
    assert [method.resumed for method in follow(compare_methods(_options(clip)), None).methods] == [
        False,
        False,
    ]
    assert [method.resumed for method in follow(compare_methods(_options(clip)), None).methods] == [
        True,
        True,
    ]
    other = follow(compare_methods(_options(clip, "low")), None)
    assert [method.resumed for method in other.methods] == [True, True], "keys are"


def test_styling_and_carrying_are_warmed_up_untimed(clip: Path, runs: list[RunOptions]) -> None:
    follow(compare_methods(_options(clip, frames=FrameRange(3, 9))), None)
    warm, *ways = runs
    assert (warm.frames, warm.every_frame, warm.keys_budget) == (FrameRange(3, 5), False, 1)
    assert warm.work is None
    assert [way.every_frame for way in ways] == [False, True]


@pytest.mark.parametrize("name", ["beside", "beside-keyframes", "beside-every-frame"])
def test_what_exists_is_seen_before_any_work(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (tmp_path / f"{name}.mp4").write_bytes(b"mine")
    out = str(tmp_path / "beside.mp4")
    assert main(["compare", str(clip), "-o", out, *RUN, "--json"]) == 2
    told = capsys.readouterr()
    assert f"{name}.mp4: exists already" in told.out + told.err
    assert '"step"' not in told.out
    assert not (tmp_path / "cache").exists()


def test_bad_ends(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, told in (
        (["-o", str(tmp_path / "o.mp4"), "--stylizer", "external"], "no keys"),
        (["-o", str(tmp_path / "frames"), *RUN], "expected a video file"),
        (["-o", str(tmp_path / "o.mp4")], "no model"),
    ):
        assert main(["compare", str(clip), *words]) == 2
        assert told in capsys.readouterr().err
