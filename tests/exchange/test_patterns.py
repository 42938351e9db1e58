"""EbSynth's patterns as paths on this machine, and back."""

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
    """A project file next to a folder of frames."""
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
def test_a_folder_next_to_the_file_is_found(text: str, file: Path) -> None:
    resolved = resolve_pattern(text, file, "video")
    assert resolved.name == "[#####].png"
    assert resolved.parent.samefile(file.parent / "video_frame")


def test_an_absolute_path_of_this_machine_is_used_unchanged(file: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    text = f"{(tmp_path / 'other').as_posix()}/[##].png"
    assert resolve_pattern(text, file, "video") == tmp_path / "other" / "[##].png"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("C:\\films\\frames\\[####].png", r"C:\\films.*is a path on another computer; put the fo"),
        ("/films/frames/[####].png", "is a path on another computer; put the folder 'frames'"),
        ("frames/[####].png", r"the folder .*work/frames of the video does not exist"),
        ("video_frame/a.png", "has no number field; expected one such as"),
        ("", "has no number field"),
    ],
)
def test_errors_name_what_is_missing(text: str, message: str, file: Path) -> None:
    with pytest.raises(InputError, match=message):
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
def test_a_written_pattern_is_read_again(before: str, after: str, digits: int, number: int) -> None:
    pattern = SequencePattern(before, after, digits)
    text = pattern_text(Path("/x/y"), pattern, Path("/x/p.ebs"))
    assert text.startswith("y/")
    parsed = sequence_pattern(text.removeprefix("y/"))
    assert parsed == pattern
    assert parsed.number(parsed.name(number)) in (number, None)


def test_a_pattern_is_relative_to_its_file(file: Path) -> None:
    pattern = SequencePattern("f_", ".png", 4)
    assert pattern_text(file.parent, pattern, file) == "f_[####].png"
    assert pattern_text(file.parent.parent / "k", pattern, file) == "../k/f_[####].png"


def test_same_files_by_different_paths(file: Path) -> None:
    first = file.parent / "video_frame" / "[#####].png"
    assert same_files(first, file.parent / "x" / ".." / "video_frame" / "%05d.png")
    assert not same_files(first, file.parent / "video_frame" / "%04d.png")
    assert not same_files(first, file.parent / "other" / "[#####].png")
