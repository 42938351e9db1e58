"""Runs whose keys several hands painted: matched, in one style, or left as they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from kadr import OptionsError, RunOptions
from kadr.core.events import Event, follow
from kadr.dry_run import make_dry_run
from kadr.image_files import read_image, write_image
from kadr.pipeline import restyle
from kadr.report.record import read_record
from scenes import texture, write_sequence

COUNT, HEIGHT, WIDTH = 13, 96, 128
KEYS = (0, 6, 12)
MOUTH, TEETH = np.s_[52:64, 26:54], np.s_[55:61, 30:50]
BALL = np.s_[36:50, 104:118]
"""Of the ball on the last frame."""
GAINS = {0: (1.0, 1.0, 1.0), 6: (1.18, 0.95, 0.75), 12: (0.8, 1.0, 1.2)}

Run = Callable[..., list[np.ndarray]]


def _film() -> list[np.ndarray]:
    """A wall with a mouth that shows its teeth in the middle; at the end a ball comes in."""
    wall = cv2.GaussianBlur(texture(HEIGHT, WIDTH, seed=3), (0, 0), 2.5)
    wall = (0.5 * wall + np.array([110, 85, 70])).astype(np.uint8)
    images = []
    for index in range(COUNT):
        image = wall.copy()
        image[MOUTH] = (60, 20, 20)
        if 4 <= index <= 8:
            image[TEETH] = (250, 245, 235)
        if index >= 9:
            cv2.circle(image, (111 + 8 * (12 - index), 43), 11, (70, 100, 180), -1, cv2.LINE_AA)
        images.append(image)
    return images


FILM = _film()


def _hand(image: np.ndarray, gain: tuple[float, float, float], seed: int) -> np.ndarray:
    strokes = np.random.default_rng(seed).standard_normal((HEIGHT, WIDTH, 1))
    strokes = 6 * cv2.GaussianBlur(strokes, (0, 0), 0.8)[..., None]
    return np.clip(image * np.array(gain) * 0.8 + 15 + strokes, 0, 255).astype(np.uint8)


def _keys() -> dict[int, np.ndarray]:
    return {key: _hand(FILM[key], GAINS[key], key) for key in KEYS}


def _as_reference(index: int) -> np.ndarray:
    """What the hand of the first key would have painted."""
    return _hand(FILM[index], GAINS[0], 0)


@pytest.fixture
def paths(tmp_path: Path) -> tuple[Path, Path]:
    """The clip and the folder of its keys."""
    clip = write_sequence(tmp_path / "clip", FILM)
    for key, image in _keys().items():
        write_image(tmp_path / "keys" / f"{key}.png", image)
    return clip, tmp_path / "keys"


@pytest.fixture
def options(tmp_path: Path, paths: tuple[Path, Path]) -> Callable[..., RunOptions]:
    """Options of a run of the scene."""

    def make(**values: Any) -> RunOptions:
        clip, keys = paths
        values = {"keys": (keys,), **values}
        return RunOptions(
            clip, tmp_path / "out", work=tmp_path / "work", overwrite=True, ignore_cuts=True,
            **values,
        )  # fmt: skip

    return make


@pytest.fixture
def run(tmp_path: Path, options: Callable[..., RunOptions]) -> Run:
    """Run the scene; returns the finished frames."""

    def restyled(messages: list[str] | None = None, **values: Any) -> list[np.ndarray]:
        def note(event: Event) -> None:
            if event.message and messages is not None:
                messages.append(event.message)

        restyle(options(**values), on_event=note)
        return [read_image(path) for path in sorted((tmp_path / "out").glob("*.png"))]

    return restyled


def _distance(image: np.ndarray, index: int, part: Any = np.s_[:, :]) -> float:
    """Mean difference from what the first key's hand would have painted, without fine strokes."""
    blurred = (
        cv2.GaussianBlur(picture, (0, 0), 1.5).astype(np.float32)
        for picture in (image, _as_reference(index))
    )
    difference = np.abs(np.subtract(*blurred))
    return float(difference[part].mean())


def test_keys_are_exact_unless_they_are_matched(run: Run) -> None:
    messages: list[str] = []
    frames = run(messages)
    for key, painted in _keys().items():
        np.testing.assert_array_equal(frames[key], painted)
    (offer,) = [text for text in messages if "several hands" in text]
    assert "--match-keys 1 matches their colours, --one-style FRAME" in offer
    assert not [text for text in messages if "own paint" in text]


def test_no_offer_where_somebody_decided(run: Run) -> None:
    messages: list[str] = []
    run(messages, match_keys=0.0)
    assert not [text for text in messages if "several hands" in text]


def test_matched_keys_have_the_colours_of_the_reference(run: Run, paths: tuple[Path, Path]) -> None:
    before = {path.name: path.read_bytes() for path in paths[1].iterdir()}
    frames = run(match_keys=1.0, reference_key=0)
    np.testing.assert_array_equal(frames[0], _keys()[0])
    for key in (6, 12):
        unmatched = _distance(_keys()[key], key)
        assert unmatched > 8
        assert _distance(frames[key], key) < 0.35 * unmatched
    assert {path.name: path.read_bytes() for path in paths[1].iterdir()} == before


