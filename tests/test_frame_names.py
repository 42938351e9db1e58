"""Which frame a file belongs to by its name: right, or refused with the candidates."""

from __future__ import annotations

from pathlib import Path

import pytest
from stylize_samples import NumberedFrames

from kadr.errors import InputError
from kadr.frame_names import frame_numbers


def _frames(name: str = "frame_{:05d}", first: int = 0) -> NumberedFrames:
    """A clip of 60 frames as far as its names."""
    return NumberedFrames(60, first, name)


VIDEO = _frames()


def _numbers(*names: str, clip: NumberedFrames | None = VIDEO, offset: int = 0) -> list[int]:
    return frame_numbers([Path(name) for name in names], clip, offset)


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("12.png", 12),
        ("frame12.png", 12),
        ("frame_00045.png", 45),
        ("frame_00045_v2.png", 45),
        ("frame_00045 (1).png", 45),
        ("frame_00045(1).png", 45),
        ("frame_00045 copy 2.png", 45),
        ("frame_00045 - Copy (2).png", 45),
        ("frame_00045 - Kopie.png", 45),
        ("frame_00045_1024x576.png", 45),
        ("frame_00045 2.png", 45),
        ("frame_00145_2.png", 145),  # no frame of the clip: refused later, not taken for 2
        ("frame_145 (1).png", 145),
        ("frame_999999_v2.png", 999999),
        ("00030-3999041931.png", 30),
        ("00030-7.png", 30),
        ("00045-1234567-out.png", 45),
        ("shot2_f0045.png", 45),
        ("shot010_0045.png", 45),
        ("shot45.png", 45),
        ("sc01_sh02_0045.png", 45),
        ("s01e02_0045.png", 45),
        ("v2 shot 3 (0041).png", 41),
        ("0045_painted.png", 45),
        ("0045 копия.png", 45),
        ("0045 副本 2.png", 45),
        ("45 (copy).png", 45),
        ("45 (3rd copy).png", 45),
        ("key_45@2x.png", 45),
        ("45_4x.png", 45),
        ("45_1080p_25fps.png", 45),
        ("IMG_20240501_0045.png", 45),
        ("2024-05-01 at 12.30.05 45.png", 45),
        ("01.05.2024 45.png", 45),
        ("20240501_000045.png", 45),
        ("out.00045.png", 45),
        ("a3f9c2d1_45.png", 45),
        ("45_seed7_cfg7.5_steps20.png", 45),
        ("кадр_0045.png", 45),
        ("кадр 45 дубль 2.png", 45),
        ("٤٥.png", 45),
        ("45_45.png", 45),
        ("v12.png", 12),
        ("painted (12).png", 12),
        ("(12).png", 12),
        ("f00045.png", 45),
        ("45%.png", 45),
    ],
)
def test_a_name_tells_its_frame(name: str, number: int) -> None:
    assert _numbers(name) == [number]


@pytest.mark.parametrize(
    ("name", "candidates"),
    [
        ("12_45.png", "frame 12 or 45"),
        ("1_2_3.png", "frame 1, 2 or 3"),
        ("145_2.png", "frame 145 or 2"),
        ("999_2.png", "frame 999 or 2"),
        ("shot45_2.png", "frame 45 or 2"),
        ("shot 3 (12).png", "frame 3 or 12"),
        ("shot45_v2.png", "frame 45 or 2"),
        ("1024x576_v2.png", "frame 1024, 576 or 2"),
        ("001_0045.png", "frame 1 or 45"),
        ("frame_12_0045.png", "frame 12 or 45"),
    ],
)
def test_two_readings_are_refused_with_both(name: str, candidates: str) -> None:
    with pytest.raises(InputError, match=rf"its name may mean {candidates}; rename it .* frame_0"):
        _numbers(name)


def test_names_of_one_structure_are_read_together() -> None:
    assert _numbers("take_2_0.png", "take_2_15.png") == [0, 15]
    assert _numbers("00000-5.png", "00030-9.png") == [0, 30]
    assert _numbers("shot_010_0045.png", "shot_010_0012.png") == [45, 12]
    with pytest.raises(InputError, match=r"scene_1_12\.png: its name may mean frame 1 or 12"):
        _numbers("scene_1_12.png", "scene_2_45.png")


def test_variants_of_one_frame_are_not_two_frames() -> None:
    assert _numbers("frame_00045_1.png", "frame_00045_2.png") == [45, 45]
    with pytest.raises(InputError, match="may mean frame 45 or 1"):
        _numbers("key0045_1.png", "key0045_2.png")


def test_the_names_of_the_clips_own_frames_tell() -> None:
    clip = _frames("shot_02_{:d}_comp")
    assert _numbers("shot_02_45_comp_9.png", clip=clip) == [45]
    assert _numbers("9 shot_02_45_comp.png", clip=clip) == [45]
    assert _numbers("1045_2.png", clip=_frames("{:d}", first=1001)) == [1045]


def test_an_offset_counts_for_what_the_clip_has() -> None:
    assert _numbers("1045_2.png", offset=-1000) == [1045]
    assert _numbers("1045_v2.png", offset=1) == [1045]


def test_files_that_are_a_clip_themselves() -> None:
    assert _numbers("00000-15770.png", "00001-28.png", "00002-33.png", clip=None) == [0, 1, 2]
    assert _numbers("5-1577090037.png", "6-2030549411.png", clip=None) == [5, 6]
    assert _numbers("7-1.png", "3-2.png", "9-3.png", clip=None) == [1, 2, 3]
    with pytest.raises(InputError, match="may mean frame 1 or 5"):
        _numbers("1-5.png", "2-6.png", clip=None)


def test_a_name_without_number_is_refused() -> None:
    with pytest.raises(InputError, match=r"face\.png: no number .* such as face_012\.png"):
        _numbers("face.png")
