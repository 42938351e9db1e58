"""Options read back from the pictures that they made."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import pytest
from stylize_samples import picture

from kadr.core.png import with_text
from kadr.errors import InputError
from kadr.stylize.image_settings import ImageSettings, read_image_settings
from kadr.stylize.infotext import format_infotext
from kadr.stylize.infotext_files import embed_parameters
from kadr.stylize.servers.comfyui_graph import plain_graph

FIELDS = "Steps: 20, Sampler: Euler, CFG scale: 7, Seed: 1, Size: 512x512"


def _like(folder: Path, text: str, stylizer: str) -> ImageSettings:
    path = folder / "frame.png"
    png = cv2.imencode(".png", picture())[1].tobytes()
    path.write_bytes(embed_parameters(png, text))
    return read_image_settings(path, stylizer)


def _text(**changes: Any) -> str:
    """The parameters of a frame that kadr's own diffusion makes with these options."""
    pytest.importorskip("torch")
    from kadr.stylize.diffusion.infotext_fields import build_infotext_fields
    from kadr.stylize.diffusion.options import DiffusionOptions

    options = DiffusionOptions(model="m", **changes)
    model: Any = SimpleNamespace(digest="0123456789", name="m", channels=9)
    facts = build_infotext_fields(model, options, (options.width or 64, options.height or 64), 5)
    return format_infotext(options.prompt, options.negative_prompt, facts)


ROUND: list[dict[str, Any]] = [
    {"eta_noise_seed_delta": 31337, "noise_multiplier": 1.05, "noise_source": "nv"},
    {"inpainting_mask_weight": 0.3, "exact_steps": True, "color_correction": True},
    {"mask_blur": 7.5},
    {"prediction": "v_prediction", "zero_terminal_snr": "yes", "cfg_rescale": 0.7},
    {"zero_terminal_snr": "no"},
    {"inpaint_area": "mask", "mask_padding": 16},
    {"inpaint_area": "mask", "mask_blur": 9.0},
    {"resize_mode": 2, "prediction": "v_prediction", "vae_tiling": True},
    {"inversion": "refined", "refinements": 3, "sampler": "DPM++ 2M Karras", "randomness": 0.1},
    {"inversion": "refined", "decode_steps": 10, "steps": 20, "decode_cfg_scale": 1.5},
    {"inversion": "adjusted", "original_prompt": "a, b: c", "original_negative_prompt": "d"},
    {"cross_frame": "anchor", "anchor_every": 8, "carry_noise": True, "previous_start": 0.25},
    {"joint": "grid", "joint_size": 6},
]


@pytest.mark.parametrize("options", ROUND, ids=lambda options: "-".join(options))
def test_a_frame_of_ones_own_gives_the_options_that_made_it(
    options: dict[str, Any], tmp_path: Path
) -> None:
    text = _text(**options)
    from kadr.stylize.diffusion.options import DiffusionOptions

    like = _like(tmp_path, text, "diffusion")
    assert like.left_out == {"model": "m"}
    original = DiffusionOptions(model="m", **options)
    again = DiffusionOptions(model="m", **like.options)
    for name, value in options.items():
        assert getattr(again, name) == value
    if original.inversion in ("none", "refined"):
        assert again.decode_steps == original.decode_steps


def test_refined_noise_is_found_along_the_levels_of_sampling_again(tmp_path: Path) -> None:
    text = _text(inversion="refined", sampler="DPM++ 2M Karras", steps=10)
    assert "Decode steps" not in text
    assert "decode_steps" not in _like(tmp_path, text, "diffusion").options
    assert "Decode steps: 10" in _text(inversion="plain", steps=10)


