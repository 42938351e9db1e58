"""Runs that go on: what is kept is used, what is lost or changed is made again, to the byte."""

from __future__ import annotations

import shutil
from collections.abc import Generator, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kadr.core.events import CancelToken, Event, follow
from kadr.core.frames import Frame, FrameRange
from kadr.dry_run import DryRun, make_dry_run
from kadr.errors import Cancelled, OptionsError
from kadr.files import read_image, write_image
from kadr.options import PropagateOptions, RunOptions
from kadr.pipeline import restyle
from kadr.preview import PreviewResult, preview_frames
from kadr.report.record import read_record
from kadr.storage.budget import folder_bytes
from kadr.storage.store import FolderStore
from kadr.video.clips import open_clip
from scenes import paint, psnr, sliding, write_sequence

COUNT = 44
KEYS = (0, 20, 43)
PASS_FRAMES = 19 + 19 + 22 + 22


@pytest.fixture(scope="module")
def images() -> list[np.ndarray]:
    return sliding(COUNT, 1.3, 0.4, height=40, width=56)


@pytest.fixture(scope="module")
def made(images: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a clip, its keys, and a finished run of them."""
    root = tmp_path_factory.mktemp("made")
    write_sequence(root / "clip", images)
    for key in KEYS:
        write_image(root / "keys" / f"{key:03d}.png", paint(images[key]))
    restyle(_options(root))
    return root


@pytest.fixture
def project(made: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may spoil."""
    root = tmp_path / "project"
    shutil.copytree(made, root)
    return root


def _options(root: Path, **more: Any) -> RunOptions:
    given = {"output": root / "film.mkv", "work": root / "work", "overwrite": True} | more
    return RunOptions(clip=root / "clip", keys=(root / "keys",), **given)


def _frames(root: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted((root / "work" / "frames").iterdir())]


def _store(root: Path) -> FolderStore:
    return FolderStore(root / "work" / "store")


def _entries(root: Path, ending: str = "") -> list[Path]:
    return sorted(p for p in (root / "work/store/propagate").rglob("*.zip") if ending in p.name)


def _lose_frames(root: Path, *indices: int) -> None:
    for index in indices:
        (root / "work" / "frames" / f"frame_{index:05d}.png").unlink()


def _predict(options: RunOptions) -> DryRun:
    return follow(make_dry_run(options))


def test_a_finished_run_computes_nothing_again(project: Path) -> None:
    film = (project / "film.mkv").read_bytes()
    result = restyle(_options(project))
    assert result.computed == 0
    assert result.frame_count == COUNT
    assert (project / "film.mkv").read_bytes() == film
    assert _predict(_options(project)).finished == 0


def test_work_files_can_be_deleted_without_loss(project: Path, made: Path) -> None:
    shutil.rmtree(project / "work" / "store")
    assert restyle(_options(project)).computed == 0
    shutil.rmtree(project / "work")
    assert restyle(_options(project)).computed == PASS_FRAMES
    assert _frames(project) == _frames(made)
    assert (project / "film.mkv").read_bytes() == (made / "film.mkv").read_bytes()


@pytest.mark.parametrize("lost", [[5], [1, 19], [21, 22, 42], list(range(1, 20))])
def test_lost_frames_are_joined_from_what_is_kept(
    project: Path, made: Path, lost: list[int]
) -> None:
    _lose_frames(project, *lost)
    assert _predict(_options(project)).finished == len(lost)
    assert restyle(_options(project)).computed == 0
    assert _frames(project) == _frames(made)


def test_lost_work_files_are_walked_from_the_last_state(project: Path, made: Path) -> None:
    _lose_frames(project, 37)
    for path in _entries(project, "000037"):  # of the forward and the backward pass
        path.unlink()
    expected = _predict(_options(project))
    result = restyle(_options(project))
    assert result.computed == expected.pass_frames == (37 - 36) + (43 - 37)
    assert _frames(project) == _frames(made)


@pytest.mark.parametrize("fault", ["flipped", "cut short", "empty"])
@pytest.mark.parametrize("ending", ["000016.zip", "000016-state.zip", "000010.zip"])
def test_a_damaged_work_file_is_made_again_with_a_note(
    project: Path, made: Path, fault: str, ending: str, caplog: pytest.LogCaptureFixture
) -> None:
    _lose_frames(project, *range(1, 20))
    for path in _entries(project, ending):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 255
        cut = {"flipped": content, "cut short": content[:-40], "empty": b""}[fault]
        path.write_bytes(cut)
    if "state" in ending:  # a state is read only where frames after it are missing
        for path in _entries(project, "000018.zip"):
            path.unlink()
    restyle(_options(project))
    assert _frames(project) == _frames(made)
    if fault == "flipped":
        assert "damaged" in caplog.text


def test_a_damaged_stylized_key_is_read_again(project: Path, made: Path) -> None:
    _lose_frames(project, 0, 5)
    for path in (project / "work/store/stylize").iterdir():
        path.write_bytes(path.read_bytes()[:200])
    assert restyle(_options(project)).computed == 0
    assert _frames(project) == _frames(made)


def test_a_repainted_key_redoes_what_depends_on_it(
    project: Path, images: list[np.ndarray], tmp_path: Path
) -> None:
    before = _frames(project)
    write_image(project / "keys" / "043.png", 255 - paint(images[43]))
    expected = _predict(_options(project))
    assert expected.stylized == (43,)
    (only,) = expected.passes
    assert (only.key, only.forward, only.frames) == (43, False, 22)
    assert only.reason == "key repainted"
    assert expected.finished == 23  # frames 21 to 43
    result = restyle(_options(project))
    assert result.computed == expected.pass_frames == 22
    after = _frames(project)
    assert after[:21] == before[:21]
    fresh = tmp_path / "fresh"
    shutil.copytree(project / "clip", fresh / "clip")
    shutil.copytree(project / "keys", fresh / "keys")
    restyle(_options(fresh))
    assert after == _frames(fresh)
    assert (project / "film.mkv").read_bytes() == (fresh / "film.mkv").read_bytes()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"propagate": PropagateOptions(video_weight=8)}, "video-weight 32.0 → 8"),
        ({"seed": 3}, "seed 0 → 3"),
    ],
)
def test_other_options_make_all_again_and_say_why(
    project: Path, change: Mapping[str, Any], reason: str
) -> None:
    found = _predict(_options(project, **change))
    assert found.pass_frames == PASS_FRAMES
    assert {each.reason for each in found.passes} == {reason}
    assert found.seconds > 0
    assert found.work_bytes > PASS_FRAMES * 1000
    assert restyle(_options(project, **change)).computed == PASS_FRAMES
    assert restyle(_options(project)).computed == 0  # and the old work is still there


