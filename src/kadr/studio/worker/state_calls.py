"""What a run would make, for the states of frames."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kadr.core.events import follow
from kadr.dry_run import make_dry_run
from kadr.layers import dry_run_layers
from kadr.project.folder import open_project
from kadr.report.record import read_record
from kadr.studio.worker.call import Call


def states(call: Call) -> dict[str, Any]:
    """``pending``: runs of frames that a run would make; ``edited``: frames changed by hand.

    pending None: not told, because it would take a survey of the whole clip first. Raises what a
    run would raise for its input.
    """
    project = open_project(Path(call["root"]))
    located = project.locate()
    if project.layers:
        from kadr.cli.layer import layered_options

        layered = layered_options(project, located)
        predicted = follow(dry_run_layers(layered, call.cancel))
        layers = [layer for _, layer in predicted.layers]
        pending = {index for layer in layers for index in layer.finished_indices}
        edited = {index for layer in layers for index in layer.edited}
        return {
            "pending": _runs(pending),
            "edited": _runs(edited),
            "seconds": sum(layer.seconds for layer in layers),
        }
    if project.settings.stylizer != "external" and read_record(project.record) is None:
        return {"pending": None, "edited": [], "seconds": None}
    dry_run = follow(make_dry_run(project.options(located), call.cancel))
    return {
        "pending": _runs(dry_run.finished_indices),
        "edited": _runs(dry_run.edited),
        "seconds": round(dry_run.seconds, 1),
    }


def _runs(indices: Iterable[int]) -> list[list[int]]:
    """Indices as ``[first, last]`` of each run of consecutive ones."""
    runs: list[list[int]] = []
    for index in sorted(indices):
        if runs and runs[-1][1] == index - 1:
            runs[-1][1] = index
        else:
            runs.append([index, index])
    return runs
