"""Passes of one key: known answers, resuming from stored states, deterministic results."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from kadr.core.events import CancelToken
from kadr.core.frames import Frame
from kadr.errors import Cancelled
from kadr.guides.flow import FlowPair, flow_pair, gray
from kadr.options import PropagateOptions
from kadr.propagate import KeyStyle, PassFrame, PassState, propagate
from kadr.storage.store import FolderStore
from scenes import as_frames, paint, psnr, sliding, texture

OPTIONS = PropagateOptions()


def _steps(frames: Sequence[Frame]) -> Iterator[tuple[Frame, FlowPair]]:
    """A pass's input: frames after the first, each with the flow to the previous one."""
    for previous, frame in itertools.pairwise(frames):
        yield frame, flow_pair(gray(frame.image), gray(previous.image))


def _run(
    images: Sequence[np.ndarray], style: np.ndarray, *, threads: int | None = None, seed: int = 0
) -> list[tuple[PassFrame, PassState]]:
    """The whole pass over ``images``, the first of which is the key's frame."""
    frames = as_frames(images)
    key = KeyStyle(frames[0], style, OPTIONS, seed=seed, threads=threads)
    return list(propagate(key, _steps(frames)))


def _turning(count: int = 6) -> list[np.ndarray]:
    """A square that moves over a sliding background: each frame has occlusion."""
    images = sliding(count, 1.0, height=64, width=80)
    for offset, image in enumerate(images):
        image[20:44, 12 + 5 * offset : 36 + 5 * offset] = texture(24, 24, seed=9)
    return images


def test_a_pass_starts_with_the_style_itself() -> None:
    image = texture(40, 56)
    style = paint(image)
    state = KeyStyle(Frame(7, image), style, OPTIONS).state()
    assert state.index == 7
    assert np.array_equal(state.output, style)


def test_frames_come_in_order_with_their_shapes() -> None:
    images = sliding(4, 1.0, height=40, width=56)
    frames = as_frames(images, first=30)[::-1]  # a backward pass
    key = KeyStyle(frames[0], paint(images[-1]), OPTIONS)
    results = list(propagate(key, _steps(frames)))
    assert [result.index for result, _ in results] == [32, 31, 30]
    assert [state.index for _, state in results] == [32, 31, 30]
    for result, state in results:
        assert (result.image.shape, result.image.dtype) == ((40, 56, 3), np.uint8)
        assert (result.error.shape, result.error.dtype) == ((40, 56), np.uint8)
        assert np.array_equal(state.output, result.image)


def test_a_pass_without_frames_is_empty() -> None:
    image = texture(40, 56)
    assert list(propagate(KeyStyle(Frame(0, image), paint(image), OPTIONS), iter(()))) == []


@pytest.mark.parametrize("noise", [0, 3])
def test_a_still_clip_stays_the_style(noise: float) -> None:
    rng = np.random.default_rng(0)
    image = texture()
    grainy = [
        np.clip(image + rng.normal(0, noise, image.shape), 0, 255).astype(np.uint8)
        for _ in range(6)
    ]
    style = paint(image)
    for result, _ in _run(grainy, style):
        assert psnr(result.image, style) > 45
        assert result.error.mean() < 40


@pytest.mark.parametrize("move", [(2, 0), (-1, 2), (4, -1)])
def test_the_style_slides_with_the_clip(move: tuple[int, int]) -> None:
    images = sliding(6, *move)
    results = _run(images, paint(images[0]))
    border = 5 * max(abs(move[0]), abs(move[1])) + 6  # content that entered was never painted
    for result, _ in results:
        assert psnr(result.image, paint(images[result.index]), border) > 35
    last = results[-1][0].image
    assert psnr(images[0], images[5], border) + 15 < psnr(last, paint(images[5]), border)


def test_content_that_enters_the_frame_is_painted_with_a_high_error() -> None:
    images = sliding(6, 4.0)  # content moves right: columns 0–19 were never seen
    result = _run(images, paint(images[0]))[-1][0]
    assert result.error[:, :14].mean() > 2 * result.error[:, 40:].mean()
    # painted in the style's colours, not left empty or smeared flat
    assert result.image[:, :14].std() > 0.4 * paint(images[5])[:, :14].std()


def test_the_alpha_of_a_style_moves_with_it() -> None:
    images = sliding(6, 3.0)
    alpha = np.zeros((72, 96, 1), np.uint8)
    alpha[24:48, 20:50] = 255
    style = np.concatenate([paint(images[0]), alpha], axis=2)
    result = _run(images, style)[-1][0]
    assert result.image.shape == (72, 96, 4)
    assert (result.image[28:44, 39:61, 3] > 250).all()
    assert (result.image[:, 75:, 3] < 5).all()
    assert (result.image[:, 20:30, 3] < 5).all()