def test_without_a_reference_keys_meet(run: Run) -> None:
    frames = run(match_keys=1.0)
    wall = np.s_[70:, :80]

    def spread(images: list[np.ndarray]) -> float:
        means = [image[wall].reshape(-1, 3).mean(axis=0) for image in images]
        return float(np.ptp(means, axis=0).max())

    assert spread([frames[key] for key in KEYS]) < 0.35 * spread(list(_keys().values()))


def test_one_style_keeps_what_only_other_keys_show(run: Run, tmp_path: Path) -> None:
    messages: list[str] = []
    frames = run(messages, one_style=0)
    # the teeth of the second key and the ball of the third, in the first one's colours
    assert frames[6][TEETH].mean() > frames[0][TEETH].mean() + 80
    assert _distance(frames[6], 6, TEETH) < 0.5 * _distance(_keys()[6], 6, TEETH)
    ball = frames[12][BALL].reshape(-1, 3).mean(axis=0)
    assert ball[2] > ball[0] + 40
    assert _distance(frames[12], 12, BALL) < 0.75 * _distance(_keys()[12], 12, BALL)
    for key in (6, 12):
        assert _distance(frames[key], key) < 0.35 * _distance(_keys()[key], key)
    # the strokes of the wall are the first key's
    wall = np.s_[70:, :80]
    strokes = [cv2.Laplacian(image[wall][..., 1], cv2.CV_32F) for image in (frames[12], frames[0])]
    assert np.corrcoef(strokes[0].ravel(), strokes[1].ravel())[0, 1] > 0.9
    (told,) = [text for text in messages if "own paint of the other keys" in text]
    assert "one style, that of key 0" in told
    record = read_record(tmp_path / "work" / "run.json")
    assert record is not None
    assert record.shares is not None
    shares = {key: np.array(record.shares[str(key)]) for key in KEYS}
    np.testing.assert_allclose(sum(shares.values()), 1, atol=0.001)
    assert 0.005 < shares[6][6] < 0.2
    assert 0.005 < shares[12][12] < 0.25
    assert shares[0].min() > 0.7
    assert shares[6][12] == 0


def test_a_second_run_makes_nothing_and_a_repainted_key_only_its_own(
    options: Callable[..., RunOptions], paths: tuple[Path, Path]
) -> None:
    first = restyle(options(one_style=0))
    assert first.computed > 0
    prediction = follow(make_dry_run(options(one_style=0)))
    assert (prediction.pass_frames, prediction.finished) == (0, 0)
    assert restyle(options(one_style=0)).computed == 0
    repainted = _hand(FILM[12], (0.7, 1.1, 1.2), 50)
    write_image(paths[1] / "12.png", repainted)
    prediction = follow(make_dry_run(options(one_style=0)))
    assert {item.key for item in prediction.passes} == {12}
    assert restyle(options(one_style=0)).computed == 5


def test_what_is_transparent_stays(run: Run, paths: tuple[Path, Path]) -> None:
    alpha = np.full((HEIGHT, WIDTH, 1), 255, np.uint8)
    alpha[:20] = 0
    for key, image in _keys().items():
        write_image(paths[1] / f"{key}.png", np.concatenate([image, alpha], axis=2))
    frames = run(one_style=0)
    np.testing.assert_array_equal(frames[6][:19], FILM[6][:19])
    assert _distance(frames[6], 6, np.s_[30:]) < 0.5 * _distance(_keys()[6], 6)


def test_keys_with_nothing_in_common_are_left_out(tmp_path: Path, run: Run) -> None:
    other = cv2.GaussianBlur(texture(HEIGHT, WIDTH, seed=77), (0, 0), 1.5)
    film = [*FILM[:7], *(other for _ in range(6))]
    write_sequence(tmp_path / "clip", film)
    write_image(tmp_path / "keys" / "12.png", _hand(other, GAINS[12], 12))
    messages: list[str] = []
    frames = run(messages, match_keys=1.0, reference_key=0)
    np.testing.assert_array_equal(frames[12], _hand(other, GAINS[12], 12))
    assert any("key 12 has too little in common with key 0; left as painted" in m for m in messages)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"one_style": 5}, "one-style 5: is no key; the keys are 0, 6, 12"),
        ({"reference_key": 99}, "reference-key 99: is no key; the keys are 0, 6, 12"),
    ],
)
def test_a_reference_has_to_be_a_key(run: Run, values: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionsError, match=message):
        run(**values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"match_keys": 1.0}, "match-keys 1.0: there is only one key"),
        ({"one_style": 0}, "one-style 0: there is only one key"),
        ({"reference_key": 0}, "reference-key 0: there is only one key"),
    ],
)
def test_one_key_cannot_be_matched(
    run: Run, paths: tuple[Path, Path], values: dict[str, Any], message: str
) -> None:
    for key in (6, 12):
        (paths[1] / f"{key}.png").unlink()
    with pytest.raises(OptionsError, match=message):
        run(**values)


def test_keys_of_a_stylizer_that_agree_stay_exact(run: Run) -> None:
    messages: list[str] = []
    values: dict[str, Any] = {"keys": (), "stylizer": "paint", "keys_budget": 3}
    frames = run(messages, **values)
    assert not [text for text in messages if "several hands" in text]
    for frame, exact in zip(frames, run(**values, match_keys=0.0), strict=True):
        np.testing.assert_array_equal(frame, exact)
