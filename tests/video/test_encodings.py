"""Every codec in every file that holds it: what comes back, its tags, and what is refused."""

from __future__ import annotations

import json
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from video_samples import picture, read_index

from kadr.core.encodings import CODECS
from kadr.core.frames import Frame
from kadr.core.output_size import OutputSize, parse_output_size
from kadr.errors import InputError, OptionsError
from kadr.image_files import read_image
from kadr.video import encodings
from kadr.video.clips import create_clip, keeps_alpha, open_clip
from kadr.video.encodings import find_encoding

COUNT = 8
RATE = Fraction(30000, 1001)

CODEC_NAMES = {"h264": "h264", "h265": "hevc", "av1": "libdav1d", "vp9": "vp9",
               "prores422": "prores", "prores4444": "prores", "ffv1": "ffv1"}  # fmt: skip
FILES = [
    ("o.mp4", "h264", 8), ("o.mp4", "h264", 10), ("o.mp4", "h265", 8), ("o.mp4", "h265", 10),
    ("o.mp4", "av1", 8), ("o.mp4", "av1", 10), ("o.mp4", "vp9", 8), ("o.m4v", "h264", 8),
    ("o.mov", "h265", 10), ("o.mov", "prores422", 10), ("o.mov", "prores4444", 10),
    ("o.mkv", "h265", 8), ("o.mkv", "av1", 10), ("o.mkv", "vp9", 8), ("o.mkv", "prores422", 10),
    ("o.mkv", "ffv1", 8), ("o.mkv", "ffv1", 10), ("o.mkv", "ffv1", 16), ("o.webm", "av1", 8),
]  # fmt: skip


def _write(path: Path, *, deep: bool = False, alpha: bool = False, **options: object) -> Path:
    with create_clip(path, like=None, frame_rate=RATE, **options) as writer:  # type: ignore[arg-type]
        for index in range(COUNT):
            image = picture(index)
            if alpha:
                image = np.dstack([image, np.full(image.shape[:2], 40 * index % 256, np.uint8)])
            writer.write(Frame(index, image.astype(np.uint16) * 257 if deep else image))
    return path


@pytest.mark.parametrize(("name", "codec", "depth"), FILES)
def test_frames_times_and_tags_come_back(tmp_path: Path, name: str, codec: str, depth: int) -> None:
    path = _write(tmp_path / name, codec=codec, depth=depth, deep=depth == 16)
    with open_clip(path) as clip:
        info = clip.info
        assert (len(clip), info.width, info.height) == (COUNT, 96, 64)
        assert [read_index(frame.image) for frame in clip.frames()] == list(range(COUNT))
        for index, time in enumerate(clip.times):
            assert abs(time - index / RATE) < Fraction(1, 1000)
        assert info.codec in (CODEC_NAMES[codec], codec)
        assert info.bits in (depth, 12 if codec == "prores4444" else depth)
        largest = np.abs(clip.frame(3).image.astype(int) - picture(3)).max()
        assert codec != "ffv1" or largest <= (depth == 16), "ffv1 is without loss"
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        tags = (int(frame.color_primaries), int(frame.color_trc), int(frame.colorspace))
        assert tags == (1, 1, 0 if frame.format.is_rgb else 1), "bt709"
        assert (int(frame.color_range) == 2) is frame.format.is_rgb


def test_every_codec_is_tested() -> None:
    assert {codec for _, codec, _ in FILES} == set(CODECS) == set(CODEC_NAMES)


@pytest.mark.parametrize(("name", "codec"), [("o.mov", "prores4444"), ("o.mkv", "ffv1")])
def test_codecs_with_exact_alpha(tmp_path: Path, name: str, codec: str) -> None:
    assert keeps_alpha(name, codec)
    with open_clip(_write(tmp_path / name, codec=codec, alpha=True)) as clip:
        assert clip.info.has_alpha
        for index, frame in enumerate(clip.frames()):
            assert np.abs(frame.image[..., 3].astype(int) - 40 * index % 256).max() <= 1


