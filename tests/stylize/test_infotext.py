"""Generation parameters as text and inside image files."""

from __future__ import annotations

import io
import struct
import time
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as PilImage
from PIL import PngImagePlugin
from stylize_samples import picture

from kadr.errors import InputError
from kadr.stylize.infotext import (
    Infotext,
    format_infotext,
    infotext_settings,
    other_fields,
    parse_infotext,
)
from kadr.stylize.infotext_files import embed_parameters, parameters_text, read_infotext

WRITTEN = """a castle, (oil painting:1.2), by "nobody"
second line: with a colon
Negative prompt: blurry, low quality
ugly
Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7.5, Seed: 1234567890, \
Size: 512x768, Model hash: 6ce0161689, Model: v1-5-pruned-emaonly, Denoising strength: 0.5, \
Clip skip: 2, Decode prompt: "a photo, of: a castle", Decode negative prompt: , \
Decode CFG scale: 1, Decode steps: 50, Randomness: 0, Sigma Adjustment: True, Version: v1.9.4"""


def test_a_text_as_a1111_writes_it() -> None:
    info = parse_infotext(WRITTEN)
    assert info.prompt == 'a castle, (oil painting:1.2), by "nobody"\nsecond line: with a colon'
    assert info.negative_prompt == "blurry, low quality\nugly"
    assert info.fields["Sampler"] == "DPM++ 2M"
    assert info.fields["Decode prompt"] == "a photo, of: a castle"
    assert info.fields["Decode negative prompt"] == ""
    assert list(info.fields)[:3] == ["Steps", "Sampler", "Schedule type"]


def test_settings_carry_the_names_of_options() -> None:
    assert infotext_settings(parse_infotext(WRITTEN)) == {
        "prompt": 'a castle, (oil painting:1.2), by "nobody"\nsecond line: with a colon',
        "negative_prompt": "blurry, low quality\nugly",
        "steps": 20,
        "sampler": "DPM++ 2M Karras",
        "cfg_scale": 7.5,
        "seed": 1234567890,
        "width": 512,
        "height": 768,
        "model": "v1-5-pruned-emaonly",
        "denoising_strength": 0.5,
        "clip_skip": 2,
        "original_prompt": "a photo, of: a castle",
        "original_negative_prompt": "",
        "decode_cfg_scale": 1.0,
        "decode_steps": 50,
        "randomness": 0.0,
        "inversion": "adjusted",
        "noise_source": "nv",
    }


@pytest.mark.parametrize(
    ("fields", "source"),
    [
        ({"Seed": "1", "RNG": "CPU", "Version": "v1.8.0"}, "cpu"),
        ({"Seed": "1", "RNG": "NV", "Version": "v1.8.0"}, "nv"),
        ({"Seed": "1", "Version": "f2.0.1v1.10.1"}, "nv"),
        ({"Seed": "1", "Version": "ComfyUI"}, None),
        ({"Steps": "1"}, None),
    ],
)
def test_noise_is_the_cards_where_a1111_says_nothing(
    fields: dict[str, str], source: str | None
) -> None:
    assert infotext_settings(Infotext("a", fields=fields)).get("noise_source") == source


def test_inversion_is_told_apart() -> None:
    plain = infotext_settings(Infotext("a", fields={"Sigma Adjustment": "False"}))
    refined = {"Sigma Adjustment": "False", "Inversion": "refined"}
    assert plain["inversion"] == "plain"
    assert infotext_settings(Infotext("a", fields=refined))["inversion"] == "refined"


@pytest.mark.parametrize(
    ("sampler", "schedule", "expected"),
    [
        ("DPM++ 2M", "Automatic", "DPM++ 2M Karras"),
        ("DPM++ 2M", "Uniform", "DPM++ 2M Uniform"),
        ("Euler a", "Automatic", "Euler a"),
        ("Euler", "Normal", "Euler"),
        ("Euler", "Simple", "Euler Simple"),
    ],
)
def test_the_schedule_joins_the_sampler(sampler: str, schedule: str, expected: str) -> None:
    fields = {"Sampler": sampler, "Schedule type": schedule}
    assert infotext_settings(Infotext("a", fields=fields))["sampler"] == expected


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("v1.8.0", "DPM++ 2M Uniform"),
        ("f0.0.17v1.8.0rc-latest-276-g29be1da7", "DPM++ 2M Uniform"),
        ("v1.10.1", "DPM++ 2M Karras"),
        ("f2.0.1v1.10.1-previous-224", "DPM++ 2M Karras"),
        ("ComfyUI", "DPM++ 2M"),
    ],
)
def test_a_bare_sampler_has_the_schedule_of_the_version_that_wrote_it(
    version: str, expected: str
) -> None:
    info = Infotext("a", fields={"Sampler": "DPM++ 2M", "Version": version})
    assert infotext_settings(info)["sampler"] == expected


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("Inpaint area", "some"),
        ("Steps", "many"),
        ("CFG scale", "high"),
        ("Size", "big"),
        ("Sigma Adjustment", "2"),
    ],
)
def test_an_odd_value_is_no_setting_but_is_not_lost(field: str, value: str) -> None:
    info = Infotext("a", fields={field: value, "Steps ": "1"})
    assert infotext_settings(info) == {"prompt": "a", "negative_prompt": ""}
    assert other_fields(info) == {field: value, "Steps ": "1"}


