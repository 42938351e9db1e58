"""Other pipelines get only arguments that they accept, and their images fit the frame."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Picture
from safetensors.torch import save_file
from stylize_samples import jobs, picture

from kadr.core.events import CancelToken
from kadr.errors import BackendError, Cancelled, InputError, OptionsError
from kadr.stylize.base import StyledFrame, StylizeContext
from kadr.stylize.diffusion.model.location import ModelLocation, locate_model
from kadr.stylize.diffusion.options import DiffusionOptions
from kadr.stylize.diffusion.pipeline_adapter import PipelineAdapter
from kadr.stylize.diffusion.temporal.previous_frames import PreviousFrames
from kadr.stylize.registry import create_stylizer


class _Editor:
    """A pipeline without strength, as models that edit by instruction are."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.pictures = 1

    def __call__(
        self, image=None, prompt=None, true_cfg_scale=1.0, generator=None, output_type="pil"
    ):
        self.calls.append({"image": image, "prompt": prompt, "true_cfg_scale": true_cfg_scale})
        seed = generator.initial_seed()
        made = Picture.new("RGB", (image.width + 3, image.height), (seed % 256, 0, 0))
        return SimpleNamespace(images=[made] * self.pictures)


class _NoImage:
    def __call__(self, prompt=None):
        return None


def _restyle(adapter: PipelineAdapter, context: StylizeContext | None = None) -> list[np.ndarray]:
    past = PreviousFrames(context or StylizeContext(), DiffusionOptions(model="m"))
    return adapter.restyle(list(jobs([3, 5])), past)


