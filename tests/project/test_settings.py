"""A project file: written and read back, and every error with its line."""

from __future__ import annotations

import random
import time
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import tomlkit
from hypothesis import given
from hypothesis import strategies as st
from project_samples import PROJECT_TEXT, make_project

from kadr import InputError, OptionsError, PropagateOptions, RunOptions, open_project
from kadr.options import DETAIL
from kadr.project.schema import run_fields, sections
from kadr.project.settings import RangeSettings, Settings, read_settings
from kadr.project.template import project_text
from kadr.project.toml_lines import line_of

FILE = Path("p.kadr/project.toml")


def test_a_short_file_is_enough() -> None:
    settings = read_settings(FILE, PROJECT_TEXT)
    assert settings.ranges == ("0:3:5", "4:6:9")
    assert settings.stylizer_options == {"radius": 5.0}
    assert settings.propagate().deflicker == 1.0
    assert settings.propagate().vote_iterations == DETAIL["low"].vote_iterations
    assert settings.run == {"crf": 20, "seed": 4}
    assert read_settings(FILE, PROJECT_TEXT.replace("\n", "\r\n")) == settings


RANGES = PROJECT_TEXT.replace(
    "radius = 5\n",
    """radius = 5
[[stylizer.range]]
frames = "2:4"
radius = 9
[[stylizer.range]]  # the second
shot = 2
strokes = 0.2
""",
)


def test_ranges_give_other_values_to_some_frames() -> None:
    settings = read_settings(FILE, RANGES)
    assert settings.stylizer_options == {"radius": 5.0}
    assert settings.stylizer_ranges == (
        RangeSettings("2:4", None, {"radius": 9.0}),
        RangeSettings(None, 2, {"strokes": 0.2}),
    )
    assert [item.name for item in settings.stylizer_ranges] == ["2:4", "shot 2"]
    assert read_settings(FILE, PROJECT_TEXT).stylizer_ranges == ()


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("radius = 9", "radios = 9", 14, "unknown 'radios'; did you mean 'radius'?"),
        ("radius = 9", "radius = 99", 14, "radius 99.0: expected 1 to 40"),
        ("radius = 9", "", 12, r"\[\[stylizer.range\]\]: sets nothing; give another prompt"),
        ('frames = "2:4"', "", 12, r'\[\[stylizer.range\]\]: give frames = "FIRST:LAST" or shot'),
        ("shot = 2", 'shot = 2\nframes = "8:9"', 15, "give frames"),
        ("shot = 2", "shot = 0", 16, "shot 0: expected a number from 1 on"),
        ("shot = 2", "shot = true", 16, "shot True: expected a whole number"),
        ("strokes = 0.2", "strokes = 2", 17, "strokes 2.0: expected 0 to 1"),
        ('"2:4"', '"4:2"', 13, "frames 4:2: the first comes after the last"),
        ('"2:4"', '"24"', 13, "frames 24: expected FIRST:LAST"),
        ('name = "paint"\nradius = 5', "", 11, "is for a stylizer that makes keys"),
        ('[[stylizer.range]]\nframes = "2:4"\nradius = 9', "range = 4", 12, "range: expected sec"),
    ],
)
def test_every_fault_of_a_range_names_its_line(old: str, new: str, line: int, message: str) -> None:
    assert old in RANGES
    text = RANGES.replace(old, new)
    if new == "range = 4":
        text = text[: text.index("[[stylizer")] + text[text.index("[picture]") :]
    with pytest.raises(OptionsError, match=message) as caught:
        read_settings(FILE, text)
    assert str(caught.value).startswith(f"{FILE}, line {line}: ")


