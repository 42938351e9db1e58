"""Going over finished frames: only where no key explains them, resumable, hand-made ones kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
import pytest

from kadr.core.events import CancelToken
from kadr.errors import Cancelled, OptionsError
from kadr.files import read_image, write_image
from kadr.options import RunOptions, option
from kadr.pipeline import RunResult, restyle
from kadr.stylize.base import StyledFrame, StylizeContext, StylizeJob
from scenes import texture, write_sequence

COUNT, HEIGHT, WIDTH = 9, 96, 128
RED = np.array([255, 0, 0], np.uint8)


@dataclass(frozen=True)
class _Options:
    denoising_strength: float = option(0.8, "how far")


class Red:
    """Turns frames into their negatives; at low strength paints masked places red."""

    Options: ClassVar[type[_Options]] = _Options
    VERSION = 1
    name = "red"
    joint = False
    sequential = False
    max_batch = 2
    again: ClassVar[list[int]] = []
    cancel: ClassVar[CancelToken | None] = None

    def __init__(self, options: _Options) -> None:
        self._low = options.denoising_strength < 0.5

    def stylize(
        self, jobs: Iterator[StylizeJob], context: StylizeContext
    ) -> Iterator[list[StyledFrame]]:
        for job in jobs:
            context.cancel.check()
            image = 255 - job.frame.rgb
            if self._low:
                mask = context.mask(job.index)
                assert mask is not None
                image = np.where(mask[..., None], RED, job.frame.rgb)
                Red.again.append(job.index)
                if Red.cancel is not None and len(Red.again) > 2:
                    Red.cancel.cancel()
            yield [StyledFrame(job.index, image, {"parameters": f"again {self._low}\nSteps: 1"})]


@pytest.fixture(autouse=True)
def _red(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("kadr.render.keyframes", "kadr.render.refine"):
        monkeypatch.setattr(f"{name}.create_stylizer", _make)
    monkeypatch.setattr("kadr.render.refine.stylizer_options", lambda name: _Options)
    Red.again, Red.cancel = [], None


def _make(name: str, **options: Any) -> Red:
    return Red(_Options(**options))


@pytest.fixture(scope="module")
def images() -> list[np.ndarray]:
    """A still picture, in which a bright disc is seen in the middle frames only."""
    still = texture(HEIGHT, WIDTH, seed=4)
    shown = []
    for index in range(COUNT):
        image = still.copy()
        if 3 <= index <= 5:
            cv2.circle(image, (40, 48), 16, (250, 250, 20), -1)
        shown.append(image)
    return shown


@pytest.fixture
def clip(tmp_path: Path, images: list[np.ndarray]) -> Path:
    return write_sequence(tmp_path / "clip", images, 1)


def _options(clip: Path, **more: Any) -> RunOptions:
    place = clip.parent
    known = {"output": place / "out", "work": place / "work", "overwrite": True}
    known |= {"every_frame": True, "every": 8, "ignore_cuts": True, "refine": 0.2}
    return RunOptions(clip=clip, stylizer="paint", **(known | more))


def _run(clip: Path, **more: Any) -> tuple[RunResult, list[np.ndarray]]:
    result = restyle(_options(clip, **more))
    return result, [read_image(path) for path in sorted(Path(result.output).glob("*.png"))]


def test_what_no_key_explains_is_made_again_and_nothing_else(clip: Path) -> None:
    result, plain = _run(clip, refine=None, output=clip.parent / "plain")
    assert result.keys == (0, 8)
    _, made = _run(clip)
    assert Red.again == [3, 4, 5]
    for index, (image, before) in enumerate(zip(made, plain, strict=True)):
        if index not in Red.again:
            assert np.array_equal(image, before)
            continue
        assert np.abs(image[44:52, 36:44].astype(int) - RED).mean() < 40, "the disc"
        assert np.array_equal(image[:, 90:], before[:, 90:]), "carried well: to the last bit"
        changed = (image != before).any(axis=2)
        assert 0.05 < changed.mean() < 0.3


def test_a_stopped_run_goes_on_and_a_whole_one_is_not_made_again(clip: Path) -> None:
    _, whole = _run(clip, work=clip.parent / "elsewhere")
    Red.again.clear()
    Red.cancel = CancelToken()
    with pytest.raises(Cancelled):
        restyle(_options(clip), cancel=Red.cancel)
    Red.cancel, Red.again = None, []
    _, made = _run(clip)
    assert 0 < len(Red.again) < 3
    assert all(np.array_equal(one, other) for one, other in zip(whole, made, strict=True))
    Red.again.clear()
    _run(clip)
    assert Red.again == []
    _run(clip, refine_strength=0.2)
    assert Red.again == [3, 4, 5]


def test_frames_changed_by_hand_stay(clip: Path, images: list[np.ndarray]) -> None:
    _run(clip)
    Red.again.clear()
    write_image(clip.parent / "work" / "frames" / "frame_00005.png", images[0] // 2)
    _, made = _run(clip)
    assert Red.again == []
    assert np.array_equal(made[4], images[0] // 2)


def test_options_that_do_not_fit_are_refused(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OptionsError, match=r"refine 0\.2: is for a stylizer that makes keys"):
        RunOptions(clip=clip, output="o", keys=(Path("k"),), refine=0.2)
    with pytest.raises(
        OptionsError, match=r"refine 0\.2: is for propagated frames, and every-frame"
    ):
        _options(clip, every=1)
    with pytest.raises(OptionsError, match=r"refine-strength 0\.5: is for refine; give that too"):
        _options(clip, refine=None, refine_strength=0.5)
    with pytest.raises(OptionsError, match="refine: needs work files that work-limit deletes"):
        _options(clip, work_limit=10**9)
    monkeypatch.undo()
    with pytest.raises(OptionsError, match="stylizer paint has no denoising-strength to lower"):
        _run(clip)
