"""Options of the output and of the frames that are made, as a user gives them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import av
import pytest
from cli_samples import COUNT, Call, make_video

from kadr import new_project, open_project, read_image
from kadr.option_fields import OUTPUT, fields_of_group
from kadr.options import RunOptions

QUICK = ("--detail", "draft")
NEW = {"codec": "h265", "depth": 10, "size": "80x", "hold": 3}


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second of 24 frames."""
    return make_video(tmp_path_factory.mktemp("short") / "clip.mp4", 24)


def test_a_run_in_another_codec_depth_and_size(
    kadr: Call, video: Path, keys: Path, tmp_path: Path
) -> None:
    options = ("--codec", "av1", "--depth", "10", "--size", "48x", "--crf", "30")
    out = tmp_path / "o.webm"
    assert kadr("run", video, "--keys", keys, "-o", out, *QUICK, *options).code == 0
    with av.open(str(out)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name in ("libdav1d", "av1")
        assert (stream.pix_fmt, stream.width) == ("yuv420p10le", 48)
        assert sum(1 for _ in container.decode(stream)) == COUNT


def test_every_option_of_the_output_stands_in_projects_and_in_the_studio(
    kadr: Call, video: Path, keys: Path, tmp_path: Path
) -> None:
    clip = Path(shutil.copy(video, tmp_path / "clip.mp4"))
    project = new_project(clip, [keys], tmp_path / "p.kadr", detail="draft")
    lines = "".join(f"{name} = {json.dumps(value)}\n" for name, value in NEW.items())
    text = project.toml.read_text("utf-8").replace("[output]\n", f"[output]\n{lines}")
    project.toml.write_text(text, "utf-8")
    done = kadr("run", project.root)
    assert done.code == 0, done.err
    output = open_project(project.root).output
    with av.open(str(output)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt) == ("hevc", "yuv420p10le")
        assert (stream.width, sum(1 for _ in container.decode(stream))) == (80, COUNT)
    assert {*NEW, "fill"} <= set(fields_of_group(RunOptions, OUTPUT, in_project=True))
    pytest.importorskip("fastapi")
    from kadr.studio.worker.option_schema import option_schema

    sections = {item["name"]: item["options"] for item in option_schema(project)["sections"]}
    listed = {item["name"]: item for item in sections["output"]}
    assert {*NEW, "fill"} <= listed.keys()
    assert listed["codec"]["choices"][:2] == ["h264", "h265"]


def test_frames_between_two_times_numbered_from_one(
    kadr: Call, short: Path, tmp_path: Path
) -> None:
    target = tmp_path / "d" / "f_%04d.png"
    part = ("--frames", "0:00.5:0:00.7", "--start-number", "1", "--depth", "16", "--size", "40x40")
    done = kadr("frames", short, target, *part)
    assert done.code == 0
    assert "another shape" in done.err
    files = sorted((tmp_path / "d").iterdir())
    assert [path.name for path in files] == [f"f_{number:04d}.png" for number in range(13, 18)]
    image = read_image(files[0])
    assert (image.dtype, image.shape) == ("uint16", (40, 40, 3))


def test_a_part_by_times_is_the_same_run(kadr: Call, short: Path, tmp_path: Path) -> None:
    for name, frames in (("a", "12:16"), ("b", "0:00.5:0:00.69")):
        words = ("--stylizer", "paint", "--keys-budget", "1", "--frames", frames)
        assert kadr("run", short, *words, "-o", tmp_path / name, *QUICK).code == 0
    one, other = ({p.name: p.read_bytes() for p in (tmp_path / n).iterdir()} for n in "ab")
    assert sorted(one) == [f"frame_{index:05d}.png" for index in range(12, 17)]
    assert one == other


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--codec", "ffv1", "-o", "o.mp4"), "codec ffv1: .mp4 cannot hold it; write .mkv"),
        (("--codec", "divx", "-o", "o.mp4"), "codec 'divx': expected one of h264, h265"),
        (("--depth", "12", "-o", "o.mp4"), "depth 12: expected 8, 10, 16"),
        (("--depth", "16", "-o", "o.mp4"), "depth 16: h264 has 8 or 10 bits a channel"),
        (("--size", "720p", "-o", "o.mp4"), "size '720p': expected WIDTHxHEIGHT"),
        (("--frames", "0:01:0:09", "-o", "o.mp4"), "frames 0:01:0:09: 0:09 is after the end"),
        (("--frames", "1:0:03", "-o", "o.mp4"), "two times written alike, such as 0:02.5:0:08"),
        (("--every", "2", "--hold", "3", "-o", "o.mp4"), "hold 3: does not divide every 2"),
        (("--fill", "-o", "o.mp4"), "fill: is for every, such as every 2"),
    ],
)
def test_bad_options_are_one_line_and_leave_nothing(
    refused: Callable[..., str],
    short: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert message in refused("run", short, "--stylizer", "paint", *words)
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_tells_which_frames_are_made(
    kadr: Call, video: Path, keys: Path, tmp_path: Path
) -> None:
    words = ("run", video, "--keys", keys, "-o", tmp_path / "o.mp4", "--dry-run", *QUICK)
    assert f"makes 3 of {COUNT} frames" in kadr(*words, "--every", "2").err
    assert "counts the frames that are made first" in kadr(*words, "--every", "2", "--fill").err
    assert list(tmp_path.iterdir()) == []
