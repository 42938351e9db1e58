"""``kadr import`` and ``kadr export``: from EbSynth and back, frames out, errors in one line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from cli_samples import COUNT, FIRST, Call, make_images, make_keys

from kadr import open_clip, open_project, read_image, write_image
from kadr.exchange.ebs import EbsProject, EbsRange, read_ebs, write_ebs


@pytest.fixture
def ebs(tmp_path: Path) -> Path:
    """An EbSynth project of six images with two keys."""
    make_images(tmp_path / "video", range(FIRST, FIRST + COUNT))
    make_keys(tmp_path / "keys", FIRST, FIRST + 4, first=FIRST)
    names = [path.name for path in sorted((tmp_path / "video").iterdir())]
    before = names[0].partition("1001")[0]
    ranges = (EbsRange(1001, 1001, 1003, "out/[####].png"), EbsRange(1005, 1002, 1006, "o/[#].png"))
    project = EbsProject(f"video/{before}[####].png", "keys/[#####].png", ranges)
    write_ebs(tmp_path / "p.ebs", project)
    return tmp_path / "p.ebs"


def test_there_and_back(kadr: Call, ebs: Path, tmp_path: Path) -> None:
    done = kadr("import", ebs, "-o", tmp_path / "p.kadr")
    assert done.code == 0, done
    assert done.err == ""
    assert "imported from" in done.out
    assert "with 2 ranges; go on with kadr run" in done.out
    done = kadr("export", tmp_path / "p.kadr", "--ebs", tmp_path / "again.ebs", "--json")
    assert done.code == 0, done
    assert done.objects[-1]["ranges"] == 2
    assert (tmp_path / "again.ebs").read_bytes() == ebs.read_bytes()


def test_the_mask_of_a_project_goes_out_as_its_matte(kadr: Call, ebs: Path, tmp_path: Path) -> None:
    assert kadr("import", ebs, "-o", tmp_path / "p.kadr").code == 0
    with open_clip(tmp_path / "video") as clip:
        mask = np.zeros(clip.frame(0).rgb.shape[:2], np.uint8)
    mask[:, :20] = 255
    write_image(tmp_path / "mask.png", mask)
    open_project(tmp_path / "p.kadr").edit("mask", {"mask": "../mask.png", "invert-mask": True})
    done = kadr("export", tmp_path / "p.kadr", "--ebs", tmp_path / "out.ebs")
    assert done.code == 0, done
    written = sorted((tmp_path / "out_mask").iterdir())
    assert [path.name for path in written][:2] == ["01001.png", "01002.png"]
    assert all(np.array_equal(read_image(path)[..., 0], 255 - mask) for path in written)
    assert (read_ebs(tmp_path / "out.ebs").mask, read_ebs(tmp_path / "out.ebs").mask_on) == (
        "out_mask/[#####].png", 1,
    )  # fmt: skip


def test_a_folder_without_ranges_is_said_to_have_none(
    kadr: Call, ebs: Path, tmp_path: Path
) -> None:
    (tmp_path / "video").rename(tmp_path / "frames")
    ebs.unlink()
    done = kadr("import", tmp_path, "-o", tmp_path / "p.kadr")
    assert done.code == 0, done
    assert "which has no ranges: each key reaches to its neighbours; go on with" in done.out


def test_notices_are_printed(kadr: Call, ebs: Path, tmp_path: Path) -> None:
    project = read_ebs(ebs)
    write_ebs(ebs, EbsProject(project.video, project.keys, project.ranges[:1]))
    done = kadr("import", ebs, "-o", tmp_path / "p.kadr", "--json")
    assert "its ranges hold frames 1001–1003 only" in done.objects[0]["message"]
    assert done.objects[-1]["notices"] == [done.objects[0]["message"]]


def test_a_moved_clip_gets_a_notice(kadr: Call, ebs: Path, tmp_path: Path) -> None:
    assert kadr("import", ebs, "-o", tmp_path / "p.kadr").code == 0
    shutil.move(tmp_path / "video", tmp_path / "frames")
    done = kadr("export", tmp_path / "p.kadr", "--ebs", tmp_path / "again.ebs")
    assert "is not there any more; the same clip was found as" in done.err
    assert read_ebs(tmp_path / "again.ebs").video.startswith("frames/")


def test_frames_of_a_projects_keys(kadr: Call, ebs: Path, tmp_path: Path) -> None:
    assert kadr("import", ebs, "-o", tmp_path / "p.kadr").code == 0
    done = kadr("export", tmp_path / "p.kadr", "--keys", tmp_path / "paint", "-q")
    assert done.code == 0
    numbers = sorted(path.stem[-4:] for path in (tmp_path / "paint").iterdir())
    assert numbers == ["1001", "1005"]


def test_frames_of_a_clip(kadr: Call, video: Path, tmp_path: Path) -> None:
    done = kadr("export", video, "--keys", tmp_path / "paint", "--numbers", "0, 3,5", "--json")
    assert done.code == 0, done
    names = [Path(file).name for file in done.objects[-1]["files"]]
    assert names == ["frame_00000.png", "frame_00003.png", "frame_00005.png"]
    assert sorted(path.name for path in (tmp_path / "paint").iterdir()) == names
    created = kadr("new", video, "--keys", tmp_path / "paint", "-o", tmp_path / "p.kadr")
    assert created.code == 0
    assert len(list(open_project(tmp_path / "p.kadr").keys.iterdir())) == 3


def test_errors_are_one_line(
    refused: Callable[..., str], ebs: Path, video: Path, tmp_path: Path
) -> None:
    assert "give either --ebs FILE.ebs or --keys FOLDER" in refused("export", video)
    assert "give either --ebs FILE.ebs or --keys FOLDER" in refused(
        "export", video, "--ebs", "x.ebs", "--keys", "x"
    )
    assert "no frames chosen; give --numbers" in refused("export", video, "--keys", tmp_path / "x")
    assert "expected frame numbers" in refused("export", video, "--keys", "x", "--numbers", "1-3")
    assert "no such frame" in refused("export", video, "--keys", tmp_path / "x", "--numbers", "9")
    assert "go with --keys" in refused("export", video, "--ebs", "x.ebs", "--numbers", "9")
    assert "not a kadr project" in refused("export", tmp_path, "--ebs", tmp_path / "x.ebs")
    ebs.write_bytes(ebs.read_bytes()[:30])
    assert "damaged at byte" in refused("import", ebs, "-o", tmp_path / "p.kadr")
    assert "not a folder of ebsynth_utility" in refused("import", tmp_path)
    assert "cannot be read" in refused("import", tmp_path / "none.ebs")
    assert not (tmp_path / "x").exists()


def test_json_errors_are_objects(kadr: Call, tmp_path: Path) -> None:
    done = kadr("import", tmp_path / "none.ebs", "--json")
    assert done.code == 2
    assert json.loads(done.out)["kind"] == "InputError"
