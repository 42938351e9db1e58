"""Hostile content: every parser gives a value or an error of one line, in bounded time."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from project_samples import make_project, with_entries
from report_samples import make_record

from fuzz_settings import fuzz
from kadr import InputError, KadrError, write_image
from kadr.cli.parse_values import parse_assignments, parse_value
from kadr.core.formatting import printable
from kadr.core.frames import FrameRange
from kadr.core.parsing import parse_bytes, parse_frames, parse_rate, parse_span
from kadr.exchange.ebs import EbsProject, EbsRange, pack_ebs, parse_ebs
from kadr.exchange.import_project import import_project
from kadr.files import read_json_object
from kadr.options import RunOptions
from kadr.project.folder import open_project
from kadr.project.presets import preset_names, read_preset
from kadr.project.settings import read_settings
from kadr.render.pass_history import _changed_options
from kadr.render.run_plan import _stored_shots
from kadr.report.record import read_record, record_text
from kadr.tasks.task import Task
from kadr.video.identity import clip_files, clip_identity
from kadr.video.sequence import find_sequence, sequence_pattern

_MOST_SECONDS = 10.0
_MOST_CHARACTERS = 1500


@contextmanager
def a_value_or_one_line() -> Iterator[None]:
    """Nothing but an error of kadr may come out, of one short line, and soon."""
    start = time.monotonic()
    try:
        yield
    except KadrError as caught:
        error = printable(str(caught))
        if not 0 < len(error) < _MOST_CHARACTERS:
            pytest.fail(f"{len(error)} characters: {error[:400]}")
    assert time.monotonic() - start < _MOST_SECONDS


FRAGMENTS = [
    '"""', "'''", "[", "]", "[[x]]", "{", "}", "=", ".", ",", "#", ":", "\r", "\n", "\0", "\x1b[2J",
    "9" * 400, "9" * 5000, "0x" + "f" * 6000, "-1", "1e999", "1e999999999", "nan", "inf", "true",
    "null", "NaN", "Infinity", r"\u0000", r"\ud800", r"\x", "é", "\u202e", "~", "~nobody/",
    "a" * 300, "[" * 3000, '{"a":' * 3000, "a." * 2000, "{a=" * 500, "1979-05-27T07:32:00Z",
    "''", '""', "..",
    "/", "\\", "%0999999999d", "[###]", "*", "[a-", "🎨", " " * 3000, "a" * 3000,
]  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn, text: str) -> str:
    """A text with pieces taken out, moved, repeated and replaced by what parsers dislike."""
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        stop = min(len(text), start + draw(st.sampled_from([0, 1, 2, 8, 40, 400])))
        piece = draw(
            st.sampled_from(FRAGMENTS) | st.just(text[start:stop] * 2) | st.text(max_size=9)
        )
        text = text[:start] + piece + text[stop:]
    return text


@st.composite
def mutated_bytes(draw: st.DrawFn, data: bytes) -> bytes:
    """The same of bytes."""
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        stop = min(len(data), start + draw(st.sampled_from([0, 1, 4, 20])))
        piece = draw(
            st.binary(max_size=8)
            | st.sampled_from([b"\xff\xff\xff\x7f", b"\0\0\xc0\x7f", b"%0999999999d", b"[#]" * 100])
        )
        data = data[:start] + piece + data[stop:]
    return data


@pytest.fixture(scope="module")
def project_toml(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("project")).toml


# a module's fixture cannot give a strategy its text
TOML = with_entries(
    clip='sha256 = "42b1d2d168475b5aaacbcbaf2632e53215bd1e35ddd52c9f9d55a2f3853844ac"\n'
    'size = 48648\nframes = "0:9"\nframe-rate = 24.5',
    keys='folder = "keys"',
    run='work-limit = "20GB"\n[mask]\nmask = "~/masks"\ngrow = -3\nbackground = "#204080"',
)


@fuzz(60)
@given(text=mutated(TOML))
def test_project_files(text: str) -> None:
    with a_value_or_one_line():
        read_settings(Path("p.kadr/project.toml"), text)


@fuzz(40)
@given(data=mutated_bytes(TOML.encode()))
def test_project_files_that_may_be_no_text(data: bytes, project_toml: Path) -> None:
    project_toml.write_bytes(data)
    with a_value_or_one_line():
        open_project(project_toml.parent).options()


