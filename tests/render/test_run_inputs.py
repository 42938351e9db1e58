"""What a run reads: clip, keys, masks and every file that an option of its stylizer names."""

from __future__ import annotations

from pathlib import Path

import pytest

from kadr.options import RunOptions
from kadr.render.run_inputs import run_inputs, stylizer_files


def test_clip_keys_and_masks() -> None:
    painted = RunOptions(Path("clip.mp4"), "out.mp4", keys=(Path("keys"), Path("00012.png")))
    assert run_inputs(painted) == [Path("clip.mp4"), Path("keys"), Path("00012.png")]
    masked = RunOptions(Path("clip.mp4"), "out.mp4", stylizer="paint", mask=Path("masks"))
    assert run_inputs(masked) == [Path("clip.mp4"), Path("masks")]


@pytest.mark.parametrize("as_text", [False, True])
def test_files_of_options(tmp_path: Path, as_text: bool) -> None:
    names = ("net.onnx", "style.png", "lora.safetensors", "graph.json", "noise")
    network, style, lora, graph, noise = (tmp_path / name for name in names)
    for path in (network, style, lora, graph):
        path.touch()
    noise.mkdir()

    def value(path: Path) -> object:
        return str(path) if as_text else path

    onnx = {"network": value(network), "style_image": value(style)}
    assert stylizer_files("onnx", onnx) == [network, style]
    assert stylizer_files("comfyui", {"workflow": value(graph)}) == [graph]
    diffusion = {
        "prompt": f"a portrait, {'long ' * 2000}/ ~nobody/x.png",
        "negative_prompt": "~nobody-at-all/x.png",
        "lora": (f"{lora}:0.8",),
        "vae": tmp_path / "missing",
        "noise_cache": noise,
    }
    assert stylizer_files("diffusion", diffusion) == [lora]
