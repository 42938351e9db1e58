"""Projects with layers: added, run, resumed, predicted, previewed; composited as NumPy would."""

from __future__ import annotations

import contextlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from cli_samples import COUNT, SIZE, Call, frames_of, make_keys, painted, picture

from figure_scene import HEIGHT as HEAD_HEIGHT
from figure_scene import WIDTH as HEAD_WIDTH
from figure_scene import hat, make_scene, overlap
from kadr import open_project, read_image, write_image
from kadr.cli.main import main
from kadr.report.record import read_record
from scenes import write_sequence

WIDTH, HEIGHT = SIZE
LAST = COUNT - 1
MASK = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
MASK[:, 20:40] = 255
MASK[:, 40:44] = 100


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a clip, a mask and the project ``p.kadr`` on them, not to be changed."""
    folder = tmp_path_factory.mktemp("layers")
    write_sequence(folder / "clip", [picture(index) for index in range(COUNT)])
    write_image(folder / "mask.png", MASK)
    with contextlib.chdir(folder):
        for words in (
            "new clip -o p.kadr --detail draft",
            "layer add p.kadr room",
            "layer add p.kadr person --mask mask.png",
        ):
            assert main(words.split()) == 0
    make_keys(folder / "p.kadr" / "keys" / "room", 0, LAST)
    for index in (0, LAST):
        key = folder / "p.kadr" / "keys" / "person" / f"{index:05d}.png"
        write_image(key, 200 - painted(index) // 2)
    return folder


@pytest.fixture
def project(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a room without a mask, and a person with one above it; a few frames."""
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "p.kadr"


def _person_key(index: int) -> Path:
    return Path("p.kadr", "keys", "person", f"{index:05d}.png").absolute()


def _frames(project: Path, layer: str = "") -> list[np.ndarray]:
    opened = open_project(project)
    folder = (opened.find_layer(layer) if layer else opened).frames
    return [read_image(path) for path in sorted(folder.glob("*.png"))]


def test_layers_lie_above_each_other_as_numpy_composites_them(kadr: Call, project: Path) -> None:
    done = kadr("run", str(project), "-o", "out")
    assert done.code == 0, done
    rooms, people = _frames(project, "room"), _frames(project, "person")
    outputs = frames_of(Path("out"))
    assert len(outputs) == len(rooms) == len(people) == COUNT
    share = MASK[..., :1] / 255
    for room, person, output in zip(rooms, people, outputs, strict=True):
        assert room.shape[2] == 3
        visible = person[..., 3:] > 0
        assert np.array_equal(visible[..., 0], MASK[..., 0] > 0)
        expected = room + share * (person[..., :3] - room.astype(float))
        assert np.abs(output - np.where(visible, expected, room)).max() <= 1
    assert np.array_equal(outputs[0][:, :20], painted(0)[:, :20])


def test_a_run_again_makes_nothing_and_a_repainted_key_its_layer_alone(
    kadr: Call, project: Path
) -> None:
    assert kadr("run", str(project)).code == 0
    before = _frames(project, "room")
    again = kadr("run", str(project), "--dry-run", "--json").objects[-1]
    assert again["composited"] == 0
    write_image(_person_key(LAST), painted(LAST))
    predicted = kadr("run", str(project), "--dry-run", "--json").objects[-1]
    assert predicted["layers"]["room"]["pass_frames"] == 0
    assert predicted["layers"]["room"]["finished"] == 0
    assert predicted["layers"]["person"]["pass_frames"] == LAST - 1
    # the first key stays as it is
    assert predicted["composited"] == predicted["layers"]["person"]["finished"] == LAST
    done = kadr("run", str(project), "--json").objects[-1]
    assert done["computed"] == LAST - 1
    assert done["layers"] == ["room", "person"]
    assert all(map(np.array_equal, before, _frames(project, "room")))
    assert kadr("run", str(project), "--dry-run", "--json").objects[-1]["composited"] == 0