def test_a_changed_clip_is_another_clip(project: Path, images: list[np.ndarray]) -> None:
    write_image(project / "clip" / "frame_00030.png", 255 - images[30])
    found = _predict(_options(project))
    assert found.pass_frames == PASS_FRAMES
    assert {each.reason for each in found.passes} == {"the clip's content changed"}


def test_a_longer_range_adds_to_a_pass(project: Path) -> None:
    options = _options(project, frames=FrameRange(0, 40), output=project / "part.mkv")
    found = _predict(options)  # key 43 is outside: key 20 goes on alone to frame 39
    assert found.pass_frames == 0  # as it did before
    assert found.finished == 39 - 20  # but nothing is mixed in now


def test_a_frame_changed_by_hand_is_kept(project: Path, made: Path) -> None:
    mine = np.full((40, 56, 3), 7, np.uint8)
    write_image(project / "work" / "frames" / "frame_00030.png", mine)
    write_image(project / "keys" / "043.png", mine)
    assert _predict(_options(project)).edited == (30,)
    restyle(_options(project, output=project / "out"))
    assert np.array_equal(read_image(project / "out" / "frame_00030.png"), mine)
    record = read_record(project / "work" / "run.json")
    assert record is not None
    assert any("frame_00030.png changed by hand" in note for note in record.notes)


def test_a_limit_for_work_files_holds_and_changes_nothing(project: Path, made: Path) -> None:
    shutil.rmtree(project / "work")
    limit = 400_000
    assert folder_bytes(made / "work" / "store") > limit
    result = restyle(_options(project, work_limit=limit))
    assert result.computed == PASS_FRAMES
    assert folder_bytes(project / "work" / "store") <= limit
    assert _frames(project) == _frames(made)


def test_a_limit_too_small_is_refused_with_what_it_takes(project: Path) -> None:
    shutil.rmtree(project / "work")
    with pytest.raises(OptionsError, match=r"work-limit .*between two keys need about .*raise it"):
        restyle(_options(project, work_limit=20_000))
    assert not list((project / "work" / "frames").glob("*1*.png"))


