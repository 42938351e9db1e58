"""``kadr plan``: the table, the sheet, the frames to paint, projects and errors."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from cli_samples import FIRST, Call

from kadr import new_project, open_clip, read_image
from kadr.image_files import write_image
from kadr.project.folder import ProjectFolder
from kadr.report.record import ClipRecord, KeyRecord, RunRecord, write_record
from scenes import sliding, write_sequence

_CUT, _COUNT = 12, 22


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KADR_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two shots, of 12 and of 10 frames, numbered from 1001 on; not to be changed."""
    images = [*sliding(_CUT, 1.0, seed=1), *sliding(_COUNT - _CUT, 0.5, seed=2)]
    return write_sequence(tmp_path_factory.mktemp("plan") / "in", images, FIRST)


@pytest.fixture
def project(clip: Path, tmp_path: Path) -> ProjectFolder:
    """A project of it with key 1003 painted."""
    painted = tmp_path / "painted"
    painted.mkdir()
    (painted / "1003.png").write_bytes((clip / "frame_01003.png").read_bytes())
    return new_project(clip, [painted], tmp_path / "p.kadr")


def test_the_plan_of_a_clip(kadr: Call, clip: Path, tmp_path: Path) -> None:
    folder = tmp_path / "plan"
    done = kadr("plan", clip, "--keys-budget", 4, "-o", folder, "--json")
    assert done.code == 0, done.err
    facts = done.objects[-1]
    assert facts["frames"] == [1001, 1022]
    assert facts["shots"] == [[1001, 1012], [1013, 1022]]
    numbers = [key["number"] for key in facts["keys"]]
    assert len(numbers) == 4
    assert {key["shot"] for key in facts["keys"]} == {1, 2}
    assert 0 < facts["coverage"] < 1
    assert facts["worst"]["error"] >= max(key["error"] for key in facts["keys"])
    assert facts["next"] is None
    assert Path(facts["sheet"]) == folder / "plan.png"
    assert read_image(folder / "plan.png").shape[1] > 1000
    to_paint = sorted(Path(facts["to_paint"]).iterdir())
    assert to_paint == [folder / "to-paint" / f"frame_0{number}.png" for number in numbers]
    with open_clip(clip) as opened:
        filmed = opened.frame(numbers[0] - FIRST).image
    np.testing.assert_array_equal(read_image(to_paint[0]), filmed)


def test_the_table_names_shots_keys_and_what_they_style(kadr: Call, clip: Path) -> None:
    done = kadr("plan", clip, "--keys-budget", 2, "--dry-run")
    lines = done.out.splitlines()
    assert lines[0].split() == ["shot", "key", "styles", "frames", "left", "unexplained"]
    assert lines[2].split()[:2] == ["1", "1001–1012"]
    assert lines[2].split()[3] == "1001–1012"
    assert lines[3].split()[:2] == ["2", "1013–1022"]
    assert "2 keys explain " in lines[4]
    assert "22 frames in 2 shots" in lines[4]
    assert len(lines) == 5


