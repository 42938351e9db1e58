"""The work folders of runs without a project: one for a clip, and one for each of its outputs."""

from __future__ import annotations

from pathlib import Path

import platformdirs
import pytest

from kadr.storage.cache import VARIABLE, cache_folder, cache_folders, cache_root
from kadr.storage.ownership import adopt_folder


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))


def test_the_environment_variable_sets_the_cache_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cache_root() == tmp_path / "cache"
    monkeypatch.setenv(VARIABLE, "")
    assert cache_root() == Path(platformdirs.user_cache_dir("kadr", appauthor=False))
    monkeypatch.delenv(VARIABLE)
    assert cache_root().name in ("kadr", "Cache")


def test_the_same_clip_and_output_have_the_same_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = cache_folder(tmp_path / "a.mp4", tmp_path / "out.mp4")
    monkeypatch.chdir(tmp_path)
    assert cache_folder("a.mp4", "./x/../out.mp4") == folder
    assert folder.is_relative_to(cache_root())
    assert not folder.exists()


def test_another_clip_or_output_has_another_folder(tmp_path: Path) -> None:
    pairs = [("a.mp4", "b.mp4"), ("a.mp4", "c.mp4"), ("x/a.mp4", "b.mp4"), ("b.mp4", "a.mp4")]
    folders = {cache_folder(tmp_path / clip, tmp_path / out) for clip, out in pairs}
    assert len(folders) == len(pairs)


def test_all_outputs_of_a_clip_share_a_folder_unless_one_began_in_its_own() -> None:
    shared, own = cache_folders("a.mp4", "b.mp4")
    assert shared == cache_folder("a.mp4") == cache_folders("a.mp4", "b.gif")[0]
    assert own == cache_folder("a.mp4", "b.mp4") != shared
    adopt_folder(shared)
    assert cache_folders("a.mp4", "b.mp4") == (shared, own)
    adopt_folder(own)
    assert cache_folders("a.mp4", "b.mp4") == (own, shared)
    assert cache_folders("a.mp4", "b.gif")[0] == shared


@pytest.mark.parametrize("name", ["ein Film (3).mp4", "日本.mp4", "frame_%05d.png", "-.mp4", "a:b"])
def test_folder_names_are_valid_on_every_system(name: str, tmp_path: Path) -> None:
    folder_name = cache_folder(tmp_path / name, "out.mp4").name
    assert not set(folder_name) & set('<>:"/\\|?*% ()')
    assert 14 <= len(folder_name) <= 60
