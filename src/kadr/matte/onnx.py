"""Make mattes with a segmentation or matting model from an ONNX file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar

from kadr.core.events import Event, notice
from kadr.core.frames import FrameRange
from kadr.core.prefetch import prefetch
from kadr.matte.base import STEP, FrameMatte, MatteContext, work_image
from kadr.matte.options import OnnxOptions
from kadr.matte.segmenter import Segmenter
from kadr.video.base import Clip


class Onnx:
    """The method that runs each frame through a model."""

    Options: ClassVar[type[OnnxOptions]] = OnnxOptions
    VERSION = 1
    name = "onnx"

    def __init__(self, options: OnnxOptions) -> None:
        assert options.model is not None, "checked by the options"
        self.options, self._model = options, options.model

    @property
    def files(self) -> tuple[Path, ...]:
        """The model."""
        return (self._model,)

    @property
    def settings(self) -> Mapping[str, object]:
        """How the model is used."""
        options = self.options
        return {
            "class": options.model_class,
            "range": options.model_range,
            "order": options.model_order,
            "size": options.model_size,
        }

    def mattes(
        self, clip: Clip, frames: FrameRange, wanted: FrameRange, context: MatteContext
    ) -> Iterator[Event | FrameMatte]:
        """See MatteMethod. The first frame decides how the output is read."""
        options = self.options
        segment = Segmenter(
            self._model,
            pixel_range=options.model_range,
            order=options.model_order,
            side=options.model_size,
            subject=options.model_class,
        )
        context.cancel.check()
        segment(work_image(clip.frame(frames.start)))
        for text in segment.notices:
            yield notice(STEP, text)
        for frame in prefetch(clip.frames(wanted.start, wanted.stop)):
            context.cancel.check()
            image = work_image(frame)
            yield FrameMatte(frame, image, segment(image))
