"""``kadr run NAME.kadr``: options of one run, resuming, dry runs; and ``kadr preview``."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from cli_samples import COUNT, Call, frames_of, make_keys, make_video, painted

from kadr import new_project, open_clip, open_project, read_image, write_image
from kadr.project.folder import ProjectFolder
from kadr.render.run_context import run_purpose
from kadr.storage.cache import cache_folder
from kadr.storage.lock import lock_folder

QUICK = ("--detail", "draft")


@pytest.fixture
def project(video: Path, keys: Path, tmp_path: Path) -> ProjectFolder:
    """A project of six frames with the first and the last painted, beside its clip."""
    clip = Path(shutil.copy(video, tmp_path / "clip.mp4"))
    return new_project(clip, [keys], tmp_path / "p.kadr", detail="draft")


def _finished(project: ProjectFolder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(project.frames.iterdir())}


def read_image_of(project: ProjectFolder, index: int) -> np.ndarray:
    """A frame of the project's clip."""
    with open_clip(project.clip) as clip:
        return clip.frame(index).rgb


def _set(project: ProjectFolder, old: str, new: str) -> None:
    text = project.toml.read_text(encoding="utf-8")
    assert old in text
    project.toml.write_text(text.replace(old, new), encoding="utf-8")


def test_a_project_needs_nothing_more(kadr: Call, project: ProjectFolder) -> None:
    done = kadr("run", project.root)
    assert done.code == 0, done
    video = project.out / "clip.mp4"
    first, second = done.out.splitlines()
    assert first.startswith(f"{video}: {COUNT} frames from 2 keys in ")
    assert second == f"{project.report}: about this run"
    assert len(frames_of(video)) == len(_finished(project)) == COUNT
    record = json.loads((project.out / "report.json").read_text(encoding="utf-8"))
    assert record["finished"] is True
    assert all(error is not None for error in record["measured"])
    assert "<svg" in project.report.read_text(encoding="utf-8")


def test_a_second_run_makes_nothing_again(kadr: Call, project: ProjectFolder) -> None:
    first = kadr("run", project.root, "--json").objects[-1]
    assert first["computed"] == 2 * (COUNT - 2)
    before, video = _finished(project), Path(project.output).read_bytes()
    again = kadr("run", project.root, "--json").objects[-1]
    assert again["computed"] == 0
    assert (_finished(project), Path(project.output).read_bytes()) == (before, video)
    # all but the keys, the settings and the clip can go without loss
    shutil.rmtree(project.work)
    shutil.rmtree(project.out)
    assert kadr("run", project.root, "--json").objects[-1]["computed"] == first["computed"]
    assert (_finished(project), Path(project.output).read_bytes()) == (before, video)


def test_options_beside_a_project_hold_for_one_run(
    kadr: Call, project: ProjectFolder, tmp_path: Path
) -> None:
    text = project.toml.read_text(encoding="utf-8")
    out = tmp_path / "else"
    words = ("-o", out, "--frames", "0:3", "--mapping", "5", "--range", "0:0:3")
    done = kadr("run", project.root, *words, "--report", tmp_path / "about", "--json")
    assert done.code == 0, done
    assert sorted(path.stem[-1] for path in out.iterdir()) == ["0", "1", "2", "3"]
    assert (tmp_path / "about" / "report.html").exists()
    assert not Path(project.output).exists()
    options = json.loads((tmp_path / "about" / "report.json").read_text(encoding="utf-8"))[
        "options"
    ]
    assert options["propagate"]["mapping"] == 5
    assert options["propagate"]["patch_size"] == 3  # of the project's detail
    assert project.toml.read_text(encoding="utf-8") == text


def test_an_output_beside_a_project_is_not_replaced(
    refused: Callable[..., str], project: ProjectFolder, tmp_path: Path
) -> None:
    out = tmp_path / "dear.mp4"
    out.write_text("dear")
    assert "exists already; use --overwrite" in refused("run", project.root, "-o", out)
    assert out.read_text() == "dear"


