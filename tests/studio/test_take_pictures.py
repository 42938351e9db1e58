"""Pictures of takes: linked once, replaced when a frame is made again, deleted with their take."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kadr.studio.index_runs import index_runs
from kadr.studio.take_pictures import TakePictures


def _pictures(folder: Path, versions: dict[int, str]) -> dict[int, Path]:
    folder.mkdir(exist_ok=True)
    pictures = {index: folder / f"{index:06d}-{name}.jpg" for index, name in versions.items()}
    for path in pictures.values():
        path.write_text(path.name)
    return pictures


@pytest.mark.parametrize("has_links", [True, False])
def test_pictures_stay_when_those_of_the_frames_are_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_links: bool
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError("no links here")

    if not has_links:
        monkeypatch.setattr(os, "link", refuse)
    takes = TakePictures(tmp_path / "takes")
    assert takes.keep("1-a", _pictures(tmp_path / "styled", {3: "x", 4: "x", 7: "x"}))
    assert not takes.keep("1-a", _pictures(tmp_path / "styled", {3: "x"}))
    before = takes.facts("1-a")
    assert before["frames"] == [[3, 4], [7, 7]]
    for path in (tmp_path / "styled").iterdir():
        path.unlink()
    assert takes.keep("1-a", _pictures(tmp_path / "styled", {4: "y"}))
    texts = [path.read_text() for index in (3, 4, 7) if (path := takes.path("1-a", index))]
    assert texts == ["000003-x.jpg", "000004-y.jpg", "000007-x.jpg"]
    assert takes.facts("1-a")["version"] != before["version"]
    assert takes.path("1-a", 5) is takes.path("2-b", 3) is None
    again = TakePictures(tmp_path / "takes")
    assert again.facts("1-a") == takes.facts("1-a")
    assert len(list((tmp_path / "takes" / "1-a").iterdir())) == 3
    again.forget_others(["1-b"])
    assert again.facts("1-a")["frames"] == []
    assert not (tmp_path / "takes" / "1-a").exists()


@given(st.sets(st.integers(0, 40)))
def test_runs_hold_each_index_once(indices: set[int]) -> None:
    runs = index_runs(indices)
    assert [index for first, last in runs for index in range(first, last + 1)] == sorted(indices)
    assert all(a[1] + 1 < b[0] for a, b in pairwise(runs))