@pytest.mark.parametrize(
    ("name", "codec", "keeps"),
    [("a.mov", "h264", False), ("a.mov", "prores422", False), ("a.webm", "av1", False),
     ("a.webm", "vp9", True), ("a.mkv", "vp9", True), ("a.mp4", "vp9", False)],
)  # fmt: skip
def test_which_codecs_keep_alpha(name: str, codec: str, keeps: bool) -> None:
    assert keeps_alpha(name, codec) is keeps


def test_the_same_frames_give_the_same_bytes(tmp_path: Path) -> None:
    for name, codec in (("a.mp4", "h265"), ("a.mkv", "av1"), ("a.mov", "prores422")):
        first, again = (_write(tmp_path / folder / name, codec=codec) for folder in ("1", "2"))
        assert first.read_bytes() == again.read_bytes()


def test_narrow_frames_are_refused_in_h265(tmp_path: Path) -> None:
    """libx265's vector code would write outside of its memory, and the process end at some time."""
    message = r"48x32 is too narrow for this codec \(at least 64 wide\)"
    with pytest.raises(InputError, match=message):
        _write(tmp_path / "a.mp4", codec="h265", size="48x")
    clip = open_clip(_write(tmp_path / "b.mkv", codec="ffv1"))
    with clip, pytest.raises(InputError, match=message):
        create_clip(tmp_path / "a.mp4", like=clip, codec="h265", size="48x")
    assert [path.name for path in tmp_path.iterdir()] == ["b.mkv"]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_films_of_a_few_frames_have_their_times(tmp_path: Path, count: int) -> None:
    """libx265 leaves decoding times unset if there are fewer frames than it puts in order."""
    image = np.zeros((64, 96, 3), np.uint8)
    for name, codec in (("a.mp4", "h265"), ("a.mp4", "h264"), ("a.mkv", "av1"), ("a.webm", "vp9")):
        for _ in range(8 if codec == "h265" else 1):
            with create_clip(tmp_path / name, like=None, codec=codec, overwrite=True) as writer:
                for index in range(count):
                    writer.write(Frame(index, image))
            with av.open(str(tmp_path / name)) as container:
                packets = [packet for packet in container.demux() if packet.pts is not None]
                assert [packet.dts for packet in packets] == sorted({p.dts for p in packets}), codec
                assert all(packet.dts <= packet.pts for packet in packets), codec
                assert len(packets) == count


