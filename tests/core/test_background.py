"""What the user may write for a background."""

from __future__ import annotations

from pathlib import Path

import pytest

from kadr.core.background import Background, parse_background
from kadr.errors import OptionsError


def test_film_and_nothing() -> None:
    assert parse_background("film").is_film
    assert parse_background(" Transparent ") == Background(transparent=True)


@pytest.mark.parametrize(
    ("text", "colour"),
    [("#204080", (32, 64, 128)), ("#FFF", (255, 255, 255)), ("lime", (0, 255, 0)),
     ("Grey", (128, 128, 128))],
)  # fmt: skip
def test_colours(text: str, colour: tuple[int, int, int]) -> None:
    assert parse_background(text) == Background(colour=colour)


@pytest.mark.parametrize("text", ["b.png", "./folder", "a/b", "clip_%05d.png", "C:\\film.mp4"])
def test_paths(text: str) -> None:
    background = parse_background(text)
    assert background.path == Path(text)
    assert not background.is_film


def test_a_path_from_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/x")
    assert parse_background("~/b.png").path == Path("/home/x/b.png")


@pytest.mark.parametrize("text", ["", "#12", "#12345g", "#1.2", "flim", "nothing", "greenish"])
def test_other_words_are_refused(text: str) -> None:
    with pytest.raises(OptionsError, match="expected film, transparent, a colour such as #204080"):
        parse_background(text)