def test_passes_beside_a_project_are_written_by_every_run(
    kadr: Call, refused: Callable[..., str], project: ProjectFolder, tmp_path: Path
) -> None:
    passes = tmp_path / "passes"
    assert kadr("run", project.root).code == 0
    done = kadr("run", project.root, "--per-key", passes)
    assert done.code == 0, done
    assert len(list(passes.glob("key_*/*.png"))) == 2 * (COUNT - 1)
    line = refused("run", project.root, "--per-key", passes)
    assert line.startswith(f"error: {passes}: is not empty; use --overwrite")


def test_another_stylizer_beside_a_project(
    kadr: Call, refused: Callable[..., str], project: ProjectFolder
) -> None:
    words = ("--stylizer", "paint", "-O", "strokes=0", "--keys-budget", "2")
    done = kadr("run", project.root, *words, "--json")
    assert done.code == 0, done
    assert done.objects[-1]["keys"] == [0, COUNT - 1]
    message = "is for a stylizer that makes keys; leave it out beside painted keys"
    assert f"keys-budget 3: {message}" in refused("run", project.root, "--keys-budget", "3")
    assert f"min-gap 3: {message}" in refused("run", project.root, "--min-gap", "3")
    assert "fps 25: is for image sequences" in refused("run", project.root, "--fps", "25")
    assert "work-limit much: expected a size" in refused(
        "run", project.root, "--work-limit", "much"
    )


def test_a_dry_run_says_what_and_why_and_does_nothing(kadr: Call, project: ProjectFolder) -> None:
    done = kadr("run", project.root, "--dry-run")
    assert (done.code, done.err) == (0, "")
    assert f"key 0: {COUNT - 2} frames after it: not made before" in done.out
    assert f"key 5: {COUNT - 2} frames before it: not made before" in done.out
    assert f"would make 8 of 8 frames of passes, {COUNT} of {COUNT} finished frames" in done.out
    assert f"would write {project.output}" in done.out
    assert not project.out.exists()
    assert kadr("run", project.root, "--quiet").code == 0
    assert "all frames are made already" in kadr("run", project.root, "--dry-run").out

    before = _finished(project)
    write_image(project.keys / "00005.png", 255 - painted(COUNT - 1))
    facts = kadr("run", project.root, "--dry-run", "--json").objects[-1]
    assert [(item["key"], item["direction"], item["frames"]) for item in facts["passes"]] == [
        (5, "backward", COUNT - 2)
    ]
    assert facts["passes"][0]["reason"] == "key repainted"
    assert (facts["pass_frames"], facts["finished"], facts["stylized"]) == (COUNT - 2, COUNT - 1, 1)
    assert facts["seconds"] > 0
    assert facts["work_bytes"] > 0
    assert facts["output_bytes"] > 0
    status = kadr("status", project.root).out
    assert "would make 4 of 8 frames of passes, 5 of 6 finished frames" in status
    assert "key 5: 4 frames before it: key repainted" in status
    assert _finished(project) == before
    assert kadr("run", project.root, "--json").objects[-1]["computed"] == facts["pass_frames"]


def test_a_setting_that_changed_is_the_reason(kadr: Call, project: ProjectFolder) -> None:
    assert kadr("run", project.root, "-q").code == 0
    output = kadr("run", project.root, "--dry-run", "--mapping", "7").out
    assert "key 0: 4 frames after it: mapping 2.0 → 7.0" in output


