"""The files of guides: which frame each is for, how they are read, and every fault by its name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kadr.core.frames import FrameRange
from kadr.errors import InputError, OptionsError
from kadr.image_files import write_image
from kadr.options import PropagateOptions, RunOptions
from kadr.render.guide_files import GuideReader, GuideSource, find_guides, guide_digests
from kadr.render.work_frame import FrameReducer
from kadr.video.clips import open_clip
from scenes import texture, write_sequence

COUNT, HEIGHT, WIDTH = 4, 48, 64


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a clip whose frames are numbered from 11, and a guide."""
    monkeypatch.chdir(tmp_path)
    images = [texture(HEIGHT, WIDTH, seed=index) for index in range(COUNT)]
    write_sequence(tmp_path / "clip", images, first=11)
    write_sequence(tmp_path / "normals", images, first=11)
    return tmp_path


def _find(**changed: Any) -> tuple[tuple[GuideSource, ...], list[str]]:
    values: dict[str, Any] = {"guide": {"normals": Path("normals")}, **changed}
    options = RunOptions(Path("clip"), "out", (Path("clip"),), **values)
    with open_clip(options.clip) as clip:
        return find_guides(options, clip, options.frames or FrameRange(0, len(clip)))


def _read(source: GuideSource, side: int = 960) -> np.ndarray:
    reducer = FrameReducer((WIDTH, HEIGHT), PropagateOptions(work_size=max(64, side)))
    return GuideReader([source], reducer).frames(2)[0].image


def test_files_belong_to_frames_by_their_numbers(desk: Path) -> None:
    (source,), notices = _find()
    assert [Path(path).name for _, path, _ in source.files] == [
        f"frame_{number:05d}.png" for number in range(11, 15)
    ]
    assert [index for index, _, _ in source.files] == [0, 1, 2, 3]
    assert not notices
    assert np.array_equal(_read(source), texture(HEIGHT, WIDTH, seed=2))
    pattern, _ = _find(guide={"normals": Path("normals/frame_%05d.png")})
    assert pattern[0].files == source.files


def test_gray_deep_and_transparent_images_are_levels(desk: Path) -> None:
    deep = np.linspace(0, 65535, WIDTH * HEIGHT).reshape(HEIGHT, WIDTH).astype(np.uint16)
    alpha = np.full((HEIGHT, WIDTH, 4), 200, np.uint8)
    alpha[:, 32:, 3] = 0
    for name, image in {"deep": deep, "alpha": alpha}.items():
        for number in range(11, 15):
            write_image(desk / name / f"{number}.png", image)
    sources, _ = _find(guide={"deep": desk / "deep", "alpha": desk / "alpha"})
    assert [(source.name, source.channels) for source in sources] == [("alpha", 3), ("deep", 1)]
    assert np.allclose(_read(sources[1])[..., 0], deep / 257, atol=1e-4)
    assert _read(sources[0])[0, 40].tolist() == [0, 0, 0]
    assert _read(sources[0])[0, 10].tolist() == [157, 157, 157]


def test_digests_are_of_the_frames_up_to_each(desk: Path) -> None:
    (before,), _ = _find()
    write_image(desk / "normals" / "frame_00013.png", texture(HEIGHT, WIDTH, seed=9))
    (after,), _ = _find()
    first, second = (guide_digests([item], [0, 1, 2, 3, 4], 2) for item in (before, after))
    assert len(first) == len(second) == 3
    assert [a == b for a, b in zip(first, second)] == [True, False, False]


def test_a_guide_that_hardly_differs_is_told(desk: Path) -> None:
    ids = np.zeros((HEIGHT, WIDTH), np.uint8)
    ids[:, :20], ids[:, 20:40] = 1, 2
    for number in range(11, 15):
        write_image(desk / "ids" / f"{number}.png", ids)
    _, notices = _find(guide={"ids": Path("ids")})
    assert notices == [
        "guide ids: levels of ids/11.png lie within 2 of 255, so it tells little apart; give it "
        "colours that differ more"
    ]


def _remove(path: Path) -> None:
    path.unlink()


def _shrink(path: Path) -> None:
    write_image(path, texture(HEIGHT // 2, WIDTH))


def _rename(path: Path) -> None:
    path.rename(path.with_name("frame_00099.png"))


def _damage(path: Path) -> None:
    path.write_bytes(b"not an image")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_remove, "guide normals: normals: 3 images numbered 11 to 14, none for frame 13 of clip"),
        (_shrink, r"guide normals: normals/frame_00013.png: 64×24 pixels, clip has 64×48"),
        (_rename, "guide normals of clip: .*frame_00099.png: the clip has no frame 99"),
        (_damage, "frame_00013.png: .*; expected PNG"),
    ],
)
def test_every_fault_of_a_file_names_guide_and_clip(desk: Path, change: Any, message: str) -> None:
    change(desk / "normals" / "frame_00013.png")
    with pytest.raises(InputError, match=message):
        _find()
    if change is _remove:
        assert len(_find(frames=FrameRange(0, 2))[0]) == 1


def test_a_file_that_changes_during_a_run_is_refused(desk: Path) -> None:
    (source,), _ = _find()
    _shrink(desk / "normals" / "frame_00013.png")
    with pytest.raises(InputError, match="was changed while the run read it"):
        _read(source)


def test_modulation_is_a_folder_or_one_image(desk: Path) -> None:
    write_image(desk / "where.png", np.full((HEIGHT, WIDTH), 255, np.uint8))
    (source,), _ = _find(modulation={"normals": Path("where.png")})
    assert [path for _, path, _ in source.modulation] == ["where.png"] * COUNT
    (source,), _ = _find(modulation={"normals": Path("normals")})
    assert [path for _, path, _ in source.modulation] == [path for _, path, _ in source.files]
    _shrink(desk / "where.png")
    with pytest.raises(InputError, match=r"modulation of guide normals: where.png: 64×24 pixels"):
        _find(modulation={"normals": Path("where.png")})
    with pytest.raises(InputError, match="modulation of guide normals: nowhere: no such folder"):
        _find(modulation={"normals": Path("nowhere")})


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"guide": {"a b": Path("x")}}, "guide a b=x: expected a name of letters"),
        ({"guide_weight": {"a": 2.0}}, "guide-weight a=2.0: there is no guide of this name, only"),
        ({"modulation": {"a": Path("x")}}, "modulation a=x: there is no guide of this name, only"),
        ({"guide": {}, "guide_weight": {"a": 1.0}}, "no guide of this name, nor any other; give"),
        ({"guide_weight": {"normals": -1.0}}, "guide-weight normals=-1.0: expected 0 to 1000"),
        ({"guide_weight": {"normals": float("nan")}}, "normals=nan: expected 0 to 1000"),
        ({"keys": (), "stylizer": "paint", "every_frame": True}, "guide normals: is for propagat"),
    ],
)
def test_options_of_guides_are_checked(changed: dict[str, Any], message: str) -> None:
    values = {"keys": (Path("keys"),), "guide": {"normals": Path("normals")}, **changed}
    with pytest.raises(OptionsError, match=message):
        RunOptions(Path("clip"), "out", **values)