def test_players_of_apple_are_told_of_h265(tmp_path: Path) -> None:
    with av.open(str(_write(tmp_path / "a.mp4", codec="h265"))) as container:
        assert container.streams.video[0].codec_context.codec_tag == "hvc1"


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("o.mp4", {"codec": "ffv1"}, r"codec ffv1: \.mp4 cannot hold it; write \.mkv, or use h264"),
        ("o.mp4", {"codec": "prores422"}, r"\.mp4 cannot hold it; write \.mov or \.mkv"),
        ("o.webm", {"codec": "h264"}, r"\.webm cannot hold it; .*, or use vp9, av1"),
        ("o.mp4", {"codec": "xvid"}, r"codec 'xvid': expected one of h264, h265, av1"),
        ("o.gif", {"codec": "h264"}, r"codec h264: has no effect on .*o\.gif; leave it out"),
        ("o.apng", {"codec": "vp9"}, r"codec vp9: has no effect"),
        ("folder", {"codec": "av1"}, r"codec av1: has no effect"),
        ("o.mp4", {"depth": 16}, r"depth 16: h264 has 8 or 10 bits a channel"),
        ("o.mov", {"codec": "prores422", "depth": 8}, r"depth 8: prores422 has 10 bits"),
        ("o.gif", {"depth": 10}, r"depth 10: has no effect on .*o\.gif"),
        ("f_%03d.jpg", {"depth": 16}, r"depth 16: \.jpg images have 8 bits.*\.png or \.tif"),
        ("f_%03d.png", {"depth": 10}, r"depth 10: \.png images have 8 or 16 bits"),
        ("o.mp4", {"codec": "av1", "crf": 0}, r"crf 0: expected 1 \(best\) to 63 for av1"),
        ("o.mov", {"codec": "prores422", "crf": 9}, r"crf 9: has no effect .* which is prores422"),
        ("o.mkv", {"codec": "av1", "preset": "fast"}, r"preset fast: has no .* which is av1"),
        ("o.mp4", {"size": "big"}, r"size 'big': expected WIDTHxHEIGHT, such as 1280x720"),
        ("o.mp4", {"size": "0x"}, r"size '0x': expected"),
        ("o.mp4", {"size": "99999x2"}, r"of 1 to 16384 pixels"),
    ],
)  # fmt: skip
def test_what_an_output_cannot_hold_is_refused_before_any_work(
    tmp_path: Path, name: str, options: dict[str, object], message: str
) -> None:
    with pytest.raises(OptionsError, match=message) as caught:
        _write(tmp_path / "new" / name, **options)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("missing", "name", "codec", "message"),
    [
        ({"libsvtav1"}, "a.mp4", "av1", "lacks encoder libsvtav1; the nearest .* --codec h265"),
        ({"libsvtav1", "libx265"}, "a.mp4", "av1", "nearest that works is --codec vp9"),
        ({"libsvtav1"}, "a.webm", "av1", "nearest that works is --codec vp9"),
        ({"libx264"}, "a.m4v", None, r"nearest that works is a \.mp4 with --codec h265"),
        ({"prores_ks"}, "a.mov", "prores422", r"nearest that works is a \.mkv with --codec ffv1"),
        ({"libvpx-vp9", "libsvtav1"}, "a.webm", None, r"a \.mp4 with --codec h265"),
    ],
)  # fmt: skip
def test_an_encoder_that_the_build_lacks_is_named_with_the_nearest(
    monkeypatch: pytest.MonkeyPatch, missing: set[str], name: str, codec: str | None, message: str
) -> None:
    found = encodings._build_formats
    monkeypatch.setattr(
        encodings, "_build_formats", lambda each: frozenset() if each in missing else found(each)
    )
    with pytest.raises(OptionsError, match=message):
        find_encoding(Path(name), codec=codec)


def test_a_depth_that_the_build_lacks_is_named() -> None:
    if "yuv420p10le" in encodings._build_formats("libvpx-vp9"):
        pytest.skip("this build of libvpx encodes 10 bits")
    message = r"lacks 10 bits in encoder libvpx-vp9; the nearest that works is --codec av1"
    with pytest.raises(OptionsError, match=message):
        find_encoding(Path("a.webm"), codec="vp9", depth=10)


@pytest.mark.parametrize(
    ("text", "size", "resized"),
    [
        ("1280x720", (1920, 1080), (1280, 720)),
        ("1280x", (1920, 1080), (1280, 720)),
        ("x720", (1000, 563), (1278, 720)),
        ("640X", (540, 960), (640, 1138)),
        ("7×5", (64, 64), (7, 5)),
        ("33x", (66, 2), (33, 2)),
    ],
)
def test_sizes(text: str, size: tuple[int, int], resized: tuple[int, int]) -> None:
    assert parse_output_size(text).of(size) == resized
    assert OutputSize(*resized).stretch(resized) == 1


@pytest.mark.parametrize("name", ["o.mp4", "o.gif", "o.webp", "folder", "f_%03d.png"])
def test_an_output_of_another_size(tmp_path: Path, name: str) -> None:
    with open_clip(_write(tmp_path / name, size="48x", alpha=name == "folder")) as clip:
        assert (clip.info.width, clip.info.height) == (48, 32)
        small = picture(5).reshape(32, 2, 48, 2, 3).mean(axis=(1, 3))
        assert np.abs(clip.frame(5).image[..., :3] - small).mean() < 8


