"""Path and weight of an addition."""

from __future__ import annotations

from pathlib import Path

import pytest

from kadr.errors import OptionsError
from kadr.stylize.diffusion.model.location import split_path_and_weight


@pytest.mark.parametrize(
    ("text", "path", "weight"),
    [
        ("a/b.safetensors", "a/b.safetensors", 1.0),
        ("a/b.safetensors:0.7", "a/b.safetensors", 0.7),
        ("C:/x.safetensors:-1", "C:/x.safetensors", -1.0),
        ("C:/x.safetensors", "C:/x.safetensors", 1.0),
    ],
)
def test_weight_after_a_colon(text: str, path: str, weight: float) -> None:
    assert split_path_and_weight(text) == (Path(path), weight)


def test_a_weight_that_is_no_number(tmp_path: Path) -> None:
    (tmp_path / "style.safetensors").touch()
    with pytest.raises(OptionsError, match="weight 'much': expected a number"):
        split_path_and_weight(f"{tmp_path}/style.safetensors:much")
