"""``kadr deflicker``: a video with the film's times, part of a film, errors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cli_samples import Call, make_video

from kadr.video.clips import open_clip
from scenes import paint, sliding, write_sequence


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A film of six frames and its painting."""
    monkeypatch.chdir(tmp_path)
    film = sliding(6, 2.0, height=48, width=64)
    write_sequence(tmp_path / "film", film)
    write_sequence(tmp_path / "restyled", [paint(image) for image in film])
    return tmp_path


def test_a_video_comes_out(kadr: Call, folder: Path) -> None:
    done = kadr("deflicker", "restyled", "--clip", "film", "-o", "out.mp4", "--window", "3", "-q")
    assert done.code == 0, done.err
    with open_clip("out.mp4") as clip:
        assert (len(clip), clip.info.width, clip.info.height) == (6, 64, 48)


def test_images_of_a_part_keep_the_numbers_of_the_film(kadr: Call, folder: Path) -> None:
    write_sequence(
        folder / "part", [paint(i) for i in sliding(6, 2.0, height=48, width=64)[2:5]], 2
    )
    done = kadr("deflicker", "part", "--clip", "film", "--frames", "2:4", "-o", "out/", "--json")
    assert done.objects[-1]["frames"] == 3
    names = sorted(path.name for path in (folder / "out").iterdir())
    assert names == ["frame_00002.png", "frame_00003.png", "frame_00004.png"]


def test_bad_input(refused: Callable[..., str], folder: Path) -> None:
    call = ("deflicker", "restyled", "--clip", "film", "-o")
    make_video(folder / "old.mp4")
    assert "old.mp4: exists already" in refused(*call, "old.mp4")
    assert "film: is the input folder" in refused(*call, "film", "--overwrite")
    assert "strength 2.0: expected 0 to 1" in refused(*call, "x.mp4", "--strength", "2")
    assert "nowhere: no such file" in refused(
        "deflicker", "nowhere", "--clip", "film", "-o", "x.mp4"
    )
    assert "restyled: 6 frames, frames 1 to 4 of film are 4" in refused(
        *call, "x.mp4", "--frames", "1:4"
    )
    assert not (folder / "x.mp4").exists()
