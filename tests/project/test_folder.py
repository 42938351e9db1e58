"""A project: its options, how it finds a moved clip, how its file is edited."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from project_samples import (
    COUNT,
    make_images,
    make_keys,
    make_project,
    make_video,
    picture,
    rewrite,
)

from kadr import (
    FrameRange,
    InputError,
    OptionsError,
    OutputError,
    Span,
    new_project,
    open_project,
    write_image,
)
from kadr.options import DETAIL
from kadr.project import folder as folder_module
from kadr.project.folder import ProjectFolder, is_project, relative_path


def test_a_new_project_holds_what_people_need(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    assert project.root == tmp_path / "p.kadr"
    assert project.name == "p"
    assert sorted(path.name for path in project.keys.iterdir()) == ["00000.png", "00005.png"]
    assert project.clip == tmp_path / "clip.mp4"
    assert project.settings.clip == "../clip.mp4"
    assert str(tmp_path) not in project.text
    assert project.output == project.root / "out" / "clip.mp4"
    shutil.rmtree(project.work)
    assert open_project(project.root).options() == project.options()


def test_settings_become_options(tmp_path: Path) -> None:
    project = make_project(
        tmp_path,
        ranges=["0:0:3", "2:5:6"],
        frames="0:6",
        detail="low",
        deflicker=1.5,
        crf=20,
        seed=3,
        work_limit=5 * 10**9,
        output=tmp_path / "made",
        per_key=tmp_path / "per key",
    )
    options = project.options()
    assert options.ranges == (Span(0, 0, 4), Span(5, 2, 7))
    assert options.frames == FrameRange(0, 7)
    assert options.propagate.deflicker == 1.5
    assert options.propagate.vote_iterations == DETAIL["low"].vote_iterations
    assert (options.crf, options.seed, options.work_limit) == (20, 3, 5 * 10**9)
    assert options.keys == (project.keys,)
    assert (options.work, options.frames_folder) == (project.work, project.frames)
    assert Path(options.output).resolve() == tmp_path / "made"
    assert options.per_key is not None
    assert options.per_key.resolve() == tmp_path / "per key"
    for path in (options.output, options.per_key):
        assert not options.may_replace(path), "what lies outside the project may be somebody's"


def test_a_run_may_replace_what_the_project_made(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    options = project.options(per_key=tmp_path / "per key")
    assert options.may_replace(options.output), "whatever other outputs there are"
    assert not options.may_replace(options.per_key)
    assert project.options(overwrite=True).may_replace(tmp_path / "else.mp4")
    assert not project.options(overwrite=False).may_replace(options.output)


def test_images_of_a_pattern_are_the_output(tmp_path: Path) -> None:
    project = make_project(tmp_path, output=tmp_path / "p.kadr" / "made" / "f_%03d.png")
    assert not project.output_exists
    write_image(project.root / "made" / "f_007.png", picture(0))
    assert project.output_exists


def test_changes_have_the_last_word(tmp_path: Path) -> None:
    project = make_project(tmp_path, ranges=["0:0:3"], frames="0:6", deflicker=1.5, seed=3)
    options = project.options(detail="draft", seed=4, ranges=(), frames=None)
    assert (options.seed, options.ranges, options.frames) == (4, (), None)
    assert options.propagate.patch_size == DETAIL["draft"].patch_size
    assert options.propagate.deflicker == 1.5


def test_a_stylizer_needs_no_keys(tmp_path: Path) -> None:
    clip = make_video(tmp_path / "clip.mp4")
    project = new_project(
        clip,
        folder=tmp_path / "p.kadr",
        stylizer="paint",
        stylizer_options={"radius": 5.0},
        keys_budget=3,
    )
    options = project.options()
    assert (options.stylizer, options.stylizer_options) == ("paint", {"radius": 5.0})
    assert (options.keys, options.keys_budget) == ((), 3)


def test_numbers_of_a_sequence_are_its_own(tmp_path: Path) -> None:
    images, keys = make_images(tmp_path / "in"), make_keys(tmp_path / "painted", 1003)
    project = new_project(
        images / "f_#####.png",
        [keys],
        tmp_path / "p.kadr",
        ranges=["1002:1003:1004"],
        frames="1001:1008",
        frame_rate="30000/1001",
    )
    options = project.options()
    assert options.ranges == (Span(2, 1, 4),)
    assert options.frames == FrameRange(0, COUNT)
    assert options.frame_rate == pytest.approx(29.97, abs=0.001)
    assert project.settings.output == "out/in.mp4"


def test_a_folder_marked_by_a_slash_stays_one(tmp_path: Path) -> None:
    project = make_project(tmp_path, output=f"{tmp_path}/p.kadr/images/")
    assert project.settings.output == "images/"
    assert project.options().output == f"{project.root / 'images'}/"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"deflickr": 1}, "unknown 'deflickr'; did you mean 'deflicker'"),
        ({"crf": 99}, "crf 99: expected 0 to 63"),
        ({"ranges": ["0:3:9"]}, "no frame 9; its frames are 0 to 7"),
        ({"frames": "3"}, "frames 3: expected FIRST:LAST"),
        ({"detail": "best"}, "detail 'best': expected one of high"),
        ({"frame_rate": 25}, "frame-rate 25: is for image sequences"),
        ({"stylizer_options": {"radius": 3}}, "stylizer-option radius: is for a stylizer"),
        ({"stylizer": "paint"}, "makes its own keys"),
    ],
)
def test_a_wrong_setting_leaves_nothing_behind(
    tmp_path: Path, settings: dict[str, object], message: str
) -> None:
    with pytest.raises(OptionsError, match=message):
        make_project(tmp_path, **settings)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", "painted"]


def test_a_key_that_is_not_of_the_clip_leaves_nothing_behind(tmp_path: Path) -> None:
    clip, keys = make_video(tmp_path / "clip.mp4"), make_keys(tmp_path / "painted", 0, 80)
    with pytest.raises(InputError, match="the clip has no frame 80"):
        new_project(clip, [keys], tmp_path / "deep" / "p.kadr")
    assert not (tmp_path / "deep").exists()


def test_nothing_that_exists_is_written_over(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    with pytest.raises(OutputError, match="is a project already"):
        new_project(project.clip, folder=project.root)
    (tmp_path / "q.kadr").touch()
    with pytest.raises(OutputError, match="exists already; choose another name"):
        new_project(project.clip, folder=tmp_path / "q.kadr")
    (tmp_path / "empty.kadr").mkdir()
    assert new_project(project.clip, folder=tmp_path / "empty.kadr").toml.is_file()


def test_what_is_a_project(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    assert is_project(project.root)
    assert is_project(str(project.toml))
    assert is_project("not/there.kadr")
    assert not is_project(tmp_path)
    assert not is_project(project.clip)
    assert open_project(project.toml).root == project.root
    with pytest.raises(InputError, match=r"not a kadr project, it has no project\.toml; make one"):
        open_project(tmp_path)


class TestMovedClip:
    """A clip is found again by its content."""

    @pytest.mark.parametrize("name", ["other name.mp4", "deep/clip.mp4", "p.kadr/clip.mp4"])
    def test_it_is_found_nearby(self, tmp_path: Path, name: str) -> None:
        project = make_project(tmp_path)
        (tmp_path / name).parent.mkdir(exist_ok=True)
        project.clip.rename(tmp_path / name)
        located = project.locate()
        assert located.path.samefile(tmp_path / name)
        assert located.moved
        assert not located.changed
        assert len(located.notices) == 1
        assert "clip.mp4: is not there any more; the same clip was found as" in located.notices[0]
        assert project.options().clip.samefile(tmp_path / name)
        settled = project.update_clip(located)
        assert settled.clip.samefile(tmp_path / name)
        assert open_project(project.root).locate().notices == ()

    def test_another_of_the_same_size_is_not_taken(self, tmp_path: Path) -> None:
        project = make_project(tmp_path)
        data = bytearray(project.clip.read_bytes())
        project.clip.unlink()
        data[-1] ^= 1
        (tmp_path / "clip2.mp4").write_bytes(data)
        with pytest.raises(InputError, match=r"put it back, or write where it is into .*toml"):
            project.locate()

    def test_it_is_sought_where_people_say(self, tmp_path: Path) -> None:
        (tmp_path / "a").mkdir()
        project = make_project(tmp_path / "a")
        far = tmp_path / "b" / "c" / "x.mp4"
        far.parent.mkdir(parents=True)
        project.clip.rename(far)
        with pytest.raises(InputError, match=r"the clip of .* is not there, nor near it"):
            project.locate()
        assert project.locate([tmp_path / "b"]).path == far
        assert project.locate([far]).path == far

    def test_a_sequence_is_found_as_well(self, tmp_path: Path) -> None:
        images = make_images(tmp_path / "in")
        project = new_project(images, folder=tmp_path / "p.kadr")
        images.rename(tmp_path / "renamed")
        assert project.locate().path.samefile(tmp_path / "renamed")

    def test_a_pattern_is_found_as_well(self, tmp_path: Path) -> None:
        images = make_images(tmp_path / "in")
        project = new_project(images / "f_%05d.png", folder=tmp_path / "p.kadr")
        images.rename(tmp_path / "renamed")
        located = project.locate()
        assert located.path == tmp_path / "renamed" / "f_%05d.png"
        assert project.update_clip(located).settings.clip == "../renamed/f_%05d.png"

    def test_a_project_moved_with_its_clip_needs_no_search(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "a").mkdir()
        make_project(tmp_path / "a")
        (tmp_path / "a").rename(tmp_path / "b")
        monkeypatch.setattr(folder_module, "find_clip", lambda *_: pytest.fail("sought"))
        assert open_project(tmp_path / "b" / "p.kadr").locate().notices == ()


def test_changed_content_is_named_until_it_is_settled(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    first = project.locate()
    project.clip.write_bytes(project.clip.read_bytes() + b"\0")
    located = project.locate()
    assert located.changed
    assert located.identity != first.identity
    assert "its content changed; all frames will be made again" in located.notices[0]
    assert project.update_clip(located).locate() == located.__class__(
        located.path, located.identity, located.size
    )


def test_a_clip_without_a_hash_is_taken_as_it_is(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    identity = project.settings.sha256
    bare = rewrite(project, f'sha256 = "{identity}"\n', "")
    located = bare.locate()
    assert located.notices == ()
    assert bare.update_clip(located).settings.sha256 == identity


def test_edits_keep_what_people_wrote(tmp_path: Path) -> None:
    project = make_project(tmp_path, crf=20)
    edited_by_hand = rewrite(project, "crf = 20", "crf   =   20 # mine\r\n# a line of mine")
    edited = edited_by_hand.edit("keys", {"ranges": ["0:0:4"]}).edit(
        "output", {"encoder-preset": "fast"}
    )
    assert "crf   =   20 # mine\r\n# a line of mine" in edited.text
    assert edited.settings.ranges == ("0:0:4",)
    assert edited.options().encoder_preset == "fast"
    assert open_project(project.root) == edited
    assert edited.edit("output", {"encoder-preset": None}).options().encoder_preset is None


def test_a_wrong_edit_changes_nothing(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    with pytest.raises(OptionsError, match=r"project\.toml, line \d+: crf 99"):
        project.edit("output", {"crf": 99})
    assert open_project(project.root) == project


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere"
)
def test_a_read_only_project_can_be_read(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    shutil.rmtree(project.work)
    project.root.chmod(0o555)
    try:
        assert open_project(project.root).options().clip == project.clip
        with pytest.raises(OutputError, match=r"project\.toml: cannot be written"):
            project.edit("output", {"crf": 20})
    finally:
        project.root.chmod(0o755)


def test_distant_paths_are_stored_in_full(tmp_path: Path) -> None:
    root = tmp_path / "a" / "b" / "c" / "d" / "p.kadr"
    assert relative_path(tmp_path / "a" / "x.mp4", root.parent) == "../../../x.mp4"
    assert relative_path(tmp_path / "x.mp4", root) == str(tmp_path / "x.mp4")
    assert relative_path(root / "x.mp4", root) == "x.mp4"
    assert relative_path(Path("/x.mp4"), Path("/p.kadr")) == "/x.mp4"


def test_a_linked_project_reads_the_clip_beside_itself(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    project = make_project(tmp_path / "a")
    link = tmp_path / "link.kadr"
    link.symlink_to(project.root)
    assert open_project(link).locate().path == project.clip


def _with_ranges(folder: Path, ranges: str) -> ProjectFolder:
    project = make_project(folder)
    text = project.text.replace('name = "external"', f'name = "paint"\n{ranges}')
    assert text != project.text
    project.toml.write_text(text, encoding="utf-8")
    return open_project(project.root)


def test_ranges_of_the_stylizer_become_indices(tmp_path: Path) -> None:
    project = _with_ranges(
        tmp_path,
        '[[stylizer.range]]\nframes = "2:4"\nradius = 9\n'
        "[[stylizer.range]]\nshot = 2\nstrokes = 0.2\n",
    )
    first, second = project.options().stylizer_ranges
    assert (first.name, first.frames, first.options) == ("2:4", FrameRange(2, 5), {"radius": 9.0})
    assert (second.name, second.shot, second.shots_of) == ("shot 2", 2, FrameRange(0, COUNT))
    # painted keys, or another stylizer, have no use for them
    assert project.options(keys=(project.keys,)).stylizer_ranges == ()
    edited = project.edit("stylizer", {"radius": 3.0, "relief": 0.1})
    assert edited.settings.stylizer_options == {"radius": 3.0, "relief": 0.1}
    assert edited.settings.stylizer_ranges == project.settings.stylizer_ranges


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ("2:99", "frames 2:99: the clip has no frame 99; its frames are 0 to 7"),
        ("4:6", "stylizer ranges 0:4 and 4:6: have frames in common"),
    ],
)
def test_ranges_that_do_not_fit_the_clip_name_their_line(
    tmp_path: Path, frames: str, message: str
) -> None:
    ranges = '[[stylizer.range]]\nframes = "0:4"\nradius = 9\n'
    project = _with_ranges(tmp_path, ranges + ranges.replace("0:4", frames))
    line = project.text.split("\n").index(f'frames = "{frames}"') + 1
    with pytest.raises(OptionsError, match=message) as caught:
        project.options()
    assert str(caught.value).startswith(f"{project.toml}, line {line}: ")