@pytest.mark.skipif(os.name == "nt", reason="Windows sends Ctrl-C to a whole console only")
def test_the_same_command_goes_on_after_an_interruption(
    kadr: Call, tmp_path: Path, cache: Path
) -> None:
    count, out = 40, tmp_path / "out.mp4"
    clip, keys = make_video(tmp_path / "clip.mp4", count), make_keys(tmp_path / "keys", 0)
    words = ["run", clip, "--keys", keys, "-o", out, *QUICK, "--json"]
    with subprocess.Popen(
        [sys.executable, "-m", "kadr.cli.main", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        for line in process.stdout:
            event = json.loads(line)
            if event.get("step") == "propagate" and event["index"] == 20:
                process.send_signal(signal.SIGINT)
        message = process.stderr.read()
    assert process.returncode == 130
    assert message == "stopped; what is finished is kept, and the same command goes on from there\n"
    assert not out.exists()
    assert (cache_folder(clip) / "store").is_relative_to(cache)
    done = kadr(*words)
    assert done.code == 0, done
    # at most up to the last state is made again
    assert done.objects[-1]["computed"] <= count - 1 - 16
    assert len(frames_of(out)) == count


def test_work_files_without_a_project_go_into_the_cache(
    kadr: Call,
    refused: Callable[..., str],
    video: Path,
    keys: Path,
    tmp_path: Path,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words = ("run", video, "--keys", keys, *QUICK)
    assert kadr(*words, "-o", tmp_path / "a", "--work", tmp_path / "work").code == 0
    assert (tmp_path / "work" / "store").is_dir()
    assert not list(cache.iterdir())
    assert kadr(*words, "-o", tmp_path / "b").code == 0
    assert (cache_folder(video) / "store").is_dir()
    (tmp_path / "file").touch()
    monkeypatch.setenv("KADR_CACHE", str(tmp_path / "file"))
    line = refused(*words, "-o", tmp_path / "c")
    assert "no work files can be written here" in line
    assert "--work" in line
    assert "KADR_CACHE" in line


def test_old_work_files_of_other_runs_are_deleted_with_a_notice(
    kadr: Call, video: Path, keys: Path, tmp_path: Path, cache: Path
) -> None:
    words = ("--keys", keys, *QUICK, "-o")
    clips = [shutil.copy(video, tmp_path / f"{name}.mp4") for name in ("old", "new", "third")]
    for clip in clips[:2]:
        assert kadr("run", clip, *words, clip.with_suffix("")).code == 0
    old = cache_folder(clips[0])
    for path in (old, *old.iterdir()):
        os.utime(path, (10**9, 10**9))
    done = kadr("run", clips[2], *words, tmp_path / "third")
    assert f"{cache / 'runs'}: deleted old work files of 1 other run, " in done.err
    assert not old.exists()
    assert cache_folder(clips[1]).exists()
    assert "deleted" not in kadr("run", clips[2], *words, tmp_path / "fourth").err


def test_another_output_of_a_clip_uses_the_same_work_files(
    kadr: Call, video: Path, keys: Path, tmp_path: Path, cache: Path
) -> None:
    words = ("run", video, "--keys", keys, *QUICK, "--json", "-o")
    first = kadr(*words, tmp_path / "a.mp4").objects[-1]
    assert first["computed"] > 0
    for name in ("a.gif", "frames", "b.mp4"):
        assert kadr(*words, tmp_path / name).objects[-1]["computed"] == 0
    assert len(list((cache / "runs").iterdir())) == 1
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_two_runs_of_a_clip_at_a_time(
    kadr: Call, refused: Callable[..., str], video: Path, keys: Path, tmp_path: Path
) -> None:
    words = ("run", video, "--keys", keys, *QUICK, "-o")
    shared, own = cache_folder(video), cache_folder(video, tmp_path / "b.mp4")
    with lock_folder(shared, run_purpose(tmp_path / "a.mp4")):
        line = refused(*words, tmp_path / "a.mp4")
        assert f"{shared}: another kadr works here (process {os.getpid()})" in line
        done = kadr(*words, tmp_path / "b.mp4")
        assert done.code == 0
        assert "another run works on it; this one keeps its work files apart" in done.err
        assert (own / "store").is_dir()
    # the same command goes on where it began
    again = kadr(*words, tmp_path / "b.mp4", "--overwrite", "--json").objects[-1]
    assert again["computed"] == 0
    assert not (shared / "store").exists()


def test_the_next_frame_worth_painting_is_named_after_a_run(
    kadr: Call, video: Path, tmp_path: Path
) -> None:
    keys = make_keys(tmp_path / "painted", 0)
    project = new_project(video, [keys], tmp_path / "p.kadr", detail="draft")
    assert kadr("run", project.root, "-q").code == 0
    status = kadr("status", project.root).out
    assert f"kadr plan {project.root} names the next frame worth painting" in status
    plan = kadr("plan", project.root, "--dry-run", "--json").objects[-1]
    step = plan["next"]
    assert step["measured"] is True
    assert step["number"] != 0
    assert [key["number"] for key in plan["keys"] if key["painted"]] == [0]
    # what was surveyed then is known to the next run
    assert kadr("run", project.root, "-q").code == 0
    assert f"paint frame {step['number']}: it should" in kadr("status", project.root).out
    make_keys(project.keys, step["number"])
    assert kadr("run", project.root, "--json").objects[-1]["keys"] == [0, step["number"]]


def test_only_one_kadr_works_in_a_project(
    kadr: Call, refused: Callable[..., str], project: ProjectFolder
) -> None:
    assert kadr("run", project.root, "-q").code == 0
    with lock_folder(project.work):
        line = refused("run", project.root)
        assert f"{project.work}: another kadr works here (process {os.getpid()})" in line
        # looking is free
        assert kadr("status", project.root).code == 0
        assert kadr("run", project.root, "--dry-run").code == 0
        assert kadr("preview", project.root, "--frame", "2").code == 0
    assert kadr("run", project.root, "-q").code == 0


def test_what_killed_runs_left_is_swept(kadr: Call, project: ProjectFolder) -> None:
    remaining = [
        project.out / ".kadr-a1b2c3d4.mp4",
        project.work / "store" / "propagate" / ".kadr-a1b2c3d4.zip",
        project.out / ".kadr-folder__" / "frame_00001.png",
    ]
    options = [
        project.previews / ".kadr-a1b2c3d4.png",
        project.out / "mine.txt",
        project.keys / ".kadr-a1b2c3d4.png",
    ]
    for path in remaining + options:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert kadr("run", project.root, "-q").code == 0
    assert not any(path.exists() for path in remaining)
    assert not (project.out / ".kadr-folder").exists()
    assert all(path.exists() for path in options)


class TestPreview:
    """``kadr preview``"""

    def test_a_frame_is_what_a_run_makes(self, kadr: Call, project: ProjectFolder) -> None:
        done = kadr("preview", project.root, "--frame", "3", "--json").objects[-1]
        path = project.previews / "frame_00003.png"
        assert Path(done["output"]) == path
        assert done["exact"] is True
        assert done["seconds"] > 0
        assert not project.frames.exists()
        assert kadr("run", project.root, "-q").code == 0
        frame = read_image(project.frames / "frame_00003.png")
        np.testing.assert_array_equal(read_image(path), frame)
        output = kadr("preview", project.root, "--frame", "3").out
        assert output.startswith(f"{path}: frame 3 in ")
        assert output.endswith(" s, as a run makes it\n")

    def test_a_range_is_a_video(self, kadr: Call, project: ProjectFolder, tmp_path: Path) -> None:
        done = kadr("preview", project.root, "--range", "1:4")
        assert done.code == 0, done
        assert len(frames_of(project.previews / "00001-00004.mp4")) == 4
        out = tmp_path / "some.mp4"
        assert kadr("preview", project.root, "--range", "0:2", "-o", out, "-q").code == 0
        assert len(frames_of(out)) == 3

    def test_a_transparent_key_shows_what_a_run_shows(
        self, kadr: Call, project: ProjectFolder, tmp_path: Path
    ) -> None:
        for key in project.keys.glob("*.png"):
            image = read_image(key)
            write_image(key, np.dstack([image, np.zeros_like(image[..., 0])]))
        filmed = read_image_of(project, 2)
        done = kadr("preview", project.root, "--frame", "2")
        assert "where keys are transparent the film shows" in done.err, done
        np.testing.assert_array_equal(read_image(project.previews / "frame_00002.png"), filmed)
        _set(project, 'path = "out/clip.mp4"', 'path = "out/images/"')
        _set(project, "[mask]", '[mask]\nbackground = "transparent"')
        assert kadr("preview", project.root, "--frame", "2").err == ""
        assert read_image(project.previews / "frame_00002.png")[..., 3].max() == 0
        done = kadr("preview", project.root, "--range", "1:3", "-o", tmp_path / "a.mp4")
        assert done.err.count("a.mp4: cannot store alpha; transparent areas are laid over") == 1

    def test_errors_are_one_line(
        self, refused: Callable[..., str], project: ProjectFolder, tmp_path: Path
    ) -> None:
        name, out = project.root, tmp_path / "a.png"
        out.write_text("dear")
        assert "give either --frame N or --range FIRST:LAST" in refused("preview", name)
        assert "give either --frame N or" in refused(
            "preview", name, "--frame", "1", "--range", "1:2"
        )
        assert "frame 6: the clip has no such frame" in refused("preview", name, "--frame", "6")
        assert "frame 'x': expected a whole" in refused("preview", name, "--frame", "x")
        assert "expected FIRST:LAST" in refused("preview", name, "--range", "1")
        assert "exists already" in refused("preview", name, "--frame", "1", "-o", out)
        out = tmp_path / "a.mp4"
        assert "not an image" in refused("preview", name, "--frame", "1", "-o", out)
        assert "not a kadr project" in refused("preview", tmp_path, "--frame", "1")
        assert open_project(name).text == project.text


def test_ranges_of_a_project_change_only_their_frames(
    kadr: Call, video: Path, tmp_path: Path
) -> None:
    clip = Path(shutil.copy(video, tmp_path / "clip.mp4"))
    project = new_project(clip, [], tmp_path / "p.kadr", stylizer="paint", every_frame=True)
    assert kadr("run", project.root).code == 0
    before = _finished(project)
    example = '# [[stylizer.range]]\n# frames = "FIRST:LAST"'
    _set(project, example, '[[stylizer.range]]\nframes = "1:2"\nsaturation = 0.0\n#')
    dry_run = kadr("run", project.root, "--dry-run")
    assert dry_run.out.splitlines()[:2] == [
        "would stylize 2 keys",
        "range 1:2 (saturation): 2 of 2 keys would be stylized",
    ]
    facts = kadr("run", project.root, "--dry-run", "--json").objects[-1]
    assert facts["ranges"] == [{"name": "1:2", "options": ["saturation"], "keys": 2, "stylized": 2}]
    assert kadr("run", project.root).code == 0
    after = _finished(project)
    changed = [name for name in before if before[name] != after[name]]
    assert changed == [sorted(before)[1], sorted(before)[2]]
    assert "<dd>1:2</dd>" in project.report.read_text(encoding="utf-8")
    _set(project, '"1:2"', '"1:9"')
    done = kadr("run", project.root)
    assert done.code == 2
    assert re.search(
        r"line \d+: frames 1:9: the clip has no frame 9; its frames are 0 to 5", done.err
    )
    assert len(done.err.strip().splitlines()) == 1


def test_seeds_are_tried_with_the_values_of_a_frame(video: Path, tmp_path: Path) -> None:
    from kadr.cli.seeds import _frame_source

    clip = Path(shutil.copy(video, tmp_path / "clip.mp4"))
    options = {"model": "m", "prompt": "oil"}
    project = new_project(
        clip, [], tmp_path / "p.kadr", stylizer="diffusion", stylizer_options=options
    )
    ranges = """[[stylizer.range]]
frames = "1:2"
prompt = "ink"
[[stylizer.range]]
shot = 1
seed = 4
#"""
    _set(project, '# [[stylizer.range]]\n# frames = "FIRST:LAST"', ranges)
    inside, outside = (_frame_source(str(project.root), number) for number in (2, 3))
    assert (inside.number, inside.range_options) == (2, {"prompt": "ink"})
    assert outside.range_options == {}
    assert inside.shots == ("shot 1",)
