"""What every clip writer must do, whatever it writes."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from video_samples import make_images, picture, read_index

from kadr.core.frames import Frame
from kadr.errors import InputError, KadrError, OptionsError, OutputError
from kadr.image_files import read_image
from kadr.video.clips import create_clip, keeps_alpha, open_clip

FILES = ["o.mp4", "o.m4v", "o.mov", "o.mkv", "o.webm", "o.gif", "o.webp", "o.apng"]
FOLDERS = ["folder", "f_%05d.png", "f_[####].jpg", "f_####.webp"]


@pytest.fixture(params=FILES + FOLDERS)
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Where each kind of output goes in turn; its parents are yet to be made."""
    name: str = request.param
    return tmp_path / "new dir" / ("sub" if "_" in name else "") / name


def _frames(count: int, size: tuple[int, int] = (96, 64)) -> list[Frame]:
    return [Frame(index, picture(index, *size)) for index in range(count)]


def _write(target: Path, frames: list[Frame], **options: object) -> Path:
    with create_clip(target, like=None, **options) as writer:  # type: ignore[arg-type]
        for frame in frames:
            writer.write(frame)
    return writer.path


def _write_then(target: Path, act: Callable[[], None]) -> None:
    with create_clip(target, like=None) as writer:
        writer.write(_frames(1)[0])
        act()


def _raise(error: type[BaseException]) -> None:
    raise error


def _names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*"))


def test_what_is_written_can_be_read_again(target: Path) -> None:
    _write(target, _frames(12), frame_rate=Fraction(25))
    with open_clip(target, frame_rate=Fraction(25)) as clip:
        assert [read_index(frame.image) for frame in clip.frames()] == list(range(12))
        assert clip.info.frame_rate == 25
        assert list(clip.times) == [Fraction(index, 25) for index in range(12)]
        error = np.abs(clip.frame(5).image.astype(int) - picture(5)).mean()
        assert error < 4


def test_nothing_stands_under_the_name_before_finish(target: Path) -> None:
    writer = create_clip(target, like=None)
    for frame in _frames(4):
        writer.write(frame)
    final = target.parent if target.suffix in (".png", ".jpg") else target
    visible = [p for p in final.parent.glob("*") if not p.name.startswith(".")]
    assert visible == []
    assert writer.finish() == target, "a pattern as it was given"
    assert writer.finish() == writer.path == target


@pytest.mark.parametrize("end", ["finish", "abort"])
def test_no_frame_can_follow_the_end(target: Path, end: str) -> None:
    writer = create_clip(target, like=None)
    writer.write(_frames(1)[0])
    getattr(writer, end)()
    with pytest.raises(ValueError, match="already finished"):
        writer.write(_frames(2)[1])


def test_abort_leaves_nothing(target: Path, tmp_path: Path) -> None:
    writer = create_clip(target, like=None)
    for frame in _frames(30):
        writer.write(frame)
    writer.abort()
    writer.abort()
    assert _names_in(tmp_path) == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, GeneratorExit])
def test_exceptions_leave_nothing(target: Path, tmp_path: Path, error: type[BaseException]) -> None:
    with pytest.raises(error):
        _write_then(target, lambda: _raise(error))
    assert _names_in(tmp_path) == []


def test_no_frames_is_an_error(target: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="no frame was written"), create_clip(target, like=None):
        pass
    assert _names_in(tmp_path) == []


def test_writing_the_same_twice_gives_the_same_bytes(target: Path) -> None:
    frames = _frames(20)

    def write(**options: object) -> dict[str, bytes]:
        output = _write(target, frames, **options)
        files = output.iterdir() if output.is_dir() else output.parent.glob("*.*")
        return {file.name: file.read_bytes() for file in files}

    first = write()
    assert len(first) in (1, 20)
    assert write(overwrite=True) == first


def test_one_frame_is_enough(target: Path) -> None:
    _write(target, _frames(1))
    if target.name == "o.webp":  # an animation of one frame is stored as a plain image
        assert read_index(read_image(target)) == 0
        return
    with open_clip(target) as clip:
        assert len(clip) == 1


@pytest.mark.parametrize("name", FILES)
def test_existing_files_are_kept_unless_told(tmp_path: Path, name: str) -> None:
    target = tmp_path / name
    target.write_bytes(b"mine")
    with pytest.raises(OutputError, match=f"{name}.*--overwrite"):
        create_clip(target, like=None)
    assert target.read_bytes() == b"mine"
    _write(target, _frames(3), overwrite=True)
    assert len(open_clip(target)) == 3