def test_an_option_of_all_frames_is_none_of_a_range() -> None:
    text = RANGES.replace('name = "paint"\nradius = 5', 'name = "diffusion"\nmodel = "m"')
    text = text.replace("radius = 9", 'model = "n"').replace("strokes = 0.2", 'prompt = "ink"')
    with pytest.raises(OptionsError, match="line 14: model: is the same for all frames; set it in"):
        read_settings(FILE, text)


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("crf = 20", "crv = 20", 17, "unknown 'crv'; did you mean 'crf'?"),
        ("crf = 20", "crf = 99", 17, "crf 99: expected 0 to 63"),
        ("crf = 20", f"crf = {'9' * 400}", 17, "crf: a number of more than 64 bits"),
        ("crf = 20", f"crf = 0x{'f' * 9000}", 17, "crf: a number of more than 64 bits"),
        ('"out.mp4"', r'"out\u0000.mp4"', 16, "path: holds a character that no name may have"),
        ("crf = 20", 'crf = "20"', 17, "crf '20': expected a whole number"),
        ("crf = 20", "crf = true", 17, "crf True: expected a whole number"),
        ("crf = 20", "crf = 20.5", 17, "crf 20.5: expected a whole number"),
        ("crf = 20", "per-key = 3", 17, "per-key 3: expected a path in quotes"),
        ("crf = 20", "crf =", 17, "not TOML"),
        ("crf = 20", "crf = 20\ncrf = 21", 18, "crf"),
        ("seed = 4", "seed = -4", 19, "seed -4: expected at least 0"),
        ("seed = 4", "work-limit = 'much'", 19, "work-limit much: expected a size such as"),
        ("seed = 4", "threads = 0", 19, "threads 0: expected 1 to 1024"),
        ("[run]", "[runs]", 18, "section unknown 'runs'; did you mean 'run'?"),
        ("[run]", "[zzz]", 18, "section unknown 'zzz'; expected one of clip, keys"),
        ("format = 1", "format = 1\nrun = 3", 19, "not TOML"),
        ("format = 1", "format = 2", 1, "format 2: expected 1; if a newer kadr wrote it"),
        ("format = 1", "format = true", 1, "format True: expected 1"),
        ("format = 1\n", "", 1, "'format' is missing; a project begins with format = 1"),
        ("deflicker = 1", "deflicker = -1", 14, "deflicker -1.0: expected 0 to 1000"),
        ("deflicker = 1", "patch-size = 4", 14, "patch-size 4: expected an odd number"),
        ("deflicker = 1", "quick-flow = 'yes'", 14, "expected true or false"),
        ("deflicker = 1", "deflicker = nan", 14, "deflicker nan: expected 0 to 1000"),
        ('"low"', '"best"', 13, "detail 'best': expected one of high, medium"),
        ("radius = 5", "radius = 99", 11, "radius 99.0: expected 1 to 40"),
        ("radius = 5", "radios = 5", 11, "unknown 'radios'; did you mean 'radius'?"),
        ('"paint"', '"oil"', 10, "stylizer 'oil': expected one of external, paint"),
        ('"paint"', '"external"', 11, "unknown 'radius'"),
        ('  "4:6:9",', '  "4:9:6",', 7, "range 4:9:6: the key must lie between"),
        ('  "4:6:9",', '  "4:6",', 7, "range 4:6: expected FIRST:KEY:LAST"),
        ('  "4:6:9",', "  4,", 5, "expected a list in brackets"),
        ('path = "clip.mp4"', "", 2, r"\[clip\] has no path"),
        ('path = "out.mp4"', "", 15, r"\[output\] has no path"),
        ('"clip.mp4"', '"clip.mp4"\nsha256 = "12"', 4, "expected 64 hexadecimal digits"),
        ('"clip.mp4"', '"clip.mp4"\nframes = "9:3"', 4, "the first comes after the last"),
        ('"clip.mp4"', '"clip.mp4"\nframe-rate = 0', 4, "frame-rate 0.0: expected 0 to 1000"),
        ("[keys]", "[keys]\nmin-gap = 9\nmax-gap = 3", 5, "min-gap 9: is more than max-gap 3"),
    ],
)
def test_every_fault_names_its_line(old: str, new: str, line: int, message: str) -> None:
    assert old in PROJECT_TEXT
    with pytest.raises(OptionsError, match=message) as caught:
        read_settings(FILE, PROJECT_TEXT.replace(old, new))
    first, colon, _ = str(caught.value).partition(": ")
    assert colon
    assert first == f"{FILE}, line {line}"
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    project.toml.write_bytes(project.text.encode() + b"# \xff\n")
    line = project.text.count("\n") + 1
    with pytest.raises(InputError, match=rf"line {line}: is not UTF-8 text; save it as UTF-8"):
        open_project(project.root)
    project.toml.write_bytes(b"\xef\xbb\xbf" + project.text.encode())
    assert open_project(project.root).settings == project.settings


NOT_IN_A_PROJECT = {
    "stylizer_options": "the entries of [stylizer]",
    "stylizer_ranges": "the sections [[stylizer.range]]",
    "propagate": "the entries of [picture]",
    "overwrite": "a run may replace the outputs in its own project",
    "replace_in": "the folder of the project",
    "frames_only": "a layer of the project",
    "work": "the folder work/ of the project",
    "frames_folder": "the folder out/frames of the project",
    "report": "the folder out/ of the project",
    "address": "who answers at an address runs code on this machine",
}
"""Field of RunOptions → why a project file has no entry for it."""


def test_every_option_of_a_run_has_an_entry() -> None:
    """A new field of RunOptions is an entry of project files, or there is a reason not to."""
    listed = sections()
    entries = {entry.name for section in listed.values() for entry in section}
    described = [entry for section in listed.values() for entry in section if entry.field]
    for item in fields(RunOptions):
        name = item.metadata.get("entry") or item.name.replace("_", "-")
        assert (name in entries) != (item.name in NOT_IN_A_PROJECT), item.name
        if item.metadata.get("entry"):
            assert name in {entry.name for entry in listed[item.metadata["section"]]}
    picture = {item.name for item in fields(PropagateOptions)}
    assert {entry.field for entry in described} == {*run_fields(), *picture}
    assert all(
        entry.help or entry.name == "sha256" for section in listed.values() for entry in section
    )


