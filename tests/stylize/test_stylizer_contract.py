"""One contract, held up to every stylizer that can be had without learned weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, is_dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from fake_a1111 import FakeA1111
from fake_comfyui import MODELS, FakeComfyUI
from fake_http import FakeServer
from stylize_samples import Echo, jobs, picture
from tiny_networks import affine

from kadr.core.events import CancelToken
from kadr.errors import Cancelled
from kadr.image_files import write_image
from kadr.stylize.base import StyledFrame, StylizeContext, Stylizer
from kadr.stylize.external import ExternalOptions
from kadr.stylize.registry import create_stylizer, stylizer_names, stylizer_options

INDICES = (2, 3, 5, 8, 9)


def _external(folder: Path) -> Stylizer:
    for index in INDICES:
        write_image(folder / f"key_{index:03}.png", picture(seed=100 + index))
    return create_stylizer("external", keys=(folder,))


def _onnx(folder: Path) -> Stylizer:
    network = affine(folder / "network.onnx", gain=(0.5, -1, 0.8), shift=(0.1, 1, 0.1))
    return create_stylizer("onnx", network=network)


MAKERS: dict[str, Callable[[Path], Stylizer]] = {
    "external": _external,
    "paint": lambda folder: create_stylizer("paint"),
    "ink": lambda folder: create_stylizer("ink"),
    "watercolour": lambda folder: create_stylizer("watercolour"),
    "pencil": lambda folder: create_stylizer("pencil"),
    "onnx": _onnx,
    "echo": lambda folder: Echo(max_batch=3),
    "joint echo": lambda folder: Echo(joint=True),
    "sequential echo": lambda folder: Echo(sequential=True, max_batch=4),
}

SERVERS: dict[str, type[FakeServer]] = {"a1111": FakeA1111, "comfyui": FakeComfyUI}
"""Stylizers that ask a server, and one that answers them while a test runs."""


@pytest.fixture(params=[*MAKERS, *SERVERS])
def stylizer(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stylizer]:
    if request.param in MAKERS:
        yield MAKERS[request.param](tmp_path)
        return
    settings = {"model": MODELS[0]} if request.param == "comfyui" else {}
    with SERVERS[request.param]() as server:
        yield create_stylizer(request.param, url=server.url, pixels=64 * 64, **settings)


def _run(
    stylizer: Stylizer, context: StylizeContext | None = None, seed: int = 7
) -> list[list[StyledFrame]]:
    return list(stylizer.stylize(jobs(INDICES, seed=seed), context or StylizeContext()))


def test_a_version_says_which_pixels_it_makes(stylizer: Stylizer) -> None:
    assert isinstance(stylizer.VERSION, int)
    assert stylizer.VERSION >= 1


def test_every_job_is_answered_once_with_an_image_of_its_size(stylizer: Stylizer) -> None:
    styled = [item for batch in _run(stylizer) for item in batch]
    assert sorted(item.index for item in styled) == list(INDICES)
    for item in styled:
        assert item.image.shape == (48, 64, 3)
        assert item.image.dtype == np.uint8


def test_batches_are_as_announced(stylizer: Stylizer) -> None:
    sizes = [[item.index for item in batch] for batch in _run(stylizer)]
    if stylizer.joint:
        assert sizes == [[2, 3], [5, 8], [9]]
    else:
        assert max(map(len, sizes)) <= (1 if stylizer.sequential else stylizer.max_batch)
    if stylizer.sequential:
        assert [index for batch in sizes for index in batch] == list(INDICES)


def test_same_seed_same_bytes_for_any_thread_count(stylizer: Stylizer) -> None:
    first = _run(stylizer, StylizeContext(threads=1))
    second = _run(stylizer, StylizeContext(threads=3))
    for batch, other in zip(first, second, strict=True):
        for a, b in zip(batch, other, strict=True):
            np.testing.assert_array_equal(a.image, b.image)


def test_two_threads_can_use_one_stylizer(stylizer: Stylizer) -> None:
    alone = _run(stylizer)
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(lambda _: _run(stylizer), range(2)))
    for results in together:
        for batch, other in zip(alone, results, strict=True):
            for a, b in zip(batch, other, strict=True):
                np.testing.assert_array_equal(a.image, b.image)


def test_inputs_are_left_alone(stylizer: Stylizer) -> None:
    all_jobs = list(jobs(INDICES))
    before = [job.frame.image.copy() for job in all_jobs]
    list(stylizer.stylize(all_jobs, StylizeContext()))
    for job, image in zip(all_jobs, before, strict=True):
        np.testing.assert_array_equal(job.frame.image, image)


def test_cancelling_stops_before_the_next_job(stylizer: Stylizer) -> None:
    cancel = CancelToken()
    batches = stylizer.stylize(jobs(INDICES), StylizeContext(cancel=cancel))
    next(batches)
    cancel.cancel()
    with pytest.raises(Cancelled):
        next(batches)


def test_jobs_are_read_no_further_than_a_batch_needs(stylizer: Stylizer) -> None:
    taken = []

    def watched():
        for job in jobs(INDICES):
            taken.append(job.index)
            yield job

    first = next(iter(stylizer.stylize(watched(), StylizeContext())))
    # the end of a group shows only in the job after it
    assert len(taken) <= len(first) + stylizer.joint


def test_no_jobs_no_batches(stylizer: Stylizer) -> None:
    assert list(stylizer.stylize([], StylizeContext())) == []


@pytest.mark.parametrize("name", stylizer_names())
def test_options_are_a_frozen_dataclass_with_help(name: str) -> None:
    options = stylizer_options(name)
    assert is_dataclass(options)
    assert options.__dataclass_params__.frozen
    for item in fields(options):
        assert item.metadata["help"], f"{name}.{item.name} has no help"


def test_weight_free_stylizers_are_all_in_this_suite() -> None:
    assert {*MAKERS, *SERVERS} - {"echo", "joint echo", "sequential echo"} | {"diffusion"} == set(
        stylizer_names()
    )
    assert replace(ExternalOptions(keys=(Path("a"),)), fit=True).fit
