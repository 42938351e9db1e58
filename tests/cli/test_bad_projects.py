"""Projects that were edited, moved, damaged or cannot be written: messages and results."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cli_samples import COUNT, Call

from kadr import new_project, open_project
from kadr.project.folder import ProjectFolder

Refused = Callable[..., str]


@pytest.fixture
def project(video: Path, keys: Path, tmp_path: Path) -> ProjectFolder:
    """A project of six frames with the first and the last painted, beside its clip."""
    clip = Path(shutil.copy(video, tmp_path / "clip.mp4"))
    return new_project(clip, [keys], tmp_path / "p.kadr", detail="draft")


def _finished(project: ProjectFolder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(project.frames.iterdir())}


def _line(project: ProjectFolder, start: str) -> int:
    lines = project.toml.read_text(encoding="utf-8").splitlines()
    return 1 + next(number for number, line in enumerate(lines) if line.startswith(start))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('detail = "draft"', 'detial = "draft"', "unknown 'detial'; did you mean 'detail'?"),
        ('detail = "draft"', 'detail = "ultra"', "detail 'ultra': expected one of high"),
        ('detail = "draft"', "mapping = -3", "mapping -3.0: expected 0 to 1000"),
        ('detail = "draft"', 'mapping = "firm"', "expected a number"),
        ('detail = "draft"', 'detail = "draft', "not TOML"),
        ("[picture]", "[pictures]", "section unknown 'pictures'; did you mean 'picture'?"),
        ('folder = "keys"', 'ranges = ["0:0:99"]', "range 0:0:99: the clip has no frame 99"),
        ('name = "external"', 'name = "crayon"', "crayon"),
    ],
)
def test_a_wrong_line_is_named(
    refused: Refused, project: ProjectFolder, old: str, new: str, message: str
) -> None:
    text = project.toml.read_text(encoding="utf-8")
    assert old in text
    project.toml.write_text(text.replace(old, new, 1), encoding="utf-8")
    number = _line(project, new)
    for command in ("run", "status", "plan"):
        if "range" in message and command != "run":
            continue  # which frames there are is asked of the clip when it is worked on
        line = refused(command, project.root)
        assert f"{project.toml}, line {number}: " in line
        assert message in line
    assert not project.out.exists()


def test_a_clip_that_was_moved_is_found_and_remembered(
    kadr: Call, project: ProjectFolder, tmp_path: Path
) -> None:
    assert kadr("run", project.root, "-q").code == 0
    before = _finished(project)
    path = tmp_path / "footage" / "renamed.mp4"
    path.parent.mkdir()
    shutil.move(project.clip, path)
    done = kadr("run", project.root, "--dry-run")
    assert "the same clip was found as" in done.err
    assert "all frames are made already" in done.out
    assert open_project(project.root).text == project.text  # a dry run notes nothing
    done = kadr("run", project.root)
    assert done.code == 0, done
    assert f"{project.clip}: is not there any more; the same clip was found as" in done.err
    assert open_project(project.root).clip == path
    assert _finished(project) == before
    done = kadr("run", project.root)
    assert done.err == ""


def test_a_missing_clip_is_an_error(kadr: Call, refused: Refused, project: ProjectFolder) -> None:
    project.clip.unlink()
    for command in (("run",), ("run", "--dry-run"), ("preview", "--frame", "1"), ("plan",)):
        line = refused(command[0], project.root, *command[1:])
        assert f"{project.clip}: the clip of {project.root} is not there, nor near it" in line
        assert f"write where it is into {project.toml}" in line
    assert kadr("status", project.root).code == 0


def test_a_clip_that_changed_is_named_and_nothing_is_used_again(
    kadr: Call, project: ProjectFolder
) -> None:
    first = kadr("run", project.root, "--json").objects[-1]
    with project.clip.open("ab") as file:
        file.write(b"\0" * 8)  # the pictures are the same, but who would know
    output = kadr("run", project.root, "--dry-run").out
    assert "key 0: 4 frames after it: the clip's content changed" in output
    done = kadr("run", project.root, "--json")
    assert done.code == 0, done
    notices = [line["message"] for line in done.objects if line["event"] == "notice"]
    assert f"{project.clip}: its content changed; all frames will be made again" in notices
    assert done.objects[-1]["computed"] == first["computed"] == 2 * (COUNT - 2)
    done = kadr("run", project.root, "--json")
    assert [line["event"] for line in done.objects if line["event"] == "notice"] == []
    assert done.objects[-1]["computed"] == 0


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _spoil(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[200:260] = bytes(60)
    path.write_bytes(content)


def _write_nonsense(path: Path) -> None:
    path.write_text("{nonsense", encoding="utf-8")


@pytest.mark.parametrize(
    ("names", "damage", "message"),
    [
        ("out/frames/frame_00003.png", _cut, "frame_00003.png: damaged, it was cut short"),
        ("out/frames/frame_00003.png", lambda path: path.write_bytes(b""), "it was cut short"),
        ("work/store/propagate/*/000003.zip", _cut, "000003.zip: damaged, it was cut short"),
        ("work/store/propagate/*/000003.zip", _spoil, "000003.zip: damaged (Bad CRC-32"),
        ("work/store/stylize/*.zip", _cut, "damaged, it was cut short"),
        ("work/store/stylize/*.zip", _spoil, "damaged or gone; it will be made again"),
        ("work/*.json", _write_nonsense, ""),
    ],
    ids=["cut frame", "empty frame", "cut pass", "spoilt pass", "cut key", "spoilt key", "notes"],
)
def test_damaged_work_files_are_made_again_with_a_notice(
    kadr: Call, project: ProjectFolder, names: str, damage: Callable[[Path], object], message: str
) -> None:
    assert kadr("run", project.root, "-q").code == 0
    before, video = _finished(project), Path(project.output).read_bytes()
    files = sorted(project.root.glob(names))
    assert files
    for path in files:
        damage(path)
    if "frames" not in names:
        (project.frames / "frame_00003.png").unlink()  # so that the file is wanted
    done = kadr("run", project.root)
    assert done.code == 0, done
    assert message in done.err
    assert (_finished(project), Path(project.output).read_bytes()) == (before, video)
    assert kadr("run", project.root).err == ""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """A disk of its own: the function sets its options, and mounts it the first time."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("only root can mount a disk")
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = False

    def mount(options: str) -> Path:
        nonlocal mounted
        again = "remount," if mounted else ""
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", again + options, "none", str(folder)],
            capture_output=True,
        )
        if done.returncode:
            pytest.skip("no disk can be mounted here")
        mounted = True
        return folder

    yield mount
    if mounted:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_stops_cleanly_and_the_run_goes_on_later(
    kadr: Call, project: ProjectFolder, disk: Callable[[str], Path]
) -> None:
    assert kadr("run", project.root, "-q").code == 0
    before = _finished(project)
    size = sum(path.stat().st_size for path in project.work.rglob("*.zip"))
    root = disk(f"size={size // 1024 + 16}k") / "p.kadr"  # room for some of it
    full = new_project(project.clip, [project.keys], root, detail="draft")
    for workers in ("1", "2"):
        done = kadr("run", root, "--workers", workers)
        assert done.code == 2
        error = done.err.splitlines()[-1]
        assert error.startswith(f"error: {root}")
        assert "No space left on device" in error
        assert "free some space" in error
        assert not list(root.rglob(".kadr-*"))
        assert not Path(full.output).exists()
    disk("size=16m")
    done = kadr("run", root, "--json")
    assert done.code == 0, done
    assert _finished(full) == before


