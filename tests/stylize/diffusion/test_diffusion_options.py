"""Options are checked before torch is loaded, and options without effect are refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from kadr.errors import OptionsError
from kadr.stylize.diffusion.options import DiffusionOptions
from kadr.stylize.registry import create_stylizer


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"model": ""}, "no model; give --model PATH"),
        ({"denoising_strength": 1.5}, r"denoising-strength 1\.5: expected 0 to 1"),
        ({"steps": 0}, "steps 0"),
        ({"inversion": "magic"}, "inversion 'magic': expected one of none, refined"),
        ({"noise_source": "gpu"}, "noise-source 'gpu': expected one of cpu, nv"),
        ({"width": 512}, "width and height: give both"),
        ({"width": 512, "height": 512, "pixels": 9999}, "pixels: is for sizes that are chosen"),
        ({"controlnet": "a.safetensors"}, "control: 0 given for 1 ControlNets"),
        ({"original_prompt": "a cat"}, "original-prompt: is for inversion"),
        ({"decode_steps": 9}, "decode-steps: is for inversion"),
        ({"joint_size": 2}, "joint-size: is for joint; give that too, or leave it out"),
        ({"control_until": 0.5}, "control-until: is for controlnet"),
        ({"mask_padding": 3}, "mask-padding: is for inpaint-area mask"),
        ({"randomness": 0.5}, "randomness: is for inversion"),
        (
            {"inversion": "plain", "refinements": 2},
            "refinements: is for inversion; give --inversion refined",
        ),
        ({"width": 100, "height": 64}, "width 100: expected a multiple of 8, such as 96"),
        ({"noise_cache": Path("x")}, "noise-cache: is for inversion"),
        ({"offload": "moon"}, "offload 'moon'"),
        ({"dtype": "int4"}, "dtype 'int4'"),
        ({"prediction": "x0"}, "prediction 'x0'"),
        ({"zero_terminal_snr": "maybe"}, "zero-terminal-snr 'maybe': expected one of auto"),
        ({"cfg_rescale": 1.5}, "cfg-rescale"),
        ({"prompt": "a <lora:ink:1>"}, "prompt: <lora:ink:…> names a file; give --lora-dir FOLDER"),
        ({"prompt": "a <hypernet:ink:1>", "lora_dir": "x"}, "no networks of the kind hypernet"),
        ({"prompt": "a | b [c|d]"}, r"prompt: '\|' in 'a \| b .c\|d.' belongs to no alternation"),
        ({"negative_prompt": "a [b|c:2]"}, "negative-prompt: "),
        ({"negative_prompt": "<lora:ink:1>"}, "negative-prompt: <lora:…> is for the prompt"),
        ({"negative_prompt": "a AND b"}, "negative-prompt: AND joins prompts only in the prompt"),
        (
            {"inversion": "plain", "original_prompt": "[a:b:2]"},
            r"original-prompt: does not change during inversion; take out \[a:b:N\]",
        ),
        (
            {"inversion": "plain", "original_negative_prompt": "a AND b"},
            "original-negative-prompt: AND joins",
        ),
    ],
)
def test_bad_options(values: dict, message: str) -> None:
    with pytest.raises(OptionsError, match=message):
        DiffusionOptions(**({"model": "a"} | values))


def test_one_or_several_and_text_or_path() -> None:
    options = DiffusionOptions(
        model=Path("m"), lora="a:0.5", embedding="b.pt", controlnet=["c"], control="canny"
    )
    assert options.model == "m"
    assert options.lora == ("a:0.5",)
    assert options.embedding == (Path("b.pt"),)
    assert (options.controlnet, options.control) == (("c",), ("canny",))
    assert DiffusionOptions(model="m", noise_source="NV").noise_source == "nv"


def test_making_the_stylizer_loads_no_torch() -> None:
    code = (
        "import sys; from kadr.stylize.registry import create_stylizer, stylizer_options;"
        "create_stylizer('diffusion', model='m'); stylizer_options('diffusion');"
        "print(*(n for n in ('torch', 'diffusers', 'transformers') if n in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == []


def test_without_torch_it_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import numpy as np\n"
        "from kadr.core.frames import Frame\n"
        "from kadr.errors import BackendError\n"
        "from kadr.stylize.base import StylizeContext, StylizeJob\n"
        "from kadr.stylize.registry import create_stylizer\n"
        "job = StylizeJob(Frame(0, np.zeros((8, 8, 3), np.uint8)), 0, 0)\n"
        "try:\n    next(create_stylizer('diffusion', model='m').stylize([job], StylizeContext()))\n"
        "except BackendError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert "torch" in done.stdout
    assert "pip install 'kadr[diffusion]'" in done.stdout
    assert done.stdout.count("\n") == 1


def test_unknown_option_is_named() -> None:
    with pytest.raises(OptionsError, match="no option 'strength'"):
        create_stylizer("diffusion", model="m", strength=1)


def test_inversion_uses_the_euler_sampler() -> None:
    assert DiffusionOptions(model="a").sampler == "Euler a"
    assert DiffusionOptions(model="a", inversion="refined").sampler == "Euler"
    assert DiffusionOptions(model="a", inversion="refined", sampler="Heun").sampler == "Heun"