@pytest.mark.parametrize("name", FILES)
def test_sizes_may_not_change(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"48x32.*96x64"):
        _write(tmp_path / name, [_frames(1)[0], _frames(2, (48, 32))[1]])
    assert _names_in(tmp_path) == []


@pytest.mark.parametrize("name", ["o.mp4", "o.webm", "o.gif", "o.webp"])
def test_odd_sizes_can_be_written(tmp_path: Path, name: str) -> None:
    _write(tmp_path / name, _frames(3, (97, 65)))
    clip = open_clip(tmp_path / name)
    assert (clip.info.width, clip.info.height) == (
        (98, 66) if name in ("o.mp4", "o.webm") else (97, 65)
    )
    np.testing.assert_allclose(
        clip.frame(1).image[:65, :97].mean(), picture(1, 97, 65).mean(), atol=2
    )


@pytest.mark.parametrize("name", ["o.webm", "o.mov", "o.webp", "o.apng", "o.gif", "folder"])
def test_alpha_is_kept(tmp_path: Path, name: str) -> None:
    down, across = np.mgrid[:64, :96]
    alpha = np.where(np.hypot(down - 32, across - 48) < 30, 255, 0).astype(np.uint8)[..., None]
    frames = [Frame(index, np.dstack([picture(index * 8), alpha])) for index in range(4)]
    _write(tmp_path / name, frames)
    clip = open_clip(tmp_path / name)
    assert clip.info.has_alpha
    result = clip.frame(2).image[..., 3]
    assert np.abs(result.astype(int) - alpha[..., 0]).mean() < 3


def test_alpha_lies_over_black_where_it_cannot_be_kept(tmp_path: Path) -> None:
    image = np.dstack([np.full((64, 96, 3), 200, np.uint8), np.zeros((64, 96), np.uint8)])
    _write(tmp_path / "o.mp4", [Frame(0, image)])
    assert open_clip(tmp_path / "o.mp4").frame(0).image.max() < 4


def test_sixteen_bits_are_reduced_for_video_and_kept_in_png(tmp_path: Path) -> None:
    image = picture(3).astype(np.uint16) * 257 + 100
    _write(tmp_path / "o.mp4", [Frame(0, image)])
    _write(tmp_path / "d", [Frame(0, image)])
    assert read_index(open_clip(tmp_path / "o.mp4").frame(0).image) == 3
    assert open_clip(tmp_path / "d").info.bits == 16


def test_colours_are_tagged_and_survive(tmp_path: Path) -> None:
    colors = [(230, 40, 40), (40, 200, 60), (30, 60, 220), (240, 240, 240), (128, 128, 128)]
    image = np.zeros((64, 80, 3), np.uint8)
    for position, color in enumerate(colors):
        image[:, position * 16 : position * 16 + 16] = color
    for name in ("o.mp4", "o.webm", "o.mkv"):
        _write(tmp_path / name, [Frame(0, image)])
        clip = open_clip(tmp_path / name)
        assert clip.info.color_matrix == "bt709"
        assert not clip.info.full_range
        for position, color in enumerate(colors):
            result = (
                clip.frame(0).image[24:40, position * 16 + 5 : position * 16 + 11].mean(axis=(0, 1))
            )
            np.testing.assert_allclose(result, color, atol=4)


def test_a_folder_keeps_other_files_and_refuses_taken_names(tmp_path: Path) -> None:
    folder = make_images(tmp_path / "d", count=3, first=0, name="frame_{:05d}.png")
    (folder / "notes.txt").write_text("mine")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(OutputError, match=r"frame_00002.png.*--overwrite"):
        _write(folder, _frames(8)[2:])
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    _write(folder, _frames(8)[3:])
    assert len(_names_in(folder)) == 9
    _write(folder, _frames(2), overwrite=True)
    assert len(_names_in(folder)) == 9