def test_a_dry_run_writes_nothing(
    kadr: Call, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert kadr("plan", clip, "--dry-run").code == 0
    assert set(tmp_path.iterdir()) == {tmp_path / "cache"}
    assert kadr("plan", clip).code == 0
    assert (tmp_path / "in.plan" / "plan.png").exists()


def test_painted_frames_are_not_written_over(
    kadr: Call, refused: Callable[..., str], clip: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "plan"
    assert kadr("plan", clip, "-o", folder, "--keys-budget", 2).code == 0
    (folder / "plan.png").unlink()
    painted = sorted((folder / "to-paint").iterdir())[0]
    painted.write_bytes(b"painted over")
    line = refused("plan", clip, "-o", folder, "--keys-budget", 2, "-q")
    assert painted.name in line
    assert "--overwrite" in line
    assert painted.read_bytes() == b"painted over"
    assert not (folder / "plan.png").exists()
    assert kadr("plan", clip, "-o", folder, "--keys-budget", 3, "--overwrite").code == 0
    line = refused("plan", clip, "-o", folder, "--keys-budget", 5, "-q")
    assert "plan.png: exists; give another folder with -o, or --overwrite" in line


def test_images_of_another_plan_get_a_notice(kadr: Call, clip: Path, tmp_path: Path) -> None:
    (tmp_path / "plan" / "to-paint").mkdir(parents=True)
    (tmp_path / "plan" / "to-paint" / "frame_00001.png").write_bytes(b"")
    done = kadr("plan", clip, "-o", tmp_path / "plan")
    assert done.code == 0
    assert "also holds 1 older file, such as frame_00001.png" in done.err


def test_gaps_and_frames(kadr: Call, clip: Path) -> None:
    arguments = ("--frames", "1001:1012", "--max-gap", 4, "--dry-run", "--json")
    facts = kadr("plan", clip, *arguments).objects[-1]
    numbers = [key["number"] for key in facts["keys"]]
    assert facts["shots"] == [[1001, 1012]]
    assert all(b - a <= 4 for a, b in itertools.pairwise([1001, *numbers, 1012]))


def test_a_mask_says_what_counts(
    kadr: Call, refused: Callable[..., str], clip: Path, tmp_path: Path
) -> None:
    with open_clip(clip) as opened:
        mask = np.zeros(opened.frame(0).rgb.shape[:2], np.uint8)
    write_image(tmp_path / "small.png", mask[:40])
    mask[:, :12] = 255  # the picture slides: all that is new enters here
    write_image(tmp_path / "left.png", mask)
    coverages = []
    for options in ((), ("--mask", tmp_path / "left.png"),
                    ("--mask", tmp_path / "left.png", "--invert-mask")):  # fmt: skip
        done = kadr("plan", clip, *options, "--keys-budget", 2, "--dry-run", "--json")
        assert done.code == 0, done.err
        coverages.append(done.objects[-1]["coverage"])
    whole, left, rest = coverages
    assert left < whole < rest
    assert "another shape" in refused("plan", clip, "--mask", tmp_path / "small.png")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--keys-budget", 1], "keys-budget 1: 2 shots need 2 keys; give at least 2"),
        (["--keys-budget", 0], "keys-budget 0: expected 1 to 100000"),
        (["--min-gap", 9, "--max-gap", 3], "min-gap 9: is more than max-gap 3; lower it"),
        (["--frames", "1:5"], "frames 1:5: the clip has no frame 1; its frames are 1001 to 1022"),
        (["--keys-budget", "many"], "keys-budget 'many': expected a whole number"),
    ],
)
def test_refusals(
    refused: Callable[..., str], clip: Path, tmp_path: Path, arguments: list[object], expected: str
) -> None:
    assert expected in refused("plan", clip, *arguments, "-q", "-o", tmp_path / "plan")
    assert not (tmp_path / "plan").exists()


def test_a_video_has_a_rate_of_its_own(refused: Callable[..., str], video: Path) -> None:
    assert "fps 12: is for image sequences" in refused("plan", video, "--fps", "12")


def test_keys_are_shown_as_painted_matched_and_in_one_style(
    kadr: Call, project: ProjectFolder
) -> None:
    assert kadr("plan", project.root, "--keys-budget", 3).code == 0
    assert not (project.root / "plan" / "keys.png").exists()  # there is only one key
    other = read_image(project.root / "keys" / "1003.png").astype(np.float32)
    other = np.clip(other * np.array([1.2, 1.0, 0.7]), 0, 255).astype(np.uint8)
    write_image(project.root / "keys" / "1010.png", other)
    done = kadr("plan", project.root, "--keys-budget", 3, "--overwrite", "--json")
    assert done.code == 0, done.err
    sheet = project.root / "plan" / "keys.png"
    assert done.objects[-1]["keys_sheet"] == str(sheet)
    height, width = read_image(sheet).shape[:2]
    assert width > 1800
    assert height > 2.5 * (width / 2) * 72 / 96
    done = kadr("plan", project.root, "--keys-budget", 3)
    assert done.code == 2
    assert "exists; give another folder with -o, or --overwrite" in done.err


def test_a_project_marks_its_keys_and_names_the_next(kadr: Call, project: ProjectFolder) -> None:
    facts = kadr("plan", project.root, "--keys-budget", 3, "--json").objects[-1]
    marks = {key["number"]: key["painted"] for key in facts["keys"]}
    assert marks.pop(1003) is True
    assert list(marks.values()) == [False, False]
    assert facts["next"]["number"] > 1012, "the second shot has no key"
    assert facts["next"]["measured"] is False
    names = {path.name for path in (project.root / "plan" / "to-paint").iterdir()}
    assert names == {f"frame_0{number}.png" for number in marks}


def test_after_a_run_the_measured_error_has_the_last_word(
    kadr: Call, project: ProjectFolder
) -> None:
    measured = [0.0] * _COUNT
    measured[8:11] = [0.2, 0.4, 0.2]
    write_record(_record(2, measured), project.record)
    done = kadr("plan", project.root, "--dry-run")
    assert "paint frame 1009 next" in done.out or "paint frame 1010 next" in done.out
    assert "lower the measured mean error from 3.6 % to " in done.out
    write_record(_record(3, measured), project.record)
    done = kadr("plan", project.root, "--dry-run")
    assert "the last run had other keys" in done.err
    assert "lower the predicted mean error from " in done.out


def _record(key: int, measured: list[float]) -> RunRecord:
    return RunRecord(
        ClipRecord("in", 96, 72, _COUNT, 24.0),
        (KeyRecord(key, key + FIRST, 0, _COUNT),),
        0,
        tuple(range(FIRST, FIRST + _COUNT)),
        tuple(measured),
    )
