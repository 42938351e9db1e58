"""Resume runs: use stored results, compute missing or changed ones again, to the byte."""

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
from kadr.image_files import read_image, write_image
from kadr.options import RunOptions, detail_options
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
def finished_run(images: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a clip, its keys and a finished run."""
    root = tmp_path_factory.mktemp("finished")
    write_sequence(root / "clip", images)
    for key in KEYS:
        write_image(root / "keys" / f"{key:03d}.png", paint(images[key]))
    restyle(_options(root))
    return root


@pytest.fixture
def project(finished_run: Path, tmp_path: Path) -> Path:
    """A copy of the finished run that a test may change."""
    root = tmp_path / "project"
    shutil.copytree(finished_run, root)
    return root


def _options(root: Path, **changes: Any) -> RunOptions:
    values = {
        "output": root / "film.mkv", "work": root / "work", "overwrite": True,
        "propagate": detail_options("draft"),
    } | changes  # fmt: skip
    return RunOptions(clip=root / "clip", keys=(root / "keys",), **values)


def _frames(root: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted((root / "work" / "frames").iterdir())]


def _store(root: Path) -> FolderStore:
    return FolderStore(root / "work" / "store")


def _entries(root: Path, ending: str = "") -> list[Path]:
    return sorted(p for p in (root / "work/store/propagate").rglob("*.zip") if ending in p.name)


def _delete_frames(root: Path, *indices: int) -> None:
    for index in indices:
        (root / "work" / "frames" / f"frame_{index:05d}.png").unlink()


def _dry_run(options: RunOptions) -> DryRun:
    return follow(make_dry_run(options))


def test_a_finished_run_computes_nothing_again(project: Path) -> None:
    film = (project / "film.mkv").read_bytes()
    result = restyle(_options(project))
    assert result.computed == 0
    assert result.frame_count == COUNT
    assert (project / "film.mkv").read_bytes() == film
    assert _dry_run(_options(project)).finished == 0


def test_work_files_can_be_deleted_without_loss(project: Path, finished_run: Path) -> None:
    shutil.rmtree(project / "work" / "store")
    assert restyle(_options(project)).computed == 0
    shutil.rmtree(project / "work")
    assert restyle(_options(project)).computed == PASS_FRAMES
    assert _frames(project) == _frames(finished_run)
    assert (project / "film.mkv").read_bytes() == (finished_run / "film.mkv").read_bytes()


@pytest.mark.parametrize("missing", [[5], [1, 19], [21, 22, 42], list(range(1, 20))])
def test_missing_frames_are_blended_from_stored_passes(
    project: Path, finished_run: Path, missing: list[int]
) -> None:
    _delete_frames(project, *missing)
    assert _dry_run(_options(project)).finished == len(missing)
    assert restyle(_options(project)).computed == 0
    assert _frames(project) == _frames(finished_run)


def test_missing_pass_frames_are_computed_from_the_last_state(
    project: Path, finished_run: Path
) -> None:
    _delete_frames(project, 37)
    for path in _entries(project, "000037"):  # of the forward and the backward pass
        path.unlink()
    expected = _dry_run(_options(project))
    result = restyle(_options(project))
    assert result.computed == expected.pass_frames == (37 - 36) + (43 - 37)
    assert _frames(project) == _frames(finished_run)


@pytest.mark.parametrize("fault", ["flipped", "cut short", "empty"])
@pytest.mark.parametrize("ending", ["000016.zip", "000016-state.zip", "000010.zip"])
def test_a_damaged_work_file_is_computed_again_with_a_warning(
    project: Path, finished_run: Path, fault: str, ending: str, caplog: pytest.LogCaptureFixture
) -> None:
    _delete_frames(project, *range(1, 20))
    for path in _entries(project, ending):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 255
        damaged = {"flipped": content, "cut short": content[:-40], "empty": b""}[fault]
        path.write_bytes(damaged)
    if "state" in ending:  # a state is read only where frames after it are missing
        for path in _entries(project, "000018.zip"):
            path.unlink()
    restyle(_options(project))
    assert _frames(project) == _frames(finished_run)
    if fault == "flipped":
        assert "damaged" in caplog.text


def test_any_number_of_damaged_work_files_are_computed_again(
    project: Path, finished_run: Path
) -> None:
    """A power cut takes all that was not on the disk yet, and leaves the names."""
    _delete_frames(project, *range(1, 20))
    for number in range(2, 19, 2):
        for path in _entries(project, f"{number:06d}.zip"):
            content = bytearray(path.read_bytes())
            content[100:400] = bytes(300)
            path.write_bytes(content)
    restyle(_options(project))
    assert _frames(project) == _frames(finished_run)


@pytest.mark.parametrize("fault", ["flipped", "cut short", "empty", "zeros"])
def test_damaged_finished_frames_are_made_again(
    project: Path, finished_run: Path, fault: str
) -> None:
    paths = sorted((project / "work" / "frames").iterdir())
    for path in (paths[0], paths[7]):  # a key and a blended frame
        content = bytearray(path.read_bytes())
        content[len(content) * 2 // 3] ^= 4
        zeros = bytes(len(content))
        damaged = {"flipped": content, "cut short": content[:900], "empty": b"", "zeros": zeros}
        path.write_bytes(damaged[fault])
    assert _dry_run(_options(project)).finished == 2
    restyle(_options(project))
    assert _frames(project) == _frames(finished_run)
    assert (project / "film.mkv").read_bytes() == (finished_run / "film.mkv").read_bytes()


def test_a_damaged_stylized_key_is_read_again(project: Path, finished_run: Path) -> None:
    _delete_frames(project, 0, 5)
    for path in (project / "work/store/stylize").iterdir():
        path.write_bytes(path.read_bytes()[:200])
    assert restyle(_options(project)).computed == 0
    assert _frames(project) == _frames(finished_run)


def test_a_repainted_key_recomputes_what_depends_on_it(
    project: Path, images: list[np.ndarray], tmp_path: Path
) -> None:
    before = _frames(project)
    write_image(project / "keys" / "043.png", 255 - paint(images[43]))
    expected = _dry_run(_options(project))
    assert expected.stylized == (43,)
    (key_pass,) = expected.passes
    assert (key_pass.key, key_pass.forward, key_pass.frames) == (43, False, 22)
    assert key_pass.reason == "key repainted"
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
        ({"propagate": replace(detail_options("draft"), video_weight=8)}, "video-weight 32.0 → 8"),
        ({"seed": 3}, "seed 0 → 3"),
    ],
)
def test_changed_options_recompute_all_passes_with_a_reason(
    project: Path, change: Mapping[str, Any], reason: str
) -> None:
    dry_run = _dry_run(_options(project, **change))
    assert dry_run.pass_frames == PASS_FRAMES
    assert {key_pass.reason for key_pass in dry_run.passes} == {reason}
    assert dry_run.seconds > 0
    assert dry_run.work_bytes > PASS_FRAMES * 1000
    assert restyle(_options(project, **change)).computed == PASS_FRAMES
    assert restyle(_options(project)).computed == 0  # the old passes are still stored


def test_a_changed_clip_recomputes_all_passes(project: Path, images: list[np.ndarray]) -> None:
    write_image(project / "clip" / "frame_00030.png", 255 - images[30])
    dry_run = _dry_run(_options(project))
    assert dry_run.pass_frames == PASS_FRAMES
    assert {key_pass.reason for key_pass in dry_run.passes} == {"the clip's content changed"}


def test_a_run_of_fewer_frames_uses_the_stored_passes(project: Path) -> None:
    options = _options(project, frames=FrameRange(0, 40), output=project / "part.mkv")
    dry_run = _dry_run(options)  # key 43 is outside: only key 20 covers frames 21 to 39
    assert dry_run.pass_frames == 0  # its pass is stored
    assert dry_run.finished == 39 - 20  # blended without key 43 now


def test_an_edited_frame_is_kept(project: Path, finished_run: Path) -> None:
    edited = np.full((40, 56, 3), 7, np.uint8)
    write_image(project / "work" / "frames" / "frame_00030.png", edited)
    write_image(project / "keys" / "043.png", edited)
    dry_run = _dry_run(_options(project))
    assert dry_run.edited == (30,)
    assert dry_run.edited_files == (project / "work" / "frames" / "frame_00030.png",)
    restyle(_options(project, output=project / "out"))
    assert np.array_equal(read_image(project / "out" / "frame_00030.png"), edited)
    record = read_record(project / "work" / "run.json")
    assert record is not None
    assert any("frame_00030.png changed by hand" in note for note in record.notes)


def test_a_work_limit_holds_and_changes_no_frame(project: Path, finished_run: Path) -> None:
    shutil.rmtree(project / "work")
    limit = 400_000
    assert folder_bytes(finished_run / "work" / "store") > limit
    result = restyle(_options(project, work_limit=limit))
    assert result.computed == PASS_FRAMES
    assert folder_bytes(project / "work" / "store") <= limit
    assert _frames(project) == _frames(finished_run)


def test_a_work_limit_that_is_too_small_is_refused_with_the_needed_size(project: Path) -> None:
    shutil.rmtree(project / "work")
    with pytest.raises(OptionsError, match=r"work-limit 20\.0 KB: .* need about \S+ KB; raise"):
        restyle(_options(project, work_limit=20_000))
    assert not list((project / "work" / "frames").glob("*1*.png"))


@pytest.mark.parametrize("stop", [("propagate", 5), ("propagate", 50), ("blend", 3), ("write", 30)])
def test_a_cancelled_run_resumes(project: Path, finished_run: Path, stop: tuple[str, int]) -> None:
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
    expected = _dry_run(_options(project))
    assert expected.pass_frames <= PASS_FRAMES
    result = restyle(_options(project))
    assert result.computed == expected.pass_frames
    assert _frames(project) == _frames(finished_run)
    assert (project / "film.mkv").read_bytes() == (finished_run / "film.mkv").read_bytes()


def _preview(options: RunOptions, frames: FrameRange) -> tuple[list[Frame], PreviewResult]:
    previewed: list[Frame] = []

    def collect() -> Generator[Event, None, PreviewResult]:
        items: Iterator[Event | Frame] = preview_frames(options, frames)
        result: PreviewResult
        while True:
            try:
                item = next(items)
            except StopIteration as stop:
                result = stop.value
                return result
            if isinstance(item, Frame):
                previewed.append(item)
            else:
                yield item

    return previewed, follow(collect())


@pytest.mark.parametrize("frames", [FrameRange(30, 31), FrameRange(18, 23), FrameRange(0, 2)])
def test_a_preview_of_a_finished_run_shows_its_frames(project: Path, frames: FrameRange) -> None:
    previewed, result = _preview(_options(project), frames)
    assert result == PreviewResult(len(frames), 0, True)
    assert [frame.index for frame in previewed] == list(frames)
    for frame in previewed:
        path = project / "work" / "frames" / f"frame_{frame.index:05d}.png"
        assert np.array_equal(frame.image, read_image(path))


def test_a_preview_after_a_repaint_is_quick_and_similar(
    project: Path, images: list[np.ndarray]
) -> None:
    write_image(project / "keys" / "043.png", 255 - paint(images[43]))
    write_image(project / "keys" / "020.png", 255 - paint(images[20]))
    files = [path for part in ("store", "frames") for path in (project / "work" / part).rglob("*")]
    previewed, result = _preview(_options(project), FrameRange(24, 25))
    assert not result.exact
    assert 0 < result.computed <= 4 + 6  # from key 20, and from frame 27 of the pass before
    for part in ("store", "frames"):  # other folders may store facts about the clip
        assert set((project / "work" / part).rglob("*")) <= {*files}
    restyle(_options(project))
    expected = read_image(project / "work" / "frames" / "frame_00024.png")
    assert psnr(previewed[0].image, expected) > 24


def test_a_preview_before_any_run_starts_at_the_keys(project: Path, finished_run: Path) -> None:
    shutil.rmtree(project / "work")
    previewed, result = _preview(_options(project), FrameRange(3, 4))
    assert result.computed > 0
    expected = read_image(finished_run / "work" / "frames" / "frame_00003.png")
    assert psnr(previewed[0].image, expected) > 24


def test_a_preview_of_frames_outside_the_run_is_refused(project: Path) -> None:
    with pytest.raises(OptionsError, match=r"frames 40–59: the run has frames 0–43"):
        _preview(_options(project), FrameRange(40, 60))


def test_the_run_record_holds_errors_and_step_times(project: Path) -> None:
    record = read_record(project / "work" / "run.json")
    assert record is not None
    assert record.finished
    assert record.rendered_count == COUNT
    errors = [record.error(index) for index in range(COUNT)]
    assert [errors[key] for key in KEYS] == [0.0] * 3
    assert all(error is not None and 0 <= error < 0.5 for error in errors)
    steps = {step.name: step for step in record.steps}
    assert list(steps) == ["plan", "stylize", "match", "propagate", "blend", "write"]
    assert all(step.seconds > 0 for step in record.steps)
    assert sum(step.seconds for step in record.steps) < record.seconds
    assert steps["propagate"].computed + steps["propagate"].reused > COUNT
    assert steps["blend"].computed + steps["blend"].reused == steps["write"].computed == COUNT


def test_two_runs_may_share_a_work_folder(project: Path, finished_run: Path) -> None:
    part = replace(_options(project), frames=FrameRange(5, 30), output=project / "part.mkv")
    restyle(part)
    with open_clip(project / "part.mkv") as film:
        assert len(film) == 25
    restyle(_options(project))
    assert _frames(project) == _frames(finished_run)
