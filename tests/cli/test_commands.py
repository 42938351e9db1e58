"""The smaller commands, and the program as a process: help, versions, Ctrl-C, light imports."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Generator
from pathlib import Path

import numpy as np
import pytest
from cli_samples import (
    COUNT,
    FIRST,
    SIZE,
    Call,
    frames_of,
    make_video,
)

import kadr as library
from kadr import Event, open_clip
from kadr.cli import doctor as doctor_module
from kadr.cli.session import open_session
from kadr.tasks.supervisor import COMPILING

PROGRAM = (sys.executable, "-m", "kadr.cli.main")


def test_frames_and_encode_go_there_and_back(kadr: Call, video: Path, tmp_path: Path) -> None:
    folder, again = tmp_path / "all frames", tmp_path / "again.mp4"
    done = kadr("frames", video, folder)
    assert (done.code, done.out) == (0, f"{folder}: {COUNT} images\n")
    assert [path.name for path in sorted(folder.iterdir())] == [
        f"frame_{index:05d}.png" for index in range(COUNT)
    ]
    done = kadr("encode", folder, "-o", again, "--like", video, "--crf", "1", "--json")
    assert done.objects[-1]["frames"] == COUNT
    for image, expected in zip(frames_of(again), frames_of(video), strict=True):
        assert np.abs(image.astype(int) - expected).mean() < 4


def test_frames_may_be_some(kadr: Call, video: Path, tmp_path: Path) -> None:
    assert kadr("frames", video, tmp_path / "a", "--every", "4", "--suffix", "jpg").code == 0
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == [
        "frame_00000.jpg",
        "frame_00004.jpg",
    ]
    assert kadr("frames", video, tmp_path / "b", "--fps", "12").code == 0
    assert len(list((tmp_path / "b").iterdir())) == COUNT // 2


def test_encode_at_a_rate(kadr: Call, images: Path, tmp_path: Path) -> None:
    out = tmp_path / "o.mp4"
    assert kadr("encode", images, "-o", out, "--fps", "30000/1001", "--preset", "fast").code == 0
    with open_clip(out) as clip:
        assert float(clip.info.frame_rate) == pytest.approx(30000 / 1001, rel=1e-3)


def test_images_of_a_project_have_the_times_of_its_clip(
    kadr: Call, video: Path, tmp_path: Path
) -> None:
    project = tmp_path / "film.kadr"
    assert kadr("new", video, "-o", project).code == 0
    assert kadr("frames", video, project / "out").code == 0
    done = kadr("encode", project / "out", "-o", tmp_path / "o.mp4")
    assert done.code == 0
    assert f"with the times and sound of {video}" in done.err
    assert "frames a second" not in done.err
    assert (
        "at 24 frames a second"
        in kadr("encode", _moved(project / "out", tmp_path / "alone"), "-o", tmp_path / "p.mp4").err
    )


def _moved(folder: Path, target: Path) -> Path:
    return folder.rename(target)


def test_converting_is_refused_in_one_line(
    refused: Callable[..., str], video: Path, images: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "there.mp4").touch()
    for words, message in [
        (("frames", video, tmp_path / "file"), "is a file"),
        (("frames", video, tmp_path / "a", "--every", "0"), "every 0"),
        (("frames", video, tmp_path / "a", "--every", "2", "--fps", "5"), "give one of them"),
        (("frames", video, tmp_path / "a", "--suffix", ".doc"), "'.doc'"),
        (("encode", images, "-o", tmp_path / "there.mp4"), "exists already; use --overwrite"),
        (("encode", images, "-o", tmp_path / "a.mp4", "--fps", "x"), "fps x"),
        (("encode", images, "-o", tmp_path / "a.mp4", "--crf", "99"), "crf 99"),
        (("encode", tmp_path / "gone", "-o", tmp_path / "a.mp4"), "gone: no such file"),
    ]:
        assert message in refused(*words)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "there.mp4"]


def test_info_for_people_and_programs(kadr: Call, video: Path, images: Path) -> None:
    done = kadr("info", video)
    assert done.code == 0
    assert f"{SIZE[0]}×{SIZE[1]}" in done.out
    assert f"{COUNT}, numbered 0 to {COUNT - 1}" in done.out
    (facts,) = kadr("info", images, "--json").objects
    assert (facts["width"], facts["height"], facts["frame_count"]) == (*SIZE, COUNT)
    assert (facts["first_number"], facts["last_number"]) == (FIRST, FIRST + COUNT - 1)
    assert facts["frame_rate_exact"] == "24"


def test_stylizers_are_listed_with_their_options(kadr: Call) -> None:
    (listed,) = kadr("stylizers", "--json").objects
    assert "radius" in listed["paint"]
    output = kadr("stylizers").out
    assert "paint" in output
    assert "radius" in output


def test_doctor_finds_what_this_test_runs_on(kadr: Call) -> None:
    done = kadr("doctor", "--json")
    assert done.code == 0
    (facts,) = done.objects
    states = {check["name"]: check["state"] for check in facts["checks"]}
    assert facts["fit"]
    for name in ("python", "numpy", "numba", "OpenCV", "PyAV", "libx264", "kernels"):
        assert states[name] == "ok"
    assert "kadr run can work here." in kadr("doctor").out


def test_doctor_says_what_is_missing_and_how_to_get_it(
    kadr: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(doctor_module._LIBRARIES, "Brushes", "kadr_has_no_such_module")
    monkeypatch.setitem(doctor_module._EXTRAS, "kadr_has_no_such_extra", ("nothing", None))
    done = kadr("doctor")
    assert done.code == 1
    (line,) = [line for line in done.out.splitlines() if "Brushes" in line]
    assert line.startswith("MISSING")
    assert "pip install" in line
    assert "pip install kadr_has_no_such_extra" in done.out
    assert "cannot work here yet" in done.out


def test_version_and_help(kadr: Call) -> None:
    assert kadr("--version").out == f"kadr {library.__version__}\n"
    for words in ([], ["--help"]):
        done = kadr(*words)
        assert done.code == 0
        for name in ("run", "synth", "frames", "encode", "info", "doctor", "stylizers"):
            assert name in done.out
    output = kadr("run", "--help").out
    for name in ("--keys", "--per-key", "--deflicker", "--diversity", "--fit-keys", "--range"):
        assert name in output


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from kadr.cli.main import main; main(['run', '--help']);"
        "print('HEAVY', *(m for m in ('numba', 'cv2', 'av', 'scipy', 'PIL') if m in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.splitlines()[-1] == "HEAVY"


@pytest.mark.skipif(os.name == "nt", reason="Windows sends Ctrl-C to a whole console only")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_leaves_no_output(tmp_path: Path, number: signal.Signals) -> None:
    clip = make_video(tmp_path / "clip.mp4", count=80)
    (tmp_path / "temporary").mkdir()
    out = tmp_path / "new" / "out.mp4"
    words = ["run", clip, "--stylizer", "paint", "--keys-budget", "2", "-o", out, "--json"]
    process = subprocess.Popen(
        [*PROGRAM, *map(str, [*words, "--per-key", tmp_path / "per key", "--detail", "high"])],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path / "temporary")},
    )
    assert process.stdout is not None
    for line in process.stdout:  # until it is in the middle of things
        event = json.loads(line)
        if event.get("step") == "propagate" and event["index"] > 0:
            break
    process.send_signal(number)
    rest, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert stderr.startswith("stopped; what is finished is kept, and the same command goes on")
    assert stderr.count("\n") == 1
    assert json.loads(rest.splitlines()[-1])["kind"] == "Cancelled"
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["clip.mp4"]
    assert list((tmp_path / "temporary").iterdir()) == []


def test_a_process_has_the_same_exit_code_and_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [*PROGRAM, "info", str(tmp_path / "gone.mp4")], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert done.stderr == f"error: {tmp_path / 'gone.mp4'}: no such file; check the path\n"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (MemoryError(), "error: not enough memory"),
        (OSError(28, "No space left on device", "some/file"), "error: some/file: the disk is full"),
        (RuntimeError("cannot cache function 'f': no locator"), "NUMBA_CACHE_DIR"),
        (KeyboardInterrupt(), "stopped"),
    ],
)
def test_what_a_machine_runs_out_of_is_one_line(
    kadr: Call, video: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, message: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("kadr.video.clips.open_clip", fail)
    done = kadr("info", video)
    assert done.code == (130 if isinstance(error, KeyboardInterrupt) else 2)
    assert message in done.err
    assert done.err.count("\n") == 1


def test_compiling_is_reported_once(capsys: pytest.CaptureFixture[str]) -> None:
    """A worker process and this process may both compile."""

    def work() -> Generator[Event, None, int]:
        yield Event("propagate", 0, 2, message=COMPILING)
        yield Event("propagate", 0, 2, message=COMPILING)
        yield Event("propagate", 1, 2, message="another notice")
        return 2

    with open_session() as session:
        session._report_compiling()
        assert session.follow(work()) == 2
        session._report_compiling()
    assert capsys.readouterr().err == f"{COMPILING}\nanother notice\n"
