"""Every frame, or every n-th, made by a stylizer: which ones, stops, what files carry."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as PillowImage

from kadr.core.events import CancelToken, Event
from kadr.core.frames import FrameRange
from kadr.errors import Cancelled, OptionsError
from kadr.files import read_image, write_image
from kadr.options import RunOptions
from kadr.pipeline import RunResult, restyle, restyle_events
from kadr.render.run_plan import every_nth
from kadr.storage.frame_folder import FrameFolder
from kadr.stylize.base import StyledFrame, StylizeContext, StylizeJob
from scenes import sliding, texture, write_sequence

COUNT = 16
_BRIGHT = sliding(COUNT // 2, 1.0, height=48, width=64)
_DARK = sliding(COUNT // 2, -1.0, height=48, width=64, seed=5)
IMAGES = _BRIGHT + [image // 3 for image in _DARK]
"""Two shots of eight frames."""


class Chain:
    """Makes of each frame a mix of its negative and the output before: a sequential stylizer."""

    VERSION = 1
    name = "chain"
    joint = False
    max_batch = 1

    def __init__(self, sequential: bool = True) -> None:
        self.sequential = sequential
        self.made: list[int] = []
        self.stop_after: int | None = None
        self.cancel: CancelToken | None = None

    def stylize(
        self, jobs: Iterator[StylizeJob], context: StylizeContext
    ) -> Iterator[list[StyledFrame]]:
        for job in jobs:
            context.cancel.check()
            context.progress(job.index, 0.5)
            image = 255 - job.frame.rgb
            before = context.previous(job.index) if self.sequential else None
            if before is not None:
                image = (image // 2 + before // 2).astype(np.uint8)
            self.made.append(job.index)
            if self.stop_after is not None and len(self.made) > self.stop_after:
                assert self.cancel is not None
                self.cancel.cancel()
                context.cancel.check()
            yield [StyledFrame(job.index, image, {"parameters": f"frame {job.index}\nSteps: 1"})]


@pytest.fixture
def chain(monkeypatch: pytest.MonkeyPatch) -> Chain:
    """The stylizer that all runs of a test use."""
    made = Chain()
    monkeypatch.setattr("kadr.render.keyframes.create_stylizer", lambda name, **options: made)
    return made


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Sixteen frames numbered from 1 with a cut in the middle."""
    return write_sequence(tmp_path / "clip", IMAGES, 1)


def _options(clip: Path, **more: Any) -> RunOptions:
    place = clip.parent
    more = {"output": place / "out", "work": place / "work", "every_frame": True, **more}
    return RunOptions(clip=clip, stylizer="paint", **more)


def _run(clip: Path, **more: Any) -> tuple[RunResult, list[np.ndarray]]:
    result = restyle(_options(clip, overwrite=True, **more))
    return result, [read_image(path) for path in sorted(Path(result.output).glob("*.png"))]


@pytest.mark.parametrize(
    ("every", "keys"), [(1, [2, 3, 4, 5, 6]), (2, [2, 4, 6]), (3, [2, 5, 6]), (99, [2, 6])]
)
def test_a_shot_is_made_every_n_frames_up_to_its_end(every: int, keys: list[int]) -> None:
    assert every_nth(FrameRange(2, 7), every) == keys


