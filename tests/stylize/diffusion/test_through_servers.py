"""Both server clients with a small model behind the server: the same frames as without one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_a1111 import FakeA1111
from fake_comfyui import MODELS, FakeComfyUI

from kadr.core.frames import Frame, Image
from kadr.stylize.base import StyledFrame, StylizeContext, StylizeJob
from kadr.stylize.infotext import PARAMETERS, infotext_settings, parse_infotext
from kadr.stylize.registry import create_stylizer

ASKED = {"denoising_strength": 0.6, "steps": 8, "sampler": "Euler", "cfg_scale": 2.0, "seed": 5}


def _first(stylizer: Any, image: Image) -> StyledFrame:
    ((styled,),) = stylizer.stylize([StylizeJob(Frame(0, image), 0, 1)], StylizeContext(threads=1))
    return styled


@pytest.mark.parametrize("kind", ["a1111", "comfyui"])
def test_a_server_adds_and_takes_nothing(
    kind: str, tiny_model: Callable[[str], Path], disc_frames: list[Image]
) -> None:
    def local(prompt: str) -> Any:
        return create_stylizer(
            "diffusion", model=str(tiny_model("sd1")), prompt=prompt, width=64, height=64, **ASKED
        )

    def paint(image: np.ndarray, request: dict[str, Any]) -> np.ndarray:
        assert request["seed"] == ASKED["seed"]
        assert request["denoising_strength"] == ASKED["denoising_strength"]
        prompt = request["prompt"].partition("|")[0]
        return _first(local(prompt), np.ascontiguousarray(image)).image

    frame = disc_frames[3]
    expected = _first(local("painting"), frame).image
    options: dict[str, Any] = {"prompt": "painting", "width": 64, "height": 64, **ASKED}
    if kind == "comfyui":
        options["model"] = MODELS[0]
    with {"a1111": FakeA1111, "comfyui": FakeComfyUI}[kind](paint) as server:
        styled = _first(create_stylizer(kind, url=server.url, **options), frame)
    np.testing.assert_array_equal(styled.image, expected)
    assert (styled.image != frame).any()
    assert infotext_settings(parse_infotext(styled.info[PARAMETERS]))["prompt"] == "painting"
