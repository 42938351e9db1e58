"""Bad input: one line that names it, exit code 2, nothing under the final name."""

from __future__ import annotations

import wave
from collections.abc import Callable
from pathlib import Path

import av
import pytest
from cli_samples import COUNT, Call, make_images, make_keys, make_video, painted

from kadr import write_image

Refused = Callable[..., str]
QUICK = ("--detail", "draft")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """An output that must not exist in the end."""
    return tmp_path / "result" / "out.mp4"


@pytest.fixture
def run(refused: Refused, out: Path) -> Refused:
    """``kadr run … -o out``, which fails and leaves nothing behind; returns the line."""

    def call(*arguments: object) -> str:
        line = refused("run", *arguments, "-o", out, *QUICK)
        assert not out.parent.exists()
        return line

    return call


def _sound(path: Path) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(16000))
    return path


def _no_frames(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.start_encoding()
    return path


def _truncated(path: Path) -> Path:
    content = make_video(path.with_name("whole.mkv"), count=60).read_bytes()
    path.write_bytes(content[: len(content) * 6 // 10])
    return path


def test_clips_that_are_none(run: Refused, keys: Path, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video at all")
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "empty").mkdir()
    for name, message in [
        ("missing.mp4", "no such file"),
        ("text.mp4", "not a video"),
        ("empty.mp4", "is empty"),
        ("empty", "no images found"),
        (_sound(tmp_path / "sound.wav").name, "only sound"),
        (_no_frames(tmp_path / "none.mp4").name, ""),
    ]:
        line = run(tmp_path / name, "--keys", keys)
        assert str(tmp_path / name) in line
        assert message in line


def test_a_truncated_clip_works_when_allowed(
    kadr: Call, run: Refused, keys: Path, tmp_path: Path, out: Path
) -> None:
    clip = _truncated(tmp_path / "cut.mkv")
    line = run(clip, "--keys", keys)
    assert str(clip) in line
    assert "--allow-truncated" in line
    keys = make_keys(tmp_path / "first key", 0)
    done = kadr("run", clip, "--keys", keys, "-o", out, "--allow-truncated", *QUICK, "--json")
    assert done.code == 0, done
    assert 0 < done.objects[-1]["frames"] < 60


def test_keys_that_do_not_fit(run: Refused, video: Path, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    assert f"{tmp_path / 'none'}: no keys found" in run(video, "--keys", tmp_path / "none")
    assert "gone: not found" in run(video, "--keys", tmp_path / "gone")
    assert "--keys" in run(video)

    outside = make_keys(tmp_path / "outside", 0, COUNT)
    line = run(video, "--keys", outside)
    assert f"00006.png: the clip has no frame {COUNT}" in line
    assert f"0 to {COUNT - 1}" in line

    twice = make_keys(tmp_path / "twice", 3)
    write_image(twice / "b_3.png", painted(3))
    line = run(video, "--keys", twice)
    assert "00003.png" in line
    assert "b_3.png" in line
    assert "both are keys of frame 3" in line

    unnumbered = tmp_path / "unnumbered"
    write_image(unnumbered / "best.png", painted(0))
    assert "best.png: no number" in run(video, "--keys", unnumbered)


def test_a_key_of_another_size_names_both(run: Refused, video: Path, tmp_path: Path) -> None:
    keys = make_keys(tmp_path / "keys", 0, size=(128, 96))
    line = run(video, "--keys", keys)
    for part in ("00000.png", "128×96", "64×48", "--fit-keys"):
        assert part in line


def test_gaps_and_sizes_of_a_sequence(run: Refused, keys: Path, tmp_path: Path) -> None:
    gaps = make_images(tmp_path / "gaps", [1, 2, 5, 6, 8])
    line = run(gaps, "--keys", keys)
    assert "3–4" in line
    assert ", 7" in line

    mixed = make_images(tmp_path / "mixed", range(1, 4))
    write_image(mixed / "shot_4.png", painted(4, (32, 24)))
    line = run(mixed, "--keys", keys)
    for part in ("shot_4.png", "32x24", "64x48"):
        assert part in line


def test_an_output_that_exists_is_kept_without_overwrite(
    kadr: Call, refused: Refused, video: Path, keys: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.mp4"
    out.write_text("dear")
    line = refused("run", video, "--keys", keys, "-o", out)
    assert f"{out}: exists already; use --overwrite" in line
    assert out.read_text() == "dear"
    assert kadr("run", video, "--keys", keys, "-o", out, "--overwrite", *QUICK).code == 0
    assert out.stat().st_size > 100
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]


def test_outputs_that_cannot_be(refused: Refused, video: Path, keys: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for name, message in [
        ("file/out.mp4", f"{tmp_path / 'file'} is a file"),
        ("file/deep/frames", f"{tmp_path / 'file'} is a file"),
        ("out.xyz", f"{tmp_path / 'out.xyz'}: unknown output type '.xyz'"),
        ("out.avi", f"{tmp_path / 'out.avi'}: unknown output type '.avi'"),
    ]:
        line = refused("run", video, "--keys", keys, "-o", tmp_path / name)
        assert message in line
    line = refused("run", video, "--keys", keys, "-o", video, "--overwrite")
    assert "is the input itself" in line
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (("--mapping", "-1"), "mapping -1.0: expected 0 to 1000"),
        (("--patch-size", "4"), "patch-size 4: expected an odd number"),
        (("--patch-size", "17"), "patch-size 17: expected 3 to 15"),
        (("--vote-iterations", "0"), "vote-iterations 0: expected 1 to 100"),
        (("--key-weight", "nan"), "key-weight nan: expected 0 to 1000"),
        (("--threads", "0"), "threads 0: expected 1"),
        (("--crf", "64"), "crf 64: expected 0"),
        (("--crf", "52"), "crf 52: expected 0"),
        (("--encoder-preset", "warp"), "encoder-preset 'warp': expected one of ultrafast"),
        (("--preset", "warp"), "preset 'warp': expected one of classic"),
        (("--fps", "0"), "fps 0: expected"),
        (("--range", "0:1"), "range 0:1: expected FIRST:KEY:LAST"),
        (("--range", "0:0:9"), "range 0:0:9: the clip has no frame 9"),
        (("--range", "0:2:3"), "key 2"),
        (("--frames", "2:99"), "frames 2:99: the clip has no frame 99"),
        (("--stylizer", "crayon"), "crayon"),
        (("--stylizer", "paint"), "leave out --keys"),
        (("-O", "radius"), "stylizer-option radius: is for a stylizer that makes keys"),
        (("--seed", "-1"), "seed -1: expected"),
        (("--fps", "25"), "fps 25: is for image sequences"),
        (("-O", "fit=yes"), "stylizer-option fit: is for a stylizer that makes keys"),
        (("--keys-budget", "3"), "keys-budget 3: is for a stylizer that makes keys"),
    ],
)
def test_options_out_of_range(
    run: Refused, video: Path, keys: Path, option: tuple[str, str], message: str
) -> None:
    assert message in run(video, "--keys", keys, *option)


def test_a_budget_and_a_filters_options_are_checked(run: Refused, video: Path) -> None:
    paint = (video, "--stylizer", "paint")
    assert "keys-budget 0: expected 1" in run(*paint, "--keys-budget", "0")
    assert "fit-keys: is for painted keys" in run(*paint, "--fit-keys")
    assert "radius 99.0: expected 1" in run(*paint, "-O", "radius=99")
    assert "no option 'size'; it has radius" in run(*paint, "-O", "size=3")
    assert "radius 'wide': expected a number" in run(*paint, "-O", "radius=wide")


def test_an_unknown_detail(refused: Refused, video: Path, keys: Path, out: Path) -> None:
    line = refused("run", video, "--keys", keys, "-o", out, "--detail", "ultra")
    assert "detail 'ultra': expected one of high, medium, low, draft" in line


@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("frames", ("--crf", "20")),
        ("f_%03d.png", ("--encoder-preset", "fast")),
        ("o.gif", ("--crf", "20")),
        ("o.webp", ("--crf", "20")),
        ("o.webm", ("--encoder-preset", "fast")),
    ],
)
def test_quality_options_without_effect_are_refused(
    refused: Refused, video: Path, keys: Path, tmp_path: Path, name: str, option: tuple[str, str]
) -> None:
    line = refused("run", video, "--keys", keys, "-o", tmp_path / name, *option)
    assert f"{option[0][2:]} {option[1]}: has no effect on {tmp_path / name}" in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run"], "see kadr run --help"),
        (["run", "a.mp4"], "--output"),
        (["run", "a.mp4", "b.mp4", "-o", "c.mp4"], "b.mp4: one clip at a time"),
        (["run", "a.mp4", "-o", "b.mp4", "--mapping", "firm"], "mapping 'firm': expected a number"),
        (["run", "a.mp4", "-o", "b.mp4", "--seed", "1.5"], "seed '1.5': expected a whole number"),
        (["frames", "a.mp4", "b", "--every", "x"], "every 'x': expected a whole number"),
        (["encode", "a", "-o", "b.mp4", "--crf", "good"], "crf 'good': expected a whole number"),
        (["run", "a.mp4", "-o", "b.mp4", "--frobnicate"], "--frobnicate"),
        (["frobnicate"], "frobnicate"),
        (["frames", "a.mp4"], "see kadr frames --help"),
        (["synth", "--style", "s.png"], "no guide"),
    ],
)
def test_a_wrong_command_line_is_one_line(refused: Refused, words: list[str], message: str) -> None:
    assert message in refused(*words)


def test_json_has_the_error_as_an_object(kadr: Call, tmp_path: Path) -> None:
    missing = tmp_path / "missing.mp4"
    done = kadr("run", missing, "--stylizer", "paint", "-o", tmp_path / "o.mp4", "--json")
    assert done.code == 2
    assert done.err.count("\n") == 1
    (facts,) = done.objects
    assert (facts["event"], facts["kind"]) == ("error", "InputError")
    assert str(missing) in facts["message"]
    (facts,) = kadr("run", "--json").objects
    assert (facts["event"], facts["kind"]) == ("error", "UsageError")


def test_a_line_break_in_a_name_does_not_make_two_lines(refused: Refused, tmp_path: Path) -> None:
    assert r"a\nb.mp4: no such file" in refused("info", tmp_path / "a\nb.mp4")


def test_a_traceback_is_printed_only_with_vv(kadr: Call, tmp_path: Path) -> None:
    call = ("run", tmp_path / "no.mp4", "--stylizer", "paint", "-o", tmp_path / "o.mp4")
    assert "Traceback" not in kadr(*call).err
    output = kadr(*call, "-vv").err
    assert "Traceback" in output
    assert output.splitlines()[-1].startswith("error: ")
