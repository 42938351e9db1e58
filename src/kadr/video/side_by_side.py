"""Images of one moment in, one image with them side by side and labelled out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFont

from kadr.core.frames import Image

_PAPER, _INK, _FAINT = (24, 24, 26), (228, 228, 224), (150, 150, 148)
_NARROWEST = 300
"""Pixels a panel must have for its words."""


@dataclass(frozen=True)
class Heading:
    """What stands above a panel: a title, and lines of facts."""

    title: str
    facts: tuple[str, ...] = ()


class SideBySide:
    """Puts panels beside one another under headings that stay; all panels have one size."""

    def __init__(self, headings: Sequence[Heading], size: tuple[int, int]) -> None:
        """size: (width, height) of the images; small ones are enlarged to hold the words."""
        scale = max(1.0, _NARROWEST / size[0])
        self._panel = (_even(size[0] * scale), _even(size[1] * scale))
        self._gap = max(2, self._panel[0] // 120) * 2
        self._head = self._headings(headings)

    def _headings(self, headings: Sequence[Heading]) -> Image:
        width, _ = self._panel
        large, small = max(15, width // 20), max(11, width // 32)
        lines = max(len(heading.facts) for heading in headings)
        height = _even(large * 1.9 + lines * small * 1.4 + small * 0.6)
        whole = len(headings) * (width + self._gap) - self._gap
        canvas = PillowImage.new("RGB", (_even(whole), height), _PAPER)
        draw = ImageDraw.Draw(canvas)
        for place, heading in enumerate(headings):
            x = place * (width + self._gap) + self._gap
            draw.text((x, large * 0.4), heading.title, _INK, ImageFont.load_default(size=large))
            for at, line in enumerate(heading.facts):
                y = large * 1.8 + at * small * 1.4
                draw.text((x, y), line, _FAINT, ImageFont.load_default(size=small))
        return np.array(canvas)

    def frame(self, images: Sequence[Image]) -> Image:
        """(H, W, 3) uint8, sides even, of one (h, w, 3) uint8 image for each heading."""
        width, height = self._panel
        head = self._head
        picture = np.full((head.shape[0] + height, head.shape[1], 3), _PAPER, np.uint8)
        picture[: head.shape[0]] = head
        for place, image in enumerate(images):
            enlarges = image.shape[1] < width
            method = cv2.INTER_CUBIC if enlarges else cv2.INTER_AREA
            x = place * (width + self._gap)
            picture[head.shape[0] :, x : x + width] = cv2.resize(
                image, (width, height), interpolation=method
            )
        return picture


def _even(length: float) -> int:
    return max(2, round(length / 2) * 2)
