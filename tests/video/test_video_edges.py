"""Video files that are turned, uneven, late, coarse, deep, damaged or oddly named."""

from __future__ import annotations

import itertools
import tracemalloc
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from video_samples import clicks, make_video, picture, read_index

from kadr.errors import InputError
from kadr.video.clips import create_clip, open_clip
from kadr.video.tone_mapping import to_sdr


def _copy(source: Path, target: Path, start: int = 0, stop: int | None = None) -> Path:
    with open_clip(source) as clip, create_clip(target, like=clip) as writer:
        for frame in clip.frames(start, stop):
            writer.write(frame)
    return target


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_turned_files_stand_upright(tmp_path: Path, degrees: int) -> None:
    clip = open_clip(make_video(tmp_path / "r.mp4", 3, rotation=degrees))
    turned = np.rot90(picture(1), degrees // 90)  # the display matrix counts anticlockwise
    image = clip.frame(1).image
    assert image.shape == turned.shape == (clip.info.height, clip.info.width, 3)
    assert np.abs(image.astype(int) - turned).mean() < 6
    assert clip.info.rotation == 360 - degrees
    again = open_clip(_copy(tmp_path / "r.mp4", tmp_path / "o.mp4"))
    assert again.info.rotation == 0
    assert np.abs(again.frame(1).image.astype(int) - turned).mean() < 6


def test_uneven_times_survive_an_mp4_round_trip(tmp_path: Path) -> None:
    gaps = itertools.cycle([Fraction(1, 30), Fraction(1, 10), Fraction(1, 24)])
    times = [Fraction(0), *itertools.accumulate(next(gaps) for _ in range(29))]
    source = make_video(tmp_path / "v.mp4", 30, times=times)
    clip = open_clip(source)
    assert clip.info.variable_frame_rate
    again = open_clip(_copy(source, tmp_path / "o.mp4"))
    assert list(again.times) == list(clip.times) == times
    assert again.info.duration == clip.info.duration
    part = open_clip(_copy(source, tmp_path / "part.mp4", 10, 20))
    assert list(part.times) == [time - times[10] for time in times[10:20]]
    assert part.info.duration == times[20] - times[10]


def test_millisecond_clocks_do_not_make_a_steady_clip_uneven(tmp_path: Path) -> None:
    clip = open_clip(make_video(tmp_path / "m.mkv", rate=Fraction(30000, 1001)))
    assert not clip.info.variable_frame_rate
    assert clip.times[7] == Fraction(7 * 1001, 30000)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm"])
@pytest.mark.parametrize("begins", [0.0, 0.75, -0.5])
def test_sound_stays_in_step(tmp_path: Path, suffix: str, begins: float) -> None:
    late = Fraction(1, 2) if begins < 0 else Fraction(0)
    source = make_video(
        tmp_path / "s.mp4", 50, start=late, sound=(max(begins, 0.0), 2.4), options={"bf": "2"}
    )
    expected = clicks(source)
    assert len(expected) >= 3
    np.testing.assert_allclose(clicks(_copy(source, tmp_path / f"o{suffix}")), expected, atol=0.008)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
def test_sound_of_a_part_is_cut_to_it(tmp_path: Path, suffix: str) -> None:
    source = make_video(tmp_path / "s.mp4", 75, sound=(0.0, 3.0))
    part = _copy(source, tmp_path / f"o{suffix}", 20, 60)  # 0.8 s to 2.4 s
    np.testing.assert_allclose(clicks(part), [0.2, 0.7, 1.2], atol=0.008)


def test_sound_is_copied_and_not_encoded_again(tmp_path: Path, video: Path) -> None:
    import av

    def packets(path: Path) -> list[bytes]:
        with av.open(str(path)) as container:
            return [bytes(p) for p in container.demux(audio=0) if p.size]

    assert packets(_copy(video, tmp_path / "o.mp4")) == packets(video)


def test_no_sound_goes_with_another_rate(tmp_path: Path, video: Path) -> None:
    with open_clip(video) as clip:
        with create_clip(tmp_path / "o.mp4", like=clip, frame_rate=Fraction(12)) as writer:
            for frame in clip.frames(0, 10):
                writer.write(frame)
        again = open_clip(tmp_path / "o.mp4")
        assert not again.info.has_audio
        assert again.info.frame_rate == 12


def test_pixel_shape_is_passed_on(tmp_path: Path, real_clips: Path) -> None:
    source = real_clips / "edge_cases" / "made" / "anamorphic_sar2.mp4"
    again = open_clip(_copy(source, tmp_path / "o.mp4", 0, 3))
    assert again.info.sample_aspect_ratio == 2


def test_a_cut_off_file_tells_how_much_is_good(tmp_path: Path) -> None:
    source = make_video(tmp_path / "w.mp4", noise=30, container_options={"movflags": "+faststart"})
    data = source.read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(data[: len(data) * 6 // 10])
    with pytest.raises(
        InputError, match=r"cut\.mp4.*first \d+ frames.*--allow-truncated"
    ) as caught:
        open_clip(cut)
    good = int(str(caught.value).split("first ")[1].split()[0])
    with open_clip(cut, allow_truncated=True) as clip:
        assert 0 < len(clip) == good < 40
        assert clip.info.truncated
        assert [read_index(frame.image) for frame in clip.frames()] == list(range(good))
        assert read_index(clip.frame(good - 1).image) == good - 1


@pytest.mark.parametrize("suffix", [".mkv", ".webm"])
def test_cut_off_matroska_is_noticed(tmp_path: Path, suffix: str) -> None:
    codec = "libvpx-vp9" if suffix == ".webm" else "libx264"
    source = make_video(tmp_path / f"w{suffix}", codec=codec, noise=30)
    data = source.read_bytes()
    source.write_bytes(data[: len(data) * 6 // 10])
    with pytest.raises(InputError, match="--allow-truncated"):
        open_clip(source)
    assert 0 < len(open_clip(source, allow_truncated=True)) <= 40


def test_damage_in_the_middle_is_told_and_can_be_cut_away(tmp_path: Path) -> None:
    source = make_video(tmp_path / "w.mp4", noise=30, container_options={"movflags": "+faststart"})
    data = bytearray(source.read_bytes())
    for position in range(len(data) * 7 // 10, len(data) - 200, 13):
        data[position] ^= 0x5A
    source.write_bytes(data)
    with pytest.raises(InputError, match=r"w\.mp4: damaged.*frame \d+ of 40.*--allow-truncated"):
        list(open_clip(source).frames())
    with open_clip(source, allow_truncated=True) as clip:
        assert 20 < len(clip) < 40
        # slight damage is patched over by the decoder, as in players
        assert [read_index(f.image) for f in clip.frames(0, 20)] == list(range(20))


def test_a_recording_without_its_index(tmp_path: Path) -> None:
    data = make_video(tmp_path / "w.mp4", noise=30).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match=r"cut\.mp4.*moov"):
        open_clip(tmp_path / "cut.mp4")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("text.mp4", b"this is not a video\n", "not a video"),
        ("empty.mp4", b"", "empty"),
        ("noise.mkv", bytes(range(256)) * 40, "not a video"),
        ("text.gif", b"not a gif", "not a video"),
        ("still.png", b"x", "single image"),
    ],
)
def test_files_that_are_no_videos(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=f"{name}.*{words}") as caught:
        open_clip(tmp_path / name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name",
    ["a b.mp4", 'it\'s "q".mp4', "100%d.mp4", "füße 日本.mp4", "a:b.mp4", "#1 [##].mp4", "*.mp4"],
)
def test_awkward_names(tmp_path: Path, name: str) -> None:
    make_video(tmp_path / "x.mp4", 3).rename(tmp_path / name)
    assert read_index(open_clip(tmp_path / name).frame(2).image) == 2


def test_closed_clips_say_so(video: Path) -> None:
    clip = open_clip(video)
    clip.close()
    with pytest.raises(InputError, match="closed"):
        clip.frame(0)


def test_backward_reading_keeps_few_frames(tmp_path: Path) -> None:
    source = make_video(
        tmp_path / "big.mp4", 60, size=(640, 360), options={"g": "400", "preset": "ultrafast"}
    )
    with open_clip(source) as clip:
        tracemalloc.start()
        for frame in clip.frames_backward(0, 60):
            assert frame.image.shape == (360, 640, 3)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 10 * 640 * 360 * 3


def test_hdr_white_and_grey_stay_where_people_expect_them() -> None:
    # reference white, 203 cd/m², is 58 % in PQ and 75 % in HLG
    for transfer, code in (("pq", 0.58), ("hlg", 0.75)):
        grey = np.linspace(0, code, 5)
        image = np.repeat((grey * 65535).astype(np.uint16)[None, :, None], 3, axis=2)
        levels = to_sdr(image, transfer)[0, :, 0].astype(int)  # type: ignore[arg-type]
        assert levels[0] == 0
        assert (np.diff(levels) > 0).all()
        assert 215 <= levels[-1] <= 245
    assert (to_sdr(np.full((2, 2, 3), 65535, np.uint16), "pq") == 255).all()
