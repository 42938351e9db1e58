"""``kadr synth``: a style and guides in, one synthesized image out."""

from __future__ import annotations

import time
from typing import Any

import typer
from typer.core import TyperCommand

from kadr.cli.session import Session, open_session
from kadr.cli.synth_arguments import USAGE, SynthArguments, parse_synth, parse_verbosity


class SynthCommand(TyperCommand):
    """Keeps its arguments unparsed: a weight belongs to the guide before it."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Leave all arguments to the parser of the command."""
        ctx.args = list(args)
        return []


def synth(context: typer.Context) -> None:
    """Synthesize one image from a style and guides, with the options of the ebsynth program."""
    verbosity = parse_verbosity(context.args)
    if verbosity.help or not context.args:
        print(USAGE.format(program="kadr synth"), end="")
        return
    with open_session(
        quiet=verbosity.quiet, json=verbosity.json, verbose=verbosity.verbose
    ) as session:
        synthesize_files(parse_synth(context.args), session)


def synthesize_files(arguments: SynthArguments, session: Session) -> None:
    """Read the images, synthesize, write the result and print its path."""
    from kadr.cli.synth_files import check_outputs, read_images, write_outputs
    from kadr.synth.prepare import prepare
    from kadr.synth.types import StyleSource

    check_outputs(arguments)
    start = time.monotonic()
    images = read_images(arguments)

    with session.report_compiling():
        prepared = prepare(
            [StyleSource(images.style, images.sources, images.source_mask)],
            arguments.weights,
            options=arguments.options,
            style_weight=arguments.style_weight,
            threads=arguments.threads,
            backend=arguments.backend,
        )
        synthesis = prepared.synthesize(
            images.targets,
            start_nnf=images.start_nnf,
            modulation=images.modulation,
            mask=images.target_mask,
        )
    write_outputs(arguments, synthesis)
    seconds = time.monotonic() - start
    height, width = synthesis.image.shape[:2]
    session.reporter.result(
        f"{arguments.output}: {width}×{height} in {seconds:.1f} s",
        output=arguments.output,
        width=width,
        height=height,
        error=float(synthesis.error.mean()),
        seconds=round(seconds, 3),
    )