def test_the_alpha_of_a_frame_is_no_part_of_the_match() -> None:
    images = sliding(4, 2.0)
    alpha = np.full((72, 96, 1), 255, np.uint8)
    expected = _run(images, paint(images[0]))
    with_alpha = _run([np.concatenate([i, alpha], axis=2) for i in images], paint(images[0]))
    for (a, _), (b, _) in zip(expected, with_alpha, strict=True):
        assert np.array_equal(a.image, b.image)


def test_16_bit_frames_give_the_same_result_as_8_bit_frames() -> None:
    images = _turning(4)
    style = paint(images[0])
    expected = _run(images, style)
    images16 = [image.astype(np.uint16) * 257 for image in images]
    frames = as_frames(images16)
    steps = (
        (frame, flow_pair(gray(frame.rgb), gray(before.rgb)))
        for before, frame in itertools.pairwise(frames)
    )
    results = propagate(KeyStyle(frames[0], style, OPTIONS), steps)
    for (a, _), (b, _) in zip(expected, results, strict=True):
        assert np.array_equal(a.image, b.image)


def _through_the_store(state: PassState, store: FolderStore) -> PassState:
    """The state that a later process loads."""
    arrays = {item.name: np.asarray(getattr(state, item.name)) for item in fields(state)}
    store.put("state", arrays)
    stored = store.get("state")
    assert stored is not None
    return PassState(**{**stored, "index": int(stored["index"])})


def test_a_pass_resumes_from_any_stored_state(tmp_path: Path) -> None:
    images = _turning()
    frames = as_frames(images)
    style = paint(images[0])
    full = _run(images, style)
    store = FolderStore(tmp_path)
    for count in range(1, len(frames) - 1):
        state = _through_the_store(full[count - 1][1], store)
        key = KeyStyle(frames[0], style, OPTIONS)
        resumed = list(propagate(key, _steps(frames[count:]), state))
        for (a, last), (b, resumed_state) in zip(full[count:], resumed, strict=True):
            assert a.index == b.index
            assert a.image.tobytes() == b.image.tobytes()
            assert a.error.tobytes() == b.error.tobytes()
            assert np.array_equal(last.transport, resumed_state.transport)


def test_the_same_bytes_for_any_number_of_threads() -> None:
    images = _turning()
    runs = [_run(images, paint(images[0]), threads=threads) for threads in (1, 2, 3, 1)]
    for run in runs[1:]:
        for (a, _), (b, _) in zip(runs[0], run, strict=True):
            assert a.image.tobytes() == b.image.tobytes()
            assert a.error.tobytes() == b.error.tobytes()


def test_several_keys_do_not_disturb_each_other() -> None:
    images = _turning()
    alone = _run(images, paint(images[0]))
    frames = as_frames(images)
    first = propagate(KeyStyle(frames[0], paint(images[0]), OPTIONS), _steps(frames))
    second = propagate(KeyStyle(frames[-1], 255 - images[-1], OPTIONS), _steps(frames[::-1]))
    for expected, (result, _), _ in zip(alone, first, second, strict=True):
        assert np.array_equal(expected[0].image, result.image)


def test_cancel_stops_before_the_next_frame() -> None:
    images = sliding(5, 1.0, height=40, width=56)
    cancel = CancelToken()
    frames = as_frames(images)
    key = KeyStyle(frames[0], paint(images[0]), OPTIONS)
    results = propagate(key, _steps(frames), cancel=cancel)
    next(results)
    cancel.cancel()
    with pytest.raises(Cancelled):
        next(results)


def test_frames_are_consumed_one_by_one() -> None:
    consumed = 0

    def steps() -> Iterator[tuple[Frame, FlowPair]]:
        nonlocal consumed
        for step in _steps(frames):
            consumed += 1
            yield step

    images = sliding(5, 1.0, height=40, width=56)
    frames = as_frames(images)
    results = propagate(KeyStyle(frames[0], paint(images[0]), OPTIONS), steps())
    for count in range(1, 4):
        next(results)
        assert consumed == count


@pytest.mark.parametrize("size", [(21, 33), (7, 40), (16, 5), (3, 3), (1, 1)])
def test_odd_and_tiny_frames(size: tuple[int, int]) -> None:
    images = [texture(*size)] * 3
    for result, _ in _run(images, paint(images[0])):
        assert result.image.shape == (*size, 3)
        assert psnr(result.image, paint(images[0])) > 40


def test_inputs_are_not_written_to() -> None:
    images = _turning(4)
    style = paint(images[0])
    copies = [image.copy() for image in images]
    style_copy = style.copy()
    for image in (*images, style):
        image.flags.writeable = False
    results = _run(images, style)
    assert np.array_equal(style, style_copy)
    assert all(np.array_equal(a, b) for a, b in zip(images, copies, strict=True))
    assert not any(np.shares_memory(result.image, style) for result, _ in results)
