"""Refine finished frames: only where no key covers them, with resume, edited frames kept."""

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
from kadr.image_files import read_image, write_image
from kadr.option_fields import option
from kadr.options import RunOptions
from kadr.pipeline import RunResult, restyle
from kadr.storage.frame_folder import FrameFolder
from kadr.stylize.base import StyledFrame, StylizeContext, StylizeJob
from scenes import texture, write_sequence

COUNT, HEIGHT, WIDTH = 9, 96, 128
RED = np.array([255, 0, 0], np.uint8)


@dataclass(frozen=True)
class _Options:
    denoising_strength: float = option(0.8, "how much frames change")


class Red:
    """Inverts frames; at a low strength it paints the masked pixels red."""

    Options: ClassVar[type[_Options]] = _Options
    VERSION = 1
    name = "red"
    joint = False
    sequential = False
    max_batch = 2
    refined: ClassVar[list[int]] = []
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
                Red.refined.append(job.index)
                if Red.cancel is not None and len(Red.refined) > 2:
                    Red.cancel.cancel()
            yield [StyledFrame(job.index, image, {"parameters": f"refined {self._low}\nSteps: 1"})]


@pytest.fixture(autouse=True)
def _use_red(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("kadr.render.keyframes", "kadr.render.refine"):
        monkeypatch.setattr(f"{name}.create_stylizer", _create_red)
    monkeypatch.setattr("kadr.render.refine.stylizer_options", lambda name: _Options)
    Red.refined, Red.cancel = [], None


def _create_red(name: str, **options: Any) -> Red:
    return Red(_Options(**options))


@pytest.fixture(scope="module")
def images() -> list[np.ndarray]:
    """A still image with a bright disc in the middle frames only."""
    still = texture(HEIGHT, WIDTH, seed=4)
    frames = []
    for index in range(COUNT):
        image = still.copy()
        if 3 <= index <= 5:
            cv2.circle(image, (40, 48), 16, (250, 250, 20), -1)
        frames.append(image)
    return frames


@pytest.fixture
def clip(tmp_path: Path, images: list[np.ndarray]) -> Path:
    return write_sequence(tmp_path / "clip", images, 1)


def _options(clip: Path, **changes: Any) -> RunOptions:
    folder = clip.parent
    defaults = {"output": folder / "out", "work": folder / "work", "overwrite": True}
    defaults |= {"every_frame": True, "every": 8, "ignore_cuts": True, "refine": 0.2}
    return RunOptions(clip=clip, stylizer="paint", **(defaults | changes))


def _run(clip: Path, **changes: Any) -> tuple[RunResult, list[np.ndarray]]:
    result = restyle(_options(clip, **changes))
    return result, [read_image(path) for path in sorted(Path(result.output).glob("*.png"))]


def test_refined_areas_that_look_wrong_are_told_of(clip: Path) -> None:
    messages: list[str] = []
    restyle(_options(clip), on_event=lambda event: messages.append(event.message))
    told = [text for text in messages if text.startswith("stylizer paint: ")]
    assert told[0].startswith("stylizer paint: frame 4 came back all of one colour; values may")
    assert told[1:] == ["stylizer paint: 3 of 3 frames came back all of one colour: 4, 5, 6"]


def test_only_pixels_that_no_key_covers_are_refined(clip: Path) -> None:
    result, unrefined = _run(clip, refine=None, output=clip.parent / "unrefined")
    assert result.keys == (0, 8)
    _, refined = _run(clip)
    assert Red.refined == [3, 4, 5]
    for index, (image, original) in enumerate(zip(refined, unrefined, strict=True)):
        if index not in Red.refined:
            assert np.array_equal(image, original)
            continue
        assert np.abs(image[44:52, 36:44].astype(int) - RED).mean() < 40, "the disc"
        assert np.array_equal(image[:, 90:], original[:, 90:]), "propagated well: same bytes"
        changed = (image != original).any(axis=2)
        assert 0.05 < changed.mean() < 0.3


def test_nothing_outside_of_the_mask_is_refined(clip: Path, images: list[np.ndarray]) -> None:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[36:60, 30:70] = 255  # a part of the disc, and of what is beside it
    write_image(clip.parent / "mask.png", mask)
    _, refined = _run(clip, mask=clip.parent / "mask.png", feather=2.0)
    assert Red.refined == [3, 4, 5]
    outside = cv2.dilate(mask, np.ones((5, 5), np.uint8)) == 0
    for index, image in enumerate(refined):
        assert np.array_equal(image[outside], images[index][outside])
    assert np.abs(refined[4][46:50, 38:42].astype(int) - RED).mean() < 60


def test_refined_frames_are_synced_when_all_are_made(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    put, sync = FrameFolder.put, FrameFolder.sync

    def note(folder: FrameFolder, call: str) -> None:
        if folder.folder.name == "frames":  # blended ones are elsewhere
            calls.append(call)

    def record_put(folder: FrameFolder, *arguments: Any) -> None:
        note(folder, "put")
        put(folder, *arguments)

    def record_sync(folder: FrameFolder) -> None:
        note(folder, "sync")
        sync(folder)

    monkeypatch.setattr(FrameFolder, "put", record_put)
    monkeypatch.setattr(FrameFolder, "sync", record_sync)
    _run(clip)
    assert calls == ["put"] * COUNT + ["sync"]


def test_a_cancelled_run_resumes_and_a_finished_run_refines_nothing(clip: Path) -> None:
    _, uninterrupted = _run(clip, work=clip.parent / "elsewhere")
    Red.refined.clear()
    Red.cancel = CancelToken()
    with pytest.raises(Cancelled):
        restyle(_options(clip), cancel=Red.cancel)
    Red.cancel, Red.refined = None, []
    _, resumed = _run(clip)
    assert 0 < len(Red.refined) < 3
    assert all(np.array_equal(a, b) for a, b in zip(uninterrupted, resumed, strict=True))
    Red.refined.clear()
    _run(clip)
    assert Red.refined == []
    _run(clip, refine_strength=0.2)
    assert Red.refined == [3, 4, 5]


def test_edited_frames_are_kept(clip: Path, images: list[np.ndarray]) -> None:
    _run(clip)
    Red.refined.clear()
    write_image(clip.parent / "work" / "frames" / "frame_00005.png", images[0] // 2)
    _, refined = _run(clip)
    assert Red.refined == []
    assert np.array_equal(refined[4], images[0] // 2)


def test_conflicting_options_are_refused(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
