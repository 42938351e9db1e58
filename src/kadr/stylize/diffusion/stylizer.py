"""Frames in, frames restyled by a diffusion model out: the ``diffusion`` stylizer."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, ClassVar, Protocol

from kadr.core.frames import Image
from kadr.errors import BackendError, InputError
from kadr.stylize.base import StyledFrame, StylizeContext, StylizeJob, batches
from kadr.stylize.diffusion.options import DiffusionOptions
from kadr.stylize.diffusion.temporal.previous_frames import PreviousFrames
from kadr.stylize.infotext import PARAMETERS, format_infotext
from kadr.stylize.option_hints import with_option


class FrameRestyler(Protocol):
    """Restyles frames: kadr's own sampling loop, or another diffusers pipeline."""

    def restyle(self, jobs: Sequence[StylizeJob], previous_frames: PreviousFrames) -> list[Image]:
        """Restyle each job's frame, in the order of the jobs; all frames have one size."""
        ...

    def infotext_fields(self, job: StylizeJob) -> Mapping[str, str | int | float | None]:
        """How a frame is made, under A1111's names."""
        ...

    def with_options(self, options: DiffusionOptions) -> FrameRestyler:
        """The same model with other options, which load no other one."""
        ...


class Diffusion:
    """The stylizer that runs Stable Diffusion locally; it loads the model at the first frame."""

    Options: ClassVar[type[DiffusionOptions]] = DiffusionOptions
    VERSION = 1
    name = "diffusion"

    def __init__(self, options: DiffusionOptions, models: LoadedModel | None = None) -> None:
        """models: shares the model of another stylizer."""
        self._options = options
        self._model = models or LoadedModel()

    def with_options(self, **changes: Any) -> Diffusion:
        """The same stylizer with some other options; both share a model in memory.

        Raises OptionsError for options that contradict each other.
        """
        return Diffusion(replace(self._options, **changes), self._model)

    @property
    def joint(self) -> bool:
        """Whether a shot's keys are made together."""
        return self._options.joint != "none"

    @property
    def sequential(self) -> bool:
        """Whether a frame depends on the previous output."""
        return self._options.sequential

    @property
    def max_batch(self) -> int:
        """How many frames are restyled at once at most."""
        return self._options.batch

    def missing_parts(self) -> str:
        """Which part of what a run needs is not on this machine, and what to do; "" if none."""
        from kadr.stylize.diffusion.model.location import missing_model

        if missing := missing_model(self._options.model, download=self._options.download):
            return missing
        try:
            _ = self._options.prompt_loras
        except InputError as error:
            return str(error)
        return ""

    def stylize(
        self, jobs: Iterable[StylizeJob], context: StylizeContext
    ) -> Iterator[list[StyledFrame]]:
        """Yield restyled frames, batch by batch; pixels outside ``context.mask`` do not change.

        ``context.threads`` is ignored: torch sums in another order with another number of threads,
        and results must not depend on it. torch uses its own number, which OMP_NUM_THREADS sets.
        ``info`` holds A1111's "parameters". Raises InputError for a model or addition that cannot
        be used, OptionsError for options that contradict the model, BackendError for a missing
        library or too little memory.
        """
        options = self._options
        previous_frames = PreviousFrames(context, options)
        for batch in batches(jobs, self):
            context.cancel.check()
            with self._model.restyler(options) as restyler:
                images = restyler.restyle(batch, previous_frames)
                fields = [restyler.infotext_fields(job) for job in batch]
            texts = [
                format_infotext(options.prompt, options.negative_prompt, frame_fields)
                for frame_fields in fields
            ]
            yield [
                StyledFrame(job.index, image, {PARAMETERS: text})
                for job, image, text in zip(batch, images, texts, strict=True)
            ]


class LoadedModel:
    """The model that is in memory, and what restyles frames with it under some options.

    Options that differ only in how frames are made use the same model. Other options replace it:
    there is never more than one.
    """

    def __init__(self) -> None:
        # threads share the networks and their memory, so only one may run them at a time
        self._lock = threading.Lock()
        self._loaded_by: object = None
        self._restylers: dict[DiffusionOptions, FrameRestyler] = {}

    @contextmanager
    def restyler(self, options: DiffusionOptions) -> Iterator[FrameRestyler]:
        """What restyles frames with these options, for one thread at a time.

        Raises as ``create_restyler``.
        """
        with self._lock:
            if options not in self._restylers:
                loaded_by = _load_options(options)
                if loaded_by != self._loaded_by:
                    self._restylers.clear()  # they hold the model that is to be replaced
                    self._loaded_by = loaded_by
                loaded = next(iter(self._restylers.values()), None)
                self._restylers[options] = create_restyler(options, loaded)
            yield self._restylers[options]


def _load_options(options: DiffusionOptions) -> object:
    """The options that decide which model is in memory; equal for the same model."""
    with _named_errors(options):
        from kadr.stylize.diffusion.model.loading import LoadOptions

        return options.model, LoadOptions.of(options)


def create_restyler(
    options: DiffusionOptions, loaded: FrameRestyler | None = None
) -> FrameRestyler:
    """What restyles frames with the model that the options name, with its additions.

    loaded: has the same model in memory; None: it is loaded.
    Raises BackendError if torch or another library is missing, and names it.
    """
    with _named_errors(options):
        from kadr.stylize.diffusion.engine import Engine
        from kadr.stylize.diffusion.model.loading import LoadOptions, load_model
        from kadr.stylize.diffusion.model.location import locate_model
        from kadr.stylize.diffusion.pipeline_adapter import PipelineAdapter, check_supported

        location = locate_model(options.model, download=options.download)
        if location.kind == "pipeline":
            check_supported(options, location)
        else:
            Engine.check(options)
        if loaded is not None:
            return loaded.with_options(options)
        if location.kind == "pipeline":
            return PipelineAdapter.load(location, options)
        return Engine(load_model(location, LoadOptions.of(options)), options)


@contextmanager
def _named_errors(options: DiffusionOptions) -> Iterator[None]:
    """Turn errors about a missing library or too little memory into ones that name it."""
    try:
        yield
    except (ImportError, RuntimeError) as error:
        backend_error = _missing_library(error) or _out_of_memory(error, options.model)
        if backend_error is None:
            raise
        raise backend_error from error


def _missing_library(error: BaseException | None) -> BackendError | None:
    """An error that names a missing library; diffusers hides the ImportError in another error."""
    while error is not None and not isinstance(error, ImportError):
        error = error.__cause__
    if error is None:
        return None
    name = (error.name or str(error)).split(".")[0]
    return BackendError(
        f"stylizer diffusion: {name} is not installed; pip install 'kadr[diffusion]'"
    )


def _out_of_memory(error: Exception, model: str) -> BackendError | None:
    """An error for a model that does not fit into memory; None for other errors."""
    from kadr.stylize.diffusion.model.weights import is_out_of_memory

    if not is_out_of_memory(error):
        return None
    return BackendError(
        f"{model}: does not fit into memory; try {with_option('dtype', 'float16')}, "
        f"{with_option('offload', 'parts')} or a smaller model"
    )
