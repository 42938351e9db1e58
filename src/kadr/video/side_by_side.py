"""Place images of the same frame side by side under headings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFont

from kadr.core.frames import Image

_BACKGROUND, _TEXT, _FACTS = (24, 24, 26), (228, 228, 224), (150, 150, 148)
_LEAST_WIDTH = 300
"""Pixels that a panel needs for its text."""


@dataclass(frozen=True)
class Heading:
    """The text above a panel: a title and lines of facts."""

    title: str
    facts: tuple[str, ...] = ()


class SideBySide:
    """Draws panels side by side under fixed headings; all panels have one size."""

    def __init__(self, headings: Sequence[Heading], size: tuple[int, int]) -> None:
        """size: (width, height) of the images; small images are enlarged to fit the text."""
        scale = max(1.0, _LEAST_WIDTH / size[0])
        self._panel = (_even(size[0] * scale), _even(size[1] * scale))
        self._gap = max(2, self._panel[0] // 120) * 2
        self._header = self._draw_header(headings)

    def _draw_header(self, headings: Sequence[Heading]) -> Image:
        width, _ = self._panel
        large, small = max(15, width // 20), max(11, width // 32)
        lines = max(len(heading.facts) for heading in headings)
        height = _even(large * 1.9 + lines * small * 1.4 + small * 0.6)
        total_width = len(headings) * (width + self._gap) - self._gap
        canvas = PillowImage.new("RGB", (_even(total_width), height), _BACKGROUND)
        draw = ImageDraw.Draw(canvas)
        for column, heading in enumerate(headings):
            x = column * (width + self._gap) + self._gap
            draw.text((x, large * 0.4), heading.title, _TEXT, ImageFont.load_default(size=large))
            for row, line in enumerate(heading.facts):
                y = large * 1.8 + row * small * 1.4
                draw.text((x, y), line, _FACTS, ImageFont.load_default(size=small))
        return np.array(canvas)

    def frame(self, images: Sequence[Image]) -> Image:
        """(H, W, 3) uint8 with even sides, from one (h, w, 3) uint8 image for each heading."""
        width, height = self._panel
        header = self._header
        top = header.shape[0]
        canvas = np.full((top + height, header.shape[1], 3), _BACKGROUND, np.uint8)
        canvas[:top] = header
        for column, image in enumerate(images):
            method = cv2.INTER_CUBIC if image.shape[1] < width else cv2.INTER_AREA
            x = column * (width + self._gap)
            canvas[top:, x : x + width] = cv2.resize(image, (width, height), interpolation=method)
        return canvas


def _even(length: float) -> int:
    return max(2, round(length / 2) * 2)
