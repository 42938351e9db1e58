"""The work folders of runs without a project: one for a clip, and one for each of its outputs."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import platformdirs
import pytest

from kadr.errors import OutputError
from kadr.storage import cache as cache_module
from kadr.storage import kernel_cache
from kadr.storage.cache import (
    VARIABLE,
    cache_folder,
    cache_folders,
    cache_root,
    is_writable,
    log_folder,
)
from kadr.storage.kernel_cache import prepare_kernel_cache
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


@pytest.fixture
def no_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """No folder of the user can be written, only that for temporary files, which is returned."""
    (tmp_path / "file").touch()
    (tmp_path / "temporary").mkdir()
    monkeypatch.delenv(VARIABLE)
    for kind in ("user_cache_dir", "user_log_dir"):
        monkeypatch.setattr(platformdirs, kind, lambda name, **_: str(tmp_path / "file" / name))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    cache_module._temporary_root.cache_clear()
    yield tmp_path / "temporary"
    cache_module._temporary_root.cache_clear()


def test_without_a_home_temporary_files_hold_the_cache_and_one_notice_says_so(
    no_home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        root = cache_root()
        assert cache_root() == root
        assert log_folder() == root / "logs"
    assert root.parent == no_home
    (line,) = caplog.messages
    assert line.endswith(f"{root} is used: set KADR_CACHE to a folder that you may write")
    if os.name != "nt":
        assert root.stat().st_mode & 0o777 == 0o700


def test_a_home_that_nobody_knows_is_none(no_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda *_, **__: "~/.cache/kadr")
    monkeypatch.chdir(no_home)
    assert cache_root().parent == no_home


@pytest.mark.skipif(os.name == "nt", reason="Windows has a folder of temporary files for each user")
def test_a_folder_of_somebody_else_is_not_used(
    no_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = no_home / f"kadr-{os.getuid()}"
    link.symlink_to(tmp_path)
    with pytest.raises(OutputError, match="belongs to somebody else; set KADR_CACHE"):
        cache_root()
    link.unlink()
    link.mkdir()
    user = os.getuid() + 1
    link.rename(no_home / f"kadr-{user}")
    monkeypatch.setattr(os, "getuid", lambda: user)
    with pytest.raises(OutputError, match="belongs to somebody else"):
        cache_root()


def test_without_any_folder_a_line_says_what_to_set(
    no_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(no_home / "gone"))
    with pytest.raises(OutputError, match="no work files can be written; set KADR_CACHE to"):
        cache_root()


def test_a_folder_can_be_written_if_it_can_be_made(tmp_path: Path) -> None:
    assert is_writable(tmp_path / "a" / "b")
    (tmp_path / "file").touch()
    assert not is_writable(tmp_path / "file")
    assert not is_writable(tmp_path / "file" / "a")
    assert not is_writable(Path("~") / "a")
    assert not is_writable(tmp_path / ("a" * 300))


def test_numba_keeps_its_own_folder_if_it_has_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    assert prepare_kernel_cache() == ""
    assert "NUMBA_CACHE_DIR" not in os.environ


@pytest.mark.parametrize("named", [False, True])
def test_numba_gets_a_folder_where_nothing_of_its_own_can_be_written(
    no_home: Path, monkeypatch: pytest.MonkeyPatch, named: bool
) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(no_home.parent / "file" / "x") if named else "")
    package = Path(kernel_cache.__file__).parents[1]
    monkeypatch.setattr(
        kernel_cache, "is_writable", lambda folder: folder != package and is_writable(folder)
    )
    notice = prepare_kernel_cache()
    folder = cache_root() / "kernels"
    assert os.environ["NUMBA_CACHE_DIR"] == str(folder)
    assert f"compiled kernels cannot be kept here; they are kept in {folder}" in notice
    assert notice.startswith(str(no_home.parent / "file" / "x") if named else str(package))
