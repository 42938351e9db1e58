"""Option panels, remedies, launchers and the look at other processes."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
from studio_samples import make_clip, make_project

from kadr import open_project
from kadr.core.events import CancelToken
from kadr.errors import OutputError
from kadr.options import PropagateOptions, RunOptions
from kadr.storage.lock import lock_folder
from kadr.studio.error_facts import error_facts, find_remedy
from kadr.studio.launcher import install_launcher
from kadr.studio.watch import find_holder, look_at
from kadr.studio.worker import sample
from kadr.studio.worker.call import Call
from kadr.studio.worker.option_schema import option_schema
from kadr.studio.worker.project_calls import create_sample
from kadr.studio.worker.sample import HEIGHT, WIDTH, sample_frame
from kadr.stylize.registry import stylizer_names, stylizer_options


def test_every_option_of_a_project_has_a_control(tmp_path: Path) -> None:
    project = open_project(make_project(tmp_path)).edit("picture", {"mapping": 3.5})
    schema = option_schema(project)
    options = {
        (item["section"], item["name"]): item
        for section in schema["sections"]
        for item in section["options"]
    }
    for kind in (PropagateOptions, RunOptions):
        for item in fields(kind):
            section = item.metadata.get("section")
            if section and not item.metadata.get("entry"):
                control = options[section, item.name.replace("_", "-")]
                assert control["help"].startswith(item.metadata["help"])
                assert control["low"] == item.metadata["low"]
    assert options["picture", "mapping"]["value"] == 3.5
    assert options["picture", "patch-size"]["kind"] == "integer"
    assert options["keys", "fit-keys"]["kind"] == "flag"
    assert options["run", "work-limit"]["kind"] == "size"
    assert options["mask", "mask"]["kind"] == "path"
    assert "paint" in options["stylizer", "name"]["choices"]
    assert [item["name"] for item in schema["stylizers"]] == list(stylizer_names())
    paint = next(item for item in schema["stylizers"] if item["name"] == "paint")
    names = {item["name"].replace("-", "_") for item in paint["options"]}
    assert names == {item.name for item in fields(stylizer_options("paint"))}
    assert paint["needs"] == ""


def test_the_flag_that_an_error_names_becomes_its_remedy() -> None:
    assert find_remedy("resize the key, or give --fit-keys to resize it here") == {
        "label": "Resize keys that have another size than the clip",
        "options": {"keys.fit-keys": True},
    }
    remedy = find_remedy("rename the key or remove it, or give --key-offset -1")
    assert remedy is not None
    assert remedy["options"] == {"keys.key-offset": -1}
    assert find_remedy("use --overwrite or another name") is None
    assert find_remedy("give --nonsense") is None


def test_a_fault_names_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KADR_CACHE", str(tmp_path))
    facts = error_facts(ZeroDivisionError("by zero"))
    assert facts["kind"] == "Fault"
    assert "by zero" in facts["message"]
    assert str(tmp_path) in facts["message"]


@pytest.mark.parametrize(
    ("system", "name", "start"),
    [
        ("linux", "kadr-studio.desktop", "[Desktop Entry]\n"),
        ("darwin", "kadr studio.command", "#!/bin/sh\n"),
        ("win32", "kadr studio.bat", "@echo off\r\n"),
    ],
)
def test_the_launcher_starts_this_kadr(tmp_path: Path, system: str, name: str, start: str) -> None:
    (path,) = install_launcher(tmp_path, system)
    assert path.name == name
    text = path.read_bytes().decode()
    assert text.startswith(start)
    assert sys.executable in text
    assert "studio" in text
    install_launcher(tmp_path, system)  # its own file is replaced
    path.write_text("of the user")
    with pytest.raises(OutputError, match="did not write"):
        install_launcher(tmp_path, system)
    assert path.read_text() == "of the user"


def test_another_process_that_holds_the_lock_is_seen_and_the_own_one_is_not(
    tmp_path: Path,
) -> None:
    work = tmp_path / "work"
    assert find_holder(work, ()) is None
    with lock_folder(work):
        assert find_holder(work, ()) == os.getpid()
        assert find_holder(work, (os.getpid(),)) is None
    assert find_holder(work, ()) is None
    with lock_folder(work):  # looking did not keep it
        pass
    ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], **_PIPE)
    (work / "lock.pid").write_text(ended.stdout)
    assert find_holder(work, ()) is None


_PIPE = {"capture_output": True, "text": True, "check": True}


def test_a_look_sees_new_changed_and_removed_keys(tmp_path: Path) -> None:
    keys, paint = tmp_path / "keys", tmp_path / "plan"
    (keys / "figure").mkdir(parents=True)

    def look() -> object:
        return look_at(tmp_path, keys, paint, ()).settings

    looks = [look()]
    for path in (keys / "1.png", keys / "figure" / "2.png"):
        path.write_bytes(b"1")
        looks.append(look())
    (keys / "figure" / "2.png").write_bytes(b"12")
    looks.append(look())
    (keys / "1.png").unlink()
    looks.append(look())
    assert len(set(map(str, looks))) == len(looks)
    (keys / ".hidden").write_bytes(b"1")


def test_the_clip_of_the_sample_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample, "draw_sample", lambda path, on_event, cancel: make_clip(path, 2))
    call = Call({"root": str(tmp_path / "my films" / "Sample 2.kadr")}, CancelToken())
    (tmp_path / "my films").mkdir()
    assert create_sample(call)["path"].endswith("Sample 2.kadr")
    assert (tmp_path / "my films" / "Sample 2.mp4").is_file()


def test_the_sample_moves_and_is_the_same_each_time() -> None:
    first, again, later = sample_frame(0.1), sample_frame(0.1), sample_frame(0.3)
    assert first.shape == (HEIGHT, WIDTH, 3)
    assert (first == again).all()
    assert (abs(first.astype(int) - later).max(axis=2) > 40).mean() > 0.05
