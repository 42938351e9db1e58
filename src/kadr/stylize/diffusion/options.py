"""Everything that can be chosen about Stable Diffusion, under the names people know from A1111."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kadr.errors import OptionsError
from kadr.options import check_fields, check_idle, option

_CHOICES = {
    "inversion": ("none", "refined", "plain", "adjusted"),
    "noise_source": ("cpu", "nv"),
    "prediction": ("auto", "epsilon", "v_prediction"),
    "dtype": ("auto", "float32", "float16", "bfloat16"),
    "offload": ("auto", "none", "parts", "layers"),
    "inpaint_area": ("picture", "mask"),
    "resize_mode": (0, 1, 2, 3),
    "cross_frame": ("none", "anchor", "previous", "both"),
    "joint": ("none", "attention", "grid"),
}
"""Option → what it may be; said here so that it is checked before torch is loaded."""

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
    prompt: str = option("", "what the frames are to look like; (word:1.2) stresses a word")
    negative_prompt: str = option("", "what they are not to look like")
    denoising_strength: float = option(
        0.5, "how far from the filmed frame; 0: as filmed, 1: only the prompt", low=0, high=1
    )
    cfg_scale: float | None = option(
        None, "how firmly the prompt is followed; none: 7, or the pipeline's own", low=0, high=100
    )
    sampler: str = option(
        "", "the stepping rule, as in A1111: Euler, DPM++ 2M Karras ...; empty: "
        "Euler a, or Euler with inversion",
    )  # fmt: skip
    steps: int | None = option(
        None, "sampling steps; none: 20, or the pipeline's own", low=1, high=1000
    )
    exact_steps: bool = option(False, "run all steps whatever the strength, as A1111 on request")
    seed: int | None = option(
        0, "of the noise, the same for every frame; none: each frame its own", low=0, high=2**64 - 1
    )
    noise_source: str = option("cpu", "whose random numbers: cpu, or nv as on NVIDIA cards")
    noise_multiplier: float = option(1.0, "how strong the first noise is", low=0, high=2)
    eta_noise_seed_delta: int = option(0, "added to the seed for all noise but the first", low=0)
    clip_skip: int = option(1, "which layer of the text encoder is read, from the last", low=1)

    width: int | None = option(
        None, "width that the model works at; none: nearest to the frame's", low=64, high=8192
    )
    height: int | None = option(
        None, "height that the model works at; none: nearest to the frame's", low=64, high=8192
    )
    pixels: int | None = option(
        None, "pixels that the model works at, if no size is given; none: its own", low=4096
    )
    resize_mode: int = option(
        0,
        "for a size of another shape: 0 stretch, 1 crop, 2 fill, 3 stretch latents",
        low=0,
        high=3,
    )

    inversion: str = option(
        "none", "find each frame's own noise (img2img alternative): refined, plain, adjusted, none"
    )
    original_prompt: str = option("", "what the filmed frames show; for inversion")
    original_negative_prompt: str = option("", "what they do not show; for inversion")
    decode_cfg_scale: float = option(1.0, "guidance while noise is found", low=0, high=100)
    decode_steps: int | None = option(
        None, "steps in which noise is found; none: as many as sampling takes", low=1, high=1000
    )
    randomness: float = option(0.0, "part of found noise replaced by the seed's", low=0, high=1)
    refinements: int = option(
        8, "how often refined inversion repeats a step at most; 2 or 3 mostly do", low=0, high=50
    )
    noise_cache: Path | None = option(
        None, "a folder where found noise is kept for other runs; none: with the run's work files"
    )

    carry_noise: bool = option(
        False, "move the noise along with what is filmed; new noise where something comes to light"
    )
    previous_start: float = option(
        0.0, "part of the previous output, moved along, that a frame starts from", low=0, high=1
    )
    previous_blend: float = option(
        0.0, "part of the previous output, moved along, that is laid over a frame", low=0, high=1
    )
    cross_frame: str = option(
        "none", "whose look a frame takes up by attention: anchor, previous, both, none"
    )
    anchor_every: int | None = option(
        None, "frames from anchor to anchor, which start as filmed; none: a shot's first", low=1
    )
    joint: str = option(
        "none", "how a shot's keys are made together: attention, grid (as one picture), none"
    )
    joint_size: int = option(4, "keys that are made together at once", low=2, high=64)

    mask_blur: float = option(4.0, "softness of a mask's edge in pixels", low=0, high=256)
    inpaint_area: str = option("picture", "what the model sees of a masked frame: picture, mask")
    mask_padding: int = option(32, "pixels around the mask that it sees as well", low=0, high=4096)
    inpainting_mask_weight: float = option(
        1.0, "how much of the frame is hidden from an inpainting model", low=0, high=1
    )
    color_correction: bool = option(False, "give the result the frame's colours, as in A1111")

    vae: Path | None = option(None, "another autoencoder: a folder or a file")
    lora: tuple[str, ...] = option((), "LoRA files, each PATH or PATH:WEIGHT")
    embedding: tuple[Path, ...] = option((), "textual inversions; the file's name is the word")
    controlnet: tuple[str, ...] = option((), "ControlNets, each PATH or PATH:WEIGHT")
    control: tuple[str, ...] = option(
        (), "what each ControlNet is shown: canny, softedge, tile, or what the run lends"
    )
    control_until: float = option(
        1.0, "the part of the way on which ControlNets steer", low=0, high=1
    )

    prediction: str = option("auto", "what the model predicts: auto, epsilon, v_prediction")
    device: str = option("auto", "where it runs: auto, cpu, cuda, cuda:1, mps")
    dtype: str = option("auto", "precision: auto, float32, float16, bfloat16")
    offload: str = option("auto", "what waits outside the card: auto, none, parts, layers")
    batch: int = option(1, "frames that are restyled at once", low=1, high=256)
    vae_tiling: bool = option(
        False, "encode and decode in tiles, for large frames in little memory"
    )
    vae_slicing: bool = option(False, "encode and decode frames of a batch one by one")
    compile: bool = option(False, "compile the network first: slow start, faster steps")
    download: bool = option(False, "fetch the model from the hub if it is not on this machine")

    def __post_init__(self) -> None:
        for name in ("lora", "controlnet", "control"):
            given = getattr(self, name)
            object.__setattr__(self, name, (given,) if isinstance(given, str) else tuple(given))
        words = [self.embedding] if isinstance(self.embedding, str | Path) else self.embedding
        object.__setattr__(self, "embedding", tuple(Path(word).expanduser() for word in words))
        object.__setattr__(self, "model", str(self.model))
        if not self.sampler:
            # the fresh noise of an ancestral sampler would undo what inversion found
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
        self._check_company()

    @property
    def sequential(self) -> bool:
        """Whether a frame builds on the output before it."""
        return bool(self.previous_start or self.previous_blend or self.cross_frame != "none")

    @property
    def attends(self) -> bool:
        """Whether frames look at one another inside the network."""
        return self.cross_frame != "none" or self.joint == "attention"

    def _check_together(self) -> None:
        """Refuse options of which one would be left unheeded beside another."""
        if not self.model:
            raise OptionsError(
                "stylizer diffusion: no model; give model=PATH of a .safetensors or .ckpt file or "
                "of a diffusers folder, or a hub name such as owner/name"
            )
        if (self.width is None) != (self.height is None):
            raise OptionsError("width and height: give both, or neither for the nearest size")
        for name, side in (("width", self.width), ("height", self.height)):
            if side is not None and side % 8:
                near = max(64, round(side / 8) * 8)
                raise OptionsError(f"{name} {side}: expected a multiple of 8, such as {near}")
        if self.width is not None and self.pixels is not None:
            raise OptionsError("pixels: is for sizes that are chosen; leave out width and height")
        if len(self.control) != len(self.controlnet):
            raise OptionsError(
                f"control: {len(self.control)} given for {len(self.controlnet)} ControlNets; "
                "give as many, in their order"
            )
        if self.inversion == "none":
            check_idle(self, _OF_INVERSION, "inversion", "inversion=refined")
        if self.inversion != "refined":
            check_idle(self, ("refinements",), "inversion", "inversion=refined")
        if self.joint == "none":
            check_idle(self, ("joint_size",), "joint", "that too")
        if not self.controlnet:
            check_idle(self, ("control_until",), "controlnet", "that too")
        if self.inpaint_area != "mask":
            check_idle(self, ("mask_padding",), "inpaint-area mask", "that too")

    def _check_company(self) -> None:
        """Refuse what cannot be had together among the ways of holding frames together."""
        if self.joint != "none" and self.sequential:
            raise OptionsError(
                f"joint {self.joint}: makes a shot's keys at once, so none builds on the one "
                "before; leave out previous-start, previous-blend and cross-frame, or joint"
            )
        uses_anchor = self.previous_start or self.cross_frame in ("anchor", "both")
        if self.anchor_every is not None and not uses_anchor:
            raise OptionsError(
                "anchor-every: is for previous-start and cross-frame anchor; leave it out"
            )
        if self.compile and self.attends:
            raise OptionsError(
                "compile: works on one frame's network alone; leave it out, or cross-frame and "
                "joint attention"
            )
        if not self.carry_noise:
            return
        against = {
            "seed none": self.seed is None,
            "joint grid": self.joint == "grid",
            "inpaint-area mask": self.inpaint_area == "mask",
        }
        for name, given in against.items():
            if given:
                raise OptionsError(f"carry-noise: cannot be had with {name}; leave one of them out")