def test_pixels_of_a_stretched_video_stay_as_wide_as_they_looked(tmp_path: Path) -> None:
    with open_clip(_write(tmp_path / "a.mkv", codec="ffv1")) as clip:
        writer = create_clip(tmp_path / "b.mkv", like=clip, size="96x96")
        assert "stretched" in writer.notices[0]
        with writer:
            for frame in clip.frames():
                writer.write(frame)
    with open_clip(tmp_path / "b.mkv") as clip:
        assert (clip.info.width, clip.info.height) == (96, 96)
        assert clip.info.sample_aspect_ratio == Fraction(3, 2)


def test_images_have_the_depth_that_was_asked_for(tmp_path: Path) -> None:
    for deep in (False, True):
        for depth in (None, 8, 16):
            folder = tmp_path / f"{deep}{depth}"
            _write(folder / "f_%03d.png", deep=deep, depth=depth)
            image = read_image(folder / "f_003.png")
            bits = depth or (16 if deep else 8)
            assert image.dtype == (np.uint16 if bits == 16 else np.uint8)
            np.testing.assert_array_equal(
                image, picture(3).astype(int) * (257 if bits == 16 else 1)
            )


def test_sixteen_bits_come_back_exactly(tmp_path: Path) -> None:
    images = [
        np.random.default_rng(i).integers(0, 65536, (32, 48, 3)).astype(np.uint16) for i in range(3)
    ]
    for name, options in (("f_%03d.png", {}), ("a.mkv", {"codec": "ffv1", "depth": 16})):
        with create_clip(tmp_path / name, like=None, **options) as writer:  # type: ignore[arg-type]
            for index, image in enumerate(images):
                writer.write(Frame(index, image))
        with open_clip(tmp_path / name, deep=True) as clip, open_clip(tmp_path / name) as plain:
            for image, frame, reduced in zip(images, clip.frames(), plain.frames(), strict=True):
                np.testing.assert_array_equal(frame.image, image)
                assert reduced.dtype == np.uint8, name
                assert np.abs(reduced.image.astype(int) - image / 257).max() <= 2


def test_ten_bits_of_a_video_are_read_where_they_are_asked_for(tmp_path: Path) -> None:
    ramp = np.repeat(np.linspace(8000, 12000, 96).astype(np.uint16)[None, :, None], 64, axis=0)
    path = tmp_path / "a.mp4"
    with create_clip(path, like=None, codec="h265", depth=10, crf=1) as writer:
        writer.write(Frame(0, np.repeat(ramp, 3, axis=2)))
    with open_clip(path, deep=True) as clip, open_clip(path) as plain:
        deep = clip.frame(0)
        assert deep.dtype == np.uint16
        error = np.abs(deep.image.astype(int) - ramp)
        assert error.max() < 200, "within three levels of 10 bits"
        levels = [len(np.unique(image[..., 1])) for image in (deep.image, plain.frame(0).image)]
        assert levels[0] > 2 * levels[1]
        np.testing.assert_array_equal(deep.rgb.shape, plain.frame(0).image.shape)
    with open_clip(_write(tmp_path / "b.mp4"), deep=True) as clip:
        assert clip.frame(0).dtype == np.uint8, "eight bits stay eight"


@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="ffprobe is not installed")
@pytest.mark.parametrize(("name", "codec", "depth"), FILES)
def test_ffprobe_sees_the_same(tmp_path: Path, name: str, codec: str, depth: int) -> None:
    path = _write(tmp_path / name, codec=codec, depth=depth, deep=depth == 16)
    command = ["ffprobe", "-v", "error", "-count_frames", "-of", "json", "-show_streams", str(path)]
    shown = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    (stream,) = shown["streams"]
    assert (stream["width"], stream["height"]) == (96, 64)
    assert int(stream["nb_read_frames"]) == COUNT
    assert abs(Fraction(stream["avg_frame_rate"]) - RATE) < Fraction(1, 20)
    assert stream["color_primaries"] == stream["color_transfer"] == "bt709"
    assert stream["color_space"] == ("gbr" if codec == "ffv1" else "bt709")
