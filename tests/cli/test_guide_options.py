"""``--guide``, ``--guide-weight`` and ``--modulation``: runs, projects, layers, every bad value."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cli_samples import Call

from guide_scene import make_guide_scene, right_share
from kadr import open_project, read_image, write_image

COUNT = 10
SCENE = make_guide_scene(COUNT, meet=4)
DRAFT = ("--detail", "draft")


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with the clip, key and IDs of the scene."""
    monkeypatch.chdir(tmp_path)
    return SCENE.write(tmp_path)


def _share(folder: str) -> float:
    return right_share(read_image(sorted(Path(folder).glob("*.png"))[-1]), SCENE.shown[-1])


def test_a_run_and_a_project_with_a_guide_make_the_same(kadr: Call, desk: Path) -> None:
    guide = ("--guide", "ids=ids", "--guide-weight", "ids=32")
    done = kadr("run", "clip", "--keys", "keys", *DRAFT, *guide, "-o", "out")
    assert done.code == 0, done
    assert _share("out") > 0.9
    assert kadr("new", "clip", "-o", "p.kadr", *DRAFT, *guide, "--keys", "keys").code == 0
    project = open_project("p.kadr")
    assert project.settings.run == {"guide": {"ids": Path("../ids")}, "guide_weight": {"ids": 32.0}}
    assert 'guide = {ids = "../ids"}' in project.text
    assert kadr("run", "p.kadr", "-o", "again").code == 0
    for path in sorted(Path("out").glob("*.png")):
        assert np.array_equal(read_image(path), read_image(Path("again", path.name)))
    predicted = kadr("run", "p.kadr", "--dry-run", "--guide-weight", "ids=3")
    assert "other guides, or other weights of them" in predicted.out
    assert "all frames are made already" in kadr("run", "p.kadr", "--dry-run").out
    assert kadr("preview", "p.kadr", "--frame", "5").code == 0


def test_a_layer_has_guides_of_its_own(kadr: Call, desk: Path) -> None:
    assert kadr("new", "clip", "-o", "p.kadr", *DRAFT).code == 0
    assert kadr("layer", "add", "p.kadr", "balls", "--keys", "keys").code == 0
    toml = Path("p.kadr/project.toml")
    plain = toml.read_text()
    assert kadr("run", "p.kadr", "-o", "without").code == 0
    toml.write_text(plain + '[layer.guides]\nguide.ids = "../ids"\nguide-weight.ids = 32\n')
    assert kadr("run", "p.kadr", "-o", "with").code == 0
    assert _share("with") > 0.9 > _share("without") + 0.1
    toml.write_text(plain.replace("\n[guides]", '\n[guides]\nguide = { ids = "../ids" }'))
    assert "all frames are made already" not in kadr("run", "p.kadr", "--dry-run").out
    assert kadr("run", "p.kadr", "-o", "shared").code == 0
    assert _share("shared") > 0.9


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--guide ids", "guide 'ids': expected NAME=VALUE"),
        ("--guide ids=", "guide 'ids=': expected NAME=VALUE"),
        ("--guide ids=ids --guide ids=clip", "guide ids=clip: ids is given twice; leave one out"),
        ("--guide ids=nowhere", "guide ids: nowhere: no such folder; give a folder of images"),
        ("--guide ids=keys", "guide ids: keys: 1 image numbered 0 to 0, none for frame 1, 2, 3"),
        ("--guide ids=ids --guide-weight ids=much", "guide-weight ids 'much': expected a number"),
        ("--guide ids=ids --guide-weight id=3", "guide-weight id=3.0: there is no guide of this"),
        ("--guide ids=ids --guide-weight ids=-3", "guide-weight ids=-3.0: expected 0 to 1000"),
        ("--guide ids=ids --modulation ids=small.png", "small.png: 12×9 pixels, clip has 144×96"),
        ("--guide ids=ids -o ids --overwrite", "ids"),
    ],
)
def test_every_bad_value_is_one_line(kadr: Call, desk: Path, arguments: str, message: str) -> None:
    write_image(desk / "small.png", np.zeros((9, 12), np.uint8))
    before = {path: path.read_bytes() for path in desk.rglob("*.png")}
    done = kadr("run", "clip", "--keys", "keys", *DRAFT, "-o", "out", *arguments.split())
    assert done.code == 2, done
    assert message in done.err
    assert len(done.err.strip().splitlines()) == 1
    assert {path: path.read_bytes() for path in desk.rglob("*.png")} == before


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("guide = 3", "guide 3: expected names with values in braces, such as { normals"),
        ("guide = { ids = 3 }", "expected names with values in braces"),
        ("guide-weight = { ids = 3 }", "line 48: guide-weight ids=3.0: there is no guide"),
        ("guides = { }", "unknown 'guides'; did you mean 'guide'?"),
    ],
)
def test_faults_of_the_project_file_name_their_line(
    kadr: Call, desk: Path, entry: str, message: str
) -> None:
    assert kadr("new", "clip", "-o", "p.kadr").code == 0
    toml = Path("p.kadr/project.toml")
    toml.write_text(toml.read_text().replace("\n[guides]", f"\n[guides]\n{entry}"))
    done = kadr("run", "p.kadr")
    assert done.code == 2, done
    assert message.partition(": ")[2] in done.err if message.startswith("line") else message
    line = toml.read_text().splitlines().index(entry) + 1
    assert f"{toml}, line {line}: " in done.err
