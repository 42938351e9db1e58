"""States of a pass: small when stored; a resumed pass gives the same result."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kadr.core.frames import Frame
from kadr.guides.flow import FlowPair, flow_pair, gray
from kadr.guides.transport import identity
from kadr.options import PropagateOptions
from kadr.propagate import STATE_INTERVAL, KeyStyle, PassState, pack_state, propagate, unpack_state
from scenes import as_frames, paint, sliding


def _state(height: int, width: int, seed: int) -> PassState:
    rng = np.random.default_rng(seed)
    inside = np.float32([width - 1, height - 1])
    return PassState(
        5,
        rng.integers(0, 256, (height, width, 3)).astype(np.uint8),
        rng.random((height, width, 2), np.float32) * inside,
        np.floor(rng.random((height, width, 2), np.float32) * inside),
        rng.random((height, width), np.float32),
    )


@given(st.integers(1, 40), st.integers(1, 60), st.integers(0, 99))
@settings(max_examples=30)
def test_packing_again_gives_the_same_arrays(height: int, width: int, seed: int) -> None:
    state = _state(height, width, seed)
    packed = pack_state(state)
    unpacked = unpack_state(packed, state.index)
    assert (
        np.abs(unpacked.transport - state.transport).max()
        <= 0.5 / (65535 // max(height, width)) + 1e-4
    )
    assert np.array_equal(unpacked.matches, state.matches)  # integer positions are stored exactly
    assert np.abs(unpacked.confidence - state.confidence).max() <= 0.5 / 255 + 1e-6
    repacked = pack_state(unpacked)
    assert all(np.array_equal(packed[name], repacked[name]) for name in packed)


def test_positions_at_the_edges_of_a_large_frame_fit() -> None:
    positions = identity(8, 3840)
    black = np.zeros((8, 3840, 3), np.uint8)
    state = PassState(0, black, positions, positions, np.ones((8, 3840), np.float32))
    assert np.array_equal(unpack_state(pack_state(state), 0).transport, positions)


@pytest.mark.parametrize("fault", ["missing", "size", "dtype"])
def test_arrays_that_are_not_a_state_of_this_size_are_rejected(fault: str) -> None:
    state = _state(6, 8, 0)
    packed = pack_state(state)
    if fault == "missing":
        del packed["confidence"]
    elif fault == "size":
        packed["confidence"] = packed["confidence"][:-1]
    else:
        packed["confidence"] = packed["confidence"].astype(np.float32)
    with pytest.raises(ValueError, match="not the state of a pass of 8×6 pixels"):
        unpack_state(packed, 5)


def _steps(frames: list[Frame]) -> Iterator[tuple[Frame, FlowPair]]:
    for previous, frame in itertools.pairwise(frames):
        yield frame, flow_pair(gray(frame.rgb), gray(previous.rgb))


def test_a_pass_resumes_from_a_stored_state_with_the_same_result() -> None:
    frames = as_frames(sliding(STATE_INTERVAL + 4, 1.5, height=40, width=56))
    key = KeyStyle(frames[0], paint(frames[0].rgb), PropagateOptions())
    full = list(propagate(key, _steps(frames)))
    position = STATE_INTERVAL - 1  # the key frame is not among the results
    result, state = full[position]
    assert result.index == STATE_INTERVAL
    stored = unpack_state(pack_state(state), state.index)
    resumed = list(propagate(key, _steps(frames[STATE_INTERVAL:]), stored))
    assert len(resumed) == 3
    for (result, _), (expected, _) in zip(resumed, full[position + 1 :], strict=True):
        assert result.image.tobytes() == expected.image.tobytes()
        assert result.error.tobytes() == expected.error.tobytes()
