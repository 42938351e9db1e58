"""Jobs, what a run provides, and batching."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stylize_samples import Echo, jobs, picture

from kadr.core.frames import Frame
from kadr.errors import OptionsError
from kadr.stylize.base import StyledFrame, StylizeContext, StylizeJob, batches


def test_job_knows_its_index() -> None:
    assert StylizeJob(Frame(12, picture()), group=0, seed=1).index == 12


@pytest.mark.parametrize(
    "image", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32)], ids=["2D", "float"]
)
def test_styled_refuses_other_arrays(image: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"stylized frame 3: expected \(H, W, 3 or 4\) uint8"):
        StyledFrame(3, image)


def test_a_bare_context_says_what_it_lacks() -> None:
    context = StylizeContext()
    with pytest.raises(OptionsError, match="has no flow from frame 4 to frame 3"):
        context.flow(4, 3)
    with pytest.raises(OptionsError, match="has no occlusion"):
        context.occlusion(4, 3)
    with pytest.raises(OptionsError, match="has no control 'edges' for frame 4"):
        context.control("edges", 4)
    assert context.previous(4) is None
    assert context.previous_index(4) is None
    assert context.mask(4) is None
    assert context.number(4) == 4


def _seeds(batches_of_jobs: Iterable[list[StylizeJob]]) -> list[list[int]]:
    return [[job.seed for job in batch] for batch in batches_of_jobs]


@given(count=st.integers(0, 12), limit=st.integers(1, 5), per_group=st.integers(1, 4))
def test_batches_keep_order_and_limits(count: int, limit: int, per_group: int) -> None:
    frame = Frame(0, np.zeros((2, 2, 3), np.uint8))
    all_jobs = [StylizeJob(frame, position // per_group, position) for position in range(count)]
    plain = _seeds(batches(all_jobs, Echo(max_batch=limit)))
    assert [seed for batch in plain for seed in batch] == list(range(count))
    assert all(len(batch) == limit for batch in plain[:-1])
    assert _seeds(batches(all_jobs, Echo(sequential=True, max_batch=limit))) == [
        [position] for position in range(count)
    ]
    joint = list(batches(all_jobs, Echo(joint=True, max_batch=limit)))
    assert [batch[0].group for batch in joint] == sorted({job.group for job in all_jobs})
    assert all(len({job.group for job in batch}) == 1 for batch in joint)


def test_a_batch_holds_one_frame_size() -> None:
    small, large = Frame(0, picture(8, 8)), Frame(1, picture(16, 8))
    all_jobs = [StylizeJob(frame, 0, 0) for frame in (small, small, large)]
    assert [len(batch) for batch in batches(all_jobs, Echo(max_batch=9))] == [2, 1]


def test_a_torn_group_is_a_fault_of_the_caller() -> None:
    first, *_, last = jobs((1, 2, 3), per_group=1)
    with pytest.raises(ValueError, match="group 0"):
        list(batches([first, last, first], Echo(joint=True)))
