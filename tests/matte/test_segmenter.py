"""Models of many forms: the same red square is found by each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="needs kadr[onnx]")
pytest.importorskip("onnx", reason="builds its models with the package onnx")

from onnx import TensorProto, helper
from tiny_segmenters import channels_last, classes, identity_node, redness, save

from kadr.errors import InputError, OptionsError
from kadr.matte.options import ORDERS, RANGES
from kadr.matte.segmenter import Segmenter
from kadr.stylize.onnx import ranges

IMAGE = np.full((64, 96, 3), (60, 140, 90), np.uint8)
IMAGE[16:48, 32:64] = (200, 80, 90)
TRUTH = np.zeros((64, 96), bool)
TRUTH[16:48, 32:64] = True
SCORES = np.float32([[0, 0.2, 0], [0.2, 0, 0]])
"""Colours → scores of two classes: not red, red."""


def _found(segmenter: Segmenter) -> np.ndarray:
    matte = segmenter(IMAGE)
    assert matte.shape == (64, 96)
    assert matte.dtype == np.float32
    assert 0 <= matte.min() <= matte.max() <= 1
    return matte > 0.5


def test_probabilities(tmp_path: Path) -> None:
    segmenter = Segmenter(redness(tmp_path / "m.onnx"), pixel_range="0-1")
    np.testing.assert_array_equal(_found(segmenter), TRUTH)
    assert segmenter.notices == []


def test_logits(tmp_path: Path) -> None:
    model = redness(tmp_path / "m.onnx", gain=20, end="Identity")
    matte = Segmenter(model, pixel_range="0-1")(IMAGE)
    red = 1 / (1 + np.exp(-20 * 120 / 255))
    np.testing.assert_allclose(matte[32, 48], red, rtol=1e-4)
    np.testing.assert_array_equal(matte > 0.5, TRUTH)


def test_channels_last_and_bytes(tmp_path: Path) -> None:
    segmenter = Segmenter(channels_last(tmp_path / "m.onnx"))
    np.testing.assert_array_equal(_found(segmenter), TRUTH)
    assert segmenter.notices == []


def test_a_fixed_size_is_scaled_to_and_back(tmp_path: Path) -> None:
    model = redness(tmp_path / "m.onnx", size=(32, 32))
    assert (_found(Segmenter(model, pixel_range="0-1")) != TRUTH).mean() < 0.02
    with pytest.raises(OptionsError, match="works at 32×32 pixels only; leave model-size out"):
        Segmenter(model, side=64)


def test_a_free_size_is_limited(tmp_path: Path) -> None:
    segmenter = Segmenter(redness(tmp_path / "m.onnx"), pixel_range="0-1", side=32)
    assert (_found(segmenter) != TRUTH).mean() < 0.05


def test_the_last_of_two_classes_is_the_subject(tmp_path: Path) -> None:
    softmax = [helper.make_node("Softmax", ["c"], ["y"], axis=1)]
    for end in ([identity_node("c")], softmax):
        model = classes(tmp_path / "m.onnx", SCORES, end)
        segmenter = Segmenter(model, pixel_range="0-255")
        np.testing.assert_array_equal(_found(segmenter), TRUTH)
        assert segmenter.notices == []
        np.testing.assert_array_equal(
            _found(Segmenter(model, pixel_range="0-255", subject=0)), ~TRUTH
        )


def test_of_many_classes_one_is_chosen(tmp_path: Path) -> None:
    scores = np.vstack([SCORES, np.float32([[0, 0, 0.01], [-1, -1, -1]])])
    model = classes(tmp_path / "m.onnx", scores, [identity_node("c")])
    segmenter = Segmenter(model, pixel_range="0-255")
    np.testing.assert_array_equal(_found(segmenter), TRUTH)
    (notice,) = segmenter.notices
    assert "has 4 classes; all but the first are the subject" in notice
    one = Segmenter(model, pixel_range="0-255", subject=1)
    np.testing.assert_array_equal(_found(one), TRUTH)
    assert one.notices == []
    with pytest.raises(OptionsError, match=r"model-class 4: .* has classes 0 to 3"):
        Segmenter(model, pixel_range="0-255", subject=4)(IMAGE)


def test_numbers_of_classes(tmp_path: Path) -> None:
    end = [helper.make_node("ArgMax", ["c"], ["y"], axis=1, keepdims=0)]
    model = classes(tmp_path / "m.onnx", SCORES, end, TensorProto.INT64)
    np.testing.assert_array_equal(_found(Segmenter(model, pixel_range="0-255")), TRUTH)
    np.testing.assert_array_equal(_found(Segmenter(model, pixel_range="0-255", subject=0)), ~TRUTH)


def test_the_range_is_read_from_the_metadata(tmp_path: Path) -> None:
    # true only for red 200 as it is: not divided by 255, nor normalised
    for name, pixel_range, gain, shift in (
        ("NominalRange_0_255", "0-255", 1.0, -50.0),
        ("Normalized_0_1", "0-1", 255.0, -50.0),
        ("Normalized_1_1", "-1-1", 127.5, -50.0),
    ):
        model = redness(
            tmp_path / "m.onnx",
            gain=gain,
            shift=shift,
            metadata={"Image.NominalPixelRange": name},
        )
        from_file = Segmenter(model)
        assert from_file.notices == []
        np.testing.assert_array_equal(
            from_file(IMAGE), Segmenter(model, pixel_range=pixel_range)(IMAGE)
        )
        np.testing.assert_array_equal(_found(from_file), TRUTH)


def test_a_range_that_nothing_tells_is_assumed_and_told(tmp_path: Path) -> None:
    model = redness(tmp_path / "m.onnx")
    segmenter = Segmenter(model)
    (notice,) = segmenter.notices
    assert "imagenet is assumed, another is set by --model-range" in notice
    np.testing.assert_array_equal(segmenter(IMAGE), Segmenter(model, pixel_range="imagenet")(IMAGE))


def test_the_order_of_channels(tmp_path: Path) -> None:
    # bluer than green instead of redder
    model = redness(tmp_path / "m.onnx", metadata={"Image.BitmapPixelFormat": "Bgr8"})
    swapped = np.ascontiguousarray(IMAGE[..., ::-1])
    matte = Segmenter(model, pixel_range="0-1")(swapped)
    np.testing.assert_array_equal(matte > 0.5, TRUTH)
    rgb = Segmenter(model, pixel_range="0-1", order="rgb")(IMAGE)
    np.testing.assert_array_equal(rgb > 0.5, TRUTH)


def test_gray(tmp_path: Path) -> None:
    nodes = [helper.make_node("Sigmoid", ["x"], ["y"])]
    shape: list[int | str] = [1, 1, "h", "w"]
    model = save(tmp_path / "m.onnx", nodes, shape, (TensorProto.FLOAT, shape))
    matte = Segmenter(model, pixel_range="0-255")(IMAGE)
    assert matte.min() > 0.99
    with pytest.raises(OptionsError, match="takes gray; give 0-1 or 0-255"):
        Segmenter(model, pixel_range="imagenet")(IMAGE)


def test_models_that_do_something_else(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    nodes = [helper.make_node("Sigmoid", ["x"], ["y"])]
    for shape in ([1, 4, 8, 8], [2, 3, 8, 8], [1, 10]):
        save(path, nodes, shape, (TensorProto.FLOAT, shape))
        with pytest.raises(InputError, match=r"its input 'x' is tensor\(float\) of \["):
            Segmenter(path)
    mean = [helper.make_node("ReduceMean", ["x"], ["y"], axes=[2, 3], keepdims=0)]
    save(path, mean, [1, 3, 8, 8], (TensorProto.FLOAT, [1, 3]))
    with pytest.raises(InputError, match=r"first output is float32 of \[1, 3\]; expected a map"):
        Segmenter(path, pixel_range="0-1")(IMAGE)
    with pytest.raises(OptionsError, match="gives one map only; leave it out"):
        Segmenter(redness(path), pixel_range="0-1", subject=1)(IMAGE)
    path.write_bytes(b"no model")
    with pytest.raises(InputError, match="not a network that onnxruntime can open"):
        Segmenter(path)
    with pytest.raises(InputError, match="nowhere: not found"):
        Segmenter(tmp_path / "nowhere")


def test_two_inputs_are_refused(tmp_path: Path) -> None:
    shape = ["h", "w"]
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in "ab"]
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)
    graph = helper.make_graph([helper.make_node("Add", ["a", "b"], ["y"])], "two", inputs, [output])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(InputError, match="takes 'a', 'b'; expected a model with one image"):
        Segmenter(tmp_path / "m.onnx")


def test_the_options_name_the_ranges_of_networks() -> None:
    assert ("auto", *ranges.RANGES) == RANGES
    assert ORDERS[0] == "auto"
