"""A work size smaller than the clip: frames of full size, resumed and shared out to the byte."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kadr.core.events import Event
from kadr.core.frames import Frame, FrameRange
from kadr.image_files import read_image, write_image
from kadr.options import PropagateOptions, RunOptions
from kadr.pipeline import restyle
from kadr.preview import preview_frames
from kadr.storage.store import FolderStore
from scenes import paint, psnr, sliding, write_sequence

COUNT, KEYS = 22, (0, 21)
IMAGES = sliding(COUNT, 2.5, 1.0, height=120, width=160, seed=4)


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("work-size")
    write_sequence(root / "clip", IMAGES)
    for key in KEYS:
        write_image(root / "keys" / f"{key:03d}.png", paint(IMAGES[key]))
    restyle(_options(root))
    return root


@pytest.fixture
def root(finished_run: Path, tmp_path: Path) -> Path:
    """A copy of the finished run that a test may change."""
    return shutil.copytree(finished_run, tmp_path / "run")


def _options(root: Path, size: int = 64, **changes: Any) -> RunOptions:
    values = {
        "output": root / "out/%03d.png", "work": root / "work", "overwrite": True,
        "propagate": PropagateOptions(work_size=size),
    } | changes  # fmt: skip
    return RunOptions(clip=root / "clip", keys=(root / "keys",), **values)


def _output(root: Path) -> list[np.ndarray]:
    return [read_image(path) for path in sorted((root / "out").iterdir())]


def test_frames_have_their_full_size_and_sharpness(finished_run: Path) -> None:
    border = 30  # content that entered was never painted in the nearer key
    for index, image in enumerate(_output(finished_run)):
        assert image.shape == IMAGES[0].shape
        assert psnr(image, paint(IMAGES[index]), border) > 24
    assert np.array_equal(_output(finished_run)[0], paint(IMAGES[0]))


def test_passes_keep_fields_and_no_pictures(finished_run: Path) -> None:
    store = FolderStore(finished_run / "work" / "store")
    [name, *_] = sorted(finished_run.glob("work/store/propagate/*/000010.zip"))
    arrays = store.get(store.entry(name))
    assert arrays is not None
    assert arrays.keys() == {"positions", "matches", "sure", "error", "flow"}
    assert arrays["sure"].shape == (48, 64)


@pytest.mark.parametrize("change", [{"threads": 1}, {"workers": 2, "threads": 2}])
def test_the_same_bytes_however_it_is_shared_out(root: Path, change: dict[str, Any]) -> None:
    before = _output(root)
    shutil.rmtree(root / "work")
    restyle(_options(root, **change))
    assert all(map(np.array_equal, _output(root), before))


@pytest.mark.parametrize(
    "pattern", ["propagate/*/*00001?*", "propagate/*/*[05].zip", "flow/*/*[27].zip"]
)
def test_what_is_lost_is_made_again_to_the_byte(root: Path, pattern: str) -> None:
    before = _output(root)
    shutil.rmtree(root / "work" / "frames")
    lost = sorted((root / "work" / "store").glob(pattern))
    assert lost
    for path in lost:
        path.write_bytes(path.read_bytes()[:-9])
    if pattern.startswith("flow"):
        shutil.rmtree(root / "work" / "store" / "propagate")
    restyle(_options(root))
    assert all(map(np.array_equal, _output(root), before))


def test_quick_flow_finishes_too(root: Path) -> None:
    restyle(_options(root, propagate=PropagateOptions(work_size=64, quick_flow=True)))
    for quick, truth in zip(_output(root), map(paint, IMAGES), strict=True):
        assert psnr(quick, truth, 30) > 23


def test_a_preview_shows_the_frames_of_the_run(root: Path) -> None:
    shutil.rmtree(root / "work")
    items = list(preview_frames(_options(root), FrameRange(5, 7)))
    shown = [item for item in items if isinstance(item, Frame)]
    assert [frame.index for frame in shown] == [5, 6]
    for frame in shown:
        assert np.array_equal(frame.image, _output(root)[frame.index])


def test_the_frames_of_each_key_have_full_size(root: Path) -> None:
    restyle(_options(root, per_key=root / "per_key"))
    images = sorted((root / "per_key").glob("key_00000/*.png"))
    assert len(images) > 10
    assert all(read_image(path).shape == IMAGES[0].shape for path in images)


@pytest.mark.parametrize(
    ("size", "told"), [(4000, "4000 is larger than the clip"), (64, ""), (960, "")]
)
def test_a_size_larger_than_the_clip_is_told(root: Path, size: int, told: str) -> None:
    events: list[Event] = []
    restyle(_options(root, size), on_event=events.append)
    messages = [event.message for event in events if "work-size" in event.message]
    assert len(messages) == bool(told)
    assert told in "".join(messages)
