"""What a run would make, for the states of frames."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kadr.core.events import follow
from kadr.dry_run import make_dry_run
from kadr.layers import dry_run_layers
from kadr.project.folder import open_project
from kadr.report.record import read_record
from kadr.studio.index_runs import index_runs
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
            "pending": index_runs(pending),
            "edited": index_runs(edited),
            "seconds": sum(layer.seconds for layer in layers),
        }
    if project.settings.stylizer != "external" and read_record(project.record) is None:
        return {"pending": None, "edited": [], "seconds": None}
    dry_run = follow(make_dry_run(project.options(located), call.cancel))
    return {
        "pending": index_runs(dry_run.finished_indices),
        "edited": index_runs(dry_run.edited),
        "seconds": round(dry_run.seconds, 1),
    }