def test_files_go_by_their_names_and_are_taken_where_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file_options = {
        "lora": ("/far/ink.safetensors:0.8", "/far/oil.safetensors"),
        "embedding": ("/far/word.pt",),
        "controlnet": "/far/edges.safetensors:0.5",
        "control": "canny",
        "control_until": 0.7,
    }
    text = _text(**file_options)
    assert "/far" not in text
    like = _like(tmp_path, text, "diffusion")
    assert like.left_out["lora"] == "ink.safetensors:0.8, oil.safetensors"
    assert not {*file_options} & set(like.options)
    monkeypatch.chdir(tmp_path)
    for name in ("ink.safetensors", "oil.safetensors", "word.pt", "edges.safetensors"):
        Path(name).touch()
    like = _like(tmp_path, text, "diffusion")
    assert like.options["lora"] == ("ink.safetensors:0.8", "oil.safetensors")
    assert like.options["controlnet"] == ("edges.safetensors:0.5",)
    assert (like.options["control"], like.options["control_until"]) == (("canny",), 0.7)


@pytest.mark.parametrize(
    ("schedule", "sampler", "is_left_out"),
    [
        ("Uniform", "Euler", False),
        ("Normal", "Euler", False),
        ("Automatic", "Euler", False),
        ("Karras", "Euler Karras", False),
        ("Exponential", "Euler Exponential", False),
        ("Simple", "Euler", True),
        ("SGM Uniform", "Euler", True),
    ],
)
def test_schedules_of_others(
    tmp_path: Path, schedule: str, sampler: str, is_left_out: bool
) -> None:
    text = f"oil\n{FIELDS}, Schedule type: {schedule}"
    like = _like(tmp_path, text, "diffusion")
    assert like.options["sampler"] == sampler
    assert like.left_out == ({"Schedule type": schedule} if is_left_out else {})
    like = _like(tmp_path, text, "a1111")
    assert (like.options["sampler"], like.options["scheduler"]) == ("Euler", schedule)


def test_a_bare_sampler_of_an_old_version_keeps_its_even_levels(tmp_path: Path) -> None:
    text = f"oil\n{FIELDS}, Version: v1.8.0".replace("Euler", "DPM++ 2M")
    assert _like(tmp_path, text, "diffusion").options["sampler"] == "DPM++ 2M Uniform"
    like = _like(tmp_path, text, "a1111")
    assert (like.options["sampler"], like.options["scheduler"]) == ("DPM++ 2M", "Uniform")
    text = _text(sampler="DPM++ 2M Uniform")
    assert "Sampler: DPM++ 2M, Schedule type: Uniform" in text
    assert _like(tmp_path, text, "diffusion").options["sampler"] == "DPM++ 2M Uniform"


def test_what_is_not_understood_is_named(tmp_path: Path) -> None:
    further = "Model hash: 6ce0161689, Variation seed: 5, Hires upscale: 2, Version: v1.9.4"
    like = _like(tmp_path, f"oil\n{FIELDS}, {further}", "diffusion")
    others = {"Variation seed": "5", "Hires upscale": "2"}
    assert like.left_out == {"Model hash": "6ce0161689"} | others
    like = _like(tmp_path, f"oil\n{FIELDS}, {further}", "a1111")
    assert like.options["model"] == "6ce0161689"
    assert like.left_out == others


@pytest.mark.parametrize("prompt", ["a <lora:ink:0.8> [cat|dog]", "a <hypernet:ink:1>"])
def test_a_prompt_is_never_left_out(tmp_path: Path, prompt: str) -> None:
    further = 'Lora hashes: "ink: abc", TI hashes: "z: 456", Variation seed strength: 0.4'
    like = _like(tmp_path, f"{prompt}\nNegative prompt: bad\n{FIELDS}, {further}", "diffusion")
    assert (like.options["prompt"], like.options["negative_prompt"]) == (prompt, "bad")
    assert (like.options["sampler"], like.options["seed"]) == ("Euler", 1)
    assert list(like.left_out) == ["Lora hashes", "TI hashes", "Variation seed strength"]


@pytest.mark.parametrize("size", ["9" * 400 + "x64", "0x0", "64x", "64x64x64"])
def test_a_size_that_no_picture_has_is_left_out(tmp_path: Path, size: str) -> None:
    like = _like(tmp_path, f"oil\n{FIELDS}, ENSD: {'9' * 400}".replace("512x512", size), "a1111")
    assert not {"width", "height"} & set(like.options)
    assert "Size" in like.left_out or {"width", "height"} <= set(like.left_out)


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b", "a\nb"])
def test_a_model_that_no_file_can_be_is_left_out(tmp_path: Path, name: str) -> None:
    like = _like(tmp_path, f"oil\n{FIELDS}, Model: {json.dumps(name)}", "diffusion")
    assert like.left_out["model"] == name


