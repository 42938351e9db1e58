"""Projects that TemporalKit split: joined with each frame once, keys and ranges at their places."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from exchange_samples import EBS, make_images

from kadr import InputError, Span, read_image, restyle, write_image
from kadr.exchange.ebs import EbsRange, write_ebs
from kadr.exchange.import_project import import_project
from scenes import paint, sliding

IMAGES = sliding(14, 2.0, height=48, width=64)


def _make_part(folder: Path, images: list[np.ndarray], keys: dict[int, np.ndarray]) -> Path:
    for index, image in enumerate(images):
        write_image(folder / "frames" / f"frames{index:05d}.png", image)
    (folder / "keys").mkdir()
    for index, image in keys.items():
        write_image(folder / "keys" / f"keys{index:05d}.png", image)
    return folder


@pytest.fixture
def split(tmp_path: Path) -> Path:
    """Frames 0 to 7, 5 to 10 and 11 to 13: the second part begins with three of the first."""
    folder = tmp_path / "kit"
    _make_part(folder / "0", IMAGES[:8], {2: paint(IMAGES[2])})
    noise = np.random.default_rng(0).integers(-1, 2, (3, *IMAGES[0].shape))
    again = [np.clip(IMAGES[5 + i].astype(int) + noise[i], 0, 255) for i in range(3)]
    images = [*(image.astype(np.uint8) for image in again), *IMAGES[8:11]]
    _make_part(folder / "1", images, {4: paint(IMAGES[9])})
    _make_part(folder / "2", IMAGES[11:], {1: paint(IMAGES[12])})
    return folder


def test_each_frame_comes_once_and_keys_at_their_frames(split: Path, tmp_path: Path) -> None:
    before = sorted(split.rglob("*"))
    result = import_project(split, tmp_path / "p.kadr")
    assert [notice.partition(": ")[2] for notice in result.notices] == [
        "3 parts joined",
        "its first 3 frames end the part before; joined there",
    ]
    project = result.project
    assert project.settings.clip == "frames"
    files = sorted((project.root / "frames").iterdir())
    assert [file.name for file in files] == [f"{number:05d}.png" for number in range(14)]
    for file, image in zip(files, IMAGES, strict=True):
        assert np.array_equal(read_image(file), image)
    assert sorted(file.name for file in project.keys.iterdir()) == [
        "00002.png", "00009.png", "00012.png",
    ]  # fmt: skip
    assert sorted(split.rglob("*")) == before
    assert restyle(project.options(detail="draft")).frame_count == 14


def test_ranges_of_the_parts_are_shifted(split: Path, tmp_path: Path) -> None:
    patterns = {"video": "frames/frames[#####].png", "keys": "keys/keys[#####].png"}
    for part, item in {"0": EbsRange(2, 0, 7, ""), "1": EbsRange(4, 2, 99, "")}.items():
        write_ebs(split / part / "p.ebs", replace(EBS, **patterns, ranges=(item,)))
    project = import_project(split, tmp_path / "p.kadr").project
    assert project.options().ranges == (Span(2, 0, 8), Span(9, 7, 11))


def test_a_still_film_is_not_taken_for_an_overlap(tmp_path: Path) -> None:
    still = [IMAGES[0]] * 4
    for part in ("0", "1"):
        _make_part(tmp_path / "kit" / part, still, {1: paint(IMAGES[0])})
    project = import_project(tmp_path / "kit", tmp_path / "p.kadr").project
    assert len(list((project.root / "frames").iterdir())) == 8


def test_parts_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    images = sliding(22, 2.0, height=24, width=32)
    for part in range(11):
        keys = {0: paint(images[2 * part])} if part != 3 else {}
        _make_part(tmp_path / "kit" / str(part), images[2 * part : 2 * part + 2], keys)
    result = import_project(tmp_path / "kit", tmp_path / "p.kadr")
    files = sorted((result.project.root / "frames").iterdir())
    assert all(
        np.array_equal(read_image(file), image) for file, image in zip(files, images, strict=True)
    )
    assert len(list(result.project.keys.iterdir())) == 10
    assert any("kit/3" in notice and "without keys" in notice for notice in result.notices)


def test_faults_leave_nothing_behind(split: Path, tmp_path: Path) -> None:
    make_images(split / "1" / "keys", [77], "keys{:05d}.png")
    with pytest.raises(InputError, match=r"keys00077\.png: its part has no frame 77; rename"):
        import_project(split, tmp_path / "p.kadr")
    for file in split.glob("*/keys/*"):
        file.unlink()
    with pytest.raises(InputError, match="kit: no part has stylized keys; stylize them first"):
        import_project(split, tmp_path / "p.kadr")
    for file in (split / "1" / "frames").iterdir():
        file.unlink()
    with pytest.raises(InputError, match="frames: holds no frames; put them back, or move"):
        import_project(split, tmp_path / "p.kadr")
    assert not (tmp_path / "p.kadr").exists()
