"""The contract of reading over a folder of awkward files, made ones and real ones.

What is expected was measured with FFmpeg's own programs (version 5.1), not with kadr.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from kadr import create_clip, open_clip
from kadr.errors import InputError, KadrError
from kadr.video.base import Clip

_LEVELS, _MILLISECOND = 1.5, 0.001


@dataclass(frozen=True)
class Truth:
    """What a file holds: upright size, seconds, and the mean colour of its first frame.

    first: when the first frame is shown, on the container's clock. last: when the last is shown,
    after the first. mean: None where colours are a matter of taste (HDR). good: the frames before
    the first damage; None: all. tolerance: of times, in seconds.
    """

    frames: int
    size: tuple[int, int]
    duration: float
    last: float
    mean: tuple[float, float, float] | None
    first: float = 0.0
    good: int | None = None
    tolerance: float = _MILLISECOND


_FACE = (162.6, 144.9, 125.6)
TRUTH = {
    "made/alpha_prores4444.mov": Truth(30, (320, 180), 1.0, 0.96667, _FACE),
    "made/alpha_vp9.webm": Truth(30, (320, 180), 1.0, 0.96667, _FACE),
    "made/anamorphic_sar2.mp4": Truth(60, (320, 180), 2.0, 1.96667, _FACE),
    "made/anim.apng": Truth(10, (160, 90), 1.0, 0.9, (160.1, 142.9, 123.6)),
    "made/anim.gif": Truth(10, (160, 90), 1.0, 0.9, (159.8, 142.7, 123.2)),
    "made/anim.webp": Truth(10, (160, 90), 1.0, 0.9, (161.5, 144.3, 124.9)),
    "made/audio_late_0.75s.mp4": Truth(60, (320, 180), 2.0, 1.96667, _FACE),
    "made/bitflips_mid.mp4": Truth(60, (320, 180), 2.0, 1.96667, _FACE, good=5),
    "made/fullrange.mp4": Truth(60, (320, 180), 2.0, 1.96667, _FACE),
    "made/gray.mp4": Truth(30, (320, 180), 1.0, 0.96667, (147.9, 147.9, 147.9)),
    "made/hdr10_pq_hevc10.mp4": Truth(30, (320, 180), 1.0, 0.96667, None),
    "made/hlg_hevc10.mov": Truth(30, (320, 180), 1.0, 0.96667, None),
    "made/interlaced_tff.mpg": Truth(50, (320, 180), 2.0, 1.96, _FACE, first=0.54),
    "made/naïve name (1) 'q' 100%.mp4": Truth(60, (320, 180), 2.0, 1.96667, _FACE),
    "made/odd_333x187_420_ffv1.mkv": Truth(30, (333, 187), 1.0, 0.96667, _FACE),
    "made/odd_333x187_444.mp4": Truth(60, (333, 187), 2.0, 1.96667, _FACE),
    "made/rotated_180.mp4": Truth(60, (320, 180), 2.0, 1.96667, _FACE),
    "made/rotated_270.mp4": Truth(60, (180, 320), 2.0, 1.96667, _FACE),
    "made/rotated_90.mp4": Truth(60, (180, 320), 2.0, 1.96667, _FACE),
    "made/single_frame.mp4": Truth(1, (320, 180), 0.03333, 0.0, _FACE),
    "made/tiny_16x16.mp4": Truth(30, (16, 16), 1.0, 0.96667, (163.8, 143.6, 128.5)),
    "made/vfr.mp4": Truth(33, (320, 180), 1.96667, 1.93333, _FACE),
    "made/video_starts_0.5s.mp4": Truth(60, (320, 180), 2.0, 1.96667, _FACE, first=0.5),
    "real/decord_corrupted.mp4": Truth(50, (1280, 720), 5.0, 4.9, (122.8, 128.5, 129.0), good=29),
    "real/decord_unordered.mov": Truth(4, (50, 50), 0.125, 0.09375, (255.0, 255.0, 255.0)),
    "real/decord_video_0.mov": Truth(3, (568, 320), 0.1, 0.06667, (111.6, 100.5, 91.0)),
    "real/decord_video_180.mov": Truth(3, (568, 320), 0.1, 0.06667, (123.8, 111.4, 101.3)),
    "real/decord_video_270.mov": Truth(3, (320, 568), 0.1, 0.06667, (134.9, 121.6, 111.2)),
    "real/decord_video_90.mov": Truth(3, (320, 568), 0.1, 0.06667, (105.5, 95.2, 86.7)),
    "real/imageio_imageio_issue245.gif": Truth(1, (30, 24), 1.0, 0.0, (165.1, 184.3, 190.8)),
    "real/imageio_newtonscradle.gif": Truth(36, (200, 150), 0.82, 0.8, (194.5, 194.5, 194.5)),
    "real/mb_edts.mp4": Truth(225, (854, 480), 9.0, 8.96, (0.0, 0.0, 0.0)),
    "real/mb_frames.webm": Truth(100, (1080, 1080), 3.33333, 3.3, (232.4, 239.8, 232.4)),
    # the frames before the first whole one cannot be decoded
    "real/mb_no-initial-keyframe.ts": Truth(
        15, (640, 352), 0.4994, 0.466, (69.6, 123.9, 119.2), first=114.847
    ),
    "real/mb_sar_2x1.mp4": Truth(150, (640, 360), 5.0, 4.96667, (122.5, 129.5, 125.8)),
    "real/mp_bitmap.mp4": Truth(5, (1, 1), 5.0, 4.0, (254.0, 0.0, 0.0)),
    # it does not tell how long the last frame is shown
    "real/mp_no_duration.webm": Truth(
        74, (1280, 720), 4.9387, 4.872, (2.1, 6.0, 4.3), tolerance=0.002
    ),
    "real/mp_transparent.webm": Truth(150, (200, 200), 5.0, 4.96667, (1.6, 0.0, 0.0)),
    "real/mp_video_with_failing_audio.mp4": Truth(
        280, (640, 360), 11.2, 11.16, (181.0, 192.0, 198.9)
    ),
    "real/tc_av1_video.mkv": Truth(125, (640, 360), 5.0, 4.96, (120.4, 129.9, 128.1)),
    "real/tc_bt709_full_range.mp4": Truth(30, (1280, 720), 1.0, 0.96667, (123.3, 127.4, 123.7)),
    "real/tc_h264_10bits.mp4": Truth(30, (200, 200), 1.0, 0.96667, (115.8, 117.8, 125.8)),
    "real/tc_h265_10bits.mp4": Truth(30, (200, 200), 1.0, 0.96667, (115.6, 117.7, 125.8)),
    "real/tc_h265_video.mp4": Truth(10, (128, 128), 1.0, 0.9, (12.2, 12.1, 253.2)),
}
DAMAGED = {
    "made/bitflips_mid.mp4": "damaged or cut off: frame .* of 60 .*--allow-truncated",
    "made/truncated_60pct_faststart.mp4": "only the first 23 frames are good; .*--allow-truncated",
    "real/decord_corrupted.mp4": "damaged or cut off: frame .* of 50 .*--allow-truncated",
    "real/mb_annex-b.mp4": "only the first 5 frames are good; .*--allow-truncated",
}
"""Files of which a part can be read, and what their reading says."""
BAD = {
    "made/audio_only.m4a": "has only sound; give a file with a video stream",
    "made/renamed_text.mp4": "not a video that can be read",
    "made/truncated_no_moov.mp4": "its index .moov. is missing, so no frame can be read",
    "made/zero_bytes.mp4": "the file is empty .0 bytes.",
}
SOUND = {
    "made/audio_late_0.75s.mp4": 0.75,
    "made/video_starts_0.5s.mp4": -0.5,
}
"""When the tone begins, seconds after the first frame."""


@pytest.fixture(scope="module")
def folder(real_clips: Path) -> Path:
    """The folder of awkward files."""
    path = real_clips / "edge_cases"
    if not path.is_dir():
        pytest.skip("KADR_TEST_CLIPS has no folder edge_cases")
    return path


def test_every_file_has_an_expectation(folder: Path) -> None:
    files = {f"{path.parent.name}/{path.name}" for path in folder.glob("*/*")}
    assert files == {*TRUTH, *DAMAGED, *BAD}


@pytest.mark.parametrize("name", sorted(TRUTH))
def test_a_file_is_read_as_it_is(name: str, folder: Path) -> None:
    truth = TRUTH[name]
    with open_clip(folder / name) as clip:
        info = clip.info
        assert len(clip) == info.frame_count == truth.frames
        assert (info.width, info.height) == truth.size
        assert float(info.duration) == pytest.approx(truth.duration, abs=truth.tolerance)
        assert float(info.first_time) == pytest.approx(truth.first, abs=truth.tolerance)
        assert clip.times[0] == 0
        assert float(clip.times[-1]) == pytest.approx(truth.last, abs=truth.tolerance)
        first = clip.frame(0)
        assert first.size == truth.size
        if truth.mean is not None:
            assert first.rgb.mean(axis=(0, 1)) == pytest.approx(truth.mean, abs=_LEVELS)
        if truth.good is None:
            assert _reads_to_its_end(clip)


def _reads_to_its_end(clip: Clip) -> bool:
    """Whether the last frames come with their indices, and alone the last is the same."""
    count = len(clip)
    frames = list(clip.frames(max(0, count - 3)))
    last = clip.frame(count - 1)
    return [frame.index for frame in frames] == list(
        range(max(0, count - 3), count)
    ) and np.array_equal(frames[-1].image, last.image)


@pytest.mark.parametrize("name", sorted(DAMAGED))
def test_damage_is_named_and_what_is_good_is_read(name: str, folder: Path) -> None:
    with pytest.raises(InputError, match=DAMAGED[name]) as caught, open_clip(folder / name) as clip:
        for _ in clip.frames():
            pass
    assert str(caught.value).startswith(str(folder / name))
    assert "\n" not in str(caught.value)
    truth = TRUTH.get(name)
    good = {"made/truncated_60pct_faststart.mp4": 23, "real/mb_annex-b.mp4": 5}
    with open_clip(folder / name, allow_truncated=True) as clip:
        assert clip.info.truncated
        assert len(clip) == (truth.good if truth is not None else good[name])
        assert len(list(clip.frames())) == len(clip)


@pytest.mark.parametrize("name", sorted(BAD))
def test_a_bad_file_has_its_error(name: str, folder: Path) -> None:
    for allow_truncated in (False, True):
        with pytest.raises(KadrError, match=BAD[name]) as caught:
            open_clip(folder / name, allow_truncated=allow_truncated)
        assert str(caught.value).startswith(f"{folder / name}: ")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm", ".mov"])
@pytest.mark.parametrize("name", sorted(SOUND))
def test_sound_keeps_its_place(name: str, suffix: str, folder: Path, tmp_path: Path) -> None:
    source, output = folder / name, tmp_path / f"out{suffix}"
    assert _onset(source) == pytest.approx(SOUND[name], abs=0.003)
    with open_clip(source) as clip, create_clip(output, like=clip) as writer:
        for frame in clip.frames():
            writer.write(frame)
    # an encoder smears the start of a tone by some samples
    tolerance = _MILLISECOND if suffix != ".webm" else 0.003
    assert _onset(output) == pytest.approx(_onset(source), abs=tolerance)


def _onset(path: Path) -> float:
    """When the sound begins to be heard, seconds after the first frame."""
    with av.open(str(path)) as container:
        first = next(container.decode(video=0))
        start = first.pts * Fraction(first.time_base)
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            wave = np.abs(frame.to_ndarray().astype(float)).max(axis=0)
            loud = np.flatnonzero(wave > 0.02)
            if loud.size:
                begins = frame.pts * Fraction(frame.time_base) - start
                return float(begins) + float(loud[0]) / frame.sample_rate
    raise AssertionError(f"{path}: no sound is heard")


def test_alpha_of_the_made_files(folder: Path) -> None:
    """A disc of 80 pixels about the middle."""
    y, x = np.mgrid[:180, :320]
    inside = np.hypot(x - 160, y - 90) < 78
    outside = np.hypot(x - 160, y - 90) > 82
    for name, tolerance in (("made/alpha_prores4444.mov", 1), ("made/alpha_vp9.webm", 24)):
        with open_clip(folder / name) as clip:
            assert clip.info.has_alpha
            alpha = clip.frame(10).image[..., 3].astype(int)
            assert alpha[inside].min() >= 255 - tolerance
            assert alpha[outside].max() <= tolerance


def test_the_interlaced_file_is_deinterlaced(folder: Path) -> None:
    path = folder / "made/interlaced_tff.mpg"
    with open_clip(path) as clip, open_clip(path, deinterlace="off") as stored:
        assert "top field first" in clip.info.deinterlaced
        assert _combing(clip.frame(2).rgb) < 0.6 * _combing(stored.frame(2).rgb)
        assert clip.times == stored.times


def _combing(image: np.ndarray) -> float:
    rows = image.astype(int)
    return float(np.abs(rows[:-2] - 2 * rows[1:-1] + rows[2:]).mean())