def test_a_project_that_cannot_be_written_is_an_error_but_can_be_read(
    kadr: Call,
    refused: Refused,
    project: ProjectFolder,
    disk: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    root = disk("size=16m") / "p.kadr"
    fixed = new_project(project.clip, [project.keys], root, detail="draft")
    assert kadr("run", root, "-q").code == 0
    disk("ro")
    line = refused("run", root)
    assert str(root) in line
    assert "Read-only file system" in line
    assert kadr("status", root).code == 0
    assert "all frames are made already" in kadr("run", root, "--dry-run").out
    out = tmp_path / "frame.png"
    assert kadr("preview", root, "--frame", "2", "-o", out).code == 0
    assert out.read_bytes()
    assert "Read-only file system" in refused("preview", root, "--frame", "2")
    assert fixed.toml.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty (0 bytes)"),
        (b"\x89PNG\r\n\x1a\n" + bytes(60), "not an EbSynth project"),
        (b"EBS04\0" + bytes(60), "is of version '04'; expected '05'"),
        (b"EBS05\0" + b"\x08\0\0\0video", "damaged at byte 10"),
        (b"EBS05\0" + b"\xff\xff\xff\xff" + bytes(60), "damaged at byte 10"),
    ],
    ids=["empty", "no project", "version", "cut", "length"],
)
def test_malformed_projects_of_ebsynth_are_distinguished(
    refused: Refused, tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "bad.ebs"
    path.write_bytes(content)
    line = refused("import", path, "-o", tmp_path / "p.kadr")
    assert f"{path}: " in line
    assert message in line
    assert not (tmp_path / "p.kadr").exists()
