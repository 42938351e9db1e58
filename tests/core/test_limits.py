"""Limits of what is read: defaults, the environment variable, and what the messages say."""

from __future__ import annotations

import pytest

from kadr.core.limits import (
    MAX_PIXELS_VARIABLE,
    check_animation,
    check_file_bytes,
    check_size,
    max_pixels,
)
from kadr.errors import InputError, OptionsError


def test_the_default_is_200_megapixels() -> None:
    check_size("a.png", 20_000, 10_000)
    with pytest.raises(InputError, match=r"a\.png: 20001×10000 pixels .*limit of 200,000,000"):
        check_size("a.png", 20_001, 10_000)


def test_the_message_says_a_value_that_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    for check in (
        lambda: check_size("a", 30_000, 30_000),
        lambda: check_animation("a", 13_000, 13_000, 200, 4_620),
        lambda: check_animation("a", 8, 8, 10_001, 4_620),
        lambda: check_file_bytes("a", 10**11),
    ):
        monkeypatch.delenv(MAX_PIXELS_VARIABLE, raising=False)
        with pytest.raises(InputError, match=f"{MAX_PIXELS_VARIABLE}=[0-9]+ ?") as caught:
            check()
        assert "\n" not in str(caught.value)
        value = str(caught.value).split(f"{MAX_PIXELS_VARIABLE}=")[1].split(" ")[0]
        monkeypatch.setenv(MAX_PIXELS_VARIABLE, value)
        check()


def test_the_variable_can_lower_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MAX_PIXELS_VARIABLE, " 100 ")
    check_size("a", 10, 10)
    with pytest.raises(InputError, match="11×10"):
        check_size("a", 11, 10)


@pytest.mark.parametrize("value", ["0", "-1", "2e8", "200M", "1_000", "٣", "9" * 5000, "1.5"])
def test_other_values_of_the_variable_are_refused(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv(MAX_PIXELS_VARIABLE, value)
    with pytest.raises(OptionsError, match=f"{MAX_PIXELS_VARIABLE} .*expected a whole number"):
        max_pixels()


def test_an_empty_variable_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MAX_PIXELS_VARIABLE, "")
    assert max_pixels() == 200_000_000


@pytest.mark.parametrize("size", [(0, 5), (5, 0), (-5, 5)])
def test_no_pixels_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(InputError, match=f"{size[0]}×{size[1]}"):
        check_size("a.png", *size)


def test_a_long_animation_of_a_proportionate_file_is_read() -> None:
    """A minute of Full HD is 12 GB decoded; a real file of it has some megabytes."""
    check_animation("a.webp", 1920, 1080, 1500, 30_000_000)
    with pytest.raises(InputError, match=r"12\.4 GB decoded"):
        check_animation("a.webp", 1920, 1080, 1500, 5_000)
