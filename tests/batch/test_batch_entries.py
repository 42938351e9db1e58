"""Batch files and folders as lists of runs, and what is refused in them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kadr.batch.entries import BatchEntry, _words, read_batch
from kadr.errors import KadrError

OPTIONS = {"detail", "crf", "stylizer", "stylizer-option", "steady", "keys", "output", "json"}


def _read(folder: Path, text: str) -> tuple[BatchEntry, ...]:
    file = folder / "batch.toml"
    file.write_text(text)
    return read_batch(file, OPTIONS)


def _touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_a_file_names_projects_and_clips_with_options(tmp_path: Path) -> None:
    _touch(tmp_path, "shots/b.mp4", "shots/a.mp4", "shots/.hidden.mp4")
    entries = _read(
        tmp_path,
        """
        [options]
        detail = "draft"
        [[project]]
        path = "one.kadr"
        options = { crf = 20, detail = "high", steady = true }
        [[clip]]
        path = "shots/*.mp4"
        keys = "keys/{name}"
        output = "out/{name}.mp4"
        [[clip]]
        path = "s3://bucket/c.mp4"
        output = "frames/"
        options = { stylizer = "paint", stylizer-option = ["a=1", "b=2"], steady = false }
        """,
    )
    names = [entry.name for entry in entries]
    assert names == ["one.kadr", "a", "b", "c"]
    project, first, _, remote = entries
    assert project.target == str(tmp_path / "one.kadr")
    assert project.words == ("--detail=high", "--crf=20", "--steady")
    assert first == BatchEntry(
        "a",
        str(tmp_path / "shots/a.mp4"),
        (f"--keys={tmp_path}/keys/a", f"--output={tmp_path}/out/a.mp4", "--detail=draft"),
        (str(tmp_path / "shots/a.mp4"), f"{tmp_path}/keys/a", "draft"),
        f"{tmp_path}/out/a.mp4",
    )
    assert remote.target == "s3://bucket/c.mp4"
    assert remote.output == f"{tmp_path}/frames/"
    assert remote.words[2:] == (
        "--stylizer=paint",
        "--stylizer-option=a=1",
        "--stylizer-option=b=2",
    )


def test_projects_and_clips_of_a_folder_are_found(tmp_path: Path) -> None:
    _touch(tmp_path, "b.kadr/project.toml", "a/project.toml", "c/other.toml", "x/1.mov", "y/2.mov")
    assert [entry.name for entry in read_batch(tmp_path, OPTIONS)] == ["a", "b.kadr"]
    entries = read_batch(tmp_path, OPTIONS, clips="*/*.mov", output="out/{name}/")
    assert [entry.output for entry in entries] == [f"{tmp_path}/out/1/", f"{tmp_path}/out/2/"]
    assert [entry.words for entry in entries] == [(f"--output={e.output}",) for e in entries]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"batch.toml: holds no \[\[project\]\] and no \[\[clip\]\]; add some"),
        ("[[project]]\npth = 'a'", r"line 2: unknown 'pth'; did you mean 'path'\?"),
        ("[[project]]\n", r"line 1: \[\[project\]\]: has no path; add path = "),
        ("[[project]]\npath = 3", r"line 2: path 3: expected a path in quotes"),
        ("[[clip]]\npath = 'a.mp4'", r"line 1: \[\[clip\]\]: has no output; add output"),
        ("[project]\npath = 'a'", r"line 1: project: expected sections, \[\[project\]\]"),
        ("[projects]\npath = 'a'", r"section unknown 'projects'; did you mean 'project'\?"),
        ("[options]\ndetial = 'low'", r"line 2: option unknown 'detial'; did you mean 'detail'\?"),
        ("[options]\njson = true", r"line 2: option unknown 'json'; expected one of crf, detail"),
        ("[[clip]]\npath='*.mp4'\noutput='o'", r"line 2: .*\*.mp4: no clip has such a name; give"),
        (
            "[[project]]\npath='a'\n[[project]]\npath='b/../a'",
            r"project .*a: comes twice; each run",
        ),
        (
            "[[clip]]\npath='s3://k:p@b/a.mp4'\noutput='o'",
            r"line 2: path s3://\*\*\*@b/a.mp4: holds",
        ),
        ("[[clip", r"line 1: not TOML"),
        ("[[clip]]\npath='a'\noutput='o'\noptions=[1]", r"options: expected names and values"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(KadrError, match=message):
        _read(tmp_path, text)


def test_many_clips_need_outputs_of_their_own(tmp_path: Path) -> None:
    _touch(tmp_path, "a.mp4", "b.mp4")
    with pytest.raises(KadrError, match=r"output all.mp4: 2 clips would be written there; name it"):
        read_batch(tmp_path, OPTIONS, clips="*.mp4", output="all.mp4")


@pytest.mark.parametrize(
    ("patterns", "message"),
    [
        ({}, r"no projects in it \(\*/project.toml\); make some with kadr new, or give --clips"),
        ({"keys": "k"}, "keys k: is for clips; give --clips too"),
        ({"clips": "*.mp4"}, r"clips \*.mp4: give --output too"),
        ({"clips": "*.mp4", "output": "{name}.mp4"}, r"\*.mp4: no clip has such a name"),
        ({"clips": "/x/*.mp4", "output": "{name}.mp4"}, "no clip has such a name"),
    ],
)
def test_a_folder_with_nothing_to_run_is_refused(
    tmp_path: Path, patterns: dict[str, str], message: str
) -> None:
    with pytest.raises(KadrError, match=message):
        read_batch(tmp_path, OPTIONS, **patterns)


def test_other_targets_are_refused(tmp_path: Path) -> None:
    _touch(tmp_path, "a.kadr/project.toml", "clip.mp4")
    for name in ("a.kadr", "a.kadr/project.toml", "clip.mp4", "missing"):
        with pytest.raises(KadrError, match=r"expected a batch file, such as batch.toml, or a"):
            read_batch(tmp_path / name, OPTIONS)
    with pytest.raises(KadrError, match=r"missing.toml: cannot be read"):
        read_batch(tmp_path / "missing.toml", OPTIONS)


@given(st.one_of(st.integers(), st.floats(), st.text(max_size=20).filter(lambda t: "//" not in t)))
def test_every_value_is_one_word_whatever_is_in_it(value: object) -> None:
    assert _words("crf", value) == (f"--crf={value}",)
