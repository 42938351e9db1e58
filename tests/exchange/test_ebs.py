"""EbSynth's file: its layout byte by byte, the same bytes again, and errors for damaged files."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from exchange_samples import EBS
from hypothesis import given
from hypothesis import strategies as st

from kadr import InputError, OutputError
from kadr.exchange.ebs import (
    EbsProject,
    EbsRange,
    EbsTail,
    EbsWeights,
    pack_ebs,
    parse_ebs,
    read_ebs,
    write_ebs,
)

LAYOUT = (
    b"EBS05\0"
    b"\x0c\0\0\0video/[#].pn" + b"\0\0\0\0" + b"\x05\0\0\0k/[#]"
    b"\x00"
    b"\0\0\x80\x3f\0\0\x80\x40\0\0\x80\x3f\0\0\x20\x41\0\0\x80\x3f\0\xc0\x5a\x45"
    b"\x01\0\0\0"
    b"\x07\0\0\0" + b"\x01" + b"\x00" + b"\x02\0\0\0" + b"\x09\0\0\0" + b"\x05\0\0\0o/[#]"
    b"V02\0" + b"\x02\0\0\0" + b"\x01" + b"\0\0\xf0\x41" + b"\xc0\x02\0\0"
)
"""Written by hand from the table of fields, with EbSynth's defaults."""

BY_HAND = EbsProject("video/[#].pn", "k/[#]", (EbsRange(7, 2, 9, "o/[#]", 1, 0),))


def test_the_layout_is_that_of_ebsynth() -> None:
    assert pack_ebs(BY_HAND) == LAYOUT
    assert parse_ebs(LAYOUT, "x.ebs") == BY_HAND
    assert len(LAYOUT[LAYOUT.index(b"V02") :]) == 17


def test_a_missing_tail_stays_missing() -> None:
    without_tail = LAYOUT[:-17]
    project = parse_ebs(without_tail, "x.ebs")
    assert project == replace(BY_HAND, tail=None)
    assert pack_ebs(project) == without_tail


def test_each_field_is_at_its_offset(tmp_path: Path) -> None:
    """Read the file with NumPy records instead."""
    weights = EbsWeights(1.5, 2.5, 3.5, 4.5, 5.5, 6.5)
    tail = EbsTail(3, 0, 23.5, 705)
    path = tmp_path / "p.ebs"
    write_ebs(path, replace(EBS, mask="mask/[##].png", mask_on=1, weights=weights, tail=tail))
    data, offset = path.read_bytes(), 6
    for text in (EBS.video, "mask/[##].png", EBS.keys):
        length = int.from_bytes(data[offset : offset + 4], "little")
        assert data[offset + 4 : offset + 4 + length] == text.encode()
        offset += 4 + length
    assert data[offset] == 1
    assert np.frombuffer(data, "<f4", 6, offset + 1).tolist() == [1.5, 2.5, 3.5, 4.5, 5.5, 6.5]
    assert np.frombuffer(data, "<i4", 1, offset + 25)[0] == 2
    range_type = np.dtype(
        [("key", "<i4"), ("used", "u1", 2), ("ends", "<i4", 2), ("length", "<i4")]
    )
    offset += 29
    for item in EBS.ranges:
        result = np.frombuffer(data, range_type, 1, offset)[0]
        assert (result["key"], result["length"]) == (item.key, len(item.output))
        assert result["ends"].tolist() == [item.first, item.last]
        assert result["used"].tolist() == [1, 1]
        offset += range_type.itemsize + len(item.output)
    tail_type = np.dtype(
        [("v", "S4"), ("detail", "<i4"), ("gpu", "u1"), ("fps", "<f4"), ("x", "<i4")]
    )
    assert np.frombuffer(data, tail_type, 1, offset)[0].item() == (b"V02", 3, 0, 23.5, 705)
    assert offset + tail_type.itemsize == len(data)


_TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
_INTS = st.integers(-(2**31), 2**31 - 1)
_BYTES = st.integers(0, 255)
_POSITIVE = st.floats(0, width=32, allow_nan=False, allow_infinity=False)
_RANGES = st.builds(EbsRange, _INTS, _INTS, _INTS, _TEXTS, _BYTES, _BYTES)
_TAILS = st.builds(
    EbsTail,
    _INTS,
    _BYTES,
    st.floats(width=32, allow_nan=False, allow_infinity=False),
    _INTS,
)
PROJECTS = st.builds(
    EbsProject,
    _TEXTS,
    _TEXTS,
    st.lists(_RANGES, max_size=6).map(tuple),
    _TEXTS,
    _BYTES,
    st.builds(EbsWeights, *[_POSITIVE] * 6),
    st.none() | _TAILS,
)