@pytest.mark.parametrize(
    ("field", "value", "setting"),
    [
        ("Seed", "5.0", {"seed": 5}),
        ("Seed", " 5. ", {"seed": 5}),
        ("Seed", "-1", {"seed": -1}),
        ("Steps", "20.00", {"steps": 20}),
        ("Clip skip", "2.0", {"clip_skip": 2}),
        ("CFG scale", "7", {"cfg_scale": 7.0}),
    ],
)
def test_whole_numbers_may_have_decimals(field: str, value: str, setting: dict) -> None:
    info = Infotext("a", fields={field: value})
    assert infotext_settings(info) == {"prompt": "a", "negative_prompt": "", **setting}
    assert other_fields(info) == {}


FIELDS_OF_A1111 = """Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 5, Size: 128x64, \
Model hash: 6ce0161689, Model: v1-5, VAE hash: 735e4c3a44, VAE: mse.pt, Variation seed: 3, \
Variation seed strength: 0.4, Seed resize from: 64x64, Denoising strength: 0.5, Clip skip: 2, \
ENSD: 31337, RNG: CPU, Face restoration: CodeFormer, Hires prompt: "a, b", Hires upscale: 2, \
Hires steps: 10, Hires upscaler: Latent, Lora hashes: "x: abc123, y: def", TI hashes: "z: 456", \
Refiner: xl [1234], Refiner switch at: 0.8, ControlNet 0: "Module: canny, Model: x", Eta: 0.6, \
Mask blur: 4, Masked content: fill, Tiling: True, Emphasis: No norm, Hashes: \
{"model": "6ce0161689", "lora:x": "abc123"}, ADetailer model: face.pt, Version: v1.8.0"""


def test_each_field_is_a_setting_or_is_named() -> None:
    info = parse_infotext(f"oil\r\nNegative prompt: bad\r\n{FIELDS_OF_A1111}\r\n")
    settings, others = infotext_settings(info), other_fields(info)
    assert (settings["seed"], settings["vae"], settings["clip_skip"]) == (5, "mse.pt", 2)
    assert others["Lora hashes"] == "x: abc123, y: def"
    assert others["Hashes"] == '{"model": "6ce0161689", "lora:x": "abc123"}'
    assert list(others) == [
        "Variation seed", "Variation seed strength", "Seed resize from", "Face restoration",
        "Hires prompt", "Hires upscale", "Hires steps", "Hires upscaler", "Lora hashes",
        "TI hashes", "Refiner", "Refiner switch at", "ControlNet 0", "Eta", "Masked content",
        "Tiling", "Emphasis", "Hashes", "ADetailer model",
    ]  # fmt: skip


def test_a_hash_stands_for_a_file_that_has_no_name() -> None:
    info = parse_infotext("oil\nSteps: 1, Seed: 2, Model hash: 6ce0161689, VAE hash: 73")
    assert other_fields(info) == {"Model hash": "6ce0161689", "VAE hash": "73"}


def test_lines_that_extensions_add_after_the_fields_become_fields() -> None:
    text = "oil: thick\nSteps: 4, Seed: 5, Size: 8x8\nTemplate: {oil|ink}\nof a man\nMore: x, y"
    info = parse_infotext(text)
    assert (info.prompt, info.fields["Steps"]) == ("oil: thick", "4")
    assert info.fields["Template"] == "{oil|ink}\nof a man"
    assert other_fields(info) == {"Template": "{oil|ink}\nof a man", "More": "x, y"}
    info = parse_infotext("oil\nSteps: 4, Seed: 5, Size: 8x8\n(c) me")
    assert other_fields(info) == {"Further text": "(c) me"}


