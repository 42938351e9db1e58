"""``kadr synth``: a style and guides in, one synthesized image out."""

from __future__ import annotations

import time
from typing import Any

import typer
from typer.core import TyperCommand

from kadr.cli.session import Session, session
from kadr.cli.synth_arguments import USAGE, SynthArguments, parse_synth, parse_talk


class SynthCommand(TyperCommand):
    """Hands its arguments on as they are: a weight belongs to the guide before it."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Keep everything for the command's own parser."""
        ctx.args = list(args)
        return []


def synth(context: typer.Context) -> None:
    """Paint one image from a style and guides, with the options of the ebsynth program."""
    talk = parse_talk(context.args)
    if talk.help or not context.args:
        print(USAGE.format(program="kadr synth"), end="")
        return
    with session(quiet=talk.quiet, json=talk.json, verbose=talk.verbose) as now:
        synthesize_files(parse_synth(context.args), now)


def synthesize_files(given: SynthArguments, now: Session) -> None:
    """Read the images, synthesize, write what was asked for, and say so."""
    from kadr.cli.synth_files import check_outputs, read_images, write_outputs
    from kadr.synth.prepare import prepare
    from kadr.synth.types import StyleSource

    check_outputs(given)
    began = time.monotonic()
    images = read_images(given)

    with now.announced_kernels():
        prepared = prepare(
            [StyleSource(images.style, images.sources, images.source_mask)],
            given.weights,
            options=given.options,
            style_weight=given.style_weight,
            threads=given.threads,
            backend=given.backend,
        )
        made = prepared.synthesize(
            images.targets,
            start_nnf=images.start_nnf,
            modulation=images.modulation,
            mask=images.target_mask,
        )
    write_outputs(given, made)
    seconds = time.monotonic() - began
    height, width = made.image.shape[:2]
    now.speaker.result(
        f"{given.output}: {width}×{height} in {seconds:.1f} s",
        output=given.output,
        width=width,
        height=height,
        error=float(made.error.mean()),
        seconds=round(seconds, 3),
    )
