"""Memory of tasks: what a large frame needs at each work size, as measured."""

from __future__ import annotations

import pytest

from kadr.options import detail_options
from kadr.render.task_memory import blend_memory, pass_memory

_MIB = 1024 * 1024
_4K = (2160, 3840)


@pytest.mark.parametrize(("detail", "measured"), [("medium", 859), ("high", 1468)])
def test_a_pass_needs_no_more_than_is_planned(detail: str, measured: int) -> None:
    planned = pass_memory(_4K, detail_options(detail)) / _MIB
    assert measured <= planned + 25 <= measured * 1.15


def test_a_smaller_work_size_needs_less() -> None:
    needs = [pass_memory(_4K, detail_options(name)) for name in ("high", "medium", "low", "draft")]
    assert needs == sorted(needs, reverse=True)
    assert len(set(needs)) == 4


def test_frames_that_are_not_reduced_count_in_full() -> None:
    whole, reduced = (pass_memory((960, 540), detail_options(name)) for name in ("medium", "draft"))
    assert whole > reduced


def test_a_blend_holds_its_keys() -> None:
    two, four = (blend_memory(_4K, 3, keys) for keys in (2, 4))
    assert four - two == 2 * 3 * 2160 * 3840
    assert 559 <= two / _MIB <= 650
    assert blend_memory(_4K, 4, 2) > two