def _values(kind: type[Any], names: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    """Some fields with some values in their ranges."""
    drawn: dict[str, st.SearchStrategy[Any]] = {}
    for item in fields(kind):
        low, high = item.metadata.get("low"), item.metadata.get("high")
        if item.name not in names or low is None or item.name == "patch_size":
            continue
        if item.type.startswith("int"):
            drawn[item.name] = st.integers(int(low), int(high or 1 << 40))
        else:
            drawn[item.name] = st.floats(low, high)
    return st.fixed_dictionaries({}, optional=drawn)


_NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12).filter(
    lambda name: not name.startswith("~")  # that is the home folder
)
_RANGES = st.lists(st.integers(0, 999), min_size=3, max_size=3).map(
    lambda numbers: ":".join(map(str, sorted(numbers)))
)


@given(
    st.builds(
        Settings,
        clip=_NAMES,
        sha256=st.sampled_from(["", "0" * 64, "0123456789abcdef" * 4]),
        size=st.none() | st.integers(0, 1 << 50),
        frames=st.none() | st.just("3:90"),
        frame_rate=st.none() | st.floats(0.01, 1000),
        keys=_NAMES,
        ranges=st.lists(_RANGES, max_size=5).map(tuple),
        stylizer=st.just("paint"),
        stylizer_options=st.fixed_dictionaries({}, optional={"radius": st.floats(1, 40)}),
        detail=st.sampled_from(list(DETAIL)),
        picture=_values(PropagateOptions, [item.name for item in fields(PropagateOptions)]),
        output=_NAMES,
        run=_values(RunOptions, ["crf", "threads", "seed", "workers", "keys_budget"]),
    )
)
def test_what_is_written_is_read_again(settings: Settings) -> None:
    text = project_text(settings)
    assert read_settings(FILE, text) == settings
    assert project_text(read_settings(FILE, text)) == text


def test_a_seed_of_the_run_is_not_one_of_the_stylizer() -> None:
    settings = Settings("clip.mp4", stylizer="paint", stylizer_options={}, run={"seed": 7})
    read = read_settings(FILE, project_text(replace(settings, output="film.mp4")))
    assert (read.run, read.stylizer_options) == ({"seed": 7}, {})


@given(st.integers(0, 10**6))
def test_the_line_holds_the_key(seed: int) -> None:
    source = random.Random(seed)
    document = tomlkit.document()
    where: list[tuple[str, str]] = []
    for section in source.sample(["clip", "keys", "run", "odd name"], 3):
        table = tomlkit.table()
        for key in source.sample(["a", "path", "x-y", 'q"t', "a b"], 3):
            value = source.choice([3, "a = 3", ["x", "[run]"], "two\nlines = 1", True])
            item = tomlkit.item(value)
            if isinstance(value, list):
                item.multiline(True)
            elif isinstance(value, str) and "\n" in value:
                item = tomlkit.string(value, multiline=True)
            table.add(key, item)
            where.append((section, key))
            if source.random() < 0.5:
                table.add(tomlkit.comment("a = 1, path = 2"))
        document.add(section, table)
    text = tomlkit.dumps(document)
    lines = text.splitlines()
    for section, key in where:
        before = lines[: line_of(text, section, key)]
        assert before[-1].startswith(tomlkit.key(key).as_string())
        headers = [line for line in before if line.startswith("[")]
        assert headers[-1] == f"[{tomlkit.key(section).as_string()}]"


def test_lines_of_other_ways_to_write() -> None:
    text = 'format = 1\nclip.path = "x"\n\n [ run ] # here\n\tseed=3\n'
    assert line_of(text, "clip", "path") == 2
    assert line_of(text, "run") == 4
    assert line_of(text, "run", "seed") == 5
    assert line_of(text, "run", "nothing") == 4
    assert line_of(text, "clip") == 2
    assert line_of(text, "nothing") == 1


def test_lines_without_a_value_take_no_longer_than_their_length() -> None:
    text = "\n".join(["a" * 50_000, "a." * 50_000, '"a' * 20_000, " " * 50_000, "a b " * 20_000])
    start = time.monotonic()
    assert line_of(f"{text}\nlast = 1", "last") == 6
    assert time.monotonic() - start < 2


def test_a_file_that_is_no_project_is_refused_at_once() -> None:
    for text in ("a = 1\n" * 100_000, "[" * 100_000, "a = " + "{b = " * 30_000):
        start = time.monotonic()
        with pytest.raises(OptionsError, match=r"project\.toml(, line 1)?: ") as caught:
            read_settings(FILE, text)
        assert len(str(caught.value)) < 300
        assert time.monotonic() - start < 2


def test_home_folders_are_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("USERPROFILE", "/home/me")
    text = PROJECT_TEXT.replace("clip.mp4", "~/clip.mp4").replace("out.mp4", "~/out/")
    text = text.replace("[keys]", '[keys]\nfolder = "~/keys"')
    text = text.replace("crf = 20", 'per-key = "~/each"')
    settings = read_settings(FILE, text)
    assert Path(settings.clip) == Path("/home/me/clip.mp4")
    assert Path(settings.keys) == Path("/home/me/keys")
    assert settings.output.endswith("/")
    assert Path(settings.output) == Path("/home/me/out")
    assert settings.run is not None
    assert settings.run["per_key"] == Path("/home/me/each")