@pytest.mark.parametrize(
    ("prompt", "notation"),
    [
        ("a [b:c:0.5] d", r"[a:b:0.5] or [a|b]"),
        ("a AND b BREAK (c:1.2)", "AND, BREAK, (word:1.2)"),
        ("a man (left), 16:9 [x]", ""),
    ],
)
def test_notation_that_a_pipeline_does_not_read_is_told(
    prompt: str, notation: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        PipelineAdapter(_Editor(), DiffusionOptions(model="m", prompt=prompt), "m")
    told = f"m: takes the prompt as plain text, so {notation} is not read as A1111 does"
    assert (told in caplog.text) == bool(notation)
    assert bool(caplog.text) == bool(notation)


def test_only_arguments_of_the_signature_are_passed(caplog: pytest.LogCaptureFixture) -> None:
    pipeline = _Editor()
    options = DiffusionOptions(
        model="m", prompt="ink", negative_prompt="photo", cfg_scale=4, steps=9, seed=7, pixels=4096
    )
    with caplog.at_level(logging.WARNING):
        adapter = PipelineAdapter(pipeline, options, "m")
    assert "no use for negative-prompt" in caplog.text
    assert "no use for steps" in caplog.text
    images = _restyle(adapter)
    assert [image.shape for image in images] == [(48, 64, 3)] * 2
    assert (images[0][..., 0] == 7).all()
    call = pipeline.calls[0]
    assert call["image"].size == (64, 64)
    assert (call["prompt"], call["true_cfg_scale"]) == ("ink", 4)
    fields = adapter.infotext_fields(next(jobs([3])))
    assert fields["Steps"] is None
    assert fields["Denoising strength"] is None
    assert fields["Seed"] == 7


def test_pixels_outside_the_mask_do_not_change() -> None:
    options = DiffusionOptions(model="m", pixels=4096, seed=255, mask_blur=0)
    mask = np.zeros((48, 64), bool)
    mask[:, 32:] = True
    context = StylizeContext(mask=lambda index: mask if index == 3 else np.zeros_like(mask))
    first, second = _restyle(PipelineAdapter(_Editor(), options, "m"), context)
    assert np.array_equal(first[:, :30], picture(seed=3)[:, :30])
    assert (first[:, 34:, 0] == 255).all()
    assert np.array_equal(second, picture(seed=5))


def test_wrong_pipelines() -> None:
    options = DiffusionOptions(model="m")
    with pytest.raises(InputError, match="_NoImage takes no image"):
        PipelineAdapter(_NoImage(), options, "m")
    pipeline = _Editor()
    pipeline.pictures = 2
    with pytest.raises(BackendError, match="returned 2 images for one frame"):
        _restyle(PipelineAdapter(pipeline, options, "m"))


def test_options_of_our_own_loop_are_refused() -> None:
    source = ModelLocation(Path("m"), "pipeline", "m", {"_class_name": "FluxKontextPipeline"})
    for given in (
        {"inversion": "refined"},
        {"controlnet": "c", "control": "canny"},
        {"embedding": "e.pt"},
        {"vae": Path("v")},
        {"color_correction": True},
        {"sampler": "Heun"},
        {"clip_skip": 2},
        {"batch": 4},
    ):
        options = DiffusionOptions(model="m", **given)
        with pytest.raises(OptionsError, match="is for Stable Diffusion 1, 2 and XL"):
            PipelineAdapter.load(source, options)


class _Guided:
    """One that has both kinds of guidance; black in half precision."""

    def __init__(self, distilled: bool, dtype: torch.dtype = torch.float32) -> None:
        config = SimpleNamespace(guidance_embeds=distilled)
        self.transformer, self.dtype = SimpleNamespace(config=config), dtype
        self.calls: list[dict[str, Any]] = []

    def to(self, dtype: torch.dtype) -> None:
        self.dtype = dtype

    def __call__(
        self, image=None, prompt=None, negative_prompt=None, guidance_scale=3.5, true_cfg_scale=1.0
    ):
        self.calls.append(
            {"negative": negative_prompt, "told": guidance_scale, "true": true_cfg_scale}
        )
        black = Picture.new("RGB", image.size)
        return SimpleNamespace(images=[image if self.dtype == torch.float32 else black])


def test_guidance_is_passed_as_the_model_expects_it() -> None:
    options = DiffusionOptions(model="m", cfg_scale=4, pixels=4096)
    for distilled, expected in (
        (False, {"negative": " ", "told": 3.5, "true": 4}),
        (True, {"negative": None, "told": 4, "true": 1.0}),
    ):
        pipeline = _Guided(distilled)
        _restyle(PipelineAdapter(pipeline, options, "m"))
        assert pipeline.calls[0] == expected


def test_a_black_image_is_repeated_in_float32(caplog: pytest.LogCaptureFixture) -> None:
    pipeline = _Guided(True, torch.float16)
    with caplog.at_level(logging.WARNING):
        images = _restyle(PipelineAdapter(pipeline, DiffusionOptions(model="m", pixels=4096), "m"))
    assert "one colour in half precision" in caplog.text
    assert len(pipeline.calls) == 3, "the second frame is made in float32 at once"
    assert all(image.std() > 1 for image in images)


def test_latents_are_not_resized_for_a_pipeline() -> None:
    pipeline = _Editor()
    options = DiffusionOptions(model="m", width=128, height=64, resize_mode=3)
    adapter = PipelineAdapter(pipeline, options, "m")
    _restyle(adapter)
    assert pipeline.calls[0]["image"].size == (128, 64)


@pytest.fixture
def other_pipeline(tiny_model, tmp_path: Path) -> Path:
    """A folder of a kind that kadr's own loop does not run."""
    folder = shutil.copytree(tiny_model("sd1"), tmp_path / "perturbed")
    index = json.loads((folder / "model_index.json").read_text())
    index["_class_name"] = "StableDiffusionPAGPipeline"
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder


def test_a_real_pipeline_through_the_stylizer(other_pipeline: Path) -> None:
    assert locate_model(str(other_pipeline)).kind == "pipeline"
    told = []
    stylizer = create_stylizer(
        "diffusion", model=str(other_pipeline), prompt="ink", steps=4, pixels=4096
    )
    made: list[StyledFrame] = [
        item
        for batch in stylizer.stylize(
            jobs([0, 1]), StylizeContext(progress=lambda index, share: told.append((index, share)))
        )
        for item in batch
    ]
    assert [item.image.shape for item in made] == [(48, 64, 3)] * 2
    assert all(item.image.std() > 1 for item in made)
    assert "StableDiffusionPAGImg2ImgPipeline" in made[0].info["parameters"]
    assert {index for index, _ in told} == {0, 1}
    assert max(share for _, share in told) == 1


def test_cancelling_stops_within_a_frame(other_pipeline: Path) -> None:
    cancel = CancelToken()
    stylizer = create_stylizer(
        "diffusion", model=str(other_pipeline), steps=4, denoising_strength=1, pixels=4096
    )
    context = StylizeContext(cancel=cancel, progress=lambda index, share: cancel.cancel())
    with pytest.raises(Cancelled):
        next(stylizer.stylize(jobs([0, 1]), context))


def test_damaged_folder(other_pipeline: Path) -> None:
    (other_pipeline / "unet" / "config.json").write_text("{")
    with pytest.raises(InputError, match="cannot be loaded by diffusers"):
        PipelineAdapter.load(
            locate_model(str(other_pipeline)), DiffusionOptions(model=str(other_pipeline))
        )


def test_same_seed_same_picture(other_pipeline: Path) -> None:
    options = DiffusionOptions(model=str(other_pipeline), steps=2, pixels=4096)
    with torch.random.fork_rng(devices=[]):
        one, two = (
            _restyle(PipelineAdapter.load(locate_model(options.model), options)) for _ in range(2)
        )
    assert np.array_equal(one[0], two[0])


def test_two_loras_change_the_picture_together(other_pipeline: Path, tmp_path: Path) -> None:
    layer = "unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_v"
    paths = [tmp_path / name for name in ("ink v1.5.safetensors", "wash.safetensors")]
    for seed, path in enumerate(paths):
        generator = torch.Generator().manual_seed(seed)
        down, up = torch.randn(4, 64, generator=generator), torch.randn(64, 4, generator=generator)
        save_file({f"{layer}.lora_A.weight": down, f"{layer}.lora_B.weight": up}, path)
    given = tuple(map(str, paths))
    made = []
    for lora in (given[:1], given[1:], given):
        options = DiffusionOptions(model=str(other_pipeline), steps=2, pixels=4096, lora=lora)
        made.append(_restyle(PipelineAdapter.load(locate_model(options.model), options))[0])
    first, second, both = made
    assert not np.array_equal(both, first)
    assert not np.array_equal(both, second)