@fuzz(60)
@given(data=st.data())
def test_presets(data: st.DataObject, tmp_path: Path) -> None:
    name = data.draw(st.sampled_from(preset_names()))
    path = tmp_path / "x.toml"
    path.write_text(data.draw(mutated(read_preset(name).text)), encoding="utf-8", newline="")
    with a_value_or_one_line():
        assert read_preset(str(path)).about is not None


EBS = pack_ebs(
    EbsProject(
        "video/[#####].png",
        "keys/[###].png",
        (EbsRange(2, 0, 5, "out-2/[#####].png"), EbsRange(8, 5, 9, "out-8/[#####].png")),
        "masks/[###].png",
    )
)


@fuzz(100)
@given(data=mutated_bytes(EBS))
def test_ebs_files(data: bytes) -> None:
    with a_value_or_one_line():
        assert pack_ebs(parse_ebs(data, "x.ebs")) is not None


@pytest.fixture(scope="module")
def ebs_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The images that EBS names, small."""
    import numpy as np

    folder = tmp_path_factory.mktemp("ebs")
    image = np.full((8, 8, 3), 90, np.uint8)
    for name in [f"video/{index:05d}.png" for index in range(10)] + [
        "keys/002.png",
        "keys/008.png",
    ]:
        write_image(folder / name, image)
    return folder


@fuzz(40)
@given(data=mutated_bytes(EBS))
def test_imports_of_ebs_files(data: bytes, ebs_folder: Path, tmp_path_factory: Any) -> None:
    file = ebs_folder / "x.ebs"
    file.write_bytes(data)
    with a_value_or_one_line():
        import_project(file, tmp_path_factory.mktemp("import") / "p.kadr")


@fuzz(100)
@given(text=mutated(record_text(make_record(4))))
def test_records(text: str, tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text(text, encoding="utf-8", newline="")
    with a_value_or_one_line():
        record = read_record(path)
        if record is not None:
            record_text(record)
            assert all(record.number(index) is not None for index in record.worst(3))


@fuzz(100)
@given(text=mutated('{"shots": [[0, 4], [4, 9]], "0+": {"options": {"mapping": 1}, "seed": 0}}'))
def test_work_files(text: str, tmp_path: Path) -> None:
    path = tmp_path / "shots-1.json"
    path.write_text(text, encoding="utf-8", newline="")
    with a_value_or_one_line():
        content = read_json_object(path)
        for entry in content.values():
            _changed_options(entry, {"mapping": 2})
        shots = _stored_shots(path, FrameRange(0, 9))
        assert shots is None or shots[-1].stop == 9


@fuzz(40)
@given(text=mutated('{"clip.mp4": {"state": "0", "identity": "1"}}'))
def test_hashes_of_clips(text: str, tmp_path: Path) -> None:
    (tmp_path / "clips.json").write_text(text, encoding="utf-8", newline="")
    (tmp_path / "a.mp4").write_bytes(b"a")
    with a_value_or_one_line():
        assert len(clip_identity(tmp_path / "a.mp4", tmp_path)) == 64


@fuzz(60)
@given(text=mutated(Task("a", "module:name", {"x": [1, None]}).to_json()))
def test_tasks(text: str) -> None:
    with a_value_or_one_line():
        Task.from_json(text)


@dataclass(frozen=True)
class _Duration:
    duration: Fraction


class _Numbers:
    def __len__(self) -> int:
        return 100

    def number(self, index: int) -> int:
        return index

    def index_of(self, number: int) -> int | None:
        return number if 0 <= number < 100 else None

    @property
    def times(self) -> list[Fraction]:
        return [Fraction(index, 25) for index in range(100)]

    @property
    def info(self) -> _Duration:
        return _Duration(Fraction(4))


OPTIONS: dict[str, Callable[[str], object]] = {
    "rate": parse_rate,
    "size": lambda text: parse_bytes(text, "work-limit"),
    "frames": lambda text: parse_frames(text, _Numbers()),
    "range": lambda text: parse_span(text, _Numbers()),
    "whole": lambda text: RunOptions(
        Path("a"), "b", stylizer="paint", seed=parse_value(text, int, "seed")
    ),
    "number": lambda text: RunOptions(
        Path("a"), "b", stylizer="paint", frame_rate=parse_value(text, float, "fps")
    ),
    "list": lambda text: parse_value(text, tuple[int, ...], "steps"),
    "switch": lambda text: parse_value(text, bool, "tiling"),
    "assignment": lambda text: parse_assignments([text], RunOptions, "stylizer"),
}
TEXTS = (
    st.sampled_from(
        ["25", "30000/1001", "20GB", "1.5GiB", "0:9", "0:4:9", "0:01:0:02", "seed=3", "1e3", "²"]
    )
    .flatmap(mutated)
    .filter(bool)
    | st.text(max_size=30)
    | st.text("0123456789eE+-_./:,kMGiB=", max_size=30)
)


@pytest.mark.parametrize("name", OPTIONS)
@fuzz(60)
@given(text=TEXTS)
def test_options(name: str, text: str) -> None:
    with a_value_or_one_line():
        OPTIONS[name](text)


NAMES = (
    st.sampled_from(["f_%05d.png", "f_[####].png", "####.png", "f_*.png", "f_[12].png", "a.mp4"])
    .flatmap(mutated)
    .map(lambda name: name.replace("\0", "")[:600])
)


@fuzz(100)
@given(name=NAMES, number=st.integers(0, 10**6))
def test_patterns(name: str, number: int, tmp_path: Path) -> None:
    with a_value_or_one_line():
        pattern = sequence_pattern(name)
        if pattern is not None:
            assert len(pattern.name(number)) < len(name) + 100
            pattern.number(name)
        clip_files(tmp_path / name)
        find_sequence(tmp_path / name)


def test_json_of_any_type_is_no_work_file(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    for value in (None, 3, "x", [1], True):
        path.write_text(json.dumps(value))
        assert read_json_object(path) == {}
        assert read_record(path) is None
    path.write_text("[" * 100_000)
    assert read_json_object(path) == {}
    assert read_record(path) is None


def test_patterns_that_no_name_can_have(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="more than 200 digits"):
        sequence_pattern("f_%0999999999d.png")
    with pytest.raises(InputError, match="not a pattern of names"):
        find_sequence(tmp_path / "f_**.png")
    with pytest.raises(InputError, match=r"cannot be read \(.+\); check the path"):
        find_sequence(tmp_path / ("f" * 300))


def test_names_in_ebs_files_that_no_disk_takes() -> None:
    data = pack_ebs(EbsProject("video/" + "a" * 256, "keys/[###].png"))
    with pytest.raises(InputError, match="has a name of 256 bytes"):
        parse_ebs(data, "x.ebs")


@pytest.mark.parametrize("shots", ["[[0, 4.5], [4.5, 9]]", "[[false, 9]]", "[]", "[[0]]", '"ab"'])
def test_shots_of_other_types_are_made_again(shots: str, tmp_path: Path) -> None:
    path = tmp_path / "shots-1.json"
    path.write_text(f'{{"shots": {shots}}}')
    assert _stored_shots(path, FrameRange(0, 9)) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("first_frame", "-1"),
        ("seconds", "NaN"),
        ("work_bytes", "9" * 400),
        ("numbers", '[1, 2, 3, "4"]'),
        ("measured", "[0, 0, true, 0]"),
        ("options", "[]"),
        ("versions", '{"kadr": 1}'),
    ],
)
def test_records_of_other_types_are_not_used(name: str, value: str, tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    lines = record_text(make_record(4)).splitlines()
    lines = [f'"{name}": {value},' if line.startswith(f'  "{name}"') else line for line in lines]
    path.write_text("\n".join(lines))
    assert read_record(path) is None
    path.write_text(record_text(make_record(4)))
    assert read_record(path) == make_record(4)


def test_presets_in_other_encodings(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(b'\xef\xbb\xbf[picture]\ndetail = "low"\n')
    assert read_preset(str(path)).detail == "low", "as some editors save UTF-8"
    path.write_bytes(b"# caf\xe9\n")
    with pytest.raises(InputError, match="is not UTF-8 text; save it as UTF-8"):
        read_preset(str(path))
