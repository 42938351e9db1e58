"""``kadr-ebsynth``: the command line of the ``ebsynth`` program, run by kadr.

It takes the same arguments as that program: the default output is ``output.png``, and an output
that exists is replaced.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import typer

from kadr.cli.guard import guarded
from kadr.cli.session import open_session
from kadr.cli.synth import synthesize_files
from kadr.cli.synth_arguments import USAGE, parse_synth, parse_verbosity

PROGRAM = "kadr-ebsynth"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line (by default that of this process); returns its exit code, as ``kadr``."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    return guarded(lambda: _run(words), words, PROGRAM)


def _run(words: list[str]) -> int:
    verbosity = parse_verbosity(words)
    if verbosity.help or not words:
        print(USAGE.format(program=PROGRAM), end="")
        return 0
    try:
        with open_session(
            quiet=verbosity.quiet, json=verbosity.json, verbose=verbosity.verbose
        ) as session:
            synthesize_files(parse_synth(words, output="output.png", overwrite=True), session)
    except typer.Exit as stop:
        return stop.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
