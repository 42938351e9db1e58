"""The cache of inverted noise on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from stylize_samples import picture

from kadr.errors import OutputError
from kadr.stylize.diffusion.noise_cache import (
    NoiseCache,
    collect_file_stats,
    describe_inversion,
)
from kadr.stylize.diffusion.options import DiffusionOptions
from kadr.stylize.diffusion.sampling.inversion import Inversion


def test_noise_is_cached_for_its_image_and_settings_only(tmp_path: Path) -> None:
    noise = torch.randn(4, 6, 8, generator=torch.Generator().manual_seed(0))
    cache = NoiseCache(tmp_path / "noise", "model a; refined")
    assert cache.get(picture()) is None
    cache.put(noise, picture())
    found = NoiseCache(tmp_path / "noise", "model a; refined").get(picture())
    assert found is not None
    assert torch.equal(found, noise)
    assert cache.get(picture(seed=1)) is None
    mask = np.zeros((48, 64), np.uint8)
    assert cache.get(picture(), mask) is None, "an inpainting model sees the mask"
    cache.put(noise + 1, picture(), mask)
    assert torch.equal(cache.get(picture(), mask), noise + 1)
    assert cache.get(picture(), mask + 1) is None
    assert NoiseCache(tmp_path / "noise", "model b; refined").get(picture()) is None
    assert [path.suffix for path in (tmp_path / "noise").iterdir()] == [".npy"] * 2


def test_a_file_replaced_under_its_name_is_another(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    path = tmp_path / "model" / "style.safetensors"
    path.write_bytes(b"one")
    before = collect_file_stats(path), collect_file_stats(tmp_path / "model")
    assert (collect_file_stats(path), collect_file_stats(tmp_path / "model")) == before
    path.write_bytes(b"other")
    assert collect_file_stats(path) != before[0]
    assert collect_file_stats(tmp_path / "model") != before[1]


def test_the_loras_of_a_prompt_decide_noise_and_its_words_do_not(tmp_path: Path) -> None:
    (tmp_path / "ink.pt").write_bytes(b"one")
    values = {"model": "m", "inversion": "plain", "lora_dir": tmp_path}

    def describe(prompt: str) -> str:
        return describe_inversion(None, DiffusionOptions(prompt=prompt, **values), Inversion())

    assert describe("a [cat|dog]") == describe("b AND c")
    tagged = describe("a <lora:ink:1>")
    assert len({describe("a"), tagged, describe("a <lora:ink:0.5>")}) == 3
    (tmp_path / "ink.pt").write_bytes(b"other")
    assert describe("a <lora:ink:1>") != tagged


@pytest.mark.parametrize("damage", [b"", b"nonsense", None])
def test_a_damaged_file_counts_as_missing(tmp_path: Path, damage: bytes | None) -> None:
    cache = NoiseCache(tmp_path, "facts")
    cache.put(torch.full((4, 6, 8), float("nan") if damage is None else 0), picture())
    (path,) = tmp_path.iterdir()
    if damage is not None:
        path.write_bytes(damage)
    assert cache.get(picture()) is None


def test_a_flipped_bit_counts_as_missing(tmp_path: Path) -> None:
    cache = NoiseCache(tmp_path, "facts")
    cache.put(torch.ones(4, 6, 8), picture())
    (path,) = tmp_path.iterdir()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert cache.get(picture()) is None


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "noise").write_text("")
    with pytest.raises(OutputError, match="noise"):
        NoiseCache(tmp_path / "noise", "facts").put(torch.zeros(4, 6, 8), picture())


def test_noise_of_other_noise_levels_is_not_reused() -> None:
    options = {"model": "m", "inversion": "refined", "prediction": "v_prediction"}
    descriptions = [
        describe_inversion(None, DiffusionOptions(**options, zero_terminal_snr=value), None)
        for value in ("yes", "no", "auto")
    ]
    assert len(set(descriptions)) == 3
    rescaled = DiffusionOptions(**options, cfg_rescale=0.7)
    assert describe_inversion(None, rescaled, None) == descriptions[2], "it changes sampling alone"
