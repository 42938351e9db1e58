"""Tags of LoRAs in prompts, and the files that they name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kadr.errors import InputError, OptionsError
from kadr.stylize.diffusion.prompt.lora_tags import (
    LoraTag,
    TaggedLora,
    find_lora_files,
    split_lora_tags,
)


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("<lora:ink>", LoraTag("ink", 1, 1)),
        ("<lora:ink:0.8>", LoraTag("ink", 0.8, 0.8)),
        ("<lora:ink:0.5:1>", LoraTag("ink", 0.5, 1)),
        ("<lora:ink v1.2:te=0.5:unet=-1>", LoraTag("ink v1.2", 0.5, -1)),
        ("<lora:ink:0.3:unet=2>", LoraTag("ink", 0.3, 2)),
        ("<lora:ink:te=0.5>", LoraTag("ink", 0.5, 0.5)),
        ("<lyco:ink:0.7>", LoraTag("ink", 0.7, 0.7)),
    ],
)
def test_a_tag_has_one_weight_or_two(tag: str, expected: LoraTag) -> None:
    assert split_lora_tags(f"a {tag}, b") == ("a , b", (expected,))


def test_text_in_angle_brackets_stays() -> None:
    assert split_lora_tags("<3 a > b <c>") == ("<3 a > b <c>", ())


@pytest.mark.parametrize(
    ("tag", "message"),
    [
        ("<hypernet:ink:1>", "prompt: <hypernet:ink:1>: kadr has no networks of the kind hypernet"),
        ("<lora:ink:high>", "prompt: <lora:ink:high>: weight 'high': expected a number"),
        ("<lora:ink:nan>", "weight 'nan': expected a number"),
        ("<lora:ink:1:1:8>", "prompt: <lora:ink:1:1:8>: expected <lora:NAME>, <lora:NAME:WEIGHT>"),
        ("<lora:ink:dyn=8>", "expected <lora:NAME>"),
    ],
)
def test_what_cannot_be_done_is_refused(tag: str, message: str) -> None:
    with pytest.raises(OptionsError, match=message):
        split_lora_tags(f"a {tag}")


def _save(path: Path, output_name: str = "") -> Path:
    """A file with the header of a LoRA by kohya's scripts."""
    path.parent.mkdir(parents=True, exist_ok=True)
    header = json.dumps({"__metadata__": {"ss_output_name": output_name}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    return path


def _find(folder: Path, *names: str) -> list[Path]:
    tags = [LoraTag(name, 0.5, 1) for name in names]
    return [file.path for file in find_lora_files(tags, folder)]


def test_a_file_goes_by_its_stem_or_the_name_in_it(tmp_path: Path) -> None:
    ink = _save(tmp_path / "ink v1.2.safetensors", "oil")
    oil = _save(tmp_path / "styles" / "oil.pt")
    wash = _save(tmp_path / "styles" / "x.safetensors", "wash")
    (tmp_path / "wash.txt").touch()
    (tmp_path / "broken.safetensors").write_bytes(b"\x05\0\0\0\0\0\0\0{")
    assert _find(tmp_path, "ink v1.2", "oil", "wash") == [ink, oil, wash]
    tags = (LoraTag("oil", 0.5, 1),)
    assert find_lora_files(tags, tmp_path) == (TaggedLora(oil, 0.5, 1),)


def test_a_missing_or_ambiguous_name_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no LoRA called 'ink'; it has no file that ends in"):
        _find(tmp_path, "ink")
    _save(tmp_path / "inky.safetensors")
    with pytest.raises(InputError, match="holds no LoRA called 'ink'; did you mean 'inky'"):
        _find(tmp_path, "ink")
    with pytest.raises(InputError, match="holds no LoRA called 'zz'; it holds inky"):
        _find(tmp_path, "zz")
    _save(tmp_path / "a" / "ink.safetensors")
    _save(tmp_path / "b" / "ink.pt")
    with pytest.raises(InputError, match=r"2 LoRAs are called 'ink': .*a/ink\.safetensors and"):
        _find(tmp_path, "ink")
    with pytest.raises(InputError, match="gone: not found; lora-dir is the folder"):
        _find(tmp_path / "gone", "ink")
