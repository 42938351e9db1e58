"""Painted keys: finding them, and every way in which a folder of them can be wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from stylize_samples import NumberedFrames, jobs, picture

from kadr.errors import InputError, OptionsError
from kadr.image_files import write_image
from kadr.stylize.base import StylizeContext
from kadr.stylize.external import KeyFile, find_keys, load_key
from kadr.stylize.registry import create_stylizer

VIDEO = NumberedFrames(100)


def _key(path: Path) -> Path:
    write_image(path, picture())
    return path


def test_the_number_in_a_name_is_the_frame(tmp_path: Path) -> None:
    late = _key(tmp_path / "v2 shot 3 (0041).png")
    early = _key(tmp_path / "key_7.PNG")
    assert find_keys(tmp_path, VIDEO) == [KeyFile(7, early), KeyFile(41, late)]


def test_a_sequence_has_its_own_numbers(tmp_path: Path) -> None:
    key = _key(tmp_path / "1001.png")
    assert find_keys(tmp_path, NumberedFrames(10, first=1001)) == [KeyFile(0, key)]


def test_an_offset_is_added_to_the_numbers(tmp_path: Path) -> None:
    first, last = _key(tmp_path / "1.png"), _key(tmp_path / "100_v2.png")
    assert find_keys(tmp_path, VIDEO, -1) == [KeyFile(0, first), KeyFile(99, last)]
    with pytest.raises(InputError, match=r"no frame 102 \(with key-offset 2\); its 100 frames"):
        find_keys(tmp_path, VIDEO, 2)


def test_a_name_with_two_readings_is_refused(tmp_path: Path) -> None:
    _key(tmp_path / "7_12.png")
    with pytest.raises(InputError, match=r"7_12\.png: its name may mean frame 7 or 12; rename"):
        find_keys(tmp_path, VIDEO)


def test_a_copy_and_its_original_are_one_frame(tmp_path: Path) -> None:
    _key(tmp_path / "frame_00045.png"), _key(tmp_path / "frame_00045_v2.png")
    with pytest.raises(InputError, match=r"45\.png and .*45_v2\.png: both are keys of frame 45"):
        find_keys(tmp_path, VIDEO)


def test_files_and_folders_can_be_given(tmp_path: Path) -> None:
    first, second = _key(tmp_path / "a" / "1.png"), _key(tmp_path / "b" / "2.jpg")
    assert find_keys((tmp_path / "a", second), VIDEO) == [KeyFile(1, first), KeyFile(2, second)]
    assert find_keys((first, first), VIDEO) == [KeyFile(1, first)]


def test_other_files_are_passed_over(tmp_path: Path) -> None:
    key = _key(tmp_path / "5.png")
    for name in ("Thumbs.db", "5.psd", "._5.png", "notes 9.txt"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "6.png").mkdir()
    assert find_keys(tmp_path, VIDEO) == [KeyFile(5, key)]


@pytest.mark.parametrize("names", [[], ["5.psd"]], ids=["empty", "no images"])
def test_nothing_found(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    text = "expected images named by frame number, such as 012.png" + "".join(
        f", not {name}" for name in names
    )
    with pytest.raises(InputError, match=rf"no keys found; {text}$"):
        find_keys(tmp_path, VIDEO)
    with pytest.raises(InputError, match="no masks found; "):
        find_keys(tmp_path, VIDEO, kind="mask")


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere: not found; give a folder of painted keys"):
        find_keys(tmp_path / "nowhere", VIDEO)


def test_a_name_without_number_says_how_to_rename(tmp_path: Path) -> None:
    key = _key(tmp_path / "portrait.png")
    with pytest.raises(InputError, match=r"portrait\.png: no number .* such as portrait_012\.png"):
        find_keys((key,), VIDEO)


def test_a_number_outside_the_clip_names_the_range(tmp_path: Path) -> None:
    _key(tmp_path / "100.png")
    with pytest.raises(InputError, match=r"100\.png: the clip has no frame 100; .* 0 to 99") as e:
        find_keys(tmp_path, VIDEO)
    assert str(e.value).endswith("rename the key or remove it, or give --key-offset -1")
    with pytest.raises(InputError, match=r"rename the mask or remove it$"):
        find_keys(tmp_path, VIDEO, kind="mask")
    with pytest.raises(InputError, match=r"no frame 102 .*rename the key or remove it$"):
        find_keys(tmp_path, VIDEO, 2)


def test_two_keys_of_one_frame_are_both_named(tmp_path: Path) -> None:
    _key(tmp_path / "5.png"), _key(tmp_path / "key_005.jpg")
    with pytest.raises(InputError, match=r"5\.png and .*key_005\.jpg: both are keys of frame 5"):
        find_keys(tmp_path, VIDEO)


def test_load_gives_the_pixels(tmp_path: Path) -> None:
    image = picture(alpha=True)
    write_image(tmp_path / "1.png", image)
    loaded = load_key(KeyFile(1, tmp_path / "1.png"), (64, 48))
    np.testing.assert_array_equal(loaded, image)


def test_sixteen_bits_become_eight(tmp_path: Path) -> None:
    image = picture()
    # less than half a step above rounds away; white has no step above it
    deep = np.minimum(image.astype(np.uint32) * 257 + 100, 65535).astype(np.uint16)
    write_image(tmp_path / "1.png", deep)
    loaded = load_key(KeyFile(1, tmp_path / "1.png"), (64, 48))
    np.testing.assert_array_equal(loaded, image)


def test_another_size_names_both_and_the_way_out(tmp_path: Path) -> None:
    key = KeyFile(1, _key(tmp_path / "1.png"))
    with pytest.raises(InputError, match=r"64×48 pixels, the clip has 128×96; .* --fit-keys"):
        load_key(key, (128, 96))


@pytest.mark.parametrize("size", [(128, 96), (32, 24), (70, 48)], ids=["up", "down", "rounded"])
def test_fit_shows_the_whole_key(tmp_path: Path, size: tuple[int, int]) -> None:
    width, height = size
    image = np.zeros((48, 64, 3), np.uint8)
    image[:, 32:] = 250
    write_image(tmp_path / "1.png", image)
    fitted = load_key(KeyFile(1, tmp_path / "1.png"), size, fit=True)
    assert fitted.shape == (height, width, 3)
    assert fitted.dtype == np.uint8
    assert fitted[:, : width // 2 - 3].max() <= 2
    assert fitted[:, width // 2 + 3 :].min() >= 248


def test_fit_keeps_hidden_colours_hidden(tmp_path: Path) -> None:
    image = np.zeros((48, 64, 4), np.uint8)
    image[:, :32] = (200, 100, 50, 255)
    image[:, 32:] = (0, 255, 0, 0)
    write_image(tmp_path / "1.png", image)
    fitted = load_key(KeyFile(1, tmp_path / "1.png"), (40, 30), fit=True)
    visible = fitted[fitted[..., 3] > 32]
    assert np.abs(visible[:, :3].astype(int) - (200, 100, 50)).max() <= 8


def test_fit_refuses_another_shape(tmp_path: Path) -> None:
    key = KeyFile(1, _key(tmp_path / "1.png"))
    with pytest.raises(InputError, match=r"64×48 pixels, the clip has 90×48, another shape"):
        load_key(key, (90, 48), fit=True)


@pytest.mark.parametrize("size", [(48, 64), (96, 128), (72, 97)])
@pytest.mark.parametrize("fit", [False, True])
def test_a_turned_key_is_said_to_be_turned(
    tmp_path: Path, size: tuple[int, int], fit: bool
) -> None:
    key = KeyFile(1, _key(tmp_path / "1.png"))
    with pytest.raises(InputError, match=r"64×48 pixels, .*: it is turned by 90°; turn it to"):
        load_key(key, size, fit=fit)


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(b"not an image")
    with pytest.raises(InputError, match=r"1\.png: not an image"):
        load_key(KeyFile(1, tmp_path / "1.png"), (64, 48))


def test_external_answers_by_the_numbers_of_the_clip(tmp_path: Path) -> None:
    image = picture(seed=50)
    write_image(tmp_path / "1003.png", image)
    clip = NumberedFrames(10, first=1001)
    stylizer = create_stylizer("external", keys=tmp_path)
    ((styled,),) = stylizer.stylize(jobs((2,)), StylizeContext(number=clip.number))
    assert (styled.index, styled.info["file"]) == (2, str(tmp_path / "1003.png"))
    np.testing.assert_array_equal(styled.image, image)


def test_external_without_a_key_for_the_frame(tmp_path: Path) -> None:
    for index in range(10):
        _key(tmp_path / f"{index}.png")
    stylizer = create_stylizer("external", keys=(tmp_path,))
    with pytest.raises(InputError, match=r"no key for frame 30; there are 0, 1, .* and 2 more"):
        list(stylizer.stylize(jobs((30,)), StylizeContext()))


def test_external_needs_keys() -> None:
    with pytest.raises(OptionsError, match="no keys"):
        create_stylizer("external")
