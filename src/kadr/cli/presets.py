"""``kadr presets``: the settings that come with kadr, listed, or one of them to be copied."""

from __future__ import annotations

import json as json_module
from typing import Annotated

import typer

from kadr.cli.info import AsJson
from kadr.cli.session import session

Which = Annotated[
    str | None, typer.Argument(metavar="[NAME|FILE.toml]", help="Show this one as a file.")
]


def presets(name: Which = None, json: AsJson = False) -> None:
    """List the presets that kadr run --preset takes, or show one: copy it to make your own."""
    with session(json=json):
        from kadr.project.presets import preset_names, read_preset

        if name is not None and not json:
            print(read_preset(name).text, end="")
            return
        found = [read_preset(each) for each in ([name] if name else preset_names())]
        if json:
            told = {each.name: {"about": each.about, "text": each.text} for each in found}
            print(json_module.dumps(told, ensure_ascii=False))
            return
        for each in found:
            print(f"{each.name:<10}  {each.about}")
