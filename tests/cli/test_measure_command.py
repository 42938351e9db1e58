"""``kadr measure``: the table, JSON, projects, errors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cli_samples import Call

from kadr.image_files import write_image
from scenes import paint, sliding, write_sequence


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A film of six frames, its painting and a key."""
    monkeypatch.chdir(tmp_path)
    film = sliding(6, 2.0, height=48, width=64)
    write_sequence(tmp_path / "film", film)
    write_sequence(tmp_path / "out", [paint(image) for image in film])
    write_image(tmp_path / "keys" / "0.png", paint(film[0]))
    return tmp_path


def test_the_table_says_what_cannot_be_measured(kadr: Call, folder: Path) -> None:
    lines = kadr("measure", "film", "out", "--keys", "keys").out.splitlines()
    rows = {line[:24].strip(): line[24:].strip() for line in lines}
    assert list(rows)[1:3] == ["warp error", "static flicker"]
    assert "of the input stands still" in rows["static flicker"]
    assert rows["PSNR"] == "not measured: needs a truth"
    assert "keys" in rows["detail"]


def test_json_holds_measures_and_curves(kadr: Call, folder: Path) -> None:
    result = kadr("measure", "film", "out", "--truth", "out", "-o", "m.html", "--json").objects[-1]
    assert result["event"] == "result"
    assert result["measures"]["psnr"]["mean"] == 99
    assert result["measures"]["flicker"]["mean"] is None
    assert result["measures"]["warp"]["worst_frame"] in range(1, 6)
    assert len(result["curves"]["warp"]) == len(result["frames"]) == 6
    assert result["curves"]["warp"][0] is None
    assert result["page"] == "m.html"
    assert (folder / "m.html").is_file()


def test_a_project_knows_its_clip_keys_and_output(
    kadr: Call, refused: Callable[..., str], folder: Path
) -> None:
    assert kadr("new", "film", "--keys", "keys", "-o", "p.kadr").code == 0
    assert "make it with kadr run p.kadr" in refused("measure", "p.kadr")
    write_sequence(
        folder / "p.kadr" / "out" / "frames",
        [paint(i) for i in sliding(6, 2.0, height=48, width=64)],
    )
    result = kadr("measure", "p.kadr", "--json").objects[-1]
    assert Path(result["output"]).name == "frames"
    assert result["exact_keys"] == 1


def test_bad_input(refused: Callable[..., str], folder: Path) -> None:
    assert "give the restyled clip too" in refused("measure", "film")
    assert "nowhere: no such file" in refused("measure", "film", "nowhere")
    assert "exists already" in refused("measure", "film", "out", "-o", _existing(folder))
    assert "frames 3:9: the clip has no frame 9" in refused(
        "measure", "film", "out", "--frames", "3:9"
    )
    assert "frames 1 to 5 of film are 5" in refused("measure", "film", "out", "--frames", "1:5")
    write_image(folder / "keys" / "1.png", paint(sliding(1, 0, height=90, width=64)[0]))
    assert "another shape" in refused("measure", "film", "out", "--keys", "keys")


def _existing(folder: Path) -> str:
    (folder / "old.html").write_text("", encoding="utf-8")
    return "old.html"
