"""Small ONNX networks with known answers, made when a test asks for them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Size = Sequence[int | str | None]
FREE: Size = (1, 3, "h", "w")


def save(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    *,
    inputs: dict[str, tuple[int, Size]],
    output: tuple[str, int, Size],
    constants: dict[str, np.ndarray] | None = None,
) -> Path:
    """Write a graph; inputs are name → (element type, shape)."""
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(name, *form) for name, form in inputs.items()],
        [helper.make_tensor_value_info(*output)],
        [numpy_helper.from_array(value, name) for name, value in (constants or {}).items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path


def affine(
    path: Path,
    *,
    gain: float | Sequence[float] = 1.0,
    shift: float | Sequence[float] = 0.0,
    low: float = 0.0,
    high: float = 1.0,
    shape: Size = FREE,
    dtype: type[np.generic] = np.float32,
) -> Path:
    """``clip(gain * x + shift, low, high)``, channel by channel."""
    channels = (1, 3, 1, 1) if shape[1] == 3 else (1, 1, 1, 3)

    def spread(value: float | Sequence[float]) -> np.ndarray:
        return np.broadcast_to(np.float32(value), 3).reshape(channels).astype(dtype)

    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    return save(
        path,
        [
            helper.make_node("Mul", ["x", "gain"], ["scaled"]),
            helper.make_node("Add", ["scaled", "shift"], ["shifted"]),
            helper.make_node("Clip", ["shifted", "low", "high"], ["y"]),
        ],
        inputs={"x": (kind, shape)},
        output=("y", kind, shape),
        constants={
            "gain": spread(gain),
            "shift": spread(shift),
            "low": np.array(low, dtype),
            "high": np.array(high, dtype),
        },
    )


def invert_bytes(path: Path) -> Path:
    """255 - x on uint8 in rows, columns, channels."""
    shape = (1, "h", "w", 3)
    return save(
        path,
        [
            helper.make_node("Cast", ["x"], ["f"], to=TensorProto.FLOAT),
            helper.make_node("Sub", ["all", "f"], ["g"]),
            helper.make_node("Cast", ["g"], ["y"], to=TensorProto.UINT8),
        ],
        inputs={"x": (TensorProto.UINT8, shape)},
        output=("y", TensorProto.UINT8, shape),
        constants={"all": np.float32(255)},
    )


def normalizing(path: Path) -> Path:
    """Instance norm and a sigmoid, as most style networks have them: any range will do."""
    return save(
        path,
        [
            helper.make_node("InstanceNormalization", ["x", "one", "none"], ["n"]),
            helper.make_node("Sigmoid", ["n"], ["y"]),
        ],
        inputs={"x": (TensorProto.FLOAT, FREE)},
        output=("y", TensorProto.FLOAT, FREE),
        constants={"one": np.ones(3, np.float32), "none": np.zeros(3, np.float32)},
    )


def halving(path: Path) -> Path:
    """Halves and doubles three times: sizes that are no multiples of 8 come back smaller."""
    nodes = [helper.make_node("AveragePool", ["x"], ["p"], kernel_shape=[8, 8], strides=[8, 8])]
    nodes.append(helper.make_node("Resize", ["p", "", "scales"], ["y"], mode="nearest"))
    return save(
        path,
        nodes,
        inputs={"x": (TensorProto.FLOAT, FREE)},
        output=("y", TensorProto.FLOAT, (1, 3, "u", "v")),
        constants={"scales": np.float32([1, 1, 8, 8])},
    )


def of_styles(path: Path, colours: np.ndarray) -> Path:
    """Half the frame and half the colour that the weights mix; colours (n, 3) in 0–1."""
    count = len(colours)
    return save(
        path,
        [
            helper.make_node("MatMul", ["weights", "colours"], ["mixed"]),
            helper.make_node("Reshape", ["mixed", "shape"], ["colour"]),
            helper.make_node("Add", ["x", "colour"], ["sum"]),
            helper.make_node("Mul", ["sum", "half"], ["y"]),
        ],
        inputs={"x": (TensorProto.FLOAT, FREE), "weights": (TensorProto.FLOAT, (1, count))},
        output=("y", TensorProto.FLOAT, FREE),
        constants={
            "colours": colours.astype(np.float32),
            "shape": np.int64([1, 3, 1, 1]),
            "half": np.float32(0.5),
        },
    )


def mean_colour(path: Path) -> Path:
    """A picture of 16 × 16 in, its mean colour out: a style's code."""
    return save(
        path,
        [helper.make_node("ReduceMean", ["style"], ["code"], axes=[1, 2], keepdims=1)],
        inputs={"style": (TensorProto.FLOAT, (1, 16, 16, 3))},
        output=("code", TensorProto.FLOAT, (1, 1, 1, 3)),
    )


def of_code(path: Path) -> Path:
    """Half the frame, 24 × 24, and half the colour that is the code."""
    shape = (1, 24, 24, 3)
    return save(
        path,
        [
            helper.make_node("Add", ["x", "code"], ["sum"]),
            helper.make_node("Mul", ["sum", "half"], ["y"]),
        ],
        inputs={"x": (TensorProto.FLOAT, shape), "code": (TensorProto.FLOAT, (1, 1, 1, 3))},
        output=("y", TensorProto.FLOAT, shape),
        constants={"half": np.float32(0.5)},
    )


def of_two_pictures(path: Path) -> Path:
    """Half the frame and half the mean colour of the style picture, which comes first."""
    return save(
        path,
        [
            helper.make_node("ReduceMean", ["style_image"], ["mean"], axes=[2, 3], keepdims=1),
            helper.make_node("Add", ["x", "mean"], ["sum"]),
            helper.make_node("Mul", ["sum", "half"], ["y"]),
        ],
        inputs={
            "style_image": (TensorProto.FLOAT, (1, 3, "sh", "sw")),
            "x": (TensorProto.FLOAT, FREE),
        },
        output=("y", TensorProto.FLOAT, FREE),
        constants={"half": np.float32(0.5)},
    )
