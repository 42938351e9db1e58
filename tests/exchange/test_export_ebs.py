"""Export to EbSynth, and unchanged export of imported projects."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from exchange_samples import EBS, RANGES, SIZE, copy_images, image, make_ebs, make_images
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kadr import (
    Cancelled,
    CancelToken,
    Event,
    Frame,
    OptionsError,
    OutputError,
    Span,
    create_clip,
    new_project,
    open_clip,
    open_project,
    read_image,
)
from kadr.core.events import follow
from kadr.exchange.ebs import EbsProject, EbsRange, EbsTail, EbsWeights, pack_ebs, read_ebs
from kadr.exchange.export_ebs import export_ebs
from kadr.exchange.export_frames import export_frames, key_numbers
from kadr.exchange.import_project import ORIGIN, import_project
from kadr.project.folder import ProjectFolder


def export(project: ProjectFolder, path: Path, **options: object) -> EbsProject:
    """Export and read the written file."""
    follow(export_ebs(project, path, **options))  # type: ignore[arg-type]
    return read_ebs(path)


@pytest.fixture
def project(tmp_path: Path) -> ProjectFolder:
    """A project of images 1–8 with painted keys 3 and 6."""
    clip = make_images(tmp_path / "in", name="shot_{:04d}.png")
    keys = make_images(tmp_path / "painted", [3, 6], "key {:03d}.png")
    return new_project(clip, [keys], tmp_path / "p.kadr")


def test_a_plain_project(project: ProjectFolder, tmp_path: Path) -> None:
    ebs = export(project, tmp_path / "p.ebs")
    assert ebs == EbsProject(
        video="in/shot_[####].png",
        keys="p.kadr/keys/key [###].png",
        ranges=(
            EbsRange(3, 1, 5, "out-00003/[#####].png", 1, 1),
            EbsRange(6, 4, 8, "out-00006/[#####].png", 1, 1),
        ),
        tail=EbsTail(detail=2, fps=24.0),
    )
    assert import_project(tmp_path / "p.ebs", tmp_path / "q.kadr").notices == ()


def test_settings_are_exported(project: ProjectFolder, tmp_path: Path) -> None:
    changed = project.edit("picture", {"detail": "draft", "deflicker": 6.0, "video-weight": 16.0})
    changed = changed.edit("keys", {"ranges": ["3:3:7"]}).edit("clip", {"frame-rate": 12.5})
    ebs = export(changed.edit("clip", {"frames": "3:8"}), tmp_path / "p.ebs")
    assert ebs.weights == EbsWeights(deflicker=2.0, video=2.0)
    assert ebs.tail == EbsTail(detail=4, fps=12.5)
    assert [(r.key, r.first, r.last, r.first_used, r.last_used) for r in ebs.ranges] == [
        (3, 3, 7, 0, 1),
        (6, 4, 8, 1, 1),
    ]


def test_masks_are_written_and_imported_again(project: ProjectFolder, tmp_path: Path) -> None:
    make_images(tmp_path / "masks", name="m{:02d}.png")
    masked = project.edit("mask", {"mask": "../masks", "invert-mask": True})
    share = np.linspace(0, 1, SIZE[0] * SIZE[1], dtype=np.float32).reshape(SIZE[1], SIZE[0])
    ebs = export(masked, tmp_path / "p.ebs", matte=lambda index: share * (index / 10))
    assert (ebs.mask, ebs.mask_on) == ("p_mask/[#####].png", 1)
    assert len(list((tmp_path / "p_mask").iterdir())) == 8
    written = read_image(tmp_path / "p_mask" / "00004.png")[..., 0]
    assert np.abs(written / 255 - share * 0.3).max() < 1 / 255, "frame 4 is the fourth"
    (tmp_path / "p.ebs").unlink()
    with pytest.raises(OutputError, match="exist"):
        export(masked, tmp_path / "p.ebs", matte=lambda index: share)
    assert not (tmp_path / "p.ebs").exists()
    export(masked, tmp_path / "p.ebs", matte=lambda index: share, overwrite=True)
    again = import_project(tmp_path / "p.ebs", tmp_path / "q.kadr").project
    mask = again.options().mask
    assert mask is not None
    assert mask.resolve() == (tmp_path / "p_mask" / "[#####].png").resolve()
    # as it was imported: the masks stay where they are; taken out, it is off
    assert export(again, tmp_path / "r.ebs").mask == "p_mask/[#####].png"
    assert export(again.edit("mask", {"mask": None}), tmp_path / "s.ebs").mask_on == 0
    result = follow(export_ebs(masked, tmp_path / "t.ebs"))
    assert any("without the mask" in notice for notice in result.notices)
    assert read_ebs(tmp_path / "t.ebs").mask_on == 0


def test_no_key_reaches_over_a_cut(project: ProjectFolder, tmp_path: Path) -> None:
    ebs = export(project, tmp_path / "p.ebs", cuts=[4])
    assert [(item.first, item.last) for item in ebs.ranges] == [(1, 4), (5, 8)]


def test_a_video_becomes_images(tmp_path: Path) -> None:
    with create_clip(tmp_path / "clip.mp4", like=None) as writer:
        for index in range(4):
            writer.write(Frame(index, image(index * 60)))
    keys = make_images(tmp_path / "painted", [1], "{}.png")
    project = new_project(tmp_path / "clip.mp4", [keys], tmp_path / "p.kadr")
    events: list[Event] = []
    (tmp_path / "out").mkdir()
    result = follow(export_ebs(project, tmp_path / "out" / "p.ebs"), events.append)
    assert [event.index for event in events] == [0, 1, 2, 3, 4]
    assert result.ranges == 1
    ebs = read_ebs(result.path)
    assert ebs.video == "p_video/[#####].png"
    assert ebs.keys == "../p.kadr/keys/[#].png"
    with open_clip(tmp_path / "clip.mp4") as clip:
        for frame in clip.frames():
            written = read_image(tmp_path / "out" / "p_video" / f"{frame.index:05d}.png")
            np.testing.assert_array_equal(written, frame.image)
    with pytest.raises(OutputError, match=r"p\.ebs: exists already"):
        export(project, result.path)
    export(project, result.path, overwrite=True)


@pytest.mark.parametrize("folder", ["p_keys", "p_video"])
@pytest.mark.parametrize("is_file", [False, True])
def test_folders_of_images_are_checked_before_any_is_written(
    tmp_path: Path, folder: str, is_file: bool
) -> None:
    with create_clip(tmp_path / "clip.mp4", like=None) as writer:
        for index in range(4):
            writer.write(Frame(index, image(index * 60)))
    keys = make_images(tmp_path / "painted", [1, 3], "{}.png")
    (keys / "3.png").rename(keys / "third_3.png")  # no pattern names both
    project = new_project(tmp_path / "clip.mp4", [keys], tmp_path / "p.kadr")
    if is_file:
        (tmp_path / folder).touch()
    else:
        make_images(tmp_path / folder, [3], "{:05d}.png")

    def files() -> list[Path]:
        return sorted(path for path in tmp_path.rglob("*") if "work" not in path.parts)

    before = files()
    events: list[Event] = []
    with pytest.raises(OutputError, match=rf"{folder}.*: (exists already|is a file)"):
        follow(export_ebs(project, tmp_path / "p.ebs"), events.append)
    assert files() == before
    assert events == []


def test_a_cancelled_export_leaves_no_file(tmp_path: Path) -> None:
    with create_clip(tmp_path / "clip.mp4", like=None) as writer:
        writer.write(Frame(0, image(0)))
    keys = make_images(tmp_path / "painted", [0])
    project = new_project(tmp_path / "clip.mp4", [keys], tmp_path / "p.kadr")
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(Cancelled):
        export(project, tmp_path / "p.ebs", cancel=cancel)
    assert not (tmp_path / "p.ebs").exists()
    assert not (tmp_path / "p_video").exists()


def test_files_that_no_pattern_names_are_copied(tmp_path: Path) -> None:
    clip = make_images(tmp_path / "in", range(8, 12), "{}.png")
    make_images(tmp_path / "painted", [9], "a {}.png")
    keys = make_images(tmp_path / "painted", [10], "b {}.png")
    project = new_project(clip, [keys], tmp_path / "p.kadr")
    ebs = export(project, tmp_path / "p.ebs")
    assert (ebs.video, ebs.keys) == ("p_video/[#####].png", "p_keys/[#####].png")
    result = sorted(path.name for path in (tmp_path / "p_keys").iterdir())
    assert result == ["00009.png", "00010.png"]
    assert len(list((tmp_path / "p_video").iterdir())) == 4
    reimported = import_project(tmp_path / "p.ebs", tmp_path / "q.kadr").project
    assert reimported.options().ranges == (Span(1, 0, 2), Span(2, 2, 4))


def test_many_keys_give_a_notice(tmp_path: Path) -> None:
    clip = make_images(tmp_path / "in", range(25))
    project = new_project(clip, [make_images(tmp_path / "k", range(21))], tmp_path / "p.kadr")
    result = follow(export_ebs(project, tmp_path / "p.ebs"))
    assert result.ranges == 21
    assert "has 21 keys; EbSynth shows only about 20" in result.notices[0]


def test_what_cannot_be_exported_is_an_error(project: ProjectFolder, tmp_path: Path) -> None:
    with pytest.raises(OptionsError, match=r"x\.txt: expected a name that ends in \.ebs"):
        export(project, tmp_path / "x.txt")
    painted = new_project(tmp_path / "in", folder=tmp_path / "f.kadr", stylizer="paint")
    with pytest.raises(OptionsError, match="made by the stylizer paint; EbSynth needs painted"):
        export(painted, tmp_path / "x.ebs")


class TestRoundTrip:
    """An imported and unchanged project is exported byte for byte."""

    @pytest.mark.parametrize(
        "changes",
        [
            {},
            {"tail": None},
            {"tail": EbsTail(detail=9, gpu=0, fps=29.970029830932617, unknown=7)},
            {"tail": EbsTail(fps=0.0)},
            {"weights": EbsWeights(0.1, 5.3, 0.7, 9.9, 1e6, 0.0)},
            {"mask": "video_mask/[#####].png", "mask_on": 1},
            {"video": "C:\\work\\video_frame\\[#####].png"},
            {"ranges": RANGES[:1]},
            {"ranges": (EbsRange(3, 2, 4, "a"), EbsRange(6, 6, 7, "b"))},
            {"ranges": ()},
            {"ranges": (EbsRange(6, 0, 99, "o/[#].png", 1, 1), EbsRange(3, 9, 9, "", 0, 0))},
            {"ranges": (EbsRange(3, 1, 3, "a", 7, 1), EbsRange(3, 3, 8, "b", 1, 255))},
        ],
    )
    def test_samples(self, changes: dict[str, object], tmp_path: Path) -> None:
        path = make_ebs(tmp_path, **changes)
        project = import_project(path, tmp_path / "p.kadr").project
        follow(export_ebs(project, tmp_path / "again.ebs"))
        assert (tmp_path / "again.ebs").read_bytes() == path.read_bytes()

    def test_only_what_changed_changes(self, tmp_path: Path) -> None:
        path = make_ebs(tmp_path, mask="m/[#].png", tail=EbsTail(gpu=0, unknown=7))
        project = import_project(path, tmp_path / "p.kadr").project
        project = project.edit("picture", {"mapping": 4.0, "detail": "high"})
        project = project.edit("keys", {"ranges": ["2:3:5", "3:6:8"]})
        ebs = export(project, tmp_path / "again.ebs")
        original = read_ebs(path)
        assert ebs == replace(
            original,
            weights=replace(original.weights, mapping=20.0),
            ranges=(replace(RANGES[0], first=2, last=5), RANGES[1]),
            tail=EbsTail(detail=1, gpu=0, unknown=7),
        )

    def test_a_new_key_gets_a_range(self, tmp_path: Path) -> None:
        project = import_project(make_ebs(tmp_path), tmp_path / "p.kadr").project
        make_images(tmp_path / "img2img_key", [7])
        ebs = export(project, tmp_path / "again.ebs")
        assert ebs.ranges == (*RANGES, EbsRange(7, 7, 8, "out-00007/[#####].png", 0, 1))

    def test_another_folder_has_other_paths(self, tmp_path: Path) -> None:
        project = import_project(make_ebs(tmp_path), tmp_path / "p.kadr").project
        (tmp_path / "deep").mkdir()
        ebs = export(project, tmp_path / "deep" / "p.ebs")
        assert ebs.video == "../video_frame/[#####].png"
        assert ebs.keys == "../img2img_key/[#####].png"
        assert replace(ebs, video=EBS.video, keys=EBS.keys) == EBS

    def test_a_damaged_origin_is_ignored(self, tmp_path: Path) -> None:
        project = import_project(make_ebs(tmp_path), tmp_path / "p.kadr").project
        (project.root / ORIGIN).write_bytes(b"EBS05\0")
        result = follow(export_ebs(project, tmp_path / "again.ebs"))
        assert "import.ebs: damaged" in result.notices[0]
        assert [item.key for item in read_ebs(result.path).ranges] == [3, 6]

    @settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
    @given(data=st.data())
    def test_random_projects(self, data: st.DataObject, template: Path) -> None:
        ends = st.integers(-3, 15)
        keys = data.draw(st.lists(st.integers(1, 8), min_size=1, max_size=5, unique=True))
        ranges = tuple(
            EbsRange(
                key,
                data.draw(ends.filter(lambda first, key=key: first <= key)),
                data.draw(ends.filter(lambda last, key=key: last >= key)),
                data.draw(st.text("abü/日[#].", max_size=9)),
                data.draw(st.integers(0, 255)),
                data.draw(st.integers(0, 255)),
            )
            for key in keys
        )
        weight = st.floats(0, 2000, width=32)
        tail = st.builds(
            EbsTail,
            st.integers(-5, 9),
            st.integers(0, 255),
            st.floats(-5, 2000, width=32),
            st.integers(-(2**31), 2**31 - 1),
        )
        ebs = EbsProject(
            data.draw(st.sampled_from(["v é/[#####].png", "C:\\x\\v é\\[#####].png"])),
            data.draw(st.sampled_from(["k\\[#####].png", "./k/[#####].png"])),
            ranges,
            data.draw(st.sampled_from(["", "mask/[##].png"])),
            data.draw(st.integers(0, 255)),
            EbsWeights(*(data.draw(weight) for _ in range(6))),
            data.draw(st.none() | tail),
        )
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            copy_images(template, folder, {"v é": "v", "k": "v"})
            (folder / "p.ebs").write_bytes(pack_ebs(ebs))
            project = import_project(folder / "p.ebs", folder / "p.kadr").project
            assert open_project(project.root) == project
            follow(export_ebs(project, folder / "again.ebs"))
            assert (folder / "again.ebs").read_bytes() == pack_ebs(ebs)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder ``v`` of images 1–8, to copy."""
    folder = tmp_path_factory.mktemp("template")
    make_images(folder / "v")
    return folder


