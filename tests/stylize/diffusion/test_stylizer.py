"""Frames restyled by the diffusion stylizer, for every option that changes them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import ControlNetModel
from safetensors.torch import save_file
from tiny_models import KINDS, Kind
from trained_models import painted

from kadr.core.frames import Frame, Image
from kadr.errors import BackendError, InputError, OptionsError
from kadr.stylize.base import StylizeContext, StylizeJob
from kadr.stylize.diffusion.model.loading import load_model
from kadr.stylize.diffusion.sampling.samplers import SAMPLERS
from kadr.stylize.infotext import PARAMETERS, infotext_settings, parse_infotext
from kadr.stylize.registry import create_stylizer

Restyle = Callable[..., list[Image]]


def _jobs(frames: Sequence[Image]) -> list[StylizeJob]:
    return [
        StylizeJob(Frame(index, frame), 0, seed=1000 + index) for index, frame in enumerate(frames)
    ]


def _nearer(image: Image, to: Image, than: Image) -> bool:
    """Whether an image is clearly more like one than like another."""
    return _away(image, to) < 0.75 * _away(image, than)


def _run(
    model: Path | str,
    frames: Sequence[Image],
    context: StylizeContext | None = None,
    **options: Any,
) -> list[Image]:
    stylizer = create_stylizer("diffusion", model=str(model), **options)
    batches = stylizer.stylize(_jobs(frames), context or StylizeContext())
    return [item.image for batch in batches for item in batch]


def _away(image: Image, other: Image) -> float:
    """Mean absolute difference in levels."""
    return float(np.abs(image.astype(int) - other.astype(int)).mean())


@pytest.fixture
def restyle(trained_model: Path) -> Restyle:
    """Restyle frames by the trained model with options that show what they do."""

    def run(
        frames: Sequence[Image], context: StylizeContext | None = None, **options: Any
    ) -> list[Image]:
        known = {"sampler": "Euler", "steps": 12, "pixels": 4096, "cfg_scale": 1.5, "batch": 4}
        return _run(trained_model, frames, context, **(known | {"prompt": "painting"} | options))

    return run


# --- images that can be recognised ----------------------------------------------------------


def test_prompt_and_strength_restyle_what_is_filmed(restyle: Restyle, disc_frames) -> None:
    frames = [disc_frames[2], disc_frames[12]]
    wanted = [painted(frame) for frame in frames]
    faint = restyle(frames, denoising_strength=0.1)
    strong = restyle(frames, denoising_strength=0.5)
    photos = restyle(frames, denoising_strength=0.5, prompt="photo")
    for place, (frame, want) in enumerate(zip(frames, wanted, strict=True)):
        assert _away(faint[place], frame) < 0.8 * _away(strong[place], frame)
        assert _away(faint[place], frame) < _away(faint[place], want)
        assert _nearer(strong[place], want, frame)
        assert _nearer(photos[place], frame, want)
    # the disc is where it was: each result is nearer to its own frame's look
    assert _nearer(strong[0], wanted[0], wanted[1])
    assert _nearer(strong[1], wanted[1], wanted[0])


def test_negative_prompt_and_guidance(restyle: Restyle, disc_frames) -> None:
    frame = disc_frames[5]
    want = painted(frame)
    towards = restyle([frame], negative_prompt="photo")[0]
    from_it = restyle([frame], prompt="photo", negative_prompt="painting")[0]
    assert _away(towards, want) < 0.65 * _away(from_it, want)
    # at 0 only the negative prompt counts, at 1 only the prompt
    assert _nearer(restyle([frame], negative_prompt="photo", cfg_scale=0)[0], frame, want)
    one = [restyle([frame], negative_prompt=text, cfg_scale=1)[0] for text in ("photo", "")]
    assert np.array_equal(one[0], one[1])


@pytest.mark.parametrize("inversion", ["refined", "plain", "adjusted"])
def test_inversion_restyles_and_keeps_the_frame(
    inversion: str, restyle: Restyle, disc_frames
) -> None:
    frames = [disc_frames[2], disc_frames[12]]
    same = {"inversion": inversion, "original_prompt": "photo", "denoising_strength": 1.0}
    again = restyle(frames, prompt="photo", cfg_scale=1, **same)
    made = restyle(frames, prompt="painting", cfg_scale=2, **same)
    for frame, back, new in zip(frames, again, made, strict=True):
        want = painted(frame)
        # the restyle prompt takes effect, although the noise is the frame's own
        assert _away(new, want) < _away(new, frame)
        assert _nearer(back, frame, want)
    if inversion == "refined":
        encoded = restyle(frames, prompt="photo", denoising_strength=0.0, exact_steps=True)
        assert all(_away(a, b) < 2 for a, b in zip(again, encoded, strict=True))


def test_no_strength_and_exact_steps_is_encoding_alone(restyle: Restyle, disc_frames) -> None:
    made = restyle(disc_frames[:1], denoising_strength=0.0, exact_steps=True, inversion="refined")
    assert _away(made[0], disc_frames[0]) < 15


# --- every family, every sampler ------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_every_family_runs_and_inverts(kind: Kind, tiny_model, disc_frames) -> None:
    options = {"prompt": "(ink:1.3) BREAK wash", "negative_prompt": "", "steps": 3, "pixels": 4096}
    made = _run(tiny_model(kind), disc_frames[:2], batch=2, **options)
    inverted = _run(tiny_model(kind), disc_frames[:2], inversion="refined", **options)
    for image in (*made, *inverted):
        assert image.shape == (64, 64, 3)
        assert image.std() > 5
    assert _away(made[0], inverted[0]) > 1


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_sampler(sampler: str, restyle: Restyle, disc_frames) -> None:
    frame = disc_frames[6]
    made = restyle([frame], sampler=sampler, steps=16)[0]
    assert _nearer(made, painted(frame), frame)


def test_batch_seeds_and_noise(restyle: Restyle, disc_frames) -> None:
    frames = disc_frames[:3]
    options = {"denoising_strength": 0.6, "sampler": "Euler a"}
    alone = restyle(frames, batch=1, **options)
    together = restyle(frames, batch=3, **options)
    # sums are taken in another order, no more
    assert max(_away(a, b) for a, b in zip(alone, together, strict=True)) < 0.5
    own = restyle(frames, seed=None, **options)
    other = restyle(frames, seed=5, **options)
    nv = restyle(frames, noise_source="nv", **options)
    for image in (own[0], other[0], nv[0]):
        assert _away(image, alone[0]) > 0.5
    same = restyle([frames[0]] * 2, **options)
    each = restyle([frames[0]] * 2, seed=None, **options)
    assert np.array_equal(same[0], same[1])
    assert not np.array_equal(each[0], each[1])


# --- sizes and masks ------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [0, 1, 2, 3])
def test_resize_modes_give_frames_of_their_size(mode: int, restyle: Restyle, disc_frames) -> None:
    frame = np.ascontiguousarray(np.pad(disc_frames[6], ((9, 10), (0, 0), (0, 0)), "edge"))
    size = {"pixels": None, "width": 64, "height": 64}
    made = restyle([frame], resize_mode=mode, denoising_strength=0.3, **size)[0]
    assert made.shape == (83, 64, 3)
    # what was cropped away is filled from the edge
    assert _away(made, frame) < 30


def test_alpha_is_kept_and_transparent_is_white(restyle: Restyle, disc_frames) -> None:
    alpha = np.full((64, 64, 1), 255, np.uint8)
    alpha[:, :24] = 0
    white = disc_frames[8].copy()
    white[:, :24] = 255
    made = restyle([np.concatenate([disc_frames[8], alpha], axis=2)])[0]
    assert made.shape == (64, 64, 4)
    assert np.array_equal(made[..., 3:], alpha)
    assert np.array_equal(made[..., :3], restyle([white])[0])


@pytest.mark.parametrize("area", ["picture", "mask"])
@pytest.mark.parametrize("kind", ["trained", "sd1-inpaint"])
def test_outside_the_mask_nothing_changes(
    area: str, kind: str, trained_model: Path, tiny_model, disc_frames
) -> None:
    frame = disc_frames[6]
    mask = np.zeros((64, 64), bool)
    mask[16:48, 32:] = True
    context = StylizeContext(mask=lambda index: mask if index == 0 else np.zeros_like(mask))
    model = trained_model if kind == "trained" else tiny_model("sd1-inpaint")
    options = {"inpaint_area": area, "mask_blur": 2, "batch": 2, "steps": 6}
    if area == "mask":
        options["mask_padding"] = 8
    made, untouched = _run(
        model, [frame, frame], context, prompt="painting", pixels=4096, **options
    )
    assert np.array_equal(untouched, frame)
    assert np.array_equal(made[:, :24], frame[:, :24])
    assert np.array_equal(made[:8], frame[:8])
    assert _away(made[20:44, 40:], frame[20:44, 40:]) > 3


def test_colour_correction_brings_back_the_colours(restyle: Restyle, disc_frames) -> None:
    frame = disc_frames[6]
    plain, corrected = (
        restyle([frame], denoising_strength=0.8, color_correction=on)[0] for on in (False, True)
    )
    means = [image.reshape(-1, 3).mean(axis=0) for image in (frame, plain, corrected)]
    assert np.abs(means[2] - means[0]).max() < np.abs(means[1] - means[0]).max() / 2


# --- additions ------------------------------------------------------------------------------


def test_additions_change_the_image(tiny_model, tmp_path: Path, disc_frames) -> None:
    model = load_model(str(tiny_model("sd1")))
    network = ControlNetModel.from_unet(model.unet)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        conditioning = network.controlnet_cond_embedding.conv_out
        for block in (*network.controlnet_down_blocks, network.controlnet_mid_block, conditioning):
            block.weight.copy_(torch.randn(block.weight.shape, generator=generator))
    network.save_pretrained(tmp_path / "control")
    layer = "unet.mid_block.attentions.0.proj_in"
    halves = {"A": (4, 64, 1, 1), "B": (64, 4, 1, 1)}
    save_file(
        {
            f"{layer}.lora_{half}.weight": torch.randn(shape, generator=generator)
            for half, shape in halves.items()
        },
        tmp_path / "style.safetensors",
    )
    save_file(
        {"emb_params": 9 * torch.randn(2, 32, generator=generator)}, tmp_path / "zeth.safetensors"
    )
    options = {"prompt": "zeth", "steps": 2, "pixels": 4096, "denoising_strength": 0.8}
    run = lambda **more: _run(tiny_model("sd1"), disc_frames[:1], **options | more)[0]  # noqa: E731
    plain = run()
    control = {"controlnet": f"{tmp_path / 'control'}:0.5"}
    changed = [
        run(lora=f"{tmp_path / 'style.safetensors'}:0.8"),
        run(lora=f"{tmp_path / 'style.safetensors'}:-1"),
        run(embedding=tmp_path / "zeth.safetensors"),
        run(vae=tiny_model("sdxl") / "vae"),
        run(clip_skip=2),
        run(**control, control="canny"),
        run(**control, control="softedge"),
        run(**control, control="tile"),
    ]
    tagged = run(prompt="zeth <lora:style:0.3:0.8>", lora_dir=tmp_path)
    assert np.array_equal(tagged, changed[0])
    for index, image in enumerate(changed):
        assert not np.array_equal(image, plain), index
        assert all(not np.array_equal(image, other) for other in changed[:index])
    with_depth = StylizeContext(control=lambda name, index: np.zeros((64, 64, 3), np.uint8))
    dark = _run(
        tiny_model("sd1"), disc_frames[:1], with_depth, **options, **control, control="depth"
    )[0]
    assert not np.array_equal(dark, plain)
    # control_until is measured from where sampling starts, at half strength too
    half = {"denoising_strength": 0.5, "steps": 4}
    early = run(**(options | half), **control, control="canny", control_until=0.4)
    assert not np.array_equal(early, run(**(options | half)))
    assert not np.array_equal(early, run(**(options | half), **control, control="canny"))
    with pytest.raises(OptionsError, match="control 'depth' for frame 0"):
        run(**control, control="depth")
    with pytest.raises(InputError, match=r"gone\.safetensors: not found"):
        run(lora=str(tmp_path / "gone.safetensors"))


# --- facts, cache, memory -------------------------------------------------------------------


def test_parameters_read_back_as_the_options(trained_model: Path, disc_frames) -> None:
    options: dict[str, Any] = {
        "prompt": "painting, (ink:1.2)",
        "negative_prompt": "photo",
        "steps": 4,
        "sampler": "DPM++ 2M Karras",
        "cfg_scale": 2.5,
        "seed": 77,
        "denoising_strength": 0.4,
        "width": 64,
        "height": 64,
    }
    stylizer = create_stylizer("diffusion", model=str(trained_model), **options)
    styled = next(stylizer.stylize(_jobs(disc_frames[:1]), StylizeContext()))[0]
    read = infotext_settings(parse_infotext(styled.info[PARAMETERS]))
    assert {name: read[name] for name in options} == options
    like = {name: value for name, value in read.items() if name != "model"}
    again = _run(trained_model, disc_frames[:1], **like)[0]
    assert np.array_equal(again, styled.image)


@pytest.mark.parametrize("named", [True, False], ids=["named folder", "the run's folder"])
def test_inverted_noise_is_cached_and_reused(
    restyle: Restyle, tmp_path: Path, disc_frames, named: bool
) -> None:
    told: list[float] = []
    folder = tmp_path / ("run's" if named else "noise")
    context = StylizeContext(progress=lambda index, share: told.append(share), folder=folder)
    options = {
        "inversion": "refined",
        "original_prompt": "photo",
        "noise_cache": tmp_path / "noise" if named else None,
        "denoising_strength": 1.0,
        "steps": 6,
    }
    first = restyle(disc_frames[:2], context, **options)
    looked = len(told)
    kept = sorted((tmp_path / "noise").iterdir())
    assert len(kept) == 2
    again = restyle(disc_frames[:2], context, **options)
    # sampling alone: half as many steps
    assert len(told) - looked == looked / 2
    assert _away(first[0], again[0]) < 0.1
    # another prompt and seed need no other noise, another original prompt does
    restyle(disc_frames[:2], context, prompt="photo", seed=9, randomness=0.2, **options)
    assert sorted((tmp_path / "noise").iterdir()) == kept
    restyle(disc_frames[:2], context, **(options | {"original_prompt": "painting"}))
    assert len(list((tmp_path / "noise").iterdir())) == 4
    # an empty one is empty, as in A1111: the prompt does not take its place
    for prompt in ("photo", "painting"):
        restyle(disc_frames[:1], context, **(options | {"original_prompt": "", "prompt": prompt}))
        assert len(list((tmp_path / "noise").iterdir())) == 5


def test_a_lent_control_lies_on_a_frame_that_is_cropped(
    tiny_model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kadr.stylize.diffusion import inputs

    shown: list[np.ndarray] = []
    whole = inputs.control_image

    def seen(*args: Any) -> np.ndarray:
        shown.append(whole(*args))
        return shown[-1]

    monkeypatch.setattr(inputs, "control_image", seen)
    ControlNetModel.from_unet(load_model(str(tiny_model("sd1"))).unet).save_pretrained(
        tmp_path / "control"
    )
    line = np.zeros((64, 128, 3), np.uint8)
    line[:, 60:64] = 255
    lent = StylizeContext(control=lambda name, index: line)
    options = {"steps": 1, "width": 64, "height": 64, "resize_mode": 1, "denoising_strength": 0.1}
    control = {"controlnet": str(tmp_path / "control"), "control": "depth"}
    _run(tiny_model("sd1"), [line], lent, **options, **control)
    bright = np.flatnonzero(shown[0].mean(axis=(0, 2)) > 128)
    assert bright.tolist() == [28, 29, 30, 31]


def test_a_mask_weight_is_for_inpainting_models(tiny_model, disc_frames) -> None:
    with pytest.raises(OptionsError, match="inpainting-mask-weight: is for inpainting models"):
        _run(tiny_model("sd1"), disc_frames[:1], steps=1, inpainting_mask_weight=0.5)


@pytest.mark.parametrize("name", ["torch", "safetensors"])
def test_a_library_that_is_missing_is_named(name: str, tiny_model) -> None:
    program = f"""
