"""All options of Stable Diffusion, checked, under the names people know from A1111."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kadr.core.formatting import shorten
from kadr.errors import OptionsError
from kadr.option_fields import FILMED_FRAME, OTHER_FRAMES, check_fields, check_unused, option
from kadr.stylize.diffusion.prompt.lora_tags import (
    TaggedLora,
    find_lora_files,
    split_lora_tags,
)
from kadr.stylize.diffusion.prompt.schedule import changes
from kadr.stylize.diffusion.prompt.subprompts import split_subprompts
from kadr.stylize.option_hints import with_option
from kadr.stylize.shared_help import SHARED_HELP

_CHOICES = {
    "inversion": ("none", "refined", "plain", "adjusted"),
    "noise_source": ("cpu", "nv"),
    "prediction": ("auto", "epsilon", "v_prediction"),
    "zero_terminal_snr": ("auto", "yes", "no"),
    "dtype": ("auto", "float32", "float16", "bfloat16"),
    "offload": ("auto", "none", "parts", "layers"),
    "inpaint_area": ("picture", "mask"),
    "resize_mode": (0, 1, 2, 3),
    "cross_frame": ("none", "anchor", "previous", "both"),
    "joint": ("none", "attention", "grid"),
}
"""Option → its values; they stand here so that they are checked before torch is loaded."""

_OF_INVERSION = (
    "original_prompt", "original_negative_prompt", "noise_cache", "decode_cfg_scale",
    "decode_steps", "randomness",
)  # fmt: skip


@dataclass(frozen=True)
class DiffusionOptions:
    """How frames are restyled by Stable Diffusion 1, 2 or XL, or by another diffusers pipeline."""

    model: str = option(
        "", "a .safetensors or .ckpt file, a diffusers folder, or a hub name such as owner/name"
    )
    prompt: str = option("", SHARED_HELP["prompt"])
    negative_prompt: str = option("", SHARED_HELP["negative_prompt"])
    denoising_strength: float = option(0.5, SHARED_HELP["denoising_strength"], low=0, high=1)
    cfg_scale: float | None = option(
        None, SHARED_HELP["cfg_scale"], low=0, high=100, unset="7, or the pipeline's own"
    )
    cfg_rescale: float = option(
        0.0, "how far guidance is scaled back to the contrast of the prompt alone: 0, or about 0.7 "
        "for models of zero terminal SNR", low=0, high=1,
    )  # fmt: skip
    sampler: str = option(
        "", "the stepping rule, as in A1111: Euler, DPM++ 2M Karras ...",
        unset="Euler a, or Euler with inversion",
    )  # fmt: skip
    steps: int | None = option(
        None, SHARED_HELP["steps"], low=1, high=1000, unset="20, or the pipeline's own"
    )
    exact_steps: bool = option(
        False, "run all steps whatever the denoising strength, an option of A1111 too"
    )
    seed: int | None = option(
        0, f"{SHARED_HELP['seed']}; none: a seed for each frame", low=0, high=2**64 - 1
    )
    noise_source: str = option(
        "cpu", "random number generator: cpu, or nv for the numbers of NVIDIA cards"
    )
    noise_multiplier: float = option(1.0, "factor of the initial noise", low=0, high=2)
    eta_noise_seed_delta: int = option(
        0, "added to the seed for all noise but the initial noise", low=0
    )
    clip_skip: int = option(
        1, "which layer of the text encoder is used, counted from the last", low=1
    )

    width: int | None = option(
        None, SHARED_HELP["width"], low=64, high=8192, unset="nearest to the frame's"
    )
    height: int | None = option(
        None, SHARED_HELP["height"], low=64, high=8192, unset="nearest to the frame's"
    )
    pixels: int | None = option(None, SHARED_HELP["pixels"], low=4096, unset="the model's own")
    resize_mode: int = option(
        0,
        "for a size of another shape: 0 stretch, 1 crop, 2 fill, 3 stretch latents",
        low=0,
        high=3,
    )

    inversion: str = option(
        "none", f"{SHARED_HELP['inversion']}: refined, plain, adjusted, none", needs=FILMED_FRAME
    )
    original_prompt: str = option("", SHARED_HELP["original_prompt"], needs=FILMED_FRAME)
    original_negative_prompt: str = option(
        "", SHARED_HELP["original_negative_prompt"], needs=FILMED_FRAME
    )
    decode_cfg_scale: float = option(
        1.0, SHARED_HELP["decode_cfg_scale"], low=0, high=100, needs=FILMED_FRAME
    )
    decode_steps: int | None = option(
        None, SHARED_HELP["decode_steps"], low=1, high=1000, unset="as many as sampling takes",
        needs=FILMED_FRAME,
    )  # fmt: skip
    randomness: float = option(0.0, SHARED_HELP["randomness"], low=0, high=1, needs=FILMED_FRAME)
    refinements: int = option(
        8, "how often refined inversion repeats a step at most; 2 or 3 are usually enough",
        low=0, high=50, needs=FILMED_FRAME,
    )  # fmt: skip
    noise_cache: Path | None = option(
        None, "a folder that keeps inverted noise for other runs",
        unset="with the work files of the run", needs=FILMED_FRAME, changes_frames=False,
    )  # fmt: skip

    carry_noise: bool = option(
        False, "warp the noise along the motion of the clip; new noise where something appears",
        needs=OTHER_FRAMES,
    )  # fmt: skip
    previous_start: float = option(
        0.0, "share of the previous output, warped by motion, in what a frame starts from",
        low=0, high=1, needs=OTHER_FRAMES,
    )  # fmt: skip
    previous_blend: float = option(
        0.0, "share of the previous output, warped by motion, that is blended over a frame",
        low=0, high=1, needs=OTHER_FRAMES,
    )  # fmt: skip
    cross_frame: str = option(
        "none", "which frames a frame attends to, to look alike: anchor, previous, both, none",
        needs=OTHER_FRAMES,
    )  # fmt: skip
    anchor_every: int | None = option(
        None, "frames from one anchor to the next; an anchor starts from the filmed frame alone",
        low=1, unset="a shot has one, its first frame", needs=OTHER_FRAMES,
    )  # fmt: skip
    joint: str = option(
        "none", "make the keys of a shot together: attention, grid (as one image), none",
        needs=OTHER_FRAMES,
    )  # fmt: skip
    joint_size: int = option(
        4, "how many keys are made together at once", low=2, high=64, needs=OTHER_FRAMES
    )

    mask_blur: float = option(4.0, "blur of the mask's edge in pixels", low=0, high=256)
    inpaint_area: str = option(
        "picture", "what the model sees of a masked frame: picture (all of it), mask"
    )
    mask_padding: int = option(
        32, "with inpaint-area mask: pixels around the mask that the model sees", low=0, high=4096
    )
    inpainting_mask_weight: float = option(
        1.0, "how much of the frame is hidden from an inpainting model", low=0, high=1
    )
    color_correction: bool = option(
        False, "give the result the colours of the filmed frame, as in A1111"
    )

    vae: Path | None = option(None, "another autoencoder: a folder or a file")
    lora: tuple[str, ...] = option((), SHARED_HELP["lora"])
    lora_dir: Path | None = option(None, SHARED_HELP["lora_dir"])
    embedding: tuple[Path, ...] = option(
        (), "textual inversion files; the name of the file is the word for the prompt"
    )
    controlnet: tuple[str, ...] = option((), "ControlNets, each PATH or PATH:WEIGHT")
    control: tuple[str, ...] = option(
        (), "the control image of each ControlNet: canny, softedge, tile, or one that kadr makes"
    )
    control_until: float = option(
        1.0, "share of the sampling steps, from the first, in which ControlNets have an effect",
        low=0, high=1,
    )  # fmt: skip

    prediction: str = option("auto", "what the model predicts: auto, epsilon, v_prediction")
    zero_terminal_snr: str = option(
        "auto", "whether a model that predicts v was trained to noise without any signal: auto, "
        "yes, no"
    )  # fmt: skip
    device: str = option("auto", "device to compute on: auto, cpu, cuda, cuda:1, mps")
    dtype: str = option("auto", "precision: auto, float32, float16, bfloat16")
    offload: str = option(
        "auto", "what is kept outside GPU memory until it is needed: auto, none, parts, layers"
    )
    batch: int = option(1, SHARED_HELP["batch"], low=1, high=256)
    vae_tiling: bool = option(
        False, "encode and decode in tiles, for large frames in little memory"
    )
    vae_slicing: bool = option(False, "encode and decode the frames of a batch one by one")
    compile: bool = option(False, "compile the network first: slow start, faster steps")
    download: bool = option(False, SHARED_HELP["download"], changes_frames=False)

    def __post_init__(self) -> None:
        for name in ("lora", "controlnet", "control"):
            value = getattr(self, name)
            object.__setattr__(self, name, (value,) if isinstance(value, str) else tuple(value))
        paths = [self.embedding] if isinstance(self.embedding, str | Path) else self.embedding
        object.__setattr__(self, "embedding", tuple(Path(path).expanduser() for path in paths))
        if self.lora_dir is not None:
            object.__setattr__(self, "lora_dir", Path(self.lora_dir).expanduser())
        object.__setattr__(self, "model", str(self.model))
        if not self.sampler:
            # the fresh noise of an ancestral sampler would undo inversion
            object.__setattr__(self, "sampler", "Euler a" if self.inversion == "none" else "Euler")
        # A1111 writes it in capitals
        object.__setattr__(self, "noise_source", self.noise_source.lower())
        check_fields(self)
        for name, allowed in _CHOICES.items():
            value = getattr(self, name)
            if value not in allowed:
                listed = ", ".join(map(str, allowed))
                raise OptionsError(f"{name.replace('_', '-')} {value!r}: expected one of {listed}")
        self._check_together()
        self._check_other_frames()
        self._check_prompts()

    @property
    def prompt_loras(self) -> tuple[TaggedLora, ...]:
        """The LoRA files that the prompt names. Raises InputError for one that is not there."""
        _, tags = split_lora_tags(self.prompt)
        return find_lora_files(tags, self.lora_dir or Path())

    @property
    def sequential(self) -> bool:
        """Whether a frame depends on the previous output."""
        return bool(self.previous_start or self.previous_blend or self.cross_frame != "none")

    @property
    def attends(self) -> bool:
        """Whether frames attend to one another inside the network."""
        return self.cross_frame != "none" or self.joint == "attention"

    def _check_together(self) -> None:
        """Refuse options that have no effect together with others."""
        if not self.model:
            raise OptionsError(
                f"stylizer diffusion: no model; give {with_option('model', 'PATH')} of a "
                ".safetensors or .ckpt file or of a diffusers folder, or a hub name such as "
                "owner/name"
            )
        if (self.width is None) != (self.height is None):
            raise OptionsError("width and height: give both, or neither for the nearest size")
        for name, side in (("width", self.width), ("height", self.height)):
            if side is not None and side % 8:
                nearest = max(64, round(side / 8) * 8)
                raise OptionsError(f"{name} {side}: expected a multiple of 8, such as {nearest}")
        if self.width is not None and self.pixels is not None:
            raise OptionsError("pixels: is for sizes that are chosen; leave out width and height")
        if len(self.control) != len(self.controlnet):
            raise OptionsError(
                f"control: {len(self.control)} given for {len(self.controlnet)} ControlNets; "
                "give as many, in their order"
            )
        if self.inversion == "none":
            check_unused(self, _OF_INVERSION, "inversion", with_option("inversion", "refined"))
        if self.inversion != "refined":
            check_unused(self, ("refinements",), "inversion", with_option("inversion", "refined"))
        if self.joint == "none":
            check_unused(self, ("joint_size",), "joint", "that too")
        if not self.controlnet:
            check_unused(self, ("control_until",), "controlnet", "that too")
        if self.inpaint_area != "mask":
            check_unused(self, ("mask_padding",), "inpaint-area mask", "that too")

    def _check_prompts(self) -> None:
        """Refuse notation that has no meaning where it stands."""
        text, tags = split_lora_tags(self.prompt)
        if tags and self.lora_dir is None:
            raise OptionsError(
                f"prompt: <lora:{shorten(tags[0].name)}:…> names a file; give "
                f"{with_option('lora_dir', 'FOLDER')}, the folder that holds it"
            )
        for subprompt in split_subprompts(text):
            changes(subprompt.text)
        changes(self.negative_prompt, "negative-prompt")
        for name in ("negative_prompt", "original_prompt", "original_negative_prompt"):
            dashed, prompt = name.replace("_", "-"), getattr(self, name)
            if split_lora_tags(prompt, dashed)[1]:
                raise OptionsError(f"{dashed}: <lora:…> is for the prompt; put it there")
            if len(split_subprompts(prompt)) > 1:
                raise OptionsError(
                    f"{dashed}: AND joins prompts only in the prompt; for the word write and"
                )
            if name != "negative_prompt" and changes(prompt, dashed):
                raise OptionsError(
                    f"{dashed}: does not change during inversion; take out [a:b:N] and [a|b]"
                )

    def _check_other_frames(self) -> None:
        """Refuse options for temporal consistency that exclude one another."""
        if self.joint != "none" and self.sequential:
            raise OptionsError(
                f"joint {self.joint}: makes the keys of a shot at once, so none depends on the "
                "previous; leave out previous-start, previous-blend and cross-frame, or joint"
            )
        uses_anchor = self.previous_start or self.cross_frame in ("anchor", "both")
        if self.anchor_every is not None and not uses_anchor:
            raise OptionsError(
                "anchor-every: is for previous-start and cross-frame anchor; leave it out"
            )
        if self.compile and self.attends:
            raise OptionsError(
                "compile: works only for a frame alone; leave it out, or cross-frame and joint "
                "attention"
            )
        if not self.carry_noise:
            return
        conflicts = {
            "seed none": self.seed is None,
            "joint grid": self.joint == "grid",
            "inpaint-area mask": self.inpaint_area == "mask",
        }
        for name, is_set in conflicts.items():
            if is_set:
                raise OptionsError(
                    f"carry-noise: cannot be combined with {name}; leave one of them out"
                )