def test_frames_to_paint_on(project: ProjectFolder, tmp_path: Path) -> None:
    assert key_numbers(project) == [3, 6]
    with open_clip(tmp_path / "in") as clip:
        files = follow(export_frames(clip, [6, 3, 6], tmp_path / "paint"))
        assert files == [tmp_path / "paint" / f"shot_000{number}.png" for number in (3, 6)]
        for file, number in zip(files, (3, 6), strict=True):
            np.testing.assert_array_equal(read_image(file), image(number, SIZE))
        with pytest.raises(OutputError, match="exist"):
            follow(export_frames(clip, [1, 3], tmp_path / "paint"))
        assert sorted(tmp_path.joinpath("paint").iterdir()) == files
        with pytest.raises(OptionsError, match="frame 9: the clip has no such frame"):
            follow(export_frames(clip, [9], tmp_path / "paint"))
        with pytest.raises(OptionsError, match="no frames: give frame numbers"):
            follow(export_frames(clip, [], tmp_path / "paint"))
    reimported = new_project(tmp_path / "in", [tmp_path / "paint"], tmp_path / "q.kadr")
    assert key_numbers(reimported) == [3, 6]


@pytest.mark.parametrize(
    ("names", "offset"), [(["2.png", "5.png"], 1), (["3_v2.png", "6_v2.png"], 0)]
)
def test_keys_whose_names_say_another_number_are_copied(
    tmp_path: Path, names: list[str], offset: int
) -> None:
    clip = make_images(tmp_path / "in", name="shot_{:04d}.png")
    keys = make_images(tmp_path / "painted", [3, 6], "{:d}.png")
    for number, name in zip((3, 6), names, strict=True):
        (keys / f"{number}.png").rename(keys / name)
    project = new_project(clip, [keys], tmp_path / "p.kadr", key_offset=offset)
    ebs = export(project, tmp_path / "p.ebs")
    assert ebs.keys == "p_keys/[#####].png"
    assert sorted(path.name for path in (tmp_path / "p_keys").iterdir()) == [
        "00003.png",
        "00006.png",
    ]
    assert key_numbers(project) == [3, 6]
