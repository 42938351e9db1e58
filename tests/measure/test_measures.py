"""Each measure against a clip that is made worse by a known amount, and the others beside it."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator

import cv2
import numpy as np
import pytest
from measure_samples import (
    COUNT,
    HALF,
    HEIGHT,
    KEYS,
    WIDTH,
    clean_frames,
    curves_of,
    filmed_frames,
    paint_frames,
    shifted,
)

from kadr.core.events import follow
from kadr.core.frames import Image
from kadr.measure.frames import KeySource, Pair, measure_frames
from kadr.measure.summary import Measure, summarize
from scenes import sliding

CLEAN = clean_frames()
FILMED = filmed_frames(CLEAN)
PAINTED = paint_frames(CLEAN)

Measures = dict[str, Measure]


def _measured(output: list[Image]) -> Measures:
    return summarize(curves_of(FILMED, output, PAINTED))


@pytest.fixture(scope="module")
def faithful() -> Measures:
    return _measured(PAINTED)


def _nearest_key(index: int) -> Image:
    return PAINTED[min(KEYS, key=lambda key: abs(key - index))]


def _flicker() -> list[Image]:
    """Four levels up and down where the input stands still."""
    return [shifted(im, 4 * (i % 2), slice(0, HALF)) for i, im in enumerate(PAINTED)]


def _slide() -> list[Image]:
    """Strokes stay where they are on the screen while the scene moves."""
    return paint_frames(CLEAN, slides=True)


def _ghost() -> list[Image]:
    """A quarter of each frame is the nearest key, unmoved."""
    return [cv2.addWeighted(im, 0.75, _nearest_key(i), 0.25, 0) for i, im in enumerate(PAINTED)]


def _blur() -> list[Image]:
    return [cv2.GaussianBlur(image, (0, 0), 0.8) for image in PAINTED]


def _jump() -> list[Image]:
    """From frame 4 to 6, away from the keys, everything is twelve levels brighter."""
    return [shifted(image, 12 * (4 <= i <= 6)) for i, image in enumerate(PAINTED)]


def _visible_keys() -> list[Image]:
    """The keys are three levels brighter than what lies between them."""
    return [shifted(image, 3 * (i in KEYS)) for i, image in enumerate(PAINTED)]


def _new_strokes() -> list[Image]:
    """The keys have a fine pattern of ±6 levels that nothing else has."""
    y, x = np.indices(PAINTED[0].shape[:2])
    pattern = 6.0 - 12.0 * ((x + y) % 2)[..., None]
    return [shifted(image, pattern * (i in KEYS)) for i, image in enumerate(PAINTED)]


def _tint() -> list[Image]:
    """All frames are eight levels brighter than the keys."""
    return [shifted(image, 8) for image in PAINTED]


def _mirror() -> list[Image]:
    """What stands still is painted the wrong way round."""
    return [np.vstack([image[:HALF, ::-1], image[HALF:]]) for image in PAINTED]


TOLERANCES = {
    "warp": 0.1,
    "flicker": 0.05,
    "key_colour": 0.15,
    "key_texture": 0.1,
    "ghosting": 0.03,
    "style_colour": 0.25,
    "style_texture": 0.2,
    "detail": 0.8,
    "structure": 0.01,
    "jump": 0.05,
}
"""What each measure may change by when nothing happened that it is about."""

DEFECTS: dict[Callable[[], list[Image]], tuple[str, float, float, set[str]]] = {
    # what is wrong  the measure, what it reads: least and most, and what must change with it
    _flicker:      ("flicker", 3.95, 4.05, {"warp", "style_colour"}),
    _slide:        ("warp", 3.4, 3.7, set()),
    _ghost:        ("ghosting", 0.23, 0.28, {"warp", "jump", "detail", "style_colour",
                                             "style_texture"}),
    _blur:         ("detail", 7.0, 7.6, {"warp", "style_colour", "style_texture"}),
    _jump:         ("jump", 1.8, 1.95, {"warp", "flicker", "style_colour"}),
    _visible_keys: ("key_colour", 8.5, 10.0, {"warp", "flicker", "jump", "style_colour"}),
    _new_strokes:  ("key_texture", 6.5, 8.0, {"warp", "flicker", "jump", "detail",
                                              "style_texture"}),
    _tint:         ("style_colour", 7.5, 8.1, set()),
    _mirror:       ("structure", -0.3, -0.2, {"detail"}),  # a seam
}  # fmt: skip


def _value(measures: Measures, name: str) -> float:
    measure = measures[name]
    value = measure.worst if name == "jump" else measure.mean
    assert value is not None
    return value


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.__name__.strip("_"))
def test_a_defect_moves_its_measure_and_no_other(
    faithful: Measures, defect: Callable[[], list[Image]]
) -> None:
    measures = _measured(defect())
    name, least, most, also = DEFECTS[defect]
    assert least < _value(measures, name) < most
    moved = {
        other
        for other, tolerance in TOLERANCES.items()
        if abs(_value(measures, other) - _value(faithful, other)) > tolerance
    }
    assert moved - also == {name}


def test_a_faithful_painting_is_beside_the_film_and_the_keys(faithful: Measures) -> None:
    assert faithful["warp"].ratio == pytest.approx(0.55, abs=0.15), "0.55 of the film's contrast"
    assert faithful["flicker"].mean == 0
    assert faithful["flicker"].beside == pytest.approx(0.89, abs=0.05), "noise of one level"
    assert faithful["detail"].ratio == pytest.approx(1, abs=0.03)
    assert faithful["structure"].ratio == pytest.approx(1, abs=0.03)
    assert faithful["key_colour"].beside == pytest.approx(1, abs=0.15)
    assert _value(faithful, "ghosting") < 0.03
    assert faithful["psnr"].mean == 99
    assert faithful["ssim"].mean == pytest.approx(1)


def test_the_worst_frame_is_named() -> None:
    measures = _measured(_jump())
    assert measures["jump"].worst_position in (4, 7)
    assert measures["warp"].worst_position in (4, 7)
    late_blur = [cv2.GaussianBlur(im, (0, 0), 1) if i == 13 else im for i, im in enumerate(PAINTED)]
    measures = _measured(late_blur)
    assert measures["detail"].worst_position == 13
    assert measures["psnr"].worst_position == 13
    assert measures["psnr"].better == "higher"


def test_a_measure_that_cannot_be_made_says_why() -> None:
    moving = [image[HALF:] for image in FILMED]
    painted = [image[HALF:] for image in PAINTED]
    measures = summarize(curves_of(moving, painted))
    assert measures["flicker"].mean is None
    assert "of the input stands still" in measures["flicker"].missing
    for name in ("ghosting", "style_colour", "style_texture", "key_colour", "key_texture"):
        assert measures[name].mean is None
        assert measures[name].missing == "needs keys"
    assert measures["psnr"].missing == measures["ssim"].missing == "needs a truth"
    assert measures["detail"].beside_name == "input"
    assert measures["structure"].beside is None


def test_a_still_clip_has_flicker_and_no_ghosts() -> None:
    still = [PAINTED[0]] * 6
    levels = [shifted(image, 4 * (i % 2)) for i, image in enumerate(still)]
    measures = summarize(curves_of(still, levels, still, keys=(0,)))
    assert measures["flicker"].mean == pytest.approx(4, abs=0.1)
    assert measures["flicker"].beside == 0
    assert measures["flicker"].ratio is None
    assert "differ too little" in measures["ghosting"].missing


def test_keys_on_every_frame_have_nothing_to_stand_out_from() -> None:
    measures = summarize(curves_of(FILMED[:4], PAINTED[:4], PAINTED[:4], keys=range(4)))
    assert "no frames away from the keys" in measures["key_colour"].missing


def test_one_frame_has_no_change() -> None:
    measures = summarize(curves_of(FILMED[:1], PAINTED[:1], PAINTED[:1], keys=(0,)))
    for name in ("warp", "flicker", "jump", "key_colour"):
        assert measures[name].missing == "needs two frames"
    assert measures["detail"].ratio == 1


def test_nothing_is_measured_across_a_cut() -> None:
    other = sliding(4, 1.0, height=HEIGHT, width=WIDTH, seed=7)
    curves = curves_of([*CLEAN[:4], *other], [*PAINTED[:4], *other])
    assert curves.cuts == [4]
    assert curves.output.warp[4] is curves.filmed.step[4] is None
    warp = summarize(curves)["warp"].worst
    assert warp is not None
    assert warp < 5


def test_exact_keys_are_counted() -> None:
    curves = curves_of(FILMED, [*PAINTED[:-1], shifted(PAINTED[-1], 1)], PAINTED)
    assert curves.exact_keys == len(KEYS) - 1
    assert len(curves) == COUNT


def test_only_two_frames_are_in_memory_at_a_time() -> None:
    alive: list[weakref.ref[Pair]] = []

    def pairs() -> Iterator[Pair]:
        for filmed, output in zip(FILMED, PAINTED, strict=True):
            pair = Pair(filmed, output)
            alive.append(weakref.ref(pair))
            yield pair
            del pair
            assert sum(reference() is not None for reference in alive) <= 2

    source = KeySource(KEYS, lambda key: PAINTED[key], lambda key: FILMED[key])
    follow(measure_frames(pairs(), source))
    assert len(alive) == COUNT
