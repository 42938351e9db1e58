"""A clip as a task carries it to another process: opened as the run's options say."""

from __future__ import annotations

import json
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path

import pytest

from kadr.errors import InputError
from kadr.options import RunOptions
from kadr.video.clip_source import ClipSource
from scenes import texture, write_sequence


def _options(clip: Path, **options: object) -> RunOptions:
    return RunOptions(clip=clip, output="out", keys=(clip,), **options)


def test_a_sequence_has_the_frame_rate_of_the_options(tmp_path: Path) -> None:
    folder = write_sequence(tmp_path / "clip", [texture(24, 32)] * 3, 7)
    with ClipSource.of(_options(folder, frame_rate=30000 / 1001)).open() as clip:
        assert clip.info.frame_rate == Fraction(30000, 1001)
    with ClipSource.of(_options(folder)).open() as clip:
        assert clip.info.frame_rate == 24


def test_plain_values_give_it_back(tmp_path: Path) -> None:
    source = ClipSource.of(_options(tmp_path / "a.mp4", frame_rate=12.5, allow_truncated=True))
    assert ClipSource(**json.loads(json.dumps(asdict(source)))) == source
    assert source.allow_truncated


def test_a_relative_path_stays_right_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_sequence(tmp_path / "clip", [texture(24, 32)] * 2, 0)
    monkeypatch.chdir(tmp_path)
    source = ClipSource.of(_options(Path("clip")))
    assert source.path == "clip", "errors name what the user wrote"
    source = source.absolute()
    monkeypatch.chdir(tmp_path / "clip")
    with source.open() as clip:
        assert len(clip) == 2
    with pytest.raises(InputError, match="none"):
        ClipSource.of(_options(tmp_path / "none")).open()
