"""``kadr-ebsynth``: the command line of the ``ebsynth`` program, run by kadr.

Takes what that program takes, unchanged: the output is ``output.png`` unless told, and one that
exists is replaced.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import typer

from kadr.cli.session import session
from kadr.cli.synth import synthesize_files
from kadr.cli.synth_arguments import USAGE, parse_synth, parse_talk

PROGRAM = "kadr-ebsynth"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line (by default this process's) and give its exit code, as ``kadr``'s."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    talk = parse_talk(given)
    if talk.help or not given:
        print(USAGE.format(program=PROGRAM), end="")
        return 0
    try:
        with session(quiet=talk.quiet, json=talk.json, verbose=talk.verbose) as now:
            synthesize_files(parse_synth(given, output="output.png", overwrite=True), now)
    except typer.Exit as stop:
        return stop.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