@pytest.mark.parametrize("part", ["a", " ", "a: ", 'aa: "\\"', "aa: {", 'aa: {"', "-", '"', "é"])
def test_long_texts_take_little_time(part: str) -> None:
    start = time.monotonic()
    parse_infotext(part * (200_000 // len(part)))
    assert time.monotonic() - start < 3


def test_a_text_that_is_too_long_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "long.png"
    path.write_bytes(embed_parameters(_png(), "a" * ((1 << 20) + 1)))
    with pytest.raises(InputError, match=r"long\.png: generation parameters of 1048577 characters"):
        read_infotext(path)


def test_the_form_of_the_text() -> None:
    text = format_infotext(
        "oil", "blurry", {"Steps": 20, "CFG scale": 7.0, "VAE": None, "Model": "a: b, c"}
    )
    assert text == 'oil\nNegative prompt: blurry\nSteps: 20, CFG scale: 7, Model: "a: b, c"'
    assert format_infotext("oil", " ", {"Steps": 20}) == "oil\nSteps: 20"


def test_a_prompt_that_only_looks_like_fields_stays_a_prompt() -> None:
    assert parse_infotext("a: b, c: d") == Infotext("a: b, c: d")
    assert parse_infotext("") == Infotext()


# lines that begin as the negative prompt does, and outer white space, cannot be told apart
PROMPTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r")).map(
    lambda text: "\n".join(line.strip() for line in text.strip().split("\n")).strip()
)
NAMES = st.from_regex(r"[A-Za-z][A-Za-z \-/]{0,12}[A-Za-z]", fullmatch=True)
VALUES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), min_size=1)


@given(PROMPTS, PROMPTS, st.dictionaries(NAMES, VALUES, min_size=3, max_size=8))
def test_what_is_written_is_read_back(prompt: str, negative: str, fields: dict[str, str]) -> None:
    info = parse_infotext(format_infotext(prompt, negative, fields))
    assert (info.prompt, info.negative_prompt, info.fields) == (prompt, negative, fields)


@given(st.text())
def test_any_text_can_be_read(text: str) -> None:
    assert isinstance(parse_infotext(text), Infotext)


def _png() -> bytes:
    return cv2.imencode(".png", picture())[1].tobytes()


@pytest.mark.parametrize("text", [WRITTEN, "картина маслом\nSteps: 1, Seed: 2, Size: 8x8", "é"])
def test_a_png_carries_its_parameters(text: str) -> None:
    png = embed_parameters(_png(), text)
    assert parameters_text(png) == text
    with PilImage.open(io.BytesIO(png)) as image:
        image.load()
        assert image.text["parameters"] == text
        np.testing.assert_array_equal(np.asarray(image)[..., ::-1], picture())


def test_new_parameters_replace_the_old() -> None:
    png = embed_parameters(embed_parameters(_png(), "old, 版"), "new")
    assert parameters_text(png) == "new"
    assert b"old" not in png


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("text", ["plain, é", "слова"])
def test_chunks_of_another_writer_are_read(compressed: bool, text: str) -> None:
    info, file = PngImagePlugin.PngInfo(), io.BytesIO()
    info.add_text("other", "parameters")
    info.add_text("parameters", text, zip=compressed)
    PilImage.fromarray(picture()).save(file, "PNG", pnginfo=info)
    assert parameters_text(file.getvalue()) == text


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
@pytest.mark.parametrize("encoding", ["utf-16-be", "utf-16-le", "ascii"])
def test_exif_comments_are_read(kind: str, encoding: str, tmp_path: Path) -> None:
    code = b"ASCII\0\0\0" if encoding == "ascii" else b"UNICODE\0"
    exif = PilImage.Exif()
    exif.get_ifd(0x8769)[0x9286] = code + WRITTEN.encode(encoding)
    path = tmp_path / f"frame.{kind.lower()}"
    PilImage.fromarray(picture()).save(path, kind, exif=exif)
    assert read_infotext(path) == parse_infotext(WRITTEN)


def test_without_parameters_the_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "plain.png"
    path.write_bytes(_png())
    with pytest.raises(InputError, match=r"plain\.png: has no generation parameters"):
        read_infotext(path)
    with pytest.raises(InputError, match=r"gone\.png: cannot be read"):
        read_infotext(tmp_path / "gone.png")
    with pytest.raises(ValueError, match="PNG"):
        embed_parameters(b"GIF89a", "text")


def test_a_text_that_unfolds_without_end_is_cut() -> None:
    bomb = zlib.compress(b"a" * (1 << 25))
    body = b"parameters\0\0" + bomb
    chunk = struct.pack(">I", len(body)) + b"zTXt" + body + b"\0\0\0\0"
    png = _png()
    text = parameters_text(png[:33] + chunk + png[33:])
    assert text is not None
    assert len(text) <= 1 << 24


UNDAMAGED = [embed_parameters(_png(), WRITTEN)]
for _kind in ("JPEG", "WEBP"):
    _exif, _file = PilImage.Exif(), io.BytesIO()
    _exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + WRITTEN.encode("utf-16-be")
    PilImage.fromarray(picture()).save(_file, _kind, exif=_exif)
    UNDAMAGED.append(_file.getvalue())


@given(st.sampled_from(UNDAMAGED), st.data())
def test_damaged_files_never_crash_the_reader(data: bytes, draw: st.DataObject) -> None:
    cut = bytearray(data[: draw.draw(st.integers(0, len(data)))])
    for position, value in draw.draw(
        st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=6)
    ):
        if position < len(cut):
            cut[position] = value
    text = parameters_text(bytes(cut))
    assert text is None or isinstance(text, str)
