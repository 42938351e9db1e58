"""Stylize every frame or every n-th: which frames are keys, how runs resume, file metadata."""

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
from kadr.image_files import read_image, write_image
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
    """Mixes the negative of each frame with the previous output: a sequential stylizer."""

    VERSION = 1
    name = "chain"
    joint = False
    max_batch = 1

    def __init__(self, sequential: bool = True) -> None:
        self.sequential = sequential
        self.stylized: list[int] = []
        self.stop_after: int | None = None
        self.cancel: CancelToken | None = None

    def stylize(
        self, jobs: Iterator[StylizeJob], context: StylizeContext
    ) -> Iterator[list[StyledFrame]]:
        for job in jobs:
            context.cancel.check()
            context.progress(job.index, 0.5)
            image = 255 - job.frame.rgb
            previous = context.previous(job.index) if self.sequential else None
            if previous is not None:
                image = (image // 2 + previous // 2).astype(np.uint8)
            self.stylized.append(job.index)
            if self.stop_after is not None and len(self.stylized) > self.stop_after:
                assert self.cancel is not None
                self.cancel.cancel()
                context.cancel.check()
            yield [StyledFrame(job.index, image, {"parameters": f"frame {job.index}\nSteps: 1"})]


@pytest.fixture
def chain(monkeypatch: pytest.MonkeyPatch) -> Chain:
    """The stylizer that all runs of the test use."""
    stylizer = Chain()
    monkeypatch.setattr("kadr.render.keyframes.create_stylizer", lambda name, **options: stylizer)
    return stylizer


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Sixteen frames numbered from 1 with a cut in the middle."""
    return write_sequence(tmp_path / "clip", IMAGES, 1)


def _options(clip: Path, **changes: Any) -> RunOptions:
    folder = clip.parent
    changes = {"output": folder / "out", "work": folder / "work", "every_frame": True, **changes}
    return RunOptions(clip=clip, stylizer="paint", **changes)


def _run(clip: Path, **changes: Any) -> tuple[RunResult, list[np.ndarray]]:
    result = restyle(_options(clip, overwrite=True, **changes))
    return result, [read_image(path) for path in sorted(Path(result.output).glob("*.png"))]


@pytest.mark.parametrize(
    ("every", "keys"), [(1, [2, 3, 4, 5, 6]), (2, [2, 4, 6]), (3, [2, 5, 6]), (99, [2, 6])]
)
def test_every_nth_frame_of_a_shot_and_its_last_are_keys(every: int, keys: list[int]) -> None:
    assert every_nth(FrameRange(2, 7), every) == keys


def test_every_frame_is_stylized_with_the_previous_output(clip: Path, chain: Chain) -> None:
    result, images = _run(clip)
    assert result.keys == tuple(range(COUNT))
    assert chain.stylized == [*range(COUNT)]
    expected = 255 - IMAGES[0]
    assert np.array_equal(images[0], expected)
    for index in range(1, COUNT // 2):
        expected = ((255 - IMAGES[index]) // 2 + expected // 2).astype(np.uint8)
        assert np.array_equal(images[index], expected)
    assert np.array_equal(images[COUNT // 2], 255 - IMAGES[COUNT // 2]), (
        "a new shot has no previous frame"
    )


def test_frames_between_keys_are_propagated_but_never_across_a_cut(
    clip: Path, chain: Chain
) -> None:
    chain.sequential = False
    result, images = _run(clip, every=2)
    assert result.keys == (0, 2, 4, 6, 7, 8, 10, 12, 14, 15)
    for index, image in enumerate(images):
        difference = np.abs(image[8:-8, 8:-8].astype(int) - (255 - IMAGES[index][8:-8, 8:-8]))
        assert difference.mean() < (1 if index in result.keys else 12), index


@pytest.mark.parametrize("stop_after", [0, 1, 4, 11])
def test_a_cancelled_run_resumes_after_the_last_stored_frame(
    clip: Path, chain: Chain, stop_after: int
) -> None:
    _, uninterrupted = _run(clip, work=clip.parent / "elsewhere")
    chain.stylized.clear()
    chain.cancel, chain.stop_after = CancelToken(), stop_after
    with pytest.raises(Cancelled):
        restyle(_options(clip, overwrite=True), cancel=chain.cancel)
    chain.stylized.clear()
    chain.stop_after = None
    _, resumed = _run(clip)
    # batches in flight may be lost: one that waits, one that is being stored
    assert stop_after - 3 <= COUNT - len(chain.stylized) <= stop_after
    assert chain.stylized[-1] == COUNT - 1
    for expected, image in zip(uninterrupted, resumed, strict=True):
        assert np.array_equal(expected, image)


def test_only_frames_from_a_missing_one_to_the_cut_are_stylized_again(
    clip: Path, chain: Chain
) -> None:
    _, first = _run(clip)
    store = clip.parent / "work" / "store" / "stylize"
    entries = sorted(store.iterdir(), key=lambda path: path.stat().st_mtime_ns)
    entries[3].unlink()
    chain.stylized.clear()
    _, second = _run(clip)
    assert chain.stylized == [3, 4, 5, 6, 7]
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_masks_reach_the_stylizer_and_changed_masks_stylize_again(
    clip: Path, chain: Chain, tmp_path: Path
) -> None:
    mask = np.zeros((48, 64), np.uint8)
    mask[10:20] = 255
    write_image(tmp_path / "mask.png", mask)
    shares: list[float] = []
    stylize = Chain.stylize

    def record_masks(
        self: Chain, jobs: Iterator[StylizeJob], context: StylizeContext
    ) -> Iterator[list[StyledFrame]]:
        for batch in stylize(self, jobs, context):
            job_mask = context.mask(batch[0].index)
            shares.append(0.0 if job_mask is None else float(job_mask.mean()))
            yield batch

    chain.stylize = record_masks.__get__(chain)  # type: ignore[method-assign]
    _run(clip, mask=tmp_path / "mask.png")
    assert shares == [10 / 48] * COUNT
    write_image(tmp_path / "mask.png", mask | 255)
    _run(clip, mask=tmp_path / "mask.png")
    assert shares == [10 / 48] * COUNT + [1.0] * COUNT


def test_stylized_files_contain_their_parameters(clip: Path, chain: Chain) -> None:
    result, _ = _run(clip, every=2)
    finished = FrameFolder(clip.parent / "work" / "frames", lambda i: f"frame_{i + 1:05d}")
    for index in range(COUNT):
        for folder in (Path(result.output), finished.folder):
            with PillowImage.open(folder / f"frame_{index + 1:05d}.png") as image:
                parameters = image.info.get("parameters")
            assert parameters == (f"frame {index}\nSteps: 1" if index in result.keys else None)
    _, images = _run(clip, every=2)
    assert len(images) == COUNT
    assert len(chain.stylized) == 10, "files with metadata count as finished"


def test_progress_within_a_frame_is_reported(clip: Path, chain: Chain) -> None:
    events = [e for e in _events(_options(clip)) if e.step == "stylize"]
    assert {event.index for event in events} == {*range(COUNT + 1)}
    assert all(0 <= event.share <= 1 for event in events)
    assert any(event.share == 0.5 for event in events)


def _events(options: RunOptions) -> list[Event]:
    return list(restyle_events(options))


def test_hundreds_of_stylized_frames_are_all_stored(tmp_path: Path, chain: Chain) -> None:
    images = [texture(16, 16, seed=3)] * 400
    clip = write_sequence(tmp_path / "long", images)
    result, _ = _run(clip, every=1, ignore_cuts=True)
    assert len(chain.stylized) == 400
    assert result.frame_count == 400
    chain.stylized.clear()
    second, _ = _run(clip, every=1, ignore_cuts=True)
    assert chain.stylized == []
    assert second.frame_count == 400


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"every_frame": True}, "every-frame: is for a stylizer that makes keys"),
        ({"feather": 3.0}, "feather: is for a mask; give mask too"),
        ({"stylizer": "paint", "keys": (), "every": 0}, "every 0: expected 1 to 1000"),
    ],
)
def test_conflicting_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionsError, match=message):
        RunOptions(**{"clip": Path("c"), "output": "o", "keys": (Path("k"),), **options})


def test_steady_removes_flicker_of_the_output_and_keeps_the_frames(
    chain: Chain, tmp_path: Path
) -> None:
    """The output is steadied within the mask; what the stylizer made stays in the work folder."""
    chain.sequential = False
    write_sequence(tmp_path / "clip", IMAGES)
    left = np.zeros((48, 64, 3), np.uint8)
    left[:, :32] = 255
    write_image(tmp_path / "mask.png", left)
    outputs = []
    for steady in (False, True):
        options = RunOptions(
            clip=tmp_path / "clip",
            output=tmp_path / f"out{steady}",
            stylizer="paint",
            every_frame=True,
            steady=steady,
            mask=tmp_path / "mask.png",
            work=tmp_path / "work",
        )
        assert restyle(options).frame_count == COUNT
        paths = sorted((tmp_path / f"out{steady}").iterdir())
        outputs.append([read_image(path) for path in paths])
    assert len(chain.stylized) == COUNT  # once for both runs
    for image, plain, steady_image in zip(IMAGES, *outputs, strict=True):
        assert np.array_equal(steady_image[:, 32:], image[:, 32:])
        assert np.array_equal(plain[:, 32:], image[:, 32:])
    assert any(not np.array_equal(*pair) for pair in zip(*outputs, strict=True))


def test_steady_is_for_every_frame(tmp_path: Path) -> None:
    with pytest.raises(OptionsError, match="steady: is for every-frame"):
        RunOptions(clip=tmp_path, output=tmp_path / "x", stylizer="paint", steady=True)
