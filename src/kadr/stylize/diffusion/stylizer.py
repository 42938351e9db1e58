"""Frames in, frames restyled by a diffusion model out: the ``diffusion`` stylizer."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import ClassVar, Protocol

from kadr.core.frames import Image
from kadr.errors import BackendError
from kadr.stylize.base import StyledFrame, StylizeContext, StylizeJob, batches
from kadr.stylize.diffusion.options import DiffusionOptions
from kadr.stylize.diffusion.temporal.previous_frames import PreviousFrames
from kadr.stylize.infotext import PARAMETERS, format_infotext


class FrameMaker(Protocol):
    """What makes the frames: kadr's own loop, or a pipeline of another kind."""

    def restyle(self, jobs: Sequence[StylizeJob], past: PreviousFrames) -> list[Image]:
        """Each job's frame restyled, in their order; frames are of one size."""
        ...

    def facts(self, job: StylizeJob) -> Mapping[str, str | int | float | None]:
        """How a frame is made, in A1111's words."""
        ...


class Diffusion:
    """The stylizer that runs Stable Diffusion here; the model is loaded at the first frame."""

    Options: ClassVar[type[DiffusionOptions]] = DiffusionOptions
    VERSION = 1
    name = "diffusion"

    def __init__(self, options: DiffusionOptions) -> None:
        self._options = options
        self._lock = threading.Lock()
        self._maker: FrameMaker | None = None

    @property
    def joint(self) -> bool:
        """Whether a shot's keys are made together."""
        return self._options.joint != "none"

    @property
    def sequential(self) -> bool:
        """Whether a frame builds on the output before it."""
        return self._options.sequential

    @property
    def max_batch(self) -> int:
        """As many frames as are restyled at once."""
        return self._options.batch

    def stylize(
        self, jobs: Iterable[StylizeJob], context: StylizeContext
    ) -> Iterator[list[StyledFrame]]:
        """Yield frames restyled, batch by batch; outside ``context.mask`` they stay as filmed.

        torch sums in another order with other cores, and results are not to depend on
        ``context.threads``; so it uses its own number, which OMP_NUM_THREADS sets.
        ``info`` holds A1111's "parameters". Raises InputError for a model or addition that cannot
        be used, OptionsError for options that contradict the model, BackendError for a missing
        library or too little memory.
        """
        chosen = self._options
        past = PreviousFrames(context, chosen)
        for batch in batches(jobs, self):
            context.cancel.check()
            # one model, one thread at a time: its networks and memory are shared
            with self._lock:
                if self._maker is None:
                    self._maker = create_frame_maker(chosen)
                images = self._maker.restyle(batch, past)
                facts = [self._maker.facts(job) for job in batch]
            texts = [format_infotext(chosen.prompt, chosen.negative_prompt, fact) for fact in facts]
            yield [
                StyledFrame(job.index, image, {PARAMETERS: text})
                for job, image, text in zip(batch, images, texts, strict=True)
            ]


def create_frame_maker(options: DiffusionOptions) -> FrameMaker:
    """Load the model that the options name, and what belongs to it.

    Raises BackendError if torch or another library is missing, which it names.
    """
    try:
        from kadr.stylize.diffusion.engine import Engine
        from kadr.stylize.diffusion.model.loading import LoadOptions, load_model
        from kadr.stylize.diffusion.model.sources import find_source
        from kadr.stylize.diffusion.pipeline_adapter import PipelineAdapter

        source = find_source(options.model, download=options.download)
        if source.kind == "pipeline":
            return PipelineAdapter.load(source, options)
        Engine.check(options)
        return Engine(load_model(source, LoadOptions.of(options)), options)
    except (ImportError, RuntimeError) as error:
        told = _not_installed(error) or _too_large(error, options.model)
        if told is None:
            raise
        raise told from error


def _not_installed(error: BaseException | None) -> BackendError | None:
    """What to say of a library that is missing; diffusers tells of one behind another error."""
    while error is not None and not isinstance(error, ImportError):
        error = error.__cause__
    if error is None:
        return None
    name = (error.name or str(error)).split(".")[0]
    return BackendError(
        f"stylizer diffusion: {name} is not installed; pip install 'kadr[diffusion]'"
    )


def _too_large(error: Exception, model: str) -> BackendError | None:
    """What to say of a model for which memory is too small; None for other errors."""
    from kadr.stylize.diffusion.model.weights import is_out_of_memory

    if not is_out_of_memory(error):
        return None
    return BackendError(
        f"{model}: does not fit into memory; try dtype=float16, offload=parts or a smaller model"
    )
