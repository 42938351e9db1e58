"""Found noise in files."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from stylize_samples import picture

from kadr.errors import OutputError
from kadr.stylize.diffusion.noise_cache import NoiseCache


def test_noise_comes_back_for_its_picture_and_facts_only(tmp_path: Path) -> None:
    noise = torch.randn(4, 6, 8, generator=torch.Generator().manual_seed(0))
    cache = NoiseCache(tmp_path / "noise", "model a; refined")
    assert cache.get(picture()) is None
    cache.put(picture(), noise)
    found = NoiseCache(tmp_path / "noise", "model a; refined").get(picture())
    assert found is not None
    assert torch.equal(found, noise)
    assert cache.get(picture(seed=1)) is None
    assert NoiseCache(tmp_path / "noise", "model b; refined").get(picture()) is None
    assert [path.suffix for path in (tmp_path / "noise").iterdir()] == [".npy"]


@pytest.mark.parametrize("damage", [b"", b"nonsense", None])
def test_what_is_damaged_counts_as_not_found(tmp_path: Path, damage: bytes | None) -> None:
    cache = NoiseCache(tmp_path, "facts")
    cache.put(picture(), torch.full((4, 6, 8), float("nan") if damage is None else 0))
    (path,) = tmp_path.iterdir()
    if damage is not None:
        path.write_bytes(damage)
    assert cache.get(picture()) is None


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "noise").write_text("")
    with pytest.raises(OutputError, match="noise"):
        NoiseCache(tmp_path / "noise", "facts").put(picture(), torch.zeros(4, 6, 8))
