"""Names and options of stylizers."""

from __future__ import annotations

import subprocess
import sys

import pytest

from kadr.errors import OptionsError
from kadr.stylize.registry import create_stylizer, stylizer_names, stylizer_options


def test_names() -> None:
    assert stylizer_names()[:5] == ("external", "paint", "ink", "watercolour", "pencil")


def test_options_reach_the_stylizer() -> None:
    assert create_stylizer("paint", radius=3.0).name == "paint"
    assert stylizer_options("paint")(radius=3.0).radius == 3.0


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(OptionsError, match="stylizer 'oil': expected one of external, paint"):
        create_stylizer("oil")
    with pytest.raises(OptionsError, match="stylizer 'oil'"):
        stylizer_options("oil")


def test_an_unknown_option_lists_the_known() -> None:
    with pytest.raises(OptionsError, match="stylizer paint: no option 'size'; it has radius"):
        create_stylizer("paint", size=3)


@pytest.mark.parametrize("value", [0, -1, 1e9, float("nan"), "big"])
def test_a_bad_value_names_the_option(value: object) -> None:
    with pytest.raises(OptionsError, match="radius"):
        create_stylizer("paint", radius=value)


def test_the_registry_imports_no_stylizer() -> None:
    code = "import sys, kadr.stylize.registry; print('numba' in sys.modules)"
    # kadr itself offers synthesize, so only the plug-ins are looked for
    code = code.replace("'numba'", "'kadr.stylize.looks'")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