@pytest.mark.parametrize("name", ["out", "out/f_%05d.png"])
def test_a_folder_that_comes_to_exist_meanwhile_keeps_its_files(tmp_path: Path, name: str) -> None:
    with create_clip(tmp_path / name, like=None) as writer:
        for frame in _frames(3):
            writer.write(frame)
        make_images(tmp_path / "out" / "frames", count=1)
        (tmp_path / "out" / "notes.txt").write_text("mine")
    assert (tmp_path / "out" / "notes.txt").read_text() == "mine"
    assert len(list((tmp_path / "out").glob("*.png"))) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_file_that_comes_to_exist_meanwhile_is_kept_unless_told(
    tmp_path: Path, overwrite: bool
) -> None:
    writer = create_clip(tmp_path / "out", like=None, overwrite=overwrite)
    for frame in _frames(3):
        writer.write(frame)
    (tmp_path / "out").mkdir()
    taken = tmp_path / "out" / "frame_00002.png"
    taken.write_text("mine")
    if overwrite:
        writer.finish()
        assert taken.read_bytes().startswith(b"\x89PNG")
    else:
        with pytest.raises(OutputError, match=r"frame_00002\.png: exists already"):
            writer.finish()
        assert _names_in(tmp_path) == ["frame_00002.png", "out"]
        assert taken.read_text() == "mine"


def test_a_sequence_keeps_names_and_numbers(tmp_path: Path) -> None:
    with open_clip(make_images(tmp_path / "in", count=5)) as clip:
        for target in ("out", "p/o_[######].png"):
            with create_clip(tmp_path / target, like=clip, indices=range(1, 4)) as writer:
                for frame in clip.frames(1, 4):
                    writer.write(frame)
    assert _names_in(tmp_path / "out") == [f"shot a_0100{number}.png" for number in (2, 3, 4)]
    assert _names_in(tmp_path / "p") == [f"o_00100{number}.png" for number in (2, 3, 4)]


def test_taken_names_are_refused_before_any_work(tmp_path: Path) -> None:
    clip = open_clip(make_images(tmp_path / "in", count=5))
    taken = make_images(tmp_path / "out", count=1, first=1003)
    with pytest.raises(OutputError, match=r"shot a_01003.png"):
        create_clip(taken, like=clip)
    create_clip(taken, like=clip, indices=range(2)).abort()
    assert _names_in(taken) == ["shot a_01003.png"]


def test_the_input_is_never_written_over(tmp_path: Path, video: Path) -> None:
    clip = open_clip(video)
    with pytest.raises(OutputError, match="is the input"):
        create_clip(video, like=clip, overwrite=True)
    images = open_clip(make_images(tmp_path / "in", count=3))
    with pytest.raises(OutputError, match="is the input folder"):
        create_clip(tmp_path / "in", like=images, overwrite=True)


@pytest.mark.parametrize("name", ["o.xyz", "o.avi", "o.png", "o.txt"])
def test_unknown_types_name_the_known_ones(tmp_path: Path, name: str) -> None:
    with pytest.raises(OptionsError, match=r"\.mp4.*folder"):
        create_clip(tmp_path / "new" / name, like=None)
    assert _names_in(tmp_path) == []


@pytest.mark.parametrize(
    "name", ["file/o.mp4", "file/sub/o.gif", "file/dir/", "file/f_%d.png", "file/"]
)
def test_a_file_in_the_way_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(KadrError, match="file"):
        create_clip(f"{tmp_path}/{name}", like=None)
    assert _names_in(tmp_path) == ["file"]


@pytest.mark.parametrize(
    "name", ["a b.mp4", 'it\'s "q".mkv', "100%d.webm", "füße 日本.gif", "a:b.webp"]
)
def test_awkward_names(tmp_path: Path, name: str) -> None:
    _write(tmp_path / name, _frames(3))
    assert len(open_clip(tmp_path / name)) == 3
    assert _names_in(tmp_path) == [name]


@pytest.mark.parametrize("options", [{"preset": "nonsense"}, {"crf": 99}, {"crf": -1}])
def test_bad_options_are_refused_before_any_work(
    tmp_path: Path, options: dict[str, object]
) -> None:
    with pytest.raises(OptionsError, match="expected"):
        create_clip(tmp_path / "new" / "o.mp4", like=None, **options)  # type: ignore[arg-type]
    assert _names_in(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "keeps"),
    [("a.mp4", False), ("a.mkv", False), ("f_%03d.jpg", False), ("a.mov", True), ("a.webm", True),
     ("a.gif", True), ("a.webp", True), ("f_%03d.png", True), ("folder", True), ("a.mp4/", True),
     ("a.apng", True), ("f_%03d.bmp", False)],
)  # fmt: skip
def test_which_outputs_keep_alpha(name: str, keeps: bool) -> None:
    assert keeps_alpha(name) is keeps
