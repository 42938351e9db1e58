"""``kadr layer``: add a layer to a project, or list its layers; options of runs in layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kadr.cli.dry_run import amount_line, dry_run_facts, pass_lines
from kadr.cli.flags import Json, ProjectArgument, Quiet, Verbose
from kadr.cli.session import open_session
from kadr.core import formatting
from kadr.core.parsing import expand_home
from kadr.errors import OptionsError

if TYPE_CHECKING:
    from kadr.layers import LayeredOptions, LayersDryRun
    from kadr.project.folder import LocatedClip, ProjectFolder

Action = Annotated[str, typer.Argument(metavar="add|list", help="What to do.", show_default=False)]
LayerName = Annotated[
    str | None, typer.Argument(metavar="[NAME]", help="With add: the name of the new layer.")
]
Mask = Annotated[
    str | None,
    typer.Option(
        "--mask",
        parser=expand_home,
        metavar="PATH",
        help="Where the layer is restyled: a video, a folder of images or one image.",
    ),
]
Figure = Annotated[
    str | None,
    typer.Option(
        "--figure",
        parser=expand_home,
        metavar="PATH",
        help="Masks of a filmed figure: what is painted beside it moves with it.",
    ),
]
KeysFolder = Annotated[
    str | None,
    typer.Option(
        "--keys",
        parser=expand_home,
        metavar="PATH",
        help="The folder of its painted keyframes (default: keys/NAME in the project).",
    ),
]
Below = Annotated[
    str | None,
    typer.Option("--below", metavar="NAME", help="Put it below this layer (default: on top)."),
]


def layer(
    action: Action,
    project: ProjectArgument,
    name: LayerName = None,
    mask: Mask = None,
    figure: Figure = None,
    keys: KeysFolder = None,
    below: Below = None,
    quiet: Quiet = False,
    json: Json = False,
    verbose: Verbose = 0,
) -> None:
    """Add a layer to a project, with keys, a mask and options of its own, or list the layers.

    Layers are restyled apart and lie above each other, the first at the bottom.
    """
    with open_session(quiet=quiet, json=json, verbose=verbose) as session:
        from kadr.project.folder import open_project
        from kadr.project.layers import add_layer

        if action not in ("add", "list"):
            raise OptionsError(f"layer {action}: expected add or list")
        if (action == "add") != (name is not None):
            raise OptionsError("layer: expected add PROJECT NAME, or list PROJECT")
        opened = open_project(project)
        if name is None:
            listed = [item.layer for item in opened.layers]
            visible = [item.layer for item in opened.visible_layers]
            lines = [
                _line(item) + ("" if item.layer in visible else ", not shown")
                for item in opened.layers
            ] or [f"{opened.root}: no layers"]
            session.reporter.result(*lines, layers=listed)
            return
        added = add_layer(
            opened,
            name,
            mask=None if mask is None else Path(mask),
            figure=None if figure is None else Path(figure),
            keys=None if keys is None else Path(keys),
            below=below,
        )
        place = f"below {below}" if below else "on top"
        session.reporter.result(
            f"{added.root}: layer {name} {place}; paint its keys into "
            f"{keys or added.find_layer(name).keys}",
            layers=[item.layer for item in added.layers],
        )


def _line(project: ProjectFolder) -> str:
    run = project.settings.run or {}
    masks = [f"{name} {run[name]}" for name in ("mask", "figure") if run.get(name)]
    return ", ".join([f"{project.layer}: keys {project.settings.keys}", *masks])


def layered_options(
    project: ProjectFolder,
    located: LocatedClip,
    frames: str | None = None,
    *,
    detail: str | None = None,
    picture: Mapping[str, Any] | None = None,
    **changes: Any,
) -> LayeredOptions:
    """The options of a project with layers. frames: "FIRST:LAST", other ones than its own.

    detail, picture, changes: as of ``ProjectFolder.options``, for all layers. Raises OptionsError
    naming the layer whose keys folder holds no key.
    """
    from dataclasses import replace

    from kadr.layers import LayeredOptions
    from kadr.project.frame_numbers import with_numbers
    from kadr.project.layers import check_keys

    if frames is not None:
        changes["frames"] = None
    whole = ("output", "background", "crf", "encoder_preset", "codec", "depth", "size", "overwrite")
    shared = {name: value for name, value in changes.items() if name not in whole}
    run = with_numbers(project.options(located, stylizer="external", **changes), (), frames)
    layers = []
    for item in project.visible_layers:
        check_keys(item)
        options = item.options(located, detail=detail, picture=picture, **shared)
        layers.append((item.layer, replace(options, frames=run.frames)))
    return LayeredOptions(run, tuple(layers))


def layers_lines(dry_run: LayersDryRun, options: LayeredOptions) -> Iterator[str]:
    """What a run would do in each layer, and in all."""
    for name, layer_run in dry_run.layers:
        for line in (*pass_lines(layer_run), amount_line(layer_run)):
            yield f"layer {name}: {line}"
    frames = formatting.counted(dry_run.frames, "frame")
    yield f"would composite {dry_run.composited} of {frames}"
    yield f"would write {options.run.output}"


def layers_facts(dry_run: LayersDryRun) -> dict[str, Any]:
    """The same as numbers."""
    return {
        "layers": {name: dry_run_facts(layer_run) for name, layer_run in dry_run.layers},
        "composited": dry_run.composited,
        "frames": dry_run.frames,
    }