@given(PROJECTS)
def test_any_project_is_restored_byte_for_byte(project: EbsProject) -> None:
    data = pack_ebs(project)
    result = parse_ebs(data, "x.ebs")
    assert result == project
    assert pack_ebs(result) == data


@given(PROJECTS, st.data())
def test_any_truncation_is_detected(project: EbsProject, data: st.DataObject) -> None:
    """Only the start of the tail is also a valid end."""
    complete = pack_ebs(replace(project, tail=EbsTail()))
    cut = data.draw(
        st.integers(0, len(complete) - 1).filter(lambda offset: offset != len(complete) - 17)
    )
    with pytest.raises(InputError, match=r"^x\.ebs: "):
        parse_ebs(complete[:cut], "x.ebs")


@given(st.binary(max_size=200))
def test_any_bytes_raise_nothing_but_input_errors(data: bytes) -> None:
    for candidate in (data, b"EBS05\0" + data):
        try:
            parse_ebs(candidate, "x.ebs")
        except InputError as error:
            assert str(error).startswith("x.ebs: ")  # noqa: PT017 - most bytes are not a project


def _counted_by_characters(project: EbsProject) -> bytes:
    """The output of a writer that counts characters and writes UTF-8."""
    data = pack_ebs(project)
    for text in {project.video, project.mask, project.keys, *(r.output for r in project.ranges)}:
        encoded = text.encode()
        correct = struct.pack("<i", len(encoded)) + encoded
        data = data.replace(correct, struct.pack("<i", len(text)) + encoded)
    return data


@pytest.mark.parametrize("tail", [EbsTail(), None])
def test_texts_counted_by_characters_are_read(tail: EbsTail | None) -> None:
    project = EbsProject(
        "видео/кадры/[#####].png",
        "ключи 日本 🎨/[#####].png",
        (EbsRange(3, 1, 6, "выход-00003/[#####].png"),),
        tail=tail,
    )
    data = _counted_by_characters(project)
    assert data != pack_ebs(project)
    assert parse_ebs(data, "x.ebs") == project


def test_names_in_an_old_encoding_keep_their_bytes() -> None:
    data = LAYOUT.replace(b"video", b"vid\xe9o")
    assert pack_ebs(parse_ebs(data, "x.ebs")) == data


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", r"the file is empty \(0 bytes\)"),
        (b"EBS04\0" + LAYOUT[6:], "is of version '04'; expected '05'"),
        (b"\x89PNG\r\n\x1a\n", "not an EbSynth project; expected a file that begins with EBS05"),
        (LAYOUT[:-5], "damaged at byte 91: it ends within the tail"),
        (LAYOUT[:40], "it ends within the weights"),
        (LAYOUT + b"\0", "1 bytes follow after its end"),
        (LAYOUT[:-17] + b"V03\0" + LAYOUT[-13:], "its tail begins with b'V03"),
        (
            LAYOUT.replace(b"\x0c\0\0\0vi", b"\xff\xff\xff\xffvi"),
            "has length -1, but 94 bytes remain",
        ),
        (LAYOUT.replace(b"\x0c\0\0\0vi", b"\xff\0\0\x01vi"), "has length 16777471, but"),
        (LAYOUT.replace(b"\x0c\0\0\0vi", b"\x0d\0\0\0vi"), "the video's pattern is not a text"),
        (LAYOUT.replace(b"\x01\0\0\0\x07", b"\x09\0\0\0\x07"), "it has 9 ranges, but room"),
        (LAYOUT.replace(b"\0\0\x20\x41", b"\0\0\xc0\x7f"), "its weight mapping is nan"),
        (
            LAYOUT.replace(b"\0\0\x20\x41", b"\0\0\x20\xc1"),
            "its weight mapping is -10.0; expected 0",
        ),
        (LAYOUT.replace(b"\0\0\xf0\x41", b"\0\0\x80\x7f"), "its frame rate is inf"),
    ],
)
def test_errors_of_malformed_files(data: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.ebs"
    path.write_bytes(data)
    with pytest.raises(InputError, match=message) as caught:
        read_ebs(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_read_or_written_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.ebs: cannot be read"):
        read_ebs(tmp_path / "none.ebs")
    (tmp_path / "folder.ebs").mkdir()
    with pytest.raises(OutputError, match=r"folder\.ebs: cannot be written"):
        write_ebs(tmp_path / "folder.ebs", EBS)
