"""Tasks as values: invalid fields are refused; JSON and pickle restore them."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kadr.errors import OptionsError
from kadr.tasks.task import InputFrames, Task, digest_of

NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
PLAIN = st.recursive(
    st.none() | st.booleans() | NUMBERS | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
TASKS = st.builds(
    Task,
    id=st.text("ab/1é", min_size=1, max_size=5),
    function=st.sampled_from(["kadr.passes:run_pass", "a:b"]),
    values=st.dictionaries(NAMES, PLAIN, max_size=3),
    inputs=st.lists(
        st.builds(
            InputFrames, st.just("clip of 100 %.mp4"), st.integers(0, 9), st.integers(10, 19)
        ),
        max_size=2,
    ).map(tuple),
    cores=st.integers(1, 99),
    memory=st.integers(0, 1 << 50),
    retries=st.integers(0, 9),
    seed=st.integers(0, 1 << 62),
    after=st.lists(st.sampled_from(["x", "y"]), unique=True).map(tuple),
    priority=st.floats(allow_nan=False, allow_infinity=False),
)


@given(TASKS)
@settings(max_examples=60)
def test_json_and_pickle_restore_the_task(task: Task) -> None:
    text = task.to_json()
    restored = Task.from_json(text)
    assert restored == task
    assert restored.to_json() == text
    assert pickle.loads(pickle.dumps(task)) == task


def test_values_are_copied_and_lists_become_tuples() -> None:
    values = {"sizes": [1, [2]], "map": {"x": [3]}}
    task = Task("a", "m:f", values)
    values["sizes"].append(4)
    assert task.values == {"sizes": (1, (2,)), "map": {"x": (3,)}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": ""}, "without an id"),
        ({"function": "os.system"}, "function 'os.system'; expected 'package.module:name'"),
        ({"function": "os:path.join"}, "expected 'package.module:name'"),
        ({"cores": 0}, "cores 0; expected a whole number from 1 up"),
        ({"cores": True}, "cores True"),
        ({"memory": 1.5}, "memory 1.5"),
        ({"retries": -1}, "retries -1"),
        ({"seed": -1}, "seed -1"),
        ({"priority": float("nan")}, "priority nan"),
        ({"after": ("a",)}, "comes after itself"),
        ({"values": [1]}, r"values \[1\]; expected a mapping"),
        ({"values": {"x": {"y": [0, object()]}}}, r"task a: x.y\[1\]: <object"),
        ({"values": {"x": float("inf")}}, "x: inf is not plain"),
        ({"values": {"x": {1: 2}}}, "x: key 1; expected text"),
    ],
)
def test_an_invalid_field_is_an_error_that_names_it(change: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionsError, match=message):
        Task(**{"id": "a", "function": "m:f", **change})


@pytest.mark.parametrize(("uri", "start", "stop"), [("", 0, 1), ("a", -1, 1), ("a", 2, 2)])
def test_references_to_no_frames_are_refused(uri: str, start: int, stop: int) -> None:
    with pytest.raises(OptionsError):
        InputFrames(uri, start, stop)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"id": "a", "function": "m:f", "core": 1}', '{"id": "a", "inputs": [1]}'],
)
def test_invalid_text_is_refused(text: str) -> None:
    with pytest.raises(OptionsError, match="task: "):
        Task.from_json(text)


def test_a_digest_depends_on_the_items_not_on_their_order() -> None:
    items = {3: "c", 1: "a"}
    assert digest_of(items) == digest_of(dict(sorted(items.items())))
    others = [{}, {3: "c"}, {3: "c", 1: "b"}, {3: "c", 2: "a"}, {31: "c", 1: "a"}]
    assert len({digest_of(mapping) for mapping in [items, *others]}) == 6


def test_a_task_is_a_json_object() -> None:
    assert json.loads(Task("a", "m:f").to_json())["function"] == "m:f"
