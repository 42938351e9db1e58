"""``kadr``: the command line's entry point. Commands import what they need when they run."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import typer

import kadr
from kadr.cli.clean import clean
from kadr.cli.compare import compare
from kadr.cli.convert import encode, frames
from kadr.cli.deflicker import deflicker
from kadr.cli.doctor import doctor
from kadr.cli.exchange import export, import_
from kadr.cli.guard import FAILED, STOPPED, guarded
from kadr.cli.help import PlainCommand, PlainGroup, paragraphs
from kadr.cli.info import info, stylizers
from kadr.cli.layer import layer
from kadr.cli.mask import mask
from kadr.cli.measure import measure
from kadr.cli.new import new
from kadr.cli.plan import plan
from kadr.cli.presets import presets
from kadr.cli.preview import preview
from kadr.cli.run import run
from kadr.cli.seeds import seeds
from kadr.cli.status import status
from kadr.cli.studio import studio
from kadr.cli.synth import SynthCommand, synth
from kadr.core.heap import limit_arenas
from kadr.core.locations import message_text
from kadr.errors import OptionsError

COMMANDS: Mapping[str, tuple[Callable[..., Any], ...]] = {
    "Start": (studio, new, import_, layer),
    "Plan": (plan, frames, mask),
    "Run": (run, preview, compare, deflicker),
    "Look": (status, measure, info),
    "Exchange": (export, encode),
    "Stylize": (stylizers, presets, seeds, synth),
    "Machine": (doctor, clean),
}
"""Heading in help → its commands, in the order of the job."""

_SETTINGS: Mapping[Callable[..., Any], dict[str, Any]] = {
    # a shell's `--keys painted/*.png` leaves all but the first key as extra arguments
    run: {"context_settings": {"allow_extra_args": True}},
    new: {"context_settings": {"allow_extra_args": True}},
    synth: {"cls": SynthCommand, "add_help_option": False},
}

app = typer.Typer(cls=PlainGroup, pretty_exceptions_enable=False, no_args_is_help=False)
for _panel, _commands in COMMANDS.items():
    for _command in _commands:
        _settings = {"cls": PlainCommand} | _SETTINGS.get(_command, {})
        _name = _command.__name__.removesuffix("_")
        _help = paragraphs(_command.__doc__ or "")
        app.command(_name, help=_help, rich_help_panel=_panel, **_settings)(_command)

_UsageError: type[Exception] = next(
    kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException"
)
"""The class of Typer's errors about the command line; it has no public name."""


def _print_version(value: bool) -> None:
    if value:
        print(f"kadr {kadr.__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _kadr(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Restyle a video from a few painted frames."""
    if context.invoked_subcommand is None:
        print(context.get_help())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line (by default that of this process) and return its exit code.

    0: success. 2: an error, printed as one line on stderr. 70: a fault of kadr, one line that names
    a log file. 130: stopped by Ctrl-C. 141: nobody reads the output any more.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a file name may hold what an encoding lacks
            stream.reconfigure(errors="backslashreplace")
    words = sys.argv[1:] if arguments is None else list(arguments)
    return guarded(lambda: _run(words), words, "kadr")


def _run(words: list[str]) -> int:
    """Run a command; a word that no system can pass on comes from Python."""
    limit_arenas()
    for word in words:
        if "\0" in word:
            raise OptionsError(f"{word}: holds a null character, which no name may have")
    try:
        code = app(words, prog_name="kadr", standalone_mode=False)
    except typer.Exit as stop:
        code = stop.exit_code
    except (typer.Abort, KeyboardInterrupt):
        code = STOPPED
    except _UsageError as error:
        return _report_usage_error(error, words)
    return code if isinstance(code, int) else 0


def _report_usage_error(error: BaseException, words: Sequence[str]) -> int:
    """Print what is wrong with a command line in one line, and which help to read."""
    text = " ".join(error.format_message().split())  # type: ignore[attr-defined]
    names = {command.name for command in app.registered_commands}
    command = [word for word in words[:1] if word in names]
    line = message_text(f"{text.rstrip('.')}; see {' '.join(['kadr', *command])} --help")
    if "--json" in words:
        with contextlib.suppress(BrokenPipeError):
            print(json.dumps({"event": "error", "kind": "UsageError", "message": line}))
    print(f"error: {line}", file=sys.stderr)
    return FAILED


if __name__ == "__main__":
    sys.exit(main())
