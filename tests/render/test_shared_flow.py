"""Flow between neighbouring frames: computed once for all passes, the same computed or read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kadr.guides.flow import estimate_two_way, gray, reduce_for_flow
from kadr.guides.two_way_flow import TwoWayFlow
from kadr.options import PropagateOptions, RunOptions
from kadr.pipeline import restyle
from kadr.render import shared_flow
from kadr.render.shared_flow import SharedFlow, flow_name
from kadr.storage.layout import STORED, file_kind
from kadr.storage.store import FolderStore, MemoryStore, Store
from scenes import paint, sliding, write_sequence

OPTIONS = PropagateOptions()
NAME = flow_name("clip", OPTIONS, "")
FRAMES = [gray(image) for image in sliding(2, 3.0, 1.0, height=64, width=80)]


@pytest.fixture
def estimates(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one with every estimate."""
    calls: list[int] = []

    def counted(*arguments: np.ndarray, quick: bool) -> TwoWayFlow:
        calls.append(1)
        return estimate_two_way(*arguments, quick=quick)

    monkeypatch.setattr(shared_flow, "estimate_two_way", counted)
    return calls


def _between(store: Store, *, forward: bool) -> TwoWayFlow:
    """From the first frame to the second, as the forward or as the backward pass asks for it."""
    flow = SharedFlow(store, NAME, OPTIONS)
    if forward:  # the forward pass comes from the first frame
        return flow.between(8, FRAMES[1], False, FRAMES[0]).reversed
    return flow.between(7, FRAMES[0], True, FRAMES[1])


@pytest.mark.parametrize("forward_first", [True, False])
@pytest.mark.parametrize("make_store", [lambda path: MemoryStore(), FolderStore])
def test_both_passes_share_one_estimate(
    tmp_path: Path,
    estimates: list[int],
    forward_first: bool,
    make_store: Callable[[Path], Store],
) -> None:
    store = make_store(tmp_path)
    flows = [_between(store, forward=forward) for forward in (forward_first, not forward_first)]
    expected = estimate_two_way(*map(reduce_for_flow, FRAMES))
    assert len(estimates) == 1
    for flow in flows:
        assert flow.forward.tobytes() == expected.forward.tobytes()
        assert flow.backward.tobytes() == expected.backward.tobytes()
    assert np.abs(np.median(expected.forward, axis=(0, 1)) - [1.5, 0.5]).max() < 0.1


@pytest.mark.parametrize("fault", ["size", "name", "bytes"])
def test_a_damaged_entry_is_computed_again(
    tmp_path: Path, estimates: list[int], fault: str
) -> None:
    store = FolderStore(tmp_path)
    expected = _between(store, forward=True)
    entry = f"{NAME}/000007"
    if fault == "size":
        store.put(entry, {"flow": expected.pack()[:-4]})
    elif fault == "name":
        store.put(entry, {"other": expected.pack()})
    else:
        store.path(entry).write_bytes(store.path(entry).read_bytes()[:-40])
    for count in (2, 2):
        assert _between(store, forward=False).forward.tobytes() == expected.forward.tobytes()
        assert len(estimates) == count


def test_the_name_depends_on_what_the_flow_depends_on() -> None:
    names = {
        NAME,
        flow_name("other", OPTIONS, ""),
        flow_name("clip", replace(OPTIONS, work_size=640), ""),
        flow_name("clip", replace(OPTIONS, quick_flow=True), ""),
        flow_name("clip", OPTIONS, "window"),
    }
    assert len(names) == 5
    assert flow_name("clip", replace(OPTIONS, mapping=1.0, vote_iterations=5), "") == NAME
    assert file_kind(Path("store", f"{NAME}/000007.zip")) == STORED


def test_a_run_estimates_the_flow_of_each_pair_once(tmp_path: Path, estimates: list[int]) -> None:
    images = sliding(5, 2.0, height=40, width=56)
    clip = write_sequence(tmp_path / "clip", images)
    for name, index in (("first", 0), ("last", 4)):
        write_sequence(tmp_path / name, [paint(images[index])], index)
    options = RunOptions(
        clip,
        tmp_path / "out",
        (tmp_path / "first", tmp_path / "last"),
        work=tmp_path / "work",
        threads=1,
    )
    restyle(options)
    assert len(estimates) == 4
    write_sequence(tmp_path / "last", [255 - paint(images[4])], 4)
    restyle(replace(options, overwrite=True))
    assert len(estimates) == 4, "a key painted again needs no new flow"