def test_every_frame_is_the_stylizers(clip: Path, chain: Chain) -> None:
    result, made = _run(clip)
    assert result.keys == tuple(range(COUNT))
    assert chain.made == [*range(COUNT)]
    expected = 255 - IMAGES[0]
    assert np.array_equal(made[0], expected)
    for index in range(1, COUNT // 2):
        expected = ((255 - IMAGES[index]) // 2 + expected // 2).astype(np.uint8)
        assert np.array_equal(made[index], expected)
    assert np.array_equal(made[COUNT // 2], 255 - IMAGES[COUNT // 2]), "a shot begins anew"


def test_what_lies_between_is_carried_and_never_over_a_cut(clip: Path, chain: Chain) -> None:
    chain.sequential = False
    result, made = _run(clip, every=2)
    assert result.keys == (0, 2, 4, 6, 7, 8, 10, 12, 14, 15)
    for index, image in enumerate(made):
        difference = np.abs(image[8:-8, 8:-8].astype(int) - (255 - IMAGES[index][8:-8, 8:-8]))
        assert difference.mean() < (1 if index in result.keys else 12), index


@pytest.mark.parametrize("stop_after", [0, 1, 4, 11])
def test_a_stopped_run_goes_on_after_the_last_frame(
    clip: Path, chain: Chain, stop_after: int
) -> None:
    _, whole = _run(clip, work=clip.parent / "elsewhere")
    chain.made.clear()
    chain.cancel, chain.stop_after = CancelToken(), stop_after
    with pytest.raises(Cancelled):
        restyle(_options(clip, overwrite=True), cancel=chain.cancel)
    chain.made.clear()
    chain.stop_after = None
    _, made = _run(clip)
    # what was on its way when it stopped may be lost: a batch that waits, one that is kept
    assert stop_after - 3 <= COUNT - len(chain.made) <= stop_after
    assert chain.made[-1] == COUNT - 1
    for one, other in zip(whole, made, strict=True):
        assert np.array_equal(one, other)


def test_only_what_follows_a_missing_frame_is_made_again(clip: Path, chain: Chain) -> None:
    _, whole = _run(clip)
    store = clip.parent / "work" / "store" / "stylize"
    oldest = sorted(store.iterdir(), key=lambda path: path.stat().st_mtime_ns)
    oldest[3].unlink()
    chain.made.clear()
    _, made = _run(clip)
    assert chain.made == [3, 4, 5, 6, 7]
    assert all(np.array_equal(one, other) for one, other in zip(whole, made, strict=True))


def test_masks_reach_the_stylizer_and_its_names(clip: Path, chain: Chain, tmp_path: Path) -> None:
    mask = np.zeros((48, 64), np.uint8)
    write_image(tmp_path / "mask.png", mask)
    seen: list[bool] = []
    stylize = Chain.stylize

    def noting(
        self: Chain, jobs: Iterator[StylizeJob], context: StylizeContext
    ) -> Iterator[list[StyledFrame]]:
        for batch in stylize(self, jobs, context):
            found = context.mask(batch[0].index)
            seen.append(found is not None and not found.any())
            yield batch

    chain.stylize = noting.__get__(chain)  # type: ignore[method-assign]
    _run(clip, masks=tmp_path / "mask.png")
    assert seen == [True] * COUNT
    write_image(tmp_path / "mask.png", mask + 255)
    _run(clip, masks=tmp_path / "mask.png")
    assert seen == [True] * COUNT + [False] * COUNT


def test_files_tell_how_they_were_made(clip: Path, chain: Chain) -> None:
    result, _ = _run(clip, every=2)
    finished = FrameFolder(clip.parent / "work" / "frames", lambda i: f"frame_{i + 1:05d}")
    for index in range(COUNT):
        for folder in (Path(result.output), finished.folder):
            with PillowImage.open(folder / f"frame_{index + 1:05d}.png") as image:
                told = image.info.get("parameters")
            assert told == (f"frame {index}\nSteps: 1" if index in result.keys else None)
    _, again = _run(clip, every=2)
    assert len(again) == COUNT
    assert len(chain.made) == 10, "files with a text count as made"


def test_progress_within_a_frame_is_told(clip: Path, chain: Chain) -> None:
    events = [e for e in _events(_options(clip)) if e.step == "stylize"]
    assert {event.index for event in events} == {*range(COUNT + 1)}
    assert all(0 <= event.share <= 1 for event in events)
    assert any(event.share == 0.5 for event in events)


def _events(options: RunOptions) -> list[Event]:
    return list(restyle_events(options))


def test_hundreds_of_frames_are_all_kept(tmp_path: Path, chain: Chain) -> None:
    images = [texture(16, 16, seed=3)] * 400
    clip = write_sequence(tmp_path / "long", images)
    result, _ = _run(clip, every=1, ignore_cuts=True)
    assert len(chain.made) == 400
    assert result.frame_count == 400
    chain.made.clear()
    again, _ = _run(clip, every=1, ignore_cuts=True)
    assert chain.made == []
    assert again.frame_count == 400


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"every_frame": True}, "every-frame: is for a stylizer that makes keys"),
        ({"masks": Path("masks")}, "masks: is for a stylizer that makes keys"),
        ({"stylizer": "paint", "keys": (), "every": 2}, "every 2: is for every-frame; give that"),
        ({"stylizer": "paint", "keys": (), "every": 0}, "every 0: expected 1 to 1000"),
    ],
)
def test_options_that_do_not_fit_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionsError, match=message):
        RunOptions(**{"clip": Path("c"), "output": "o", "keys": (Path("k"),), **options})