def test_one_page_tells_of_the_whole_and_of_each_layer(kadr: Call, project: Path) -> None:
    done = kadr("run", str(project), "--json").objects[-1]
    assert Path(done["report"]) == project / "out" / "report.html"
    text = (project / "out" / "report.html").read_text(encoding="utf-8")
    assert text.index("Layer room") < text.index("Layer person")
    whole = read_record(project / "out" / "report.json")
    layers = [read_record(project / "out" / "layers" / name / "report.json")
              for name in ("room", "person")]  # fmt: skip
    assert whole is not None
    assert whole.measured == tuple(map(max, *(layer.measured for layer in layers)))
    assert [(step.name, step.computed, step.reused) for step in whole.steps][2:] == [
        ("composite", COUNT, 0)
    ]
    assert kadr("run", str(project)).code == 0
    again = read_record(project / "out" / "report.json")
    assert (again.steps[2].computed, again.steps[2].reused) == (0, COUNT)
    assert "report.html" in kadr("status", str(project)).out


def test_keys_that_exist_elsewhere_stay_there(kadr: Call, project: Path) -> None:
    make_keys(Path("hats"), 0)
    added = kadr("layer", "add", str(project), "hat", "--keys", "hats")
    assert added.code == 0, added
    assert "paint its keys into hats" in added.out
    assert open_project(project).find_layer("hat").keys.resolve() == Path("hats").resolve()
    assert not (project / "hats").exists()
    assert not (project / "keys" / "hat").exists()


def test_the_order_decides_what_covers_what(kadr: Call, project: Path) -> None:
    assert kadr("run", str(project)).code == 0
    rooms = _frames(project, "room")
    toml = project / "project.toml"
    text = toml.read_text(encoding="utf-8")
    toml.write_text(
        text.replace("format = 1", 'format = 1\nlayer-order = ["person", "room"]'), encoding="utf-8"
    )
    assert [layer.layer for layer in open_project(project).layers] == ["person", "room"]
    assert kadr("run", str(project)).code == 0
    assert all(map(np.array_equal, rooms, _frames(project)))  # the room is everywhere


def test_a_preview_is_the_finished_frame(kadr: Call, project: Path) -> None:
    assert kadr("preview", str(project), "--frame", "3", "-o", "early.png").code == 0
    assert kadr("run", str(project)).code == 0
    assert kadr("preview", str(project), "--frame", "3", "-o", "late.png").code == 0
    finished = _frames(project)[3]
    assert np.array_equal(read_image(Path("late.png")), finished)
    assert np.abs(read_image(Path("early.png")).astype(int) - finished).mean() < 2


def test_a_transparent_background_keeps_the_alpha_of_all_layers(kadr: Call, project: Path) -> None:
    toml = project / "project.toml"
    text = toml.read_text(encoding="utf-8")
    head, _, _ = text.partition('[[layer]]\nname = "room"')
    _, _, person = text.partition('[[layer]]\nname = "person"')
    toml.write_text(f'{head}[[layer]]\nname = "person"{person}', encoding="utf-8")
    done = kadr("run", str(project), "--background", "transparent", "-o", "cut/f_%03d.png")
    assert done.code == 0, done
    for image in frames_of(Path("cut")):
        assert np.array_equal(image[..., 3], MASK[..., 0])


def test_paint_of_a_layer_follows_the_figure_of_that_layer(kadr: Call, tmp_path: Path) -> None:
    head = make_scene(5, hat((HEAD_HEIGHT, HEAD_WIDTH)))
    folder = head.write(tmp_path, (0,))
    assert kadr("new", str(folder / "clip"), "-o", str(folder / "p.kadr")).code == 0
    for name in ("head", "plain"):
        arguments = [str(folder / "p.kadr"), name, "--keys", str(folder / "keys")]
        if name == "head":
            arguments += ["--figure", str(folder / "figure")]
        done = kadr("layer", "add", *arguments)
        assert done.code == 0, done
    done = kadr("run", str(folder / "p.kadr"), "-o", str(folder / "out"))
    assert done.code == 0, done
    truth = head.painted[-1][..., 3]
    with_figure, without = (_frames(folder / "p.kadr", name)[-1] for name in ("head", "plain"))
    assert overlap(with_figure[..., 3], truth) > 0.95
    assert overlap(without[..., 3], truth) < 0.85


