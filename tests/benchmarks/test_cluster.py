"""The simulated cluster: every task of the schedule once, and times that cores allow."""

from __future__ import annotations

import pytest

from cluster import Cluster, Costs, film_schedule, film_tasks, simulate
from kadr.render.blend_task import BlendWork

EVEN = {"spread": 0.0, "slow": 0.0, "losses": 0.0}


def test_the_schedule_makes_every_frame_once_and_each_between_keys_in_two_passes() -> None:
    schedule, missing = film_schedule(500, 30, seed=2)
    works = [work for work, _ in film_tasks(schedule, missing)]
    blended = [index for work in works if isinstance(work, BlendWork) for index in work.indices]
    assert sorted([*blended, *missing.keys]) == list(range(500))
    passes = [index for work in works if not isinstance(work, BlendWork) for index in work.indices]
    assert sorted(passes) == sorted([*blended, *blended])


def test_one_core_takes_the_sum_of_all_tasks() -> None:
    costs = Costs(pass_seconds=2.0, blend_seconds=3.0, start_seconds=0.0)
    outcome = simulate(Cluster(1, 1, **EVEN), costs, 200, 30, 1.0, seed=2)
    _, missing = film_schedule(200, 30, seed=2)
    expected = 2.0 * missing.pass_frames + 3.0 * missing.finished_frames
    assert outcome.seconds == pytest.approx(expected)
    assert outcome.efficiency == pytest.approx(1.0)
    assert outcome.dollars == pytest.approx(expected / 3600)


def test_more_cores_are_faster_and_lost_machines_cost_a_little() -> None:
    few = simulate(Cluster(2, 4, **EVEN), Costs(), 1500, 30, 1.0, seed=3)
    many = simulate(Cluster(4, 4, **EVEN), Costs(), 1500, 30, 1.0, seed=3)
    assert few.seconds / 2 <= many.seconds < few.seconds * 0.75
    lossy = simulate(Cluster(4, 4, **{**EVEN, "losses": 20.0}), Costs(), 1500, 30, 1.0, seed=3)
    assert many.seconds < lossy.seconds
    interval = Costs.start_seconds + 16 * max(Costs.pass_seconds, Costs.blend_seconds)
    assert 0 < lossy.again <= 3 * 4 * interval
