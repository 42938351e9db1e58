"""The contract of all stylizers, held up to the diffusion stylizer with tiny models."""

from __future__ import annotations

import pytest
from test_stylizer_contract import (  # noqa: F401 - collected here with the fixture below
    test_batches_are_as_announced,
    test_cancelling_stops_before_the_next_job,
    test_every_job_is_answered_once_with_an_image_of_its_size,
    test_inputs_are_left_alone,
    test_jobs_are_read_no_further_than_a_batch_needs,
    test_no_jobs_no_batches,
    test_same_seed_same_bytes_for_any_thread_count,
    test_two_threads_can_use_one_stylizer,
)

from kadr.stylize.base import Stylizer
from kadr.stylize.registry import create_stylizer


@pytest.fixture(params=["one by one", "in batches", "inpainting"])
def stylizer(request: pytest.FixtureRequest, tiny_model) -> Stylizer:
    kind = "sd1-inpaint" if request.param == "inpainting" else "sd1"
    return create_stylizer(
        "diffusion",
        model=str(tiny_model(kind)),
        prompt="ink",
        steps=3,
        pixels=4096,
        batch=2 if request.param == "in batches" else 1,
    )