def test_status_tells_of_each_layer(kadr: Call, project: Path) -> None:
    assert kadr("run", str(project)).code == 0
    lines = kadr("status", str(project)).out.splitlines()
    assert [line for line in lines if line.startswith("layer")] == ["layer room", "layer person"]
    facts = json.loads(kadr("status", str(project), "--json").out)
    assert facts["layers"]["person"]["keys"]["painted"] == [0, LAST]
    assert (open_project(project).find_layer("room").out / "report.html").is_file()
    assert kadr("clean", str(project), "--yes").code == 0
    assert not (project / "work" / "layers").exists()


def test_a_plan_is_for_one_layer(kadr: Call, project: Path) -> None:
    done = kadr("plan", str(project), "--layer", "person", "--json")
    assert done.code == 0, done
    assert (project / "plan" / "person").is_dir()


def _edited(project: Path, old: str, new: str) -> Path:
    toml = project / "project.toml"
    text = toml.read_text(encoding="utf-8")
    assert old in text
    toml.write_text(text.replace(old, new), encoding="utf-8")
    return project


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('name = "person"', 'name = "room"', "layer room: there is a layer room already"),
        ('name = "person"', 'name = "../up"', "layer name '../up': expected letters"),
        ('name = "person"', 'title = "person"', "layer name None: expected letters"),
        ("format = 1", 'format = 1\nlayer-order = ["room", "prson"]', "did you mean 'person'"),
        ("format = 1", 'format = 1\nlayer-order = ["room"]', "layer-order: person is missing"),
        ("[layer.mask]", "[layer.musk]", "unknown 'musk'"),
        ("[layer.mask]", "[layer.mask]\ngrow = true", "grow True: expected a whole number"),
        ("[layer.mask]", '[layer.mask]\nbackground = "white"', "is for all layers together"),
    ],
)
def test_a_wrong_layer_is_refused_with_its_line(
    kadr: Call, project: Path, old: str, new: str, message: str
) -> None:
    _edited(project, old, new)
    done = kadr("run", str(project))
    text = (project / "project.toml").read_text(encoding="utf-8").splitlines()
    word = new.splitlines()[-1].split(" = ")[0]
    line = max(number for number, content in enumerate(text, 1) if content.startswith(word))
    assert done.code == 2
    assert message in done.err
    assert f"project.toml, line {line}: " in done.err or "None" in message
    assert len(done.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("run p.kadr --mask mask.png", "mask: p.kadr has layers; set it in p.kadr/project.toml"),
        ("run p.kadr --keys keys", "keys: p.kadr has layers"),
        ("run p.kadr --stylizer paint", "stylizer: p.kadr has layers"),
        ("plan p.kadr", "has layers; give --layer NAME, one of room, person"),
        ("plan p.kadr --layer hat", "layer unknown 'hat'"),
        ("plan clip --layer hat", "layer hat: is for a project"),
        ("layer add p.kadr room", "layer room: there is a layer room already"),
        ("layer add p.kadr hat --below cap", "below cap: unknown 'cap'"),
        ("layer add p.kadr hat --mask no.png", "no.png: no such mask"),
        ("layer put p.kadr hat", "layer put: expected add or list"),
        ("layer list p.kadr hat", "expected add PROJECT NAME, or list PROJECT"),
    ],
)
def test_what_does_not_fit_is_refused(
    kadr: Call, project: Path, arguments: str, message: str
) -> None:
    before = (project / "project.toml").read_bytes()
    done = kadr(*arguments.split())
    assert done.code == 2
    assert message in done.err
    assert (project / "project.toml").read_bytes() == before


def test_a_layer_without_keys_is_named(kadr: Call, project: Path) -> None:
    assert kadr("layer", "add", str(project), "hat", "--below", "person").code == 0
    assert open_project(project).text.count("layer-order") == 1
    done = kadr("run", str(project))
    assert done.code == 2
    assert "layer hat: no keys in" in done.err
    listed = kadr("layer", "list", str(project), "--json").objects[-1]
    assert listed["layers"] == ["room", "hat", "person"]
