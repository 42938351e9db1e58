"""The place for work without a project: the same for the same clip and output, else another."""

from __future__ import annotations

from pathlib import Path

import platformdirs
import pytest

from kadr.storage.cache import VARIABLE, cache_folder, cache_root


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))


def test_the_variable_has_the_last_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache_root() == tmp_path / "cache"
    monkeypatch.setenv(VARIABLE, "")
    assert cache_root() == Path(platformdirs.user_cache_dir("kadr", appauthor=False))
    monkeypatch.delenv(VARIABLE)
    assert cache_root().name in ("kadr", "Cache")


def test_same_clip_and_output_same_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = cache_folder(tmp_path / "a.mp4", tmp_path / "out.mp4")
    monkeypatch.chdir(tmp_path)
    assert cache_folder("a.mp4", "./x/../out.mp4") == folder
    assert folder.is_relative_to(cache_root())
    assert not folder.exists()


def test_another_clip_or_output_another_folder(tmp_path: Path) -> None:
    pairs = [("a.mp4", "b.mp4"), ("a.mp4", "c.mp4"), ("x/a.mp4", "b.mp4"), ("b.mp4", "a.mp4")]
    folders = {cache_folder(tmp_path / clip, tmp_path / out) for clip, out in pairs}
    assert len(folders) == len(pairs)


@pytest.mark.parametrize("name", ["ein Film (3).mp4", "日本.mp4", "frame_%05d.png", "-.mp4", "a:b"])
def test_names_are_readable_and_fit_for_any_system(name: str, tmp_path: Path) -> None:
    made = cache_folder(tmp_path / name, "out.mp4").name
    assert not set(made) & set('<>:"/\\|?*% ()')
    assert 14 <= len(made) <= 60