import sys
sys.modules[{name!r}] = None
from kadr.errors import BackendError
from kadr.stylize.diffusion.options import DiffusionOptions
from kadr.stylize.diffusion.stylizer import create_restyler
try:
    create_restyler(DiffusionOptions(model={str(tiny_model("sd1"))!r}))
except BackendError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert f"{name} is not installed; pip install 'kadr[diffusion]'" in done.stdout, done.stderr


@pytest.mark.parametrize(
    "said",
    [
        "DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes",
        "MPS backend out of memory",
    ],
)
def test_other_messages_of_too_little_memory(
    restyle: Restyle, monkeypatch: pytest.MonkeyPatch, disc_frames, said: str
) -> None:
    from kadr.stylize.diffusion.model.model import Model

    def never(self: Model, pixels: torch.Tensor) -> torch.Tensor:
        raise RuntimeError(said)

    monkeypatch.setattr(Model, "encode_pixels", never)
    with pytest.raises(BackendError, match="does not fit into memory"):
        restyle(disc_frames[:1])


def test_smaller_batches_when_memory_is_short(
    restyle: Restyle, monkeypatch: pytest.MonkeyPatch, disc_frames
) -> None:
    from kadr.stylize.diffusion.model.model import Model

    expected = restyle(disc_frames[:4], batch=1)
    sizes: list[int] = []
    whole = Model.encode_pixels

    def short(self: Model, pixels: torch.Tensor) -> torch.Tensor:
        sizes.append(len(pixels))
        if len(pixels) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate a lot")
        return whole(self, pixels)

    monkeypatch.setattr(Model, "encode_pixels", short)
    made = restyle(disc_frames[:4], batch=4)
    assert sizes == [4, 2, 1, 1, 1, 1]
    assert all(np.array_equal(a, b) for a, b in zip(made, expected, strict=True))

    def never(self: Model, pixels: torch.Tensor) -> torch.Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Model, "encode_pixels", never)
    with pytest.raises(BackendError, match=r"64×64 does not fit into memory; try -O width=64"):
        restyle(disc_frames[:2], batch=2)


def test_never_a_black_image(
    trained_model: Path, monkeypatch: pytest.MonkeyPatch, disc_frames
) -> None:
    from kadr.stylize.diffusion.model.model import Model

    types: list[torch.dtype] = []
    whole = Model._run

    def spoiled(self: Model, *args: Any) -> torch.Tensor:
        types.append(self.dtype)
        noise = whole(self, *args)
        return noise if self.dtype == torch.float32 else torch.full_like(noise, float("nan"))

    monkeypatch.setattr(Model, "_run", spoiled)
    options = {"prompt": "painting", "steps": 4, "pixels": 4096, "dtype": "bfloat16"}
    made = _run(trained_model, disc_frames[:2], **options)
    assert types[0] == torch.bfloat16
    assert types[1:] == [torch.float32] * (len(types) - 1)
    assert all(image.std() > 10 for image in made)