@pytest.mark.parametrize("stop", [("propagate", 5), ("propagate", 50), ("blend", 3), ("write", 30)])
def test_a_stopped_run_goes_on(project: Path, made: Path, stop: tuple[str, int]) -> None:
    shutil.rmtree(project / "work")
    (project / "film.mkv").unlink()
    cancel = CancelToken()

    def watch(event: Event) -> None:
        if (event.step, event.index) == stop:
            cancel.cancel()

    with pytest.raises(Cancelled):
        restyle(_options(project), on_event=watch, cancel=cancel)
    assert not (project / "film.mkv").exists()
    record = read_record(project / "work" / "run.json")
    assert record is not None
    assert not record.finished
    expected = _predict(_options(project))
    assert expected.pass_frames <= PASS_FRAMES
    result = restyle(_options(project))
    assert result.computed == expected.pass_frames
    assert _frames(project) == _frames(made)
    assert (project / "film.mkv").read_bytes() == (made / "film.mkv").read_bytes()


def _preview(options: RunOptions, frames: FrameRange) -> tuple[list[Frame], PreviewResult]:
    shown: list[Frame] = []

    def collect() -> Generator[Event, None, PreviewResult]:
        work: Iterator[Event | Frame] = preview_frames(options, frames)
        result: PreviewResult
        while True:
            try:
                item = next(work)
            except StopIteration as stop:
                result = stop.value
                return result
            if isinstance(item, Frame):
                shown.append(item)
            else:
                yield item

    return shown, follow(collect())


@pytest.mark.parametrize("frames", [FrameRange(30, 31), FrameRange(18, 23), FrameRange(0, 2)])
def test_a_preview_of_a_finished_run_is_the_run(project: Path, frames: FrameRange) -> None:
    shown, result = _preview(_options(project), frames)
    assert result == PreviewResult(len(frames), 0, True)
    assert [frame.index for frame in shown] == list(frames)
    for frame in shown:
        path = project / "work" / "frames" / f"frame_{frame.index:05d}.png"
        assert np.array_equal(frame.image, read_image(path))


def test_a_preview_after_a_repaint_is_quick_and_near(
    project: Path, images: list[np.ndarray]
) -> None:
    write_image(project / "keys" / "043.png", 255 - paint(images[43]))
    write_image(project / "keys" / "020.png", 255 - paint(images[20]))
    results = [
        path for part in ("store", "frames") for path in (project / "work" / part).rglob("*")
    ]
    shown, result = _preview(_options(project), FrameRange(24, 25))
    assert not result.exact
    assert 0 < result.computed <= 4 + 6  # from key 20, and from frame 27 of the pass before
    for part in ("store", "frames"):  # what is known of the clip may be noted meanwhile
        assert set((project / "work" / part).rglob("*")) <= {*results}
    restyle(_options(project))
    real = read_image(project / "work" / "frames" / "frame_00024.png")
    assert psnr(shown[0].image, real) > 24


def test_a_preview_before_any_run_starts_at_the_keys(project: Path, made: Path) -> None:
    shutil.rmtree(project / "work")
    shown, result = _preview(_options(project), FrameRange(3, 4))
    assert result.computed > 0
    real = read_image(made / "work" / "frames" / "frame_00003.png")
    assert psnr(shown[0].image, real) > 24


def test_a_preview_of_frames_that_are_not_there(project: Path) -> None:
    with pytest.raises(OptionsError, match=r"frames 40–59: the run has frames 0–43"):
        _preview(_options(project), FrameRange(40, 60))


def test_the_record_says_what_was_measured(project: Path) -> None:
    record = read_record(project / "work" / "run.json")
    assert record is not None
    assert record.finished
    assert record.rendered_count == COUNT
    errors = [record.error(index) for index in range(COUNT)]
    assert [errors[key] for key in KEYS] == [0.0] * 3
    assert all(error is not None and 0 <= error < 0.5 for error in errors)
    steps = {step.name: step for step in record.steps}
    assert list(steps) == ["plan", "stylize", "propagate", "blend", "write"]
    assert all(step.seconds > 0 for step in record.steps)
    assert sum(step.seconds for step in record.steps) < record.seconds
    assert steps["propagate"].computed + steps["propagate"].reused > COUNT
    assert steps["blend"].computed + steps["blend"].reused == steps["write"].computed == COUNT


def test_two_runs_may_share_a_work_folder(project: Path, made: Path) -> None:
    part = replace(_options(project), frames=FrameRange(5, 30), output=project / "part.mkv")
    restyle(part)
    with open_clip(project / "part.mkv") as film:
        assert len(film) == 25
    restyle(_options(project))
    assert _frames(project) == _frames(made)
