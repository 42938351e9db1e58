"""Patterns as EbSynth writes them, on this machine's disk and back."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kadr import InputError
from kadr.exchange.patterns import common_pattern, pattern_text, resolve_pattern, same_files
from kadr.video.sequence import SequencePattern, sequence_pattern


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A project file beside a folder of frames."""
    (tmp_path / "work" / "video_frame").mkdir(parents=True)
    return tmp_path / "work" / "p.ebs"


@pytest.mark.parametrize(
    "text",
    [
        "video_frame/[#####].png",
        "video_frame\\[#####].png",
        "./video_frame/[#####].png",
        "../work/video_frame/[#####].png",
        "../elsewhere/video_frame/[#####].png",
        "C:\\Users\\somebody\\work\\video_frame\\[#####].png",
        "D:/video_frame/[#####].png",
        "\\\\server\\share\\work\\video_frame\\[#####].png",
        "/home/somebody/work/video_frame/[#####].png",
    ],
)
def test_a_folder_beside_the_file_is_found_however_it_is_said(text: str, file: Path) -> None:
    found = resolve_pattern(text, file, "video")
    assert found.name == "[#####].png"
    assert found.parent.samefile(file.parent / "video_frame")


def test_a_full_path_of_this_machine_is_taken_as_it_is(file: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    text = f"{(tmp_path / 'other').as_posix()}/[##].png"
    assert resolve_pattern(text, file, "video") == tmp_path / "other" / "[##].png"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("C:\\films\\frames\\[####].png", r"C:\\films.*is a place on another computer; put the fo"),
        ("/films/frames/[####].png", "is a place on another computer; put the folder 'frames'"),
        ("frames/[####].png", r"the folder .*work/frames of the video is not there"),
        ("video_frame/a.png", "has no place for a frame number; expected one such as"),
        ("", "has no place for a frame number"),
    ],
)
def test_what_is_not_there_is_named(text: str, told: str, file: Path) -> None:
    with pytest.raises(InputError, match=told):
        resolve_pattern(text, file, "video")


def test_patterns_of_names() -> None:
    assert common_pattern(["a_01.png", "a_02.png"]) == SequencePattern("a_", ".png", 2)
    assert common_pattern(["00001.jpg"]) == SequencePattern("", ".jpg", 5)
    assert common_pattern(["9.png", "10.png"]) is None
    assert common_pattern(["a1.png", "b2.png"]) is None
    assert common_pattern(["1.png", "2.jpg"]) is None
    assert common_pattern(["shot [1] 05.png"]) is None
    assert common_pattern(["none.png"]) is None
    assert common_pattern([]) is None


@given(
    st.text("abc _-.0123456789()", max_size=8),
    st.sampled_from([".png", "x.png", " end.jpg"]),
    st.integers(1, 8),
    st.integers(0, 99_999_999),
)
def test_a_pattern_said_is_the_pattern_read(
    before: str, after: str, digits: int, number: int
) -> None:
    pattern = SequencePattern(before, after, digits)
    text = pattern_text(Path("/x/y"), pattern, Path("/x/p.ebs"))
    assert text.startswith("y/")
    read = sequence_pattern(text.removeprefix("y/"))
    assert read == pattern
    assert read.number(read.name(number)) in (number, None)


def test_a_pattern_is_said_relative_to_its_file(file: Path) -> None:
    pattern = SequencePattern("f_", ".png", 4)
    assert pattern_text(file.parent, pattern, file) == "f_[####].png"
    assert pattern_text(file.parent.parent / "k", pattern, file) == "../k/f_[####].png"


def test_same_files_whatever_the_way(file: Path) -> None:
    one = file.parent / "video_frame" / "[#####].png"
    assert same_files(one, file.parent / "x" / ".." / "video_frame" / "%05d.png")
    assert not same_files(one, file.parent / "video_frame" / "%04d.png")
    assert not same_files(one, file.parent / "other" / "[#####].png")
