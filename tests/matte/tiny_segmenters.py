"""Small ONNX models that segment by redness, made when a test asks for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT = TensorProto.FLOAT


def save(
    path: Path,
    nodes: list[onnx.NodeProto],
    shape: list[int | str],
    output: tuple[int, list[int | str]],
    *,
    dtype: int = FLOAT,
    constants: dict[str, np.ndarray] | None = None,
    metadata: dict[str, str] | None = None,
) -> Path:
    """Write a graph from ``x`` to ``y``."""
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("x", dtype, shape)],
        [helper.make_tensor_value_info("y", *output)],
        [numpy_helper.from_array(value, name) for name, value in (constants or {}).items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, metadata or {})
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path


def redness(
    path: Path,
    *,
    gain: float = 255.0,
    shift: float = 0.0,
    end: str = "Sigmoid",
    size: tuple[int | str, int | str] = ("h", "w"),
    metadata: dict[str, str] | None = None,
) -> Path:
    """``gain · (red − green) + shift`` of NCHW input, and a last step; one map."""
    weight = np.float32([gain, -gain, 0]).reshape(1, 3, 1, 1)
    nodes = [helper.make_node("Conv", ["x", "weight", "shift"], ["c"])]
    nodes.append(helper.make_node(end, ["c"], ["y"]))
    return save(
        path,
        nodes,
        [1, 3, *size],
        (FLOAT, [1, 1, *size]),
        constants={"weight": weight, "shift": np.float32([shift])},
        metadata=metadata,
    )


def classes(path: Path, weights: np.ndarray, end: list[onnx.NodeProto], kind: int = FLOAT) -> Path:
    """Scores of classes, (n, 3) weights of colours, from ``c`` through ``end`` to ``y``."""
    count = len(weights)
    nodes = [helper.make_node("Conv", ["x", "weight"], ["c"]), *end]
    shape: list[int | str] = [1, count, "h", "w"] if kind == FLOAT else [1, "h", "w"]
    return save(
        path,
        nodes,
        [1, 3, "h", "w"],
        (kind, shape),
        constants={"weight": weights.astype(np.float32).reshape(count, 3, 1, 1)},
    )


def channels_last(path: Path) -> Path:
    """uint8 of rows, columns, channels in; 255 where red is above green out."""
    nodes = [
        helper.make_node("Cast", ["x"], ["f"], to=FLOAT),
        helper.make_node("MatMul", ["f", "weight"], ["d"]),
        helper.make_node("Greater", ["d", "zero"], ["b"]),
        helper.make_node("Cast", ["b"], ["n"], to=FLOAT),
        helper.make_node("Mul", ["n", "all"], ["m"]),
        helper.make_node("Cast", ["m"], ["y"], to=TensorProto.UINT8),
    ]
    return save(
        path,
        nodes,
        [1, "h", "w", 3],
        (TensorProto.UINT8, [1, "h", "w", 1]),
        dtype=TensorProto.UINT8,
        constants={
            "weight": np.float32([[1], [-1], [0]]),
            "zero": np.float32(0),
            "all": np.float32(255),
        },
    )


def identity_node(source: str) -> onnx.NodeProto:
    """``source`` as the output."""
    return helper.make_node("Identity", [source], ["y"])
