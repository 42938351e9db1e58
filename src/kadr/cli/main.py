"""``kadr``: the command line's entry point. Commands import what they need when they run."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

import kadr
from kadr.cli.clean import clean
from kadr.cli.compare import compare
from kadr.cli.convert import encode, frames
from kadr.cli.doctor import doctor
from kadr.cli.exchange import export, import_
from kadr.cli.info import info, stylizers
from kadr.cli.new import new
from kadr.cli.plan import plan
from kadr.cli.presets import presets
from kadr.cli.preview import preview
from kadr.cli.run import run
from kadr.cli.seeds import seeds
from kadr.cli.session import FAILED, STOPPED
from kadr.cli.status import status
from kadr.cli.synth import SynthCommand, synth

app = typer.Typer(pretty_exceptions_enable=False, no_args_is_help=False)

# what stands after a shell's `--keys painted/*.png` is more keys
app.command("run", context_settings={"allow_extra_args": True})(run)
app.command("new", context_settings={"allow_extra_args": True})(new)
app.command("import")(import_)
for _command in (
    frames,
    encode,
    export,
    info,
    stylizers,
    presets,
    seeds,
    compare,
    doctor,
    plan,
    preview,
    status,
    clean,
):
    app.command(_command.__name__)(_command)
app.command("synth", cls=SynthCommand, add_help_option=False)(synth)

_UsageError: type[Exception] = next(
    kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException"
)
"""What Typer raises for a wrong command line; it has no public name for it."""


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"kadr {kadr.__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _kadr(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Say the version."),
    ] = False,
) -> None:
    """Restyle a video from a few painted frames."""
    if context.invoked_subcommand is None:
        print(context.get_help())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line (by default this process's) and give its exit code.

    0: done. 2: an error, told in one line on stderr. 130: stopped by Ctrl-C.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a file name may hold what an encoding lacks
            stream.reconfigure(errors="backslashreplace")
    given = sys.argv[1:] if arguments is None else list(arguments)
    try:
        code = app(given, prog_name="kadr", standalone_mode=False)
    except typer.Exit as stop:
        code = stop.exit_code
    except (typer.Abort, KeyboardInterrupt):
        code = STOPPED
    except _UsageError as error:
        return _misused(error, given)
    return code if isinstance(code, int) else 0


def _misused(error: BaseException, given: Sequence[str]) -> int:
    """Tell what is wrong with a command line in one line, and where to read on."""
    text = " ".join(error.format_message().split())  # type: ignore[attr-defined]
    known = {command.name for command in app.registered_commands}
    names = [word for word in given[:1] if word in known]
    line = f"{text.rstrip('.')}; see {' '.join(['kadr', *names])} --help"
    if "--json" in given:
        with contextlib.suppress(BrokenPipeError):
            print(json.dumps({"event": "error", "kind": "UsageError", "message": line}))
    print(f"error: {line}", file=sys.stderr)
    return FAILED


if __name__ == "__main__":
    sys.exit(main())
