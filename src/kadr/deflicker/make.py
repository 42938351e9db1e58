"""The public operation: a restyled clip and its film in, the clip without flicker out."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from kadr.core.events import CancelToken, Event, notice
from kadr.core.frames import Frame
from kadr.core.prefetch import prefetch
from kadr.deflicker.motion import Moment, moments
from kadr.deflicker.options import DeflickerOptions
from kadr.deflicker.strokes import steady_strokes
from kadr.deflicker.tone import steady_tone
from kadr.measure.inputs import MeasureInputs, open_inputs
from kadr.tasks.resources import limited_threads
from kadr.video.clips import create_clip
from kadr.video.outputs_apart import check_outputs_apart

STEP = "deflicker"


@dataclass(frozen=True)
class DeflickerResult:
    """The output, and how many frames it has."""

    output: Path
    frames: int


def deflicker(
    inputs: MeasureInputs,
    output: Path | str,
    options: DeflickerOptions | None = None,
    *,
    overwrite: bool = False,
    crf: int | None = None,
    encoder_preset: str | None = None,
    codec: str | None = None,
    depth: int | None = None,
    threads: int | None = None,
    cancel: CancelToken | None = None,
) -> Generator[Event, None, DeflickerResult]:
    """Write the restyled clip ``inputs.output`` without flicker, with times and sound of the film.

    inputs: the film ``clip``, its frames, and the restyled clip of these frames. output: as
    ``create_clip`` takes it. Colours and strokes of each frame are averaged with those of frames
    around it, along the motion of the film, where the film shows the same; never over a cut.
    Memory depends on the window and the size of frames, not on their number. Linear in frames. The
    same input gives the same output for any number of ``threads``.
    Raises InputError naming both clips if they do not belong together, OutputError if the output
    exists (unless ``overwrite``) or lies among the inputs, Cancelled; there is then no output.
    """
    cancel, options = cancel or CancelToken(), options or DeflickerOptions()
    check_outputs_apart([output], [Path(inputs.clip.path), inputs.output])
    with ExitStack() as stack:
        if threads is not None:
            stack.enter_context(limited_threads(threads))
        opened = stack.enter_context(open_inputs(inputs))
        for text in opened.notices:
            yield notice(STEP, text)
        frames = opened.frames
        indices = range(frames.start, frames.stop)
        with create_clip(
            output,
            like=opened.filmed,
            overwrite=overwrite,
            crf=crf,
            preset=encoder_preset,
            codec=codec,
            depth=depth,
            indices=indices,
        ) as writer:
            for text in writer.notices:
                yield notice(STEP, text)
            yield Event(STEP, 0, len(frames))
            films = opened.filmed.frames(frames.start, frames.stop)
            with closing(prefetch(moments(films, opened.output.frames()))) as items:
                toned = steady_tone(_until(items, cancel), options.window, options.strength)
                results = steady_strokes(toned, options.window, options.strength)
                for done, (index, image) in enumerate(results, 1):
                    cancel.check()
                    writer.write(Frame(index, image, opened.filmed.times[index]))
                    yield Event(STEP, done, len(frames), preview=image[..., :3])
        return DeflickerResult(writer.path, len(frames))


def _until(items: Iterable[Moment], cancel: CancelToken) -> Iterator[Moment]:
    """Pass on moments; raises Cancelled, also while none is finished yet."""
    for item in items:
        cancel.check()
        yield item
