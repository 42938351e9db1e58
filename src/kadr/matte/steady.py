"""Steady mattes over time: each one averaged with its neighbours, moved along the flow."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from kadr.core.events import Event
from kadr.core.frames import Image
from kadr.core.warp import Field, warp
from kadr.guides.confidence import similarity, smoothstep
from kadr.guides.flow import estimate_flow, gray
from kadr.guides.occlusion import find_occlusion
from kadr.matte.base import FrameMatte, Matte

_SIMILARITY_RANGE = (0.5, 0.85)
"""Similarity to the warped neighbour at which its matte begins to count, and counts in full."""


@dataclass(eq=False)
class _Member:
    """A matte in the window; vote: those of its neighbours, weighted, and their weights."""

    item: FrameMatte
    luma: Image
    mattes: Matte
    weights: NDArray[np.float32]


def steady(items: Iterable[Event | FrameMatte]) -> Iterator[Event | FrameMatte]:
    """Pass on events, and each matte averaged with those of the frame before and after it.

    A neighbour counts only where it shows what the frame shows. Each result depends on three mattes
    only, so that a part of a clip gets the same mattes as the whole. Painted ones stay.
    """
    window: deque[_Member] = deque()
    for item in items:
        if isinstance(item, Event):
            yield item
            continue
        member = _Member(item, gray(item.image), item.matte.copy(), np.ones_like(item.matte))
        if window and window[-1].item.frame.index == item.frame.index - 1:
            _exchange(window[-1], member)
        window.append(member)
        if len(window) > 1:
            yield _average(window.popleft())
    for member in window:
        yield _average(member)


def _exchange(first: _Member, second: _Member) -> None:
    """Let two frames that follow one another count for each other."""
    there = estimate_flow(first.luma, second.luma, quick=True)
    back = estimate_flow(second.luma, first.luma, quick=True)
    _add(first, second.item, there, back)
    _add(second, first.item, back, there)


def _add(member: _Member, neighbour: FrameMatte, flow: Field, reverse: Field) -> None:
    weight = smoothstep(
        similarity(warp(neighbour.image, flow), member.item.image), *_SIMILARITY_RANGE
    )
    weight[find_occlusion(flow, reverse)] = 0
    member.mattes += weight * warp(neighbour.matte, flow)
    member.weights += weight


def _average(member: _Member) -> FrameMatte:
    if member.item.exact is not None:
        return member.item
    return replace(member.item, matte=member.mattes / member.weights)