def _picture_of_graph(folder: Path, graph: Any) -> Path:
    path = folder / "graph.png"
    png = cv2.imencode(".png", picture())[1].tobytes()
    path.write_bytes(with_text(png, "prompt", json.dumps(graph)))
    return path


def _graph() -> dict[str, Any]:
    graph = plain_graph("sdxl\\base.safetensors")
    graph["4"]["inputs"]["text"], graph["5"]["inputs"]["text"] = "oil painting", "ugly"
    graph["6"]["inputs"] |= {"seed": 77, "steps": 12, "cfg": 6.5, "scheduler": "karras"}
    return graph


def test_a_picture_of_comfyui_gives_what_its_graph_says(tmp_path: Path) -> None:
    path = _picture_of_graph(tmp_path, _graph())
    expected = {
        "prompt": "oil painting", "negative_prompt": "ugly", "steps": 12, "cfg_scale": 6.5,
        "seed": 77, "denoising_strength": 0.5,
    }  # fmt: skip
    like = read_image_settings(path, "comfyui")
    assert like.options == expected | {"sampler": "Euler a Karras", "model": "base"}
    assert "--stylizer comfyui --workflow" in like.note
    assert like.left_out == {}
    like = read_image_settings(path, "diffusion")
    assert like.options == expected | {"sampler": "Euler a Karras", "noise_source": "cpu"}
    assert like.left_out == {"model": "base"}
    like = read_image_settings(path, "a1111")
    assert (like.options["sampler"], like.options["scheduler"]) == ("Euler a", "Karras")


def test_what_a_graph_has_beyond_that_is_named(tmp_path: Path) -> None:
    graph = _graph()
    graph["9"] = {"class_type": "LoraLoader", "inputs": {"lora_name": "ink"}}
    graph["3"] = {"class_type": "EmptyLatentImage", "inputs": {"width": 64}}
    graph["10"] = {"class_type": "KSampler", "inputs": {"seed": 5, "steps": [1], "cfg": {"a": 1}}}
    graph["6"]["inputs"]["sampler_name"] = "res_multistep"
    like = read_image_settings(_picture_of_graph(tmp_path, graph), "a1111")
    assert like.options["sampler"] == "res_multistep"
    assert "denoising_strength" not in like.options
    assert like.left_out == {
        "Seed of node 10": "5",
        "Denoising strength": "0.5",
        "nodes": "LoraLoader",
    }


@pytest.mark.parametrize(
    ("graph", "message"),
    [([1], "not a ComfyUI graph"), ({"nodes": 1, "links": 2}, "as the editor saves it")],
)
def test_a_picture_of_another_graph_is_an_error(tmp_path: Path, graph: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_image_settings(_picture_of_graph(tmp_path, graph), "comfyui")


def test_a_server_gets_no_inversion_of_kadrs_own(tmp_path: Path) -> None:
    text = _text(
        prompt="oil", inversion="refined", original_prompt="a photo", randomness=0.2, mask_blur=9.0
    )
    like = _like(tmp_path, text, "a1111")
    assert like.options["prompt"] == "oil"
    assert "inversion" not in like.options
    assert like.left_out == {
        "inversion": "refined",
        "original_prompt": "a photo",
        "randomness": 0.2,
        "mask_blur": 9.0,
        "inpainting_mask_weight": 1.0,
    }
    from kadr.stylize.registry import create_stylizer

    create_stylizer("a1111", **like.options)


def test_what_a_stylizer_would_refuse_is_left_out(tmp_path: Path) -> None:
    text = f"oil\n{FIELDS}, Decode prompt: a photo".replace("Seed: 1", f"Seed: {2**40}")
    like = _like(tmp_path, text.replace("512x512", "500x512"), "a1111")
    assert like.left_out == {
        "seed": 2**40,
        "original_prompt": "a photo",
        "width": 500,
        "height": 512,
    }
