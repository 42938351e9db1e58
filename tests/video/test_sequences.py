"""Folders, patterns and globs of images: which files they mean, and what is refused."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from video_samples import make_images, picture, read_index

from kadr.errors import InputError
from kadr.image_files import write_image
from kadr.video.clips import open_clip
from kadr.video.sequence import missing_numbers, sequence_pattern


@pytest.mark.parametrize(
    ("name", "number", "file"),
    [
        ("img_%05d.png", 12, "img_00012.png"),
        ("img_%d.png", 12, "img_12.png"),
        ("img_[####].png", 12, "img_0012.png"),
        ("img_####.png", 12345, "img_12345.png"),
        ("50%%_%03d.png", 7, "50%_007.png"),
        ("[#####].png", 7, "00007.png"),
    ],
)
def test_patterns_name_and_find_files(name: str, number: int, file: str) -> None:
    pattern = sequence_pattern(name)
    assert pattern is not None
    assert pattern.name(number) == file
    assert pattern.number(file) == number
    assert pattern.number("other.png") is None


def test_a_plain_name_is_no_pattern() -> None:
    assert sequence_pattern("img_00012.png") is None


@pytest.mark.parametrize(
    "name", ["{:d}.png", "shot 3 ({:d}).png", "f.{:04d}.jpg", "{:05d}.webp", "é_{:d}_x.tif"]
)
def test_numbers_are_the_last_in_the_name_and_sort_as_numbers(tmp_path: Path, name: str) -> None:
    clip = open_clip(make_images(tmp_path / "d", count=12, first=5, name=name))
    assert [clip.number(index) for index in (0, 4, 11)] == [5, 9, 16]
    assert clip.index_of(9) == 4
    assert clip.name(4) == Path(name.format(9)).stem
    assert [read_index(frame.image) for frame in clip.frames()] == list(range(12))


@pytest.mark.parametrize(
    "names",
    [
        ["00000-1577090037.png", "00001-3444712010.png", "00002-12.png"],
        ["00000-7.png", "00001-7.png", "00002-7.png", "cover_1.png", "cover_2.png"],
        [f"frame_{number:05d}_v2.png" for number in range(3)],
        [f"frame_{number:05d} copy {number + 5}.png" for number in range(3)],
    ],
    ids=["seeds", "one seed", "version", "copies"],
)
def test_a_counter_before_other_numbers_is_found(tmp_path: Path, names: list[str]) -> None:
    for position, name in enumerate(names):
        write_image(tmp_path / name, picture(position))
    clip = open_clip(tmp_path)
    assert [clip.number(index) for index in range(len(clip))] == [0, 1, 2]
    assert [read_index(frame.image) for frame in clip.frames()] == [0, 1, 2]


def test_a_counter_that_cannot_be_told_is_refused(tmp_path: Path) -> None:
    for name in ("1-5.png", "2-6.png"):
        write_image(tmp_path / name, picture(0))
    with pytest.raises(InputError, match=r"1-5\.png: its name may mean frame 1 or 5"):
        open_clip(tmp_path)


def test_globs(tmp_path: Path) -> None:
    folder = make_images(tmp_path / "d", count=3, first=1, name="a_{:d}.png")
    make_images(folder, count=2, first=1, name="b_{:d}.png")
    assert len(open_clip(folder / "a_*.png")) == 3
    assert len(open_clip(folder / "b_?.png")) == 2
    assert len(open_clip(folder)) == 3  # the most numerous
    assert len(open_clip(f"{folder}/")) == 3


def test_other_files_do_not_matter(tmp_path: Path) -> None:
    folder = make_images(tmp_path / "d", count=3)
    (folder / "notes 7.txt").write_text("")
    (folder / "._shot a_01001.png").write_text("")
    write_image(folder / "cover.png", picture(0, 16, 16))
    assert len(open_clip(folder)) == 3


def test_images_that_are_not_used_are_named(tmp_path: Path) -> None:
    folder = make_images(tmp_path / "d", count=3, first=1, name="a_{:d}.png")
    make_images(folder, count=2, first=1, name="b_{:d}.png")
    (folder / "a_4.exr").write_bytes(b"")
    (folder / "old").mkdir()
    assert open_clip(folder).info.notices == (
        f"{folder}: 2 images beside the longest sequence, a_1.png and so on, not used: "
        "b_1.png, b_2.png",
        f"{folder}: not used, no type that is read: a_4.exr",
        f"{folder}: subfolders are not read: old",
    )
    assert open_clip(folder / "a_%d.png").info.notices == ()
    assert open_clip(folder / "a_*.png").info.notices == ()
    assert "b_1.png" in open_clip(folder / "*.png").info.notices[0]


def test_equally_many_of_two_kinds_are_refused(tmp_path: Path) -> None:
    folder = make_images(tmp_path / "d", count=2, name="a_{:d}.png")
    make_images(folder, count=2, name="b_{:d}.png")
    with pytest.raises(InputError, match=r"several sequences.*a_####\.png"):
        open_clip(folder)


def test_gaps_are_named(tmp_path: Path) -> None:
    folder = make_images(tmp_path / "d", count=20, first=1, name="f_{:02d}.png")
    for number in (12, 15, 16, 17):
        (folder / f"f_{number}.png").unlink()
    with pytest.raises(InputError, match=r"missing: 12, 15–17;"):
        open_clip(folder)


def test_many_gaps_stay_short() -> None:
    text = missing_numbers(range(0, 200, 2))
    assert text.startswith("1, 3, 5")
    assert text.endswith("…")
    assert len(text) < 60


def test_one_number_twice_is_refused(tmp_path: Path) -> None:
    folder = make_images(tmp_path / "d", count=3, first=1, name="f_{:d}.png")
    make_images(folder, count=1, first=1, name="f_{:03d}.png")
    with pytest.raises(InputError, match=r"f_001\.png.*f_1\.png.*same frame number"):
        open_clip(folder)


def test_differing_sizes_name_both(tmp_path: Path) -> None:
    folder = make_images(tmp_path / "d", count=3, first=1, name="f_{:d}.png")
    write_image(folder / "f_2.png", picture(0, 80, 48))
    with pytest.raises(InputError, match=r"f_2\.png: is 80x48 but f_1\.png is 96x64"):
        open_clip(folder)


def test_a_size_that_changes_after_opening_is_noticed(tmp_path: Path) -> None:
    folder = make_images(tmp_path / "d", count=3, first=1, name="f_{:d}.png")
    clip = open_clip(folder)
    write_image(folder / "f_2.png", picture(0, 80, 48))
    with pytest.raises(InputError, match=r"f_2\.png: was changed while the run read it"):
        clip.frame(1)


def test_broken_images_are_named(tmp_path: Path) -> None:
    folder = make_images(tmp_path / "d", count=3, first=1, name="f_{:d}.png")
    data = (folder / "f_2.png").read_bytes()
    (folder / "f_2.png").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"f_2\.png"):
        open_clip(folder)
    (folder / "f_2.png").write_bytes(data[:60])
    with pytest.raises(InputError, match=r"f_2\.png"):
        list(open_clip(folder).frames())


def test_empty_folders_and_missing_ones(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"empty: no images"):
        open_clip(tmp_path / "empty")
    with pytest.raises(InputError, match=r"folder .*none does not exist"):
        open_clip(tmp_path / "none" / "f_%d.png")


def test_names_without_numbers(tmp_path: Path) -> None:
    for name in ("left", "right"):
        write_image(tmp_path / f"{name}.png", picture(0))
    with pytest.raises(InputError, match="no frame numbers"):
        open_clip(tmp_path)


def test_depth_gray_and_alpha(tmp_path: Path) -> None:
    write_image(tmp_path / "f_1.png", picture(1).astype(np.uint16) * 257)
    write_image(tmp_path / "f_2.png", picture(2)[..., 0])
    rgba = np.dstack([picture(3), np.full((64, 96), 128, np.uint8)])
    write_image(tmp_path / "f_3.png", rgba)
    clip = open_clip(tmp_path)
    assert clip.info.has_alpha
    frames = list(clip.frames())
    assert {(frame.image.shape, frame.image.dtype.name) for frame in frames} == {
        ((64, 96, 4), "uint8")
    }
    assert [read_index(frame.image[..., :3]) for frame in frames] == [1, 2, 3]
    assert [int(frame.image[0, 0, 3]) for frame in frames] == [255, 255, 128]


def test_the_rate_can_be_told(tmp_path: Path) -> None:
    folder = make_images(tmp_path / "d", count=3)
    assert open_clip(folder).info.frame_rate == 24
    clip = open_clip(folder, frame_rate=Fraction(30000, 1001))
    assert clip.times[2] == Fraction(2002, 30000)
    assert clip.info.duration == Fraction(3003, 30000)


def test_what_holds_for_all_images_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    image = Image.new("RGB", (16, 8), (201, 62, 54))
    for index in range(6):
        profile = b"broken" * 40 if index in (1, 2, 4) else None
        image.save(tmp_path / f"f_{index}.png", icc_profile=profile)
    with open_clip(tmp_path) as clip, caplog.at_level("WARNING"):
        for _ in range(2):
            assert len(list(clip.frames())) == 6
    (record,) = caplog.records
    assert record.getMessage() == (
        f"{tmp_path / 'f_1.png'}: its colour profile is damaged or does not fit; its colours are "
        "taken for sRGB; the same holds for 2 more images of the sequence"
    )
