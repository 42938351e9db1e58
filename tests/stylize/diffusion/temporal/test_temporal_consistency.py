"""Options for temporal consistency of the diffusion stylizer, with models of every family."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import ControlNetModel
from fake_context import FakeContext
from tiny_models import Kind

from kadr.core.frames import Image
from kadr.errors import OptionsError
from kadr.stylize.base import StylizeContext, Stylizer
from kadr.stylize.diffusion.model.loading import load_model
from kadr.stylize.infotext import PARAMETERS, infotext_settings, parse_infotext
from kadr.stylize.registry import create_stylizer

ALL = {"carry_noise": True, "previous_start": 0.4, "previous_blend": 0.3, "cross_frame": "both"}
JOINT = ("attention", "grid")


def _stylizer(model: Path, **options: Any) -> Stylizer:
    known = {"prompt": "ink", "steps": 3, "pixels": 4096, "denoising_strength": 0.8, "cfg_scale": 2}
    return create_stylizer("diffusion", model=str(model), **(known | options))


def _unlike(images: Sequence[Image], others: Sequence[Image]) -> float:
    pairs = zip(images, others, strict=True)
    return float(np.mean([np.abs(a.astype(int) - b).mean() for a, b in pairs]))


def test_joint_and_sequential_follow_from_the_options(tiny_model) -> None:
    model = tiny_model("sd1")
    kinds = {
        (): (False, False),
        (("carry_noise", True),): (False, False),
        (("previous_start", 0.5),): (False, True),
        (("previous_blend", 0.5),): (False, True),
        (("cross_frame", "anchor"),): (False, True),
        (("joint", "grid"),): (True, False),
        (("joint", "attention"), ("carry_noise", True)): (True, False),
    }
    for options, expected in kinds.items():
        made = _stylizer(model, **dict(options))
        assert (made.joint, made.sequential) == expected, options


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"joint": "grid", "previous_start": 0.5}, "joint grid: makes the keys of a shot at once"),
        ({"joint": "attention", "cross_frame": "anchor"}, "joint attention: makes"),
        ({"joint": "both"}, "joint 'both': expected one of none, attention, grid"),
        ({"cross_frame": "all"}, "cross-frame 'all': expected one of none, anchor"),
        ({"anchor_every": 4}, "anchor-every: is for previous-start and cross-frame anchor"),
        ({"anchor_every": 4, "cross_frame": "previous"}, "anchor-every: is for"),
        ({"carry_noise": True, "seed": None}, "carry-noise: cannot be combined with seed none"),
        ({"carry_noise": True, "joint": "grid"}, "carry-noise: cannot be combined with joint grid"),
        ({"carry_noise": True, "inpaint_area": "mask"}, "with inpaint-area mask"),
        ({"compile": True, "cross_frame": "anchor"}, "compile: works only for a frame alone"),
        ({"previous_blend": 1.5}, r"previous-blend 1\.5: expected 0 to 1"),
        ({"joint_size": 1}, "joint-size 1"),
    ],
)
def test_options_that_exclude_each_other(given: dict[str, Any], said: str) -> None:
    with pytest.raises(OptionsError, match=said):
        create_stylizer("diffusion", model="m", **given)


@pytest.mark.parametrize("kind", ["sd1", "sd1-inpaint", "sdxl"])
def test_a_resumed_run_makes_the_same_frames_with_all_options(
    kind: Kind, tiny_model, disc_frames
) -> None:
    options = ALL | {"anchor_every": 2, "steps": 2}
    complete = FakeContext(disc_frames[::3], cuts=(4,))
    made = complete.run(_stylizer(tiny_model(kind), **options))
    assert all(image.std() > 5 for image in made)
    kept = {index: image for index, image in complete.outputs.items() if index < 3}
    rest = FakeContext(disc_frames[::3], cuts=(4,), outputs=kept)
    again = rest.run(_stylizer(tiny_model(kind), **options))
    np.testing.assert_array_equal(np.stack(made), np.stack(again))


@pytest.mark.parametrize("name", [*ALL, "anchor_every"])
def test_every_way_changes_the_frames_after_the_first(name: str, tiny_model, disc_frames) -> None:
    def run(**options: Any) -> list[Image]:
        return FakeContext(disc_frames[2:14:3]).run(_stylizer(tiny_model("sd1"), **options))

    base = {"previous_start": 0.4} if name == "anchor_every" else {}
    without = run(**base)
    made = run(**base, **{name: 2 if name == "anchor_every" else ALL[name]})
    np.testing.assert_array_equal(made[0], without[0])
    # the third is an anchor then, and only it and those after differ
    changed = 2 if name == "anchor_every" else 1
    assert _unlike(made[changed:], without[changed:]) > 0.005  # a random network sees little


def test_carried_noise_is_the_same_in_batches(tiny_model, disc_frames) -> None:
    one, many = (
        FakeContext(disc_frames[:5]).run(
            _stylizer(tiny_model("sd1"), carry_noise=True, batch=batch)
        )
        for batch in (1, 3)
    )
    assert _unlike(one, many) < 0.5


@pytest.mark.parametrize("joint", JOINT)
@pytest.mark.parametrize("kind", ["sd1", "sd1-inpaint", "sdxl"])
def test_keys_of_a_shot_are_made_together(joint: str, kind: Kind, tiny_model, disc_frames) -> None:
    fake = FakeContext(disc_frames, indices=(0, 3, 6, 9, 12, 14, 15), cuts=(14,))
    made = fake.run(_stylizer(tiny_model(kind), joint=joint, joint_size=3))
    assert [image.shape for image in made] == [(64, 64, 3)] * 7
    assert all(image.std() > 5 for image in made)
    # another key in its company changes a key; one of another shot does not
    other = FakeContext([*disc_frames[:3], disc_frames[9], *disc_frames[4:]], fake.indices, (14,))
    again = other.run(_stylizer(tiny_model(kind), joint=joint, joint_size=3))
    assert not np.array_equal(made[0], again[0])
    np.testing.assert_array_equal(np.stack(made[5:]), np.stack(again[5:]))


@pytest.mark.parametrize("joint", JOINT)
def test_every_chunk_has_the_first_key_for_an_anchor(joint: str, tiny_model, disc_frames) -> None:
    def run(first: Image, **options: Any) -> list[Image]:
        frames = [first, *disc_frames[1:7]]
        stylizer = _stylizer(tiny_model("sd1"), joint=joint, **options)
        return FakeContext(frames).run(stylizer)

    made = run(disc_frames[0], joint_size=3)
    changed = run(disc_frames[9], joint_size=3)
    # the last key is in a later chunk than the first
    assert not np.array_equal(made[-1], changed[-1])


@pytest.mark.parametrize("joint", JOINT)
def test_masks_sizes_and_alpha_of_joint_keys(joint: str, tiny_model, disc_frames) -> None:
    mask = np.zeros((80, 64), bool)
    mask[24:, 24:] = True
    wide = [np.pad(frame, ((8, 8), (0, 0), (0, 0)), "edge") for frame in disc_frames[:3]]
    frames = [np.concatenate([frame, frame[..., :1]], axis=2) for frame in wide]
    fake = FakeContext(frames)
    context = replace(fake.context, mask=lambda index: mask if index == 1 else None)
    fake.__dict__["context"] = context
    options = {"joint": joint, "joint_size": 2, "mask_blur": 1, "resize_mode": 2}
    made = fake.run(_stylizer(tiny_model("sd1"), **options))
    for frame, image in zip(frames, made, strict=True):
        np.testing.assert_array_equal(image[..., 3], frame[..., 3])
    np.testing.assert_array_equal(made[1][:20], frames[1][:20])
    assert _unlike([made[1][30:, 30:, :3]], [frames[1][30:, 30:, :3]]) > 3


def test_smaller_sheets_when_memory_is_short(
    tiny_model, disc_frames, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kadr.stylize.diffusion.model.model import Model

    sizes: list[int] = []
    encode_pixels = Model.encode_pixels

    def short(self: Model, pixels: torch.Tensor) -> torch.Tensor:
        sizes.append(pixels.shape[-1] * pixels.shape[-2] // 64**2)
        if sizes[-1] > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return encode_pixels(self, pixels)

    monkeypatch.setattr(Model, "encode_pixels", short)
    made = FakeContext(disc_frames[:4]).run(
        _stylizer(tiny_model("sd1"), joint="grid", joint_size=4)
    )
    assert len(made) == 4
    assert sizes[:2] == [4, 2]
    assert set(sizes[1:]) == {2}


def test_sheets_of_latents_that_are_stretched(tiny_model, disc_frames) -> None:
    frames = [frame[:48] for frame in disc_frames[:3]]
    options = {"joint": "grid", "joint_size": 2, "resize_mode": 3}
    sized = {"pixels": None, "width": 64, "height": 64}
    made = FakeContext(frames).run(_stylizer(tiny_model("sd1"), **options, **sized))
    assert [image.shape for image in made] == [(48, 64, 3)] * 3


def test_controls_steer_frames_but_not_what_they_look_at(
    tiny_model, tmp_path: Path, disc_frames
) -> None:
    network = ControlNetModel.from_unet(load_model(str(tiny_model("sd1"))).unet)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for block in (*network.controlnet_down_blocks, network.controlnet_mid_block):
            block.weight.copy_(torch.randn(block.weight.shape, generator=generator))
    network.save_pretrained(tmp_path / "control")
    steered = {"controlnet": f"{tmp_path / 'control'}:0.5", "control": "canny"}
    for company in ({"cross_frame": "anchor"}, {"joint": "attention"}, {"joint": "grid"}):
        with_, without = (
            FakeContext(disc_frames[:3]).run(_stylizer(tiny_model("sd1"), **company, **more))
            for more in (steered, {})
        )
        assert _unlike(with_, without) > 0.1


def test_infotext_holds_the_options_for_temporal_consistency(tiny_model, disc_frames) -> None:
    for options in (ALL | {"anchor_every": 3}, {"joint": "grid", "joint_size": 2}):
        fake = FakeContext(disc_frames[:1])
        stylizer = _stylizer(tiny_model("sd1"), **options)
        job = next(iter(fake.jobs()))
        (styled,) = next(iter(stylizer.stylize([job], fake.context)))
        read = infotext_settings(parse_infotext(styled.info[PARAMETERS]))
        assert {name: read[name] for name in options} == options
        plain = next(iter(_stylizer(tiny_model("sd1")).stylize([job], StylizeContext())))[0]
        assert not set(options) & set(infotext_settings(parse_infotext(plain.info[PARAMETERS])))
