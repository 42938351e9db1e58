"""Runs that are killed at any moment and go on: nothing differs, and little is made twice."""

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
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of three keys, each of whose passes is longer than a state's interval."""
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
def copy(fresh: Path) -> Callable[[str], Path]:
    """Copies of the project beside it, as it was before any run."""

    def copied(name: str) -> Path:
        folder = fresh.with_name(f"{name}.kadr")
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(fresh, folder)
        return folder

    return copied


def _run(project: Path, lines: int | None = None) -> bool:
    """Run a project; kill it after so many lines of output. Whether it was killed."""
    stderr = project.with_suffix(".stderr")
    words = ["run", str(project), "--workers", str(WORKERS), "--json"]
    code = run_killable(words, stderr, lines)
    assert code in (0, -signal.SIGKILL), stderr.read_text()
    return code != 0


def _dry_run(project: Path) -> DryRun:
    return follow(make_dry_run(open_project(project).options()))


def _results(project: Path) -> tuple[dict[str, bytes], list[np.ndarray], bytes]:
    """Finished frames, the decoded video and the video."""
    opened = open_project(project)
    frames = {path.name: path.read_bytes() for path in sorted(opened.frames.iterdir())}
    with open_clip(opened.output) as clip:
        images = [frame.image for frame in clip.frames()]
    return frames, images, Path(opened.output).read_bytes()


def _stored(project: Path) -> int:
    """Frames of passes in the store."""
    entries = (project / "work" / "store" / "propagate").rglob("*.zip")
    return sum(not path.stem.endswith("-state") for path in entries if path.name[0] != ".")


def test_a_run_killed_at_25_moments_ends_as_if_nothing_had_been(
    copy: Callable[[str], Path],
) -> None:
    whole = copy("whole")
    assert not _run(whole)
    frames, images, video = _results(whole)
    assert len(frames) == len(images) == COUNT

    chance, kills, twice = random.Random(25), 0, []
    while kills < KILLS:
        project = copy("killed")
        while _run(project, chance.randrange(1, 100) if kills < KILLS else None):
            kills += 1
            dry_run = _dry_run(project)
            twice.append(dry_run.pass_frames - (dry_run.pass_total - _stored(project)))
        again, decoded, coded = _results(project)
        assert again == frames
        assert all(map(np.array_equal, decoded, images))
        assert coded == video
        assert not _dry_run(project).finished
        assert not list(project.rglob(".kadr-*"))
    assert max(twice) <= WORKERS * STATE_INTERVAL


def test_a_repainted_key_redoes_what_depends_on_it_and_no_more(tmp_path: Path) -> None:
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
    again = restyle(options("out"))
    after = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}

    # the key's own passes reach to its neighbours; theirs are those of before
    assert {(key_pass.key, key_pass.forward, key_pass.frames) for key_pass in dry_run.passes} == {
        (repainted, True, 24),
        (repainted, False, 24),
    }
    assert {key_pass.reason for key_pass in dry_run.passes} == {"key repainted"}
    assert again.computed == dry_run.pass_frames == 48
    assert first.computed == dry_run.pass_total == 8 * 24 - 2
    assert dry_run.finished == 49
    # nothing else has changed
    names = sorted(after)
    assert {name for name in names if after[name] != before[name]} == set(names[26:75])
    # and it is what a run that knows nothing of before makes
    assert restyle(options("fresh")).computed == first.computed
    fresh = {path.name: path.read_bytes() for path in (tmp_path / "fresh").iterdir()}
    assert after == fresh
