"""Kill runs at random moments and resume them: same results, few frames computed twice."""

from __future__ import annotations

import random
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from killable_run import run_killable

from kadr import (
    Frame,
    RunOptions,
    create_clip,
    detail_options,
    make_dry_run,
    new_project,
    open_clip,
    open_project,
    restyle,
    write_image,
)
from kadr.core.events import follow
from kadr.dry_run import DryRun
from kadr.propagate import STATE_INTERVAL
from scenes import paint, sliding, write_sequence

COUNT, KEYS = 44, (0, 22, 43)
WORKERS, KILLS = 2, 25

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="it has no SIGKILL")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with three keys whose passes are longer than the interval between states."""
    folder = tmp_path_factory.mktemp("kill")
    images = sliding(COUNT, 1.0, height=40, width=56)
    with create_clip(folder / "clip.mp4", like=None, crf=10) as writer:
        for index, image in enumerate(images):
            writer.write(Frame(index, image))
    for key in KEYS:
        write_image(folder / "painted" / f"{key:05d}.png", paint(images[key]))
    project = new_project(folder / "clip.mp4", [folder / "painted"], folder / "p.kadr")
    project.edit("picture", {"detail": "draft"})
    return project.root


@pytest.fixture
def copy_template(template: Path) -> Callable[[str], Path]:
    """A function that copies the project, as it was before any run."""

    def copy_project(name: str) -> Path:
        folder = template.with_name(f"{name}.kadr")
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(template, folder)
        return folder

    return copy_project


def _run(project: Path, lines: int | None = None) -> bool:
    """Run a project and kill it after ``lines`` lines of output. Returns whether it was killed."""
    stderr = project.with_suffix(".stderr")
    arguments = ["run", str(project), "--workers", str(WORKERS), "--json"]
    code = run_killable(arguments, stderr, lines)
    assert code in (0, -signal.SIGKILL), stderr.read_text()
    return code != 0


def _dry_run(project: Path) -> DryRun:
    return follow(make_dry_run(open_project(project).options()))


def _results(project: Path) -> tuple[dict[str, bytes], list[np.ndarray], bytes]:
    """The files of the finished frames, the decoded video and the video file."""
    opened = open_project(project)
    frames = {path.name: path.read_bytes() for path in sorted(opened.frames.iterdir())}
    with open_clip(opened.output) as clip:
        images = [frame.image for frame in clip.frames()]
    return frames, images, Path(opened.output).read_bytes()


def _stored_pass_frames(project: Path) -> int:
    """How many frames of passes the store holds."""
    entries = (project / "work" / "store" / "propagate").rglob("*.zip")
    return sum(not path.stem.endswith("-state") for path in entries if path.name[0] != ".")


def test_a_run_killed_25_times_ends_with_the_same_results(
    copy_template: Callable[[str], Path],
) -> None:
    uninterrupted = copy_template("uninterrupted")
    assert not _run(uninterrupted)
    frames, images, video = _results(uninterrupted)
    assert len(frames) == len(images) == COUNT

    rng, kills, repeated = random.Random(25), 0, []
    while kills < KILLS:
        project = copy_template("killed")
        while _run(project, rng.randrange(1, 100) if kills < KILLS else None):
            kills += 1
            dry_run = _dry_run(project)
            repeated.append(
                dry_run.pass_frames - (dry_run.pass_total - _stored_pass_frames(project))
            )
        resumed_frames, resumed_images, resumed_video = _results(project)
        assert resumed_frames == frames
        assert all(map(np.array_equal, resumed_images, images))
        assert resumed_video == video
        assert not _dry_run(project).finished
        assert not list(project.rglob(".kadr-*"))
    assert max(repeated) <= WORKERS * STATE_INTERVAL


def test_a_repainted_key_recomputes_only_what_depends_on_it(tmp_path: Path) -> None:
    count, keys, repainted = 100, (0, 25, 50, 75, 99), 50
    images = sliding(count, 0.5, height=32, width=40)
    clip = write_sequence(tmp_path / "clip", images, 0)
    styles = {key: paint(images[key]) for key in keys}
    for key, style in styles.items():
        write_image(tmp_path / "keys" / f"{key:05d}.png", style)

    def options(name: str) -> RunOptions:
        return RunOptions(
            clip,
            tmp_path / name,
            keys=(tmp_path / "keys",),
            work=tmp_path / f"{name} work",
            propagate=detail_options("draft"),
            overwrite=True,
        )

    first = restyle(options("out"))
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    write_image(tmp_path / "keys" / f"{repainted:05d}.png", 255 - styles[repainted])
    dry_run = follow(make_dry_run(options("out")))
    second = restyle(options("out"))
    after = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}

    # the key's own passes reach to the neighbouring keys, whose passes are stored
    assert {(key_pass.key, key_pass.forward, key_pass.frames) for key_pass in dry_run.passes} == {
        (repainted, True, 24),
        (repainted, False, 24),
    }
    assert {key_pass.reason for key_pass in dry_run.passes} == {"key repainted"}
    assert second.computed == dry_run.pass_frames == 48
    assert first.computed == dry_run.pass_total == 8 * 24 - 2
    assert dry_run.finished == 49
    # nothing else has changed
    names = sorted(after)
    assert {name for name in names if after[name] != before[name]} == set(names[26:75])
    # a run without work files writes the same frames
    assert restyle(options("fresh")).computed == first.computed
    fresh = {path.name: path.read_bytes() for path in (tmp_path / "fresh").iterdir()}
    assert after == fresh
