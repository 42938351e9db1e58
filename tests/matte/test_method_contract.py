"""One contract, held up to every way to make mattes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from pathlib import Path

import numpy as np
import pytest
from matte_scenes import COUNT, HEIGHT, WIDTH, find

from kadr.core.events import CancelToken, Event
from kadr.core.frames import FrameRange
from kadr.errors import Cancelled, OptionsError
from kadr.matte.base import FrameMatte, MatteContext, MatteMethod
from kadr.matte.registry import create_method, method_names, method_options
from kadr.storage.store import MemoryStore
from kadr.video.clips import open_clip


def _onnx(folder: Path, first_mask: Path) -> MatteMethod:
    pytest.importorskip("onnxruntime", reason="needs kadr[onnx]")
    pytest.importorskip("onnx", reason="builds its model with the package onnx")
    from tiny_segmenters import redness

    return create_method(
        "onnx", model=redness(folder / "m.onnx", gain=20, end="Identity"), model_range="0-1"
    )


MAKERS: dict[str, Callable[[Path, Path], MatteMethod]] = {
    "propagate": lambda folder, first_mask: create_method("propagate", painted=first_mask),
    "difference": lambda folder, first_mask: create_method("difference"),
    "onnx": _onnx,
}


@pytest.fixture(params=method_names())
def method(request: pytest.FixtureRequest, tmp_path: Path, first_mask: Path) -> MatteMethod:
    return MAKERS[request.param](tmp_path, first_mask)


def test_every_wanted_frame_gets_one_matte_in_order(method: MatteMethod, panned_clip: Path) -> None:
    mattes, _ = find(method, panned_clip)
    assert [item.frame.index for item in mattes] == list(range(COUNT))
    for item in mattes:
        assert item.matte.shape == (HEIGHT, WIDTH)
        assert item.matte.dtype == np.float32
        assert 0 <= item.matte.min() <= item.matte.max() <= 1
        assert item.image.shape == (HEIGHT, WIDTH, 3)


def test_a_part_is_that_of_the_whole(method: MatteMethod, panned_clip: Path) -> None:
    whole, _ = find(method, panned_clip)
    part, _ = find(method, panned_clip, FrameRange(2, 5))
    assert [item.frame.index for item in part] == [2, 3, 4]
    for item in part:
        np.testing.assert_array_equal(item.matte, whole[item.frame.index].matte)


def test_cancelling_stops_before_the_next_frame(method: MatteMethod, panned_clip: Path) -> None:
    cancel = CancelToken()
    frames = FrameRange(0, COUNT)
    with open_clip(panned_clip) as clip:
        items = method.mattes(clip, frames, frames, MatteContext(MemoryStore(), "", cancel))
        while not isinstance(next(items), FrameMatte):
            pass
        cancel.cancel()
        with pytest.raises(Cancelled):
            next(items)


def test_events_count_up_to_their_total(method: MatteMethod, panned_clip: Path) -> None:
    frames = FrameRange(0, COUNT)
    with open_clip(panned_clip) as clip:
        context = MatteContext(MemoryStore(), "", CancelToken())
        events = [
            item
            for item in method.mattes(clip, frames, frames, context)
            if isinstance(item, Event) and not item.message
        ]
    assert [event.index for event in events] == list(range(1, len(events) + 1))
    assert all(event.total == len(events) for event in events)


def test_what_decides_the_mattes_is_named(method: MatteMethod) -> None:
    assert method.VERSION >= 1
    assert method.name in method_names()
    assert all(path.exists() for path in method.files)
    assert isinstance(dict(method.settings), dict)


@pytest.mark.parametrize("name", method_names())
def test_options_are_a_frozen_dataclass_with_help(name: str) -> None:
    options = method_options(name)
    assert is_dataclass(options)
    assert options.__dataclass_params__.frozen
    for item in fields(options):
        assert item.metadata["help"], f"{name}.{item.name} has no help"


def test_all_methods_are_in_this_suite() -> None:
    assert set(MAKERS) == set(method_names())


def test_unknown_names_and_options_are_refused() -> None:
    with pytest.raises(OptionsError, match="method 'magic': expected one of propagate, diff"):
        create_method("magic")
    with pytest.raises(OptionsError, match="method difference: no option 'model'; it has clean"):
        create_method("difference", model="m.onnx")
    with pytest.raises(OptionsError, match="needs painted masks; give --from PAINTED"):
        create_method("propagate")
    with pytest.raises(OptionsError, match="needs a model; give --model"):
        create_method("onnx")
    with pytest.raises(OptionsError, match="model-range '0-2': expected one of auto, 0-1"):
        create_method("onnx", model="m.onnx", model_range="0-2")
