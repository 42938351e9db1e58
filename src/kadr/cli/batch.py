"""``kadr batch``: a file or a folder of projects or clips in, all their films out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kadr.cli.flags import Json, Quiet, Verbose
from kadr.cli.session import Session, open_session
from kadr.core import formatting
from kadr.core.parsing import expand_home
from kadr.errors import Cancelled, KadrError

if TYPE_CHECKING:
    from kadr.batch.batch import BatchRow

_MOST_NAMES = 5
"""Of failed runs in the last line."""


def batch(
    target: Annotated[
        str,
        typer.Argument(
            parser=expand_home, metavar="FILE.toml|DIR", help="A batch file, or a folder."
        ),
    ],
    clips: Annotated[
        str | None,
        typer.Option(metavar="PATTERN", help="Clips in the folder, such as 'shots/*.mp4'."),
    ] = None,
    keys: Annotated[
        str | None,
        typer.Option(metavar="PATTERN", help="Their painted keys, such as 'keys/{name}'."),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", metavar="PATTERN", help="Where they go: 'out/{name}.mp4'."),
    ] = None,
    jobs: Annotated[
        int, typer.Option(metavar="N", min=1, max=64, help="Runs at a time, which share the cores.")
    ] = 1,
    again: Annotated[
        bool, typer.Option("--again", help="Run what is finished already, too.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only print what the runs would make.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace outputs that exist.")
    ] = False,
    quiet: Quiet = False,
    json: Json = False,
    verbose: Verbose = 0,
) -> None:
    """Run many projects, or clips with their keys, and sum up what became of each.

    A run that fails does not stop the others; the exit code is 2 then. The same command goes on
    where it was: what is finished, from files that are still the same, is not run again.
    """
    with open_session(quiet=quiet, json=json, verbose=verbose) as session:
        from kadr.batch.batch import STOPPED, run_batch
        from kadr.batch.entries import read_batch

        path = Path(target)
        entries = read_batch(path, _run_options(), clips=clips, keys=keys, output=output)
        start = time.monotonic()
        rows = session.follow(
            run_batch(
                path,
                entries,
                session.cancel,
                jobs=jobs,
                dry_run=dry_run,
                again=again,
                overwrite=overwrite,
            )
        )
        _report(rows, time.monotonic() - start, session)
        session.stopped_text = "stopped; what is finished is kept, and the same command goes on"
        if session.cancel.cancelled or any(row.state == STOPPED for row in rows):
            raise Cancelled(session.stopped_text)
        failed = [row.entry.name for row in rows if row.state == "failed"]
        if failed:
            names = ", ".join(failed[:_MOST_NAMES]) + (", …" if len(failed) > _MOST_NAMES else "")
            raise KadrError(f"{target}: {len(failed)} of {len(rows)} runs failed: {names}")


def _run_options() -> set[str]:
    """The names of the options of ``kadr run``, without dashes before them."""
    from kadr.cli.main import app

    command: Any = typer.main.get_command(app)
    parameters = command.commands["run"].params
    return {
        name.removeprefix("--")
        for parameter in parameters
        for name in parameter.opts
        if name.startswith("--")
    }


def _report(rows: Sequence[BatchRow], seconds: float, session: Session) -> None:
    """Print the summary; seconds: of the batch, whose runs may have been side by side."""
    counts = {state: sum(row.state == state for row in rows) for state in _states(rows)}
    total = ", ".join(f"{count} {state}" for state, count in counts.items())
    session.reporter.result(
        *_table(rows),
        f"{formatting.counted(len(rows), 'run')}: {total}; {formatting.duration(seconds)}",
        runs=[_facts(row) for row in rows],
        states=counts,
        seconds=round(seconds, 3),
    )


def _states(rows: Sequence[BatchRow]) -> list[str]:
    return list(dict.fromkeys(row.state for row in rows))


def _facts(row: BatchRow) -> dict[str, Any]:
    return {
        **{name: value for name, value in row.facts.items() if name != "seconds"},
        "name": row.entry.name,
        "target": row.entry.target,
        "state": row.state,
        "seconds": round(row.seconds, 3),
        "predicted_seconds": row.facts.get("seconds") if row.state == "planned" else None,
        "error": row.error or None,
    }


def _table(rows: Sequence[BatchRow]) -> list[str]:
    """A line for each run: its name, what became of it, frames, time, and the output or error."""
    cells = [("run", "state", "frames", "time", "output")]
    cells += [(row.entry.name, row.state, *_amounts(row), _outcome(row)) for row in rows]
    widths = [max(len(line[column]) for line in cells) for column in range(4)]
    return [
        "  ".join(
            cell.rjust(width) if column in (2, 3) else cell.ljust(width)
            for column, (cell, width) in enumerate(zip((*line[:4],), widths, strict=True))
        )
        + f"  {line[4]}".rstrip()
        for line in cells
    ]


def _amounts(row: BatchRow) -> tuple[str, str]:
    """Frames and time as text."""
    if row.state == "planned":
        frames = f"{row.facts.get('finished', 0)} of {row.facts.get('frames', 0)}"
        return frames, f"~{formatting.duration(float(row.facts.get('seconds', 0.0)))}"
    frames = str(row.facts.get("frames", "")) if row.facts else ""
    return frames, formatting.duration(row.seconds) if row.seconds else ""


def _outcome(row: BatchRow) -> str:
    if row.error:
        return row.error
    return str(row.facts.get("output") or row.facts.get("missing") or row.entry.output)
