"""One frame through a stylizer, and pictures whose drawing is known."""

from __future__ import annotations

from typing import Any

import numpy as np

from kadr.core.frames import Frame, Image
from kadr.stylize.base import StylizeContext, StylizeJob
from kadr.stylize.registry import create_stylizer

LOOKS = ("paint", "ink", "watercolour", "pencil")
"""The stylizers that draw with ``EachFrame``."""


def draw_one(
    look: str, image: Image, context: StylizeContext | None = None, *, job: int = 5, **options: Any
) -> Image:
    """The frame that a look makes of an image. job: the seed of its job."""
    jobs = [StylizeJob(Frame(0, image), 0, job)]
    ((styled,),) = create_stylizer(look, **options).stylize(jobs, context or StylizeContext())
    return styled.image


def grey(level: int, height: int = 90, width: int = 90) -> Image:
    """A flat grey image."""
    return np.full((height, width, 3), level, np.uint8)


def step(dark: int, light: int, height: int = 90, width: int = 120) -> Image:
    """A dark half on the left and a light one on the right."""
    image = grey(dark, height, width)
    image[:, width // 2 :] = light
    return image
