"""Import of other programs' projects: settings, notices and errors."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from exchange_samples import EBS, RANGES, make_ebs, make_images

from kadr import FrameRange, InputError, OutputError, Span, open_project, restyle
from kadr.exchange.ebs import EbsRange, EbsTail, EbsWeights, write_ebs
from kadr.exchange.import_project import ORIGIN, import_project
from kadr.stylize.external import find_keys
from kadr.video.clip_source import ClipSource


def test_everything_of_a_plain_project_is_imported(tmp_path: Path) -> None:
    weights = EbsWeights(video=8.0, mapping=20.0, deflicker=0.5)
    path = make_ebs(tmp_path, weights=weights, tail=EbsTail(detail=3, fps=25.0))
    result = import_project(path, tmp_path / "p.kadr")
    assert result.notices == ()
    project = open_project(tmp_path / "p.kadr")
    assert project == result.project
    assert project.settings.detail == "low"
    options = project.options()
    assert options.clip == tmp_path / "video_frame" / "[#####].png"
    assert options.frame_rate == 25.0
    assert options.frames is None
    assert options.ranges == (Span(2, 0, 6), Span(5, 2, 8))
    propagate = options.propagate
    assert (propagate.video_weight, propagate.mapping, propagate.deflicker) == (64.0, 4.0, 1.5)
    assert project.keys.resolve() == tmp_path / "img2img_key", "keys stay in place"
    assert (project.root / ORIGIN).read_bytes() == path.read_bytes()
    assert str(tmp_path) not in project.text


def test_defaults_come_from_the_detail(tmp_path: Path) -> None:
    project = import_project(make_ebs(tmp_path, tail=None), tmp_path / "p.kadr").project
    assert project.settings.picture == {}
    assert (project.settings.detail, project.settings.frame_rate) == ("medium", None)


def test_the_name_is_that_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_ebs(tmp_path / "x", name="shot 3.ebs")
    monkeypatch.chdir(tmp_path)
    project = import_project(path).project
    assert project.root == Path("shot 3.kadr")
    assert project.settings.output == "out/shot 3.mp4"
    with pytest.raises(OutputError, match=r"shot 3\.kadr: is a project already"):
        import_project(path)


def test_an_imported_project_runs(tmp_path: Path) -> None:
    numbers, keys = range(1, 9), [3, 6]
    make_images(tmp_path / "video_frame", numbers, size=(64, 48))
    make_images(tmp_path / "img2img_key", keys, size=(64, 48))
    write_ebs(tmp_path / "p.ebs", replace(EBS, tail=EbsTail(detail=4)))
    project = import_project(tmp_path / "p.ebs", tmp_path / "p.kadr").project
    result = restyle(project.options())
    assert result.frame_count == 8
    assert result.keys == (2, 5)


@pytest.mark.parametrize(
    ("ebs_range", "span"),
    [
        (EbsRange(3, 1, 6, "", 0, 1), Span(2, 2, 6)),
        (EbsRange(3, 1, 6, "", 1, 0), Span(2, 0, 3)),
        (EbsRange(3, 9, 1, "", 0, 0), Span(2, 2, 3)),
        (EbsRange(3, -5, 99, "", 1, 1), Span(2, 0, 8)),
    ],
)
def test_ends_that_are_not_used_are_the_key(
    ebs_range: EbsRange, span: Span, tmp_path: Path
) -> None:
    path = make_ebs(tmp_path, ranges=(ebs_range, EbsRange(6, 1, 8, "", 1, 1)))
    assert import_project(path, tmp_path / "p.kadr").project.options().ranges[0] == span


def test_ranges_that_end_early_set_the_frames(tmp_path: Path) -> None:
    path = make_ebs(tmp_path, ranges=(EbsRange(3, 2, 4, ""), EbsRange(6, 6, 7, "")))
    result = import_project(path, tmp_path / "p.kadr")
    assert result.project.options().frames == FrameRange(1, 7)
    assert [notice.partition(": ")[2] for notice in result.notices] == [
        "its ranges hold frames 2–7 only; so does the project",
        "frames 5–5 are in no key's range; widen a range",
    ]


def test_two_ranges_of_a_key_are_merged(tmp_path: Path) -> None:
    ranges = (EbsRange(3, 1, 3, "a"), EbsRange(3, 3, 8, "b"))
    result = import_project(make_ebs(tmp_path, ranges=ranges), tmp_path / "p.kadr")
    assert result.project.options().ranges == (Span(2, 0, 8),)
    assert any("two ranges of key 3 are merged: 1–8" in notice for notice in result.notices)


def test_without_ranges_all_keys_count(tmp_path: Path) -> None:
    result = import_project(make_ebs(tmp_path, ranges=()), tmp_path / "p.kadr")
    assert result.project.options().ranges == ()
    assert result.notices == ()


def test_keys_of_another_part_are_not_imported(tmp_path: Path) -> None:
    """Long projects are split; the parts share the folder of keys."""
    path = make_ebs(tmp_path, ranges=RANGES[:1])
    project = import_project(path, tmp_path / "p.kadr").project
    assert project.options().frames == FrameRange(0, 6)
    assert sorted(file.name for file in project.keys.iterdir()) == ["00003.png"]
    make_images(tmp_path / "img2img_key", [7])
    project = import_project(path, tmp_path / "q.kadr").project
    assert sorted(file.name for file in project.keys.iterdir()) == ["00003.png"]


def test_other_images_among_the_keys_make_copies(tmp_path: Path) -> None:
    path = make_ebs(tmp_path)
    make_images(tmp_path / "img2img_key", [3], "old 3 of {}.png")
    project = import_project(path, tmp_path / "p.kadr").project
    assert project.keys == project.root / "keys"
    assert sorted(file.name for file in project.keys.iterdir()) == ["00003.png", "00006.png"]


def test_notices_on_what_cannot_be_imported(tmp_path: Path) -> None:
    path = make_ebs(
        tmp_path,
        mask="mask/[#####].png",
        mask_on=1,
        weights=EbsWeights(video=1000.0),
        tail=EbsTail(detail=9, fps=0.0),
    )
    result = import_project(path, tmp_path / "p.kadr")
    message = [notice.removeprefix(f"{path}: ") for notice in result.notices]
    assert message == [
        "its weight video, 1000, is more than the maximum; video-weight is 1000",
        "its detail 9 is unknown; medium is used",
        "its rate, 0 frames a second, is not valid; 24 is used",
        f"the folder {tmp_path / 'mask'} of the mask does not exist; put it next to {path.name}; "
        "the project has no mask until [mask] says where it is",
    ]
    assert result.project.options().propagate.video_weight == 1000


def test_the_mask_of_a_project_is_used_if_it_is_on(tmp_path: Path) -> None:
    make_images(tmp_path / "mask", range(1, 10))
    path = make_ebs(tmp_path, mask="mask/[#####].png", mask_on=1)
    result = import_project(path, tmp_path / "p.kadr")
    assert not any("mask" in notice for notice in result.notices)
    mask = result.project.options().mask
    assert mask is not None
    assert mask.resolve() == (tmp_path / "mask" / "[#####].png").resolve()
    off = make_ebs(tmp_path, mask="mask/[#####].png", mask_on=0)
    assert import_project(off, tmp_path / "q.kadr").project.options().mask is None


def test_keys_of_another_size_are_resized(tmp_path: Path) -> None:
    path = make_ebs(tmp_path)
    make_images(tmp_path / "img2img_key", [3, 6], size=(32, 24))
    result = import_project(path, tmp_path / "p.kadr")
    assert "32×24 pixels, the clip has 16×12; keys will be resized" in result.notices[0]
    assert result.project.options().fit_keys


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"video": "gone/[#####].png"}, "the folder .*gone of the video does not exist"),
        ({"keys": "C:\\gone\\[#####].png"}, "is a path on another computer"),
        ({"keys": "img2img_key/[####].jpg"}, "keys are missing: 0003.jpg, 0006.jpg in"),
        ({"ranges": (EbsRange(30, 1, 40, ""),)}, "key 30: the clip has no such frame"),
        ({"ranges": (EbsRange(3, 4, 6, ""),)}, "range of key 3, 4 to 6, must contain the key"),
    ],
)
def test_an_error_leaves_no_project(
    changes: dict[str, object], message: str, tmp_path: Path
) -> None:
    path = make_ebs(tmp_path, **changes)
    with pytest.raises(InputError, match=message) as caught:
        import_project(path, tmp_path / "p.kadr")
    assert str(caught.value).startswith(f"{path}: ")
    assert not (tmp_path / "p.kadr").exists()


class TestUtilityFolder:
    """A folder of ebsynth_utility."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        folder = tmp_path / "work"
        make_images(folder / "video_frame")
        make_images(folder / "video_mask")
        make_images(folder / "video_key", [3, 6])
        make_images(folder / "img2img_key", [3, 6])
        return folder

    def test_frames_and_keys_are_enough(self, folder: Path, tmp_path: Path) -> None:
        result = import_project(folder, tmp_path / "p.kadr")
        options = result.project.options()
        assert options.clip == folder / "video_frame"
        assert [Path(key).resolve() for key in options.keys] == [folder / "img2img_key"]
        assert options.ranges == ()
        assert result.notices == ()

    def test_upscaled_keys_come_first(self, folder: Path, tmp_path: Path) -> None:
        make_images(folder / "img2img_upscale_key", [3, 6], "{:05d}-0001.png")
        project = import_project(folder, tmp_path / "p.kadr").project
        assert project.keys.resolve() == (folder / "img2img_upscale_key").resolve()
        with ClipSource.of(project.options()).open() as clip:
            assert [clip.number(key.index) for key in find_keys(project.keys, clip)] == [3, 6]

    def test_keys_whose_names_mean_several_frames_are_renamed(
        self, folder: Path, tmp_path: Path
    ) -> None:
        make_images(folder / "img2img_upscale_key", [3], "{:d}-7.png")
        make_images(folder / "img2img_upscale_key", [6], "{:d}-5.png")
        project = import_project(folder, tmp_path / "p.kadr").project
        assert sorted(file.name for file in project.keys.iterdir()) == ["00003.png", "00006.png"]
        assert project.keys == project.root / "keys"

    def test_the_parts_of_the_last_project_are_merged(self, folder: Path, tmp_path: Path) -> None:
        old = replace(EBS, ranges=(EbsRange(3, 3, 3, ""),))
        write_ebs(folder / "20240101-101010_00000.ebs", old)
        tail = EbsTail(detail=1)
        for part_number, item in enumerate(RANGES):
            part = replace(EBS, ranges=(item,), tail=tail)
            write_ebs(folder / f"20240202-101010_{part_number:05d}.ebs", part)
        write_ebs(folder / "inv_20240303-101010_00000.ebs", old)
        project = import_project(folder, tmp_path / "p.kadr").project
        assert project.options().ranges == (Span(2, 0, 6), Span(5, 2, 8))
        assert project.settings.detail == "high"
        assert project.settings.frame_rate == 30.0

    def test_without_stylized_keys_it_is_rejected(self, folder: Path, tmp_path: Path) -> None:
        for file in (folder / "img2img_key").iterdir():
            file.unlink()
        with pytest.raises(InputError, match="hold no stylized keys; stylize them first"):
            import_project(folder, tmp_path / "p.kadr")

    def test_a_key_without_a_number_is_named(self, folder: Path, tmp_path: Path) -> None:
        make_images(folder / "img2img_key", [1], "grid-{}.png")
        with pytest.raises(InputError, match=r"grid-1\.png: no frame number in its name"):
            import_project(folder, tmp_path / "p.kadr")
        (folder / "img2img_key" / "grid-1.png").unlink()
        make_images(folder / "img2img_key", [3], "{}.png")
        with pytest.raises(InputError, match="both are keys of frame 3; keep one"):
            import_project(folder, tmp_path / "p.kadr")


class TestTemporalKitFolder:
    """A folder of TemporalKit."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        folder = tmp_path / "kit"
        make_images(folder / "frames", range(8), "frames{:05d}.png")
        make_images(folder / "keys", [2, 5], "keys{:05d}.png")
        make_images(folder / "input", [0], "input{}.png")
        return folder

    def test_it_is_imported(self, folder: Path, tmp_path: Path) -> None:
        result = import_project(folder, tmp_path / "p.kadr")
        options = result.project.options()
        assert options.clip == folder / "frames"
        assert [Path(key).resolve() for key in options.keys] == [folder / "keys"]
        assert result.notices == ()

    def test_empty_keys_are_named(self, folder: Path, tmp_path: Path) -> None:
        for file in (folder / "keys").iterdir():
            file.unlink()
        with pytest.raises(InputError, match="looks like TemporalKit's, but keys/ hold no"):
            import_project(folder, tmp_path / "p.kadr")


def test_another_folder_is_rejected(tmp_path: Path) -> None:
    make_ebs(tmp_path)
    (tmp_path / "video_frame").rename(tmp_path / "video")
    with pytest.raises(InputError, match=r"not a folder of ebsynth_utility .* give the file"):
        import_project(tmp_path, tmp_path / "p.kadr")
