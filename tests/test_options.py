"""Options: refused when out of range, with name, value and range in one line."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kadr import options as module
from kadr.core.formatting import shorten
from kadr.errors import OptionsError
from kadr.option_fields import (
    FILMED_FRAME,
    OTHER_FRAMES,
    STYLIZER,
    fields_of_group,
    fields_that_need,
    option,
    option_help,
    option_range,
    single_frame_options,
)
from kadr.options import DETAIL, PropagateOptions, RunOptions, SynthOptions, detail_options
from kadr.stylize.registry import stylizer_options

KINDS: dict[str, dict[str, Any]] = {
    "SynthOptions": {},
    "PropagateOptions": {},
    "StylizerRange": {"name": "shot 1", "options": {"seed": 1}, "shot": 1},
    "RunOptions": {"clip": Path("a.mp4"), "output": Path("b.mp4"), "keys": (Path("keys"),)},
}
_MADE = {"keys": (), "stylizer": "paint", "every_frame": True}
BESIDE: dict[str, dict[str, Any]] = {
    "every": _MADE,
    "refine": _MADE | {"every": 2},
    "refine_strength": _MADE | {"every": 2, "refine": 0.2},
    "grow": {"mask": Path("mask.png")},
    "feather": {"mask": Path("mask.png")},
    "guide_weight": {"guide": {"ids": Path("ids")}},
}
"""Other fields that a field needs."""
BOUNDED = [
    (kind, item.name)
    for kind in KINDS
    for item in fields(getattr(module, kind))
    if item.metadata.get("low") is not None or item.metadata.get("high") is not None
]


def _make(kind: str, **changes: Any) -> Any:
    beside = {key: value for name in changes for key, value in BESIDE.get(name, {}).items()}
    return getattr(module, kind)(**{**KINDS[kind], **beside, **changes})


def test_every_kind_is_tested() -> None:
    located = {
        name
        for name, value in vars(module).items()
        if isinstance(value, type)
        and is_dataclass(value)
        and value.__module__.startswith(module.__name__)
    }
    assert located == set(KINDS)


@pytest.mark.parametrize(("kind", "name"), BOUNDED)
def test_bounds_hold(kind: str, name: str) -> None:
    item = next(item for item in fields(getattr(module, kind)) if item.name == name)
    low, high = item.metadata["low"], item.metadata["high"]
    inside = [value for value in (low, high) if value is not None]
    outside = [low - 1] if low is not None else []
    outside += [high + 1] if high is not None else []
    by_name = "Mapping" in str(item.type)
    for value in inside:
        given = {"ids": value} if by_name else value
        assert getattr(_make(kind, **{name: given}), name) == given
    for value in (*outside, float("nan"), float("inf"), "5", 10**400):
        text = f"{name.replace('_', '-')} {'ids=' if by_name else ''}{shorten(value)}: "
        with pytest.raises(OptionsError, match=text) as caught:
            _make(kind, **{name: {"ids": value} if by_name else value})
        assert "\n" not in str(caught.value)
        assert "expected" in str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
def test_every_number_is_explained_and_bounded(kind: str) -> None:
    for item in fields(getattr(module, kind)):
        if "int" in str(item.type) or "float" in str(item.type):
            assert item.metadata.get("help"), item.name
            assert item.metadata.get("low") is not None, item.name


@pytest.mark.parametrize("kind", ["SynthOptions", "PropagateOptions"])
@pytest.mark.parametrize("size", [4, 6, 14])
def test_a_patch_has_a_middle(kind: str, size: int) -> None:
    with pytest.raises(OptionsError, match=f"patch-size {size}: expected an odd number"):
        _make(kind, patch_size=size)


@pytest.mark.parametrize("kind", KINDS)
def test_options_do_not_change(kind: str) -> None:
    options = _make(kind)
    with pytest.raises(FrozenInstanceError):
        options.seed = 3
    assert _make(kind) == options


def test_presets_trade_quality_for_time() -> None:
    assert list(DETAIL) == ["high", "medium", "low", "draft"]

    def work(options: PropagateOptions) -> int:
        return options.patch_size**2 * options.vote_iterations * options.search_iterations

    costs = [work(options) for options in DETAIL.values()]
    assert costs == sorted(costs, reverse=True)
    assert DETAIL["medium"] == PropagateOptions()


@given(st.sampled_from(list(DETAIL)), st.none() | st.floats(0, 1000))
def test_a_preset_can_be_changed(detail: str, mapping: float | None) -> None:
    options = detail_options(detail, mapping=mapping, deflicker=None)
    expected = DETAIL[detail]
    assert options == (expected if mapping is None else replace(expected, mapping=mapping))


def test_an_unknown_detail_lists_all() -> None:
    with pytest.raises(OptionsError, match="'best': expected one of high, medium, low, draft"):
        detail_options("best")


def test_a_run_needs_keys_or_a_stylizer_and_not_both() -> None:
    paths = {"clip": Path("a.mp4"), "output": Path("b.mp4")}
    with pytest.raises(OptionsError, match=r"no keys: .* --keys, or .* --stylizer"):
        RunOptions(**paths)
    with pytest.raises(OptionsError, match="stylizer paint: makes its own keys"):
        RunOptions(**paths, keys=(Path("keys"),), stylizer="paint")
    RunOptions(**paths, stylizer="paint")


@given(st.integers(1, 20000), st.integers(0, 9))
def test_the_engine_gets_the_same_names(side: int, seed: int) -> None:
    options = PropagateOptions(patch_size=7, vote_iterations=3, diversity=900)
    made_options = options.synth_options(side, seed)
    assert (made_options.patch_size, made_options.vote_iterations, made_options.uniformity) == (
        7,
        3,
        900,
    )
    assert made_options.seed == seed
    assert made_options.search_radius is not None
    assert 2 <= made_options.search_radius <= max(2, 0.02 * side)
    assert isinstance(made_options, SynthOptions)


@dataclass(frozen=True)
class _Stylizer:
    prompt: str = option("", "a prompt", group=STYLIZER)
    joint: str = option("none", "frames together", needs=OTHER_FRAMES)
    inversion: str = option("none", "noise of a filmed frame", needs=FILMED_FRAME)
    steps: int = option(20, "sampling steps", low=1, unset="20", section="stylizer")


def test_fields_are_found_by_their_metadata() -> None:
    assert fields_of_group(_Stylizer, STYLIZER) == ("prompt",)
    assert fields_of_group(_Stylizer, STYLIZER, without=("prompt",)) == ()
    assert fields_of_group(_Stylizer, STYLIZER, in_project=True) == ()
    assert fields_of_group(_Stylizer, "", in_project=True) == ("steps",)
    assert fields_that_need(_Stylizer, OTHER_FRAMES, FILMED_FRAME) == ("joint", "inversion")
    assert option_help(_Stylizer, "joint") == "frames together"
    assert [option_range(item) for item in fields(_Stylizer)] == ["", "", "", "1 or more"]


def test_a_frame_alone_has_no_options_of_other_frames() -> None:
    values = {"prompt": "a fox", "joint": "grid", "inversion": "refined"}
    alone = single_frame_options(_Stylizer, values)
    assert alone == values | {"joint": "none"}
    carried = single_frame_options(_Stylizer, values, filmed=False)
    assert carried == values | {"joint": "none", "inversion": "none"}


@pytest.mark.parametrize("name", ["diffusion", "a1111", "comfyui", "paint", "onnx"])
def test_a_stylizer_takes_the_options_of_a_frame_alone(name: str) -> None:
    kind = stylizer_options(name)
    values = {"model": "m"} if name == "diffusion" else {}
    options = kind(**single_frame_options(kind, values, filmed=False))
    assert not getattr(options, "sequential", False)
    assert not getattr(options, "attends", False)
    for item in fields(kind):
        assert item.metadata["needs"] in ("", OTHER_FRAMES, FILMED_FRAME)
        assert item.metadata["help"]


def test_numbers_that_no_range_holds_are_refused_in_a_short_line() -> None:
    for value in (10**400, -(10**400), 10**5000, float("nan"), float("-inf"), "9"):
        with pytest.raises(OptionsError, match=r"^mapping .*: expected 0 to 1000$") as caught:
            detail_options("medium", mapping=value)
        assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"executor": "dask"}, "executor dask: expected one of inline, processes, ray"),
        ({"address": "a:1"}, "address a:1: is for executor ray; give --executor ray too"),
        ({"address": "a:1", "executor": "processes"}, "address a:1: is for executor ray"),
        ({"workers": 2, "executor": "inline"}, "workers 2: executor inline has none"),
    ],
)
def test_an_executor_takes_only_what_it_uses(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionsError, match=message):
        _make("RunOptions", **changes)


def test_no_project_names_a_cluster() -> None:
    by_name = {item.name: item for item in fields(RunOptions)}
    assert by_name["executor"].metadata["section"] == "run"
    assert not by_name["address"].metadata.get("section"), "who answers there runs code here"
