"""All forms of all families load, offline; all else is refused in one line that helps."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import load_file, save_file
from tiny_models import KINDS, Kind, original_names, original_vae, save_single

from kadr.errors import InputError, OptionsError
from kadr.stylize.diffusion.model.loading import LoadOptions, load_model
from kadr.stylize.diffusion.model.model import Model


def _weights(model: Model) -> dict[str, torch.Tensor]:
    named = {f"unet.{name}": value for name, value in model.unet.state_dict().items()}
    named |= {f"vae.{name}": value for name, value in model.vae.state_dict().items()}
    for place, encoder in enumerate(model.networks.encoders):
        for name, value in encoder.network.state_dict().items():
            named[f"text{place}.{name}"] = value
    return named


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", ["folder", ".safetensors", ".ckpt"])
def test_every_form_gives_the_same_weights(kind: Kind, form: str, tiny_model, tiny_parts) -> None:
    parts = tiny_parts(kind)
    options = LoadOptions(prediction=parts.prediction) if form != "folder" else LoadOptions()
    model = load_model(str(tiny_model(kind, form)), options)
    expected = {f"unet.{name}": value for name, value in parts.unet.state_dict().items()}
    expected |= {f"vae.{name}": value for name, value in parts.vae.state_dict().items()}
    for place, encoder in enumerate(parts.encoders):
        for name, value in encoder.state_dict().items():
            expected[f"text{place}.{name}"] = value
    found = _weights(model)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.equal(found[name], value), name


@pytest.mark.parametrize("kind", KINDS)
def test_settings_are_the_folders_whatever_the_form(kind: Kind, tiny_model, tiny_parts) -> None:
    prediction = tiny_parts(kind).prediction
    folder = load_model(str(tiny_model(kind)))
    file = load_model(str(tiny_model(kind, ".safetensors")), LoadOptions(prediction=prediction))
    assert folder.prediction == file.prediction == prediction
    assert folder.channels == file.channels == (9 if kind == "sd1-inpaint" else 4)
    assert folder.is_xl == file.is_xl == (kind == "sdxl")
    assert folder.reduction == file.reduction == 8
    assert torch.equal(folder.schedule.sigmas, file.schedule.sigmas)
    for name in ("attention_head_dim", "use_linear_projection", "cross_attention_dim"):
        assert _listed(folder.unet.config[name]) == _listed(file.unet.config[name]), name
    assert folder.vae.config.scaling_factor == file.vae.config.scaling_factor
    assert folder.networks.zero_empty == file.networks.zero_empty
    for one, other in zip(folder.networks.encoders, file.networks.encoders, strict=True):
        assert (one.pad, one.penultimate, one.projects) == (
            other.pad,
            other.penultimate,
            other.projects,
        )
        assert one.network.config.hidden_act == other.network.config.hidden_act
        assert one.tokenizer("a photo of a cat") == other.tokenizer("a photo of a cat")


def _listed(value: object) -> object:
    return list(value) if isinstance(value, (list, tuple)) else value


def test_names_and_digest(tiny_model) -> None:
    file = tiny_model("sd1", ".safetensors")
    model = load_model(str(file))
    assert model.name == "sd1"
    assert model.digest is not None
    assert len(model.digest) == 10
    assert load_model(str(tiny_model("sd1"))).digest is None


def test_half_precision_file_becomes_what_is_asked(tiny_parts, tmp_path: Path) -> None:
    path = save_single(tiny_parts("sd1"), tmp_path / "half.safetensors", torch.float16)
    assert load_model(str(path)).unet.dtype == torch.float32
    half = load_model(str(path), LoadOptions(dtype="bfloat16"))
    assert half.unet.dtype == half.vae.dtype == torch.bfloat16
    assert half.networks.encoders[0].network.dtype == torch.bfloat16


def test_halved_folder_variant(tiny_model, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_model("sd1"), tmp_path / "halved")
    for name in ("unet", "vae"):
        (folder / name / "diffusion_pytorch_model.safetensors").rename(
            folder / name / "diffusion_pytorch_model.fp16.safetensors"
        )
    (folder / "text_encoder" / "model.safetensors").rename(
        folder / "text_encoder" / "model.fp16.safetensors"
    )
    assert load_model(str(folder)).channels == 4


@pytest.mark.parametrize("prefix", ["", "first_stage_model."])
def test_other_autoencoder(prefix: str, tiny_model, tiny_parts, tmp_path: Path) -> None:
    other = tiny_parts("sdxl").vae
    path = tmp_path / "vae.safetensors"
    save_file({prefix + name: value.contiguous() for name, value in original_vae(other)}, path)
    model = load_model(str(tiny_model("sd1")), LoadOptions(vae=path))
    assert torch.equal(model.vae.decoder.conv_in.weight, other.decoder.conv_in.weight)
    # a file does not say its scale: it is the model's
    assert model.vae.config.scaling_factor == pytest.approx(0.18215)
    xl = load_model(str(tiny_model("sdxl")), LoadOptions(vae=path))
    assert xl.vae.config.scaling_factor == pytest.approx(0.13025)
    assert xl.vae.config.force_upcast
    from_folder = load_model(str(tiny_model("sd1")), LoadOptions(vae=tiny_model("sdxl") / "vae"))
    assert torch.equal(from_folder.vae.decoder.conv_in.weight, other.decoder.conv_in.weight)


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "is empty"), (b"version https://git-lfs.github.com/spec/v1\n", "is a text file")],
)
def test_files_that_hold_no_weights_at_all(content: bytes, said: str, tmp_path: Path) -> None:
    for name in ("a.ckpt", "a.safetensors"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=said):
            load_model(str(tmp_path / name))


def test_a_network_of_other_channels_is_refused(tiny_model, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_model("sd1"), tmp_path / "edits")
    config = json.loads((folder / "unet" / "config.json").read_text()) | {"in_channels": 8}
    UNet2DConditionModel.from_config(config).save_pretrained(folder / "unet")
    with pytest.raises(InputError, match=r"edits: its network takes 8 channels, expected 4, or 9"):
        load_model(str(folder))


def test_probe_tells_v_from_noise(tiny_model) -> None:
    model = load_model(str(tiny_model("sd2")))
    # the input is 0.5, and the limit lies 1 below it
    for shift, expected in ((1.0, "epsilon"), (-0.4, "epsilon"), (-0.6, "v_prediction")):
        with torch.no_grad():
            model.unet.conv_out.weight.zero_()
            model.unet.conv_out.bias.fill_(shift)
        assert model.probe_prediction() == expected


def test_probe_of_a_network_that_overflows_is_repeated(tiny_model) -> None:
    model = load_model(str(tiny_model("sd2")), LoadOptions(dtype="float16"))
    with torch.no_grad():
        model.unet.conv_norm_out.weight.fill_(6e4)
        model.unet.conv_norm_out.bias.fill_(6e4)
        # infinite values with both signs: their sum is no number
        model.unet.conv_out.weight[:, ::2] = 1.0
        model.unet.conv_out.weight[:, 1::2] = -2.0
    assert model.probe_prediction() == "v_prediction"
    assert model.unet.dtype == torch.float16


def test_an_inpainting_model_predicts_noise(tiny_model) -> None:
    model = load_model(str(tiny_model("sd1-inpaint")))
    with torch.no_grad():
        model.unet.conv_out.weight.zero_()
        model.unet.conv_out.bias.fill_(-5.0)
    assert model.probe_prediction() == "epsilon"


def test_missing_and_unexpected_paths(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.safetensors: no such model; give the path"):
        load_model(str(tmp_path / "nowhere.safetensors"))
    with pytest.raises(InputError, match=r"no model_index\.json"):
        load_model(str(tmp_path))
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(InputError, match=r"notes\.txt: is no file of weights"):
        load_model(str(tmp_path / "notes.txt"))
    with pytest.raises(InputError, match="model: none is given"):
        load_model("")


def test_hub_name_is_not_fetched_unasked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(InputError, match=r"nobody/nothing: is not on this machine.*--download to"):
        load_model("nobody/nothing")


@pytest.mark.parametrize("suffix", [".safetensors", ".ckpt"])
def test_damaged_file(suffix: str, tiny_model, tmp_path: Path) -> None:
    content = tiny_model("sd1", suffix).read_bytes()
    path = tmp_path / f"cut{suffix}"
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=r"cut\..*is damaged or incomplete|would run code"):
        load_model(str(path))


@pytest.mark.parametrize(
    ("names", "what"),
    [
        (["lora_unet_down_blocks_0_attentions_0.lora_up.weight"], "holds a LoRA.*--lora FILE"),
        (["lora_controlnet", "input_blocks.0.0.up"], "holds a ControlNet-LoRA"),
        (["control_model.time_embed.0.weight"], "holds a ControlNet"),
        (["emb_params"], "textual inversion"),
        (["double_blocks.0.img_attn.norm.key_norm.scale"], "FLUX.*diffusers folder"),
        (["model.diffusion_model.joint_blocks.0.x"], "Stable Diffusion 3.*diffusers folder"),
        (["decoder.conv_in.weight", "encoder.conv_in.weight"], "autoencoder alone"),
        (["down_blocks.0.resnets.0.conv1.weight"], "one network of a diffusers folder"),
        (["something.else"], "no complete Stable Diffusion checkpoint"),
    ],
)
def test_another_kind_is_called_by_its_name(names: list[str], what: str, tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file({name: torch.zeros(2, 2) for name in names}, path)
    with pytest.raises(InputError, match=rf"other\.safetensors: .*{what}"):
        load_model(str(path))


def test_checkpoint_without_some_weights(tiny_parts, tmp_path: Path) -> None:
    names = original_names(tiny_parts("sd1"))
    path = tmp_path / "less.safetensors"
    for gone, said in (
        ("cond_stage_model.transformer.text_model.final_layer_norm.bias", "text encoder"),
        ("model.diffusion_model.out.2.bias", "UNet2DConditionModel"),
    ):
        save_file({n: v.clone() for n, v in names.items() if n != gone}, path)
        with pytest.raises(InputError, match=rf"less\.safetensors: lacks .*weights.*{said}"):
            load_model(str(path))


def test_incomplete_folder(tiny_model, tmp_path: Path) -> None:
    for gone, said in (
        ("tokenizer/vocab.json", "tokenizer files are missing"),
        ("unet/config.json", r"unet: has no config\.json"),
        ("vae/diffusion_pytorch_model.safetensors", "vae: its weights cannot be loaded"),
        ("scheduler/scheduler_config.json", r"scheduler_config\.json: not found"),
    ):
        folder = shutil.copytree(tiny_model("sd1"), tmp_path / gone.replace("/", "-"))
        (folder / gone).unlink()
        with pytest.raises(InputError, match=said):
            load_model(str(folder))


def test_folder_without_tokenizer_folder_takes_the_shipped_one(tiny_model, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_model("sd1"), tmp_path / "bare")
    shutil.rmtree(folder / "tokenizer")
    assert load_model(str(folder)).networks.encoders[0].tokenizer("cat") == [2368]


def test_unknown_choices(tiny_model) -> None:
    path = str(tiny_model("sd1"))
    with pytest.raises(OptionsError, match="dtype 'int8'"):
        load_model(path, LoadOptions(dtype="int8"))
    with pytest.raises(OptionsError, match="device 'warp'"):
        load_model(path, LoadOptions(device="warp"))
    with pytest.raises(OptionsError, match="offload 'sky'"):
        load_model(path, LoadOptions(offload="sky"))
    with pytest.raises(OptionsError, match="prediction 'x0'"):
        load_model(path, LoadOptions(prediction="x0"))


def test_shipped_configs_are_the_families_published_sizes() -> None:
    """What the families' own config files say, of which single files tell only the sizes."""
    import json
    from importlib.resources import files

    configs = files("kadr.stylize.diffusion") / "configs"
    read = {
        name: json.loads((configs / f"{name}.json").read_text()) for name in ("sd1", "sd2", "sdxl")
    }
    assert read["sd1"]["unet"]["attention_head_dim"] == 8
    assert read["sd2"]["unet"]["attention_head_dim"] == [5, 10, 20, 20]
    assert read["sdxl"]["unet"]["projection_class_embeddings_input_dim"] == 1280 + 6 * 256
    assert sum(file.stat().st_size for file in Path(str(configs)).iterdir()) < 1.5e6


def test_single_file_reads_sizes_from_weights(tiny_model) -> None:
    shapes = {n: v.shape for n, v in load_file(tiny_model("sdxl", ".safetensors")).items()}
    from kadr.stylize.diffusion.model.families import find_family

    family = find_family(shapes, Path("x"))
    assert family.unet["transformer_layers_per_block"] == [1, 1, 2]
    assert family.unet["addition_time_embed_dim"] == 8
    assert family.text_encoders[1]["hidden_size"] == 64
