"""``kadr run`` end to end on small clips: its output, files and messages."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from cli_samples import COUNT, FIRST, Call, frames_of, make_keys, make_video, painted

from kadr import RunOptions, open_clip, restyle

QUICK = ("--detail", "draft")


def _images(folder: Path) -> dict[str, np.ndarray]:
    with open_clip(folder) as clip:
        return {clip.name(frame.index): frame.image for frame in clip.frames()}


def test_a_video_and_its_keys_become_a_video(
    kadr: Call, video: Path, keys: Path, tmp_path: Path
) -> None:
    out = tmp_path / "new folder" / "out.mp4"
    done = kadr("run", video, "--keys", keys, "-o", out, *QUICK)
    assert done.code == 0
    assert done.out.startswith(f"{out}: {COUNT} frames from 2 keys in ")
    result = frames_of(out)
    assert len(result) == COUNT
    # H.264 keeps colours within a few levels; the filmed ones are a hundred away
    for index, image in enumerate(result):
        assert np.abs(image.astype(int) - painted(index)).mean() < 12
    assert list(out.parent.iterdir()) == [out]


def test_the_library_makes_the_same_pictures(
    kadr: Call, video: Path, keys: Path, tmp_path: Path
) -> None:
    options = ("--seed", "3", "--threads", "1", "--detail", "draft", "--mapping", "5")
    assert kadr("run", video, "--keys", keys, "-o", tmp_path / "a", *options).code == 0
    from kadr import detail_options

    expected = detail_options("draft", mapping=5.0)
    result = restyle(RunOptions(video, tmp_path / "b", keys=(keys,), seed=3, propagate=expected))
    assert (result.keys, result.frame_count) == ((0, COUNT - 1), COUNT)
    ours, theirs = _images(tmp_path / "a"), _images(tmp_path / "b")
    assert ours.keys() == theirs.keys()
    for name, image in ours.items():
        np.testing.assert_array_equal(image, theirs[name])


def test_keys_come_back_pixel_for_pixel(kadr: Call, images: Path, tmp_path: Path) -> None:
    numbers = (FIRST + 1, FIRST + 4)
    keys = make_keys(tmp_path / "keys", *numbers, first=FIRST)
    assert kadr("run", images, "--keys", keys, "-o", tmp_path / "out", *QUICK).code == 0
    result = _images(tmp_path / "out")
    assert list(result) == [f"shot_{FIRST + index}" for index in range(COUNT)]
    for number in numbers:
        np.testing.assert_array_equal(result[f"shot_{number}"], painted(number - FIRST))


def test_keys_may_be_files_as_a_shell_lists_them(
    kadr: Call, video: Path, keys: Path, tmp_path: Path
) -> None:
    files = sorted(keys.iterdir())
    done = kadr("run", video, "--keys", *files, "-o", tmp_path / "o", *QUICK, "--json")
    assert done.objects[-1]["keys"] == [0, COUNT - 1]


def test_json_tells_every_step_and_the_result(
    kadr: Call, video: Path, keys: Path, tmp_path: Path
) -> None:
    out = tmp_path / "o.mp4"
    done = kadr("run", video, "--keys", keys, "-o", out, *QUICK, "--json")
    assert done.code == 0
    *events, result = (line for line in done.objects if line["event"] != "notice")
    assert {event["event"] for event in events} == {"progress"}
    written = [event["index"] for event in events if event["step"] == "write"]
    assert written == list(range(1, COUNT + 1))
    assert all(event["total"] == COUNT for event in events if event["step"] == "write")
    assert result["event"] == "result"
    assert (result["output"], result["frames"]) == (str(out), COUNT)


@pytest.mark.parametrize("output", ["out_%03d.png", "./", "out/"])
def test_images_are_named_as_they_were_asked_for(
    kadr: Call,
    video: Path,
    keys: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    output: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    done = kadr("run", video, "--keys", keys, "-o", output, *QUICK)
    assert done.out.startswith(f"{output}: {COUNT} frames from 2 keys in "), done


def test_quiet_says_nothing(kadr: Call, video: Path, keys: Path, tmp_path: Path) -> None:
    done = kadr("run", video, "--keys", keys, "-o", tmp_path / "o", *QUICK, "--quiet")
    assert (done.code, done.out, done.err) == (0, "", "")


def test_ranges_go_by_the_sequences_own_numbers(kadr: Call, images: Path, tmp_path: Path) -> None:
    first, last = FIRST, FIRST + COUNT - 1
    keys = make_keys(tmp_path / "keys", first, last, first=FIRST)
    spans = ["--range", f"{first}:{first}:{first + 3}", "--range", f"{first + 2}:{last}:{last}"]
    per_key = tmp_path / "per key"
    out = tmp_path / "out"
    done = kadr("run", images, "--keys", keys, "-o", out, *spans, "--per-key", per_key, *QUICK)
    assert done.code == 0, done
    names = {folder.name: len(list(folder.iterdir())) for folder in per_key.iterdir()}
    assert names == {f"{part}_{key:05d}": 4 for part in ("key", "weights") for key in (first, last)}


def test_only_some_frames(kadr: Call, images: Path, tmp_path: Path) -> None:
    keys = make_keys(tmp_path / "keys", FIRST + 2, first=FIRST)
    span = f"{FIRST + 1}:{FIRST + 3}"
    done = kadr("run", images, "--keys", keys, "-o", tmp_path / "o", "--frames", span, *QUICK)
    assert done.code == 0, done
    assert list(_images(tmp_path / "o")) == [f"shot_{FIRST + index}" for index in (1, 2, 3)]


def test_a_filter_paints_the_keys(kadr: Call, video: Path, tmp_path: Path) -> None:
    paint = ("--stylizer", "paint", "--keys-budget", "2", "-O", "strokes=0", "-O", "saturation=0")
    done = kadr("run", video, *paint, "-o", tmp_path / "a", *QUICK, "--json")
    assert done.objects[-1]["keys"] == [0, COUNT - 1]
    assert kadr("run", video, *paint[:-1], "saturation=2", "-o", tmp_path / "b", *QUICK).code == 0
    ours, theirs = _images(tmp_path / "a"), _images(tmp_path / "b")
    assert any((ours[name] != theirs[name]).any() for name in ours)


def test_quality_is_handed_on_to_the_encoder(kadr: Call, tmp_path: Path) -> None:
    clip = make_video(tmp_path / "clip.mp4", size=(128, 96))
    keys = make_keys(tmp_path / "keys", 0, size=(128, 96))
    sizes = []
    for crf in ("5", "45"):
        out = tmp_path / f"{crf}.mp4"
        done = kadr("run", clip, "--keys", keys, "-o", out, "--crf", crf, *QUICK)
        assert done.code == 0, done
        sizes.append(out.stat().st_size)
    assert sizes[0] > 2 * sizes[1]


@pytest.mark.parametrize("name", ["a b", 'it\'s "so"', "100% %05d's", "räksmörgås 映画"])
def test_any_name_works(kadr: Call, video: Path, keys: Path, tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    clip = shutil.copy(video, folder / f"{name}.mp4")
    shutil.copytree(keys, folder / f"{name} keys")
    out = folder / f"{name} out.mp4"
    done = kadr("run", clip, "--keys", folder / f"{name} keys", "-o", out, *QUICK)
    assert done.code == 0, done
    assert out.stat().st_size > 0


def test_a_key_of_another_size_can_be_made_to_fit(kadr: Call, video: Path, tmp_path: Path) -> None:
    keys = make_keys(tmp_path / "keys", 0, size=(128, 96))
    done = kadr("run", video, "--keys", keys, "--fit-keys", "-o", tmp_path / "o", *QUICK)
    assert done.code == 0, done


def test_keys_that_count_from_one(kadr: Call, video: Path, tmp_path: Path) -> None:
    keys = make_keys(tmp_path / "keys", 1, 6)
    done = kadr("run", video, "--keys", keys, "-o", tmp_path / "o", *QUICK)
    assert (done.code, "has no frame 6" in done.err) == (2, True), done
    call = ("run", video, "--keys", keys, "--key-offset", "-1", "-o", tmp_path / "o", "--json")
    done = kadr(*call, *QUICK)
    assert done.objects[-1]["keys"] == [0, 5], done
    done = kadr("run", video, "--stylizer", "paint", "--key-offset", "1", "-o", tmp_path / "p")
    assert "key-offset: is for painted keys; paint makes its own" in done.err
    done = kadr("plan", video, "--key-offset", "-1", "--dry-run")
    assert "key-offset -1: is for the keys of a project" in done.err


def test_a_project_holds_the_offset_of_its_keys(kadr: Call, video: Path, tmp_path: Path) -> None:
    keys, project = make_keys(tmp_path / "keys", 1, 6), tmp_path / "p.kadr"
    assert kadr("new", video, "--keys", keys, "--key-offset", "-1", "-o", project).code == 0
    assert "key-offset = -1" in (project / "project.toml").read_text()
    assert [line for line in kadr("status", project).out.splitlines() if "2: 0, 5" in line]
    done = kadr("plan", project, "--json")
    assert [key["number"] for key in done.objects[-1]["keys"] if key["painted"]] == [0, 5]
    assert any("named by their own numbers" in item.get("message", "") for item in done.objects)
    done = kadr("export", project, "--keys", tmp_path / "paint")
    assert "named by their own numbers" in done.err
    assert "error" in kadr("plan", project, "--key-offset", "0", "--dry-run").err
    done = kadr("new", video, "--stylizer", "paint", "--key-offset", "1", "-o", tmp_path / "q.kadr")
    assert "key-offset: is for painted keys" in done.err


def test_work_files_are_kept_in_the_work_folder(
    kadr: Call, video: Path, keys: Path, tmp_path: Path
) -> None:
    work = tmp_path / "work"
    assert (
        kadr("run", video, "--keys", keys, "-o", tmp_path / "o", "--work", work, *QUICK).code == 0
    )
    assert any(work.rglob("*.zip"))


def test_executors_make_the_same_frames_and_json_names_their_workers(
    kadr: Call, video: Path, keys: Path, tmp_path: Path
) -> None:
    frames = {}
    for name in ("inline", "processes"):
        out = tmp_path / name
        arguments = ("--keys", keys, "-o", f"{out}/", *QUICK, "--json", "--executor", name)
        result = kadr("run", video, *arguments, "--work", tmp_path / f"{name}-work").objects[-1]
        assert result["executor"] == name
        blended = [item for item in result["workers"] if item["step"] == "blend"]
        assert sum(last - first + 1 for item in blended for first, last in item["frames"]) == 4
        expected = "main process" if name == "inline" else "process "
        assert all(item["name"].startswith(expected) for item in result["workers"])
        frames[name] = [path.read_bytes() for path in sorted(out.iterdir())]
    assert frames["inline"] == frames["processes"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--executor", "slurm"), "executor slurm: expected one of inline, processes, ray"),
        (("--address", "head:1"), "address head:1: is for executor ray"),
        (("--executor", "ray", "--address", "ray://h:1"), "expected HOST:PORT of the head"),
        (("--executor", "ray", "--address", "127.0.0.1:9"), "no Ray cluster answers there"),
    ],
)
def test_an_unknown_executor_or_address_is_refused(
    refused: Callable[..., str],
    video: Path,
    keys: Path,
    tmp_path: Path,
    arguments: tuple[str, ...],
    message: str,
) -> None:
    out = tmp_path / "o.mp4"
    assert message in refused("run", video, "--keys", keys, "-o", out, *arguments)
    assert not out.exists()
