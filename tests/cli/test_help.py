"""Help: commands in groups, metavars instead of types, every option of a run reachable."""

from __future__ import annotations

import inspect
import re
from dataclasses import fields

import pytest
from cli_samples import Call

from kadr import PropagateOptions, RunOptions
from kadr.cli.field_options import describe
from kadr.cli.main import COMMANDS, app
from kadr.cli.stylizer_choice import STYLIZER_FLAGS
from kadr.stylize.registry import stylizer_names, stylizer_options

NAMES = [str(command.name) for command in app.registered_commands]
UNDER_ANOTHER_NAME = {
    "clip": "target",
    "output": "out",
    "keys": "key_paths",
    "stylizer_options": "stylizer_options",
    "ranges": "ranges",
    "frames": "frames",
    "frame_rate": "fps",
}
"""Field of RunOptions → parameter of ``kadr run`` that it is made of."""
NOT_ON_THE_COMMAND_LINE = {
    "propagate": "its fields are options",
    "stylizer_ranges": "only a project has them, [[stylizer.range]]",
    "frames_folder": "only a project has one, out/frames",
    "replace_in": "only a project has one, its own folder",
    "frames_only": "only a layer of a project has no output",
}


def test_every_option_of_a_run_is_on_the_command_line() -> None:
    command = next(item for item in app.registered_commands if item.name == "run")
    assert command.callback is not None
    parameters = inspect.signature(command.callback).parameters
    for item in (*fields(RunOptions), *fields(PropagateOptions)):
        name = UNDER_ANOTHER_NAME.get(item.name, item.name)
        assert (name in parameters) != (item.name in NOT_ON_THE_COMMAND_LINE), item.name


def test_every_flag_for_stylizers_is_an_option_of_one() -> None:
    options = {item.name for name in stylizer_names() for item in fields(stylizer_options(name))}
    assert set(STYLIZER_FLAGS) <= options


def test_each_command_stands_in_one_group(kadr: Call) -> None:
    listed = [command for commands in COMMANDS.values() for command in commands]
    assert len(listed) == len(set(listed)) == len(NAMES)
    output = kadr("--help").out
    places = [output.index(f"─ {group} ─") for group in COMMANDS]
    assert places == sorted(places)


@pytest.mark.parametrize("name", ["", *NAMES])
def test_help_shows_no_types(kadr: Call, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    done = kadr(*([name] if name else []), "--help")
    assert done.code == 0
    assert not re.search(r"<\w+( range)?>|None", done.out)


def test_help_says_what_holds_by_default() -> None:
    by_name = {item.name: describe(item) for item in fields(RunOptions) if item.metadata}
    assert by_name["threads"] == (
        "How many cores to use; torch on a CPU uses as many as OMP_NUM_THREADS says (1 to 1024; "
        "default: all cores)."
    )
    assert by_name["keys_budget"].endswith("(1 to 100000; default: 10).")
    assert by_name["work_limit"].endswith("such as 20GB (default: no limit).")
