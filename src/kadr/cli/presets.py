"""``kadr presets``: list the presets that come with kadr, or print one of them."""

from __future__ import annotations

from typing import Annotated

import typer

from kadr.cli.flags import JsonObject
from kadr.cli.reporter import json_line
from kadr.cli.session import open_session
from kadr.core.parsing import expand_home

Which = Annotated[
    str | None,
    typer.Argument(
        parser=expand_home, metavar="[NAME|FILE.toml]", help="Print the file of this preset."
    ),
]


def presets(name: Which = None, json: JsonObject = False) -> None:
    """List the presets for kadr run --preset, or print one, to copy and change it."""
    with open_session(json=json) as session:
        from kadr.project.presets import preset_names, read_preset

        if name is not None and not json:
            print(read_preset(name).text, end="")
            return
        listed = [read_preset(preset) for preset in ([name] if name else preset_names())]
        if json:
            facts = {preset.name: {"about": preset.about, "text": preset.text} for preset in listed}
            print(json_line(facts))
            return
        for preset in listed:
            session.reporter.result(f"{preset.name:<10}  {preset.about}")
