"""What can be chosen about frames that a web interface makes, under the names it shows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kadr.errors import OptionsError
from kadr.options import check_idle, option
from kadr.stylize.servers.options import ServerOptions, as_tuple

INVERSIONS = ("none", "plain", "adjusted")
NOISE_SOURCES = ("", "gpu", "cpu", "nv")
_OF_INVERSION = (
    "original_prompt",
    "original_negative_prompt",
    "decode_cfg_scale",
    "decode_steps",
    "randomness",
)


@dataclass(frozen=True)
class A1111Options(ServerOptions):
    """How a running A1111, Forge or SD.Next restyles frames."""

    url: str = option("http://127.0.0.1:7860", "the server's address; it must run with --api")
    prompt: str = option("", "what the frames are to look like; (word:1.2) stresses a word")
    negative_prompt: str = option("", "what they are not to look like")
    denoising_strength: float = option(
        0.5, "how far from the filmed frame; 0: as filmed, 1: only the prompt", low=0, high=1
    )
    cfg_scale: float = option(7.0, "how firmly the prompt is followed", low=0, high=100)
    sampler: str = option(
        "", "the stepping rule, by the server's name; empty: Euler a, or Euler with inversion"
    )
    scheduler: str = option("", "the noise levels, by the server's name; empty: the sampler's own")
    steps: int = option(20, "sampling steps", low=1, high=1000)
    exact_steps: bool = option(False, "run all steps whatever the strength")
    seed: int | None = option(
        0, "of the noise, the same for every frame; none: each frame its own", low=0, high=2**32 - 1
    )
    noise_source: str = option(
        "", "whose random numbers: gpu, cpu, nv; empty: as the server is set"
    )
    model: str = option("", "checkpoint by its name there; empty: the one that is loaded")
    vae: str = option("", "autoencoder by its name there; empty: as the server is set")
    clip_skip: int | None = option(
        None, "which layer of the text encoder is read, from the last; none: as the server is set",
        low=1, high=12,
    )  # fmt: skip
    color_correction: bool = option(False, "give the result the frame's colours")

    inversion: str = option(
        "none", "find each frame's own noise (img2img alternative test): plain, adjusted, none"
    )
    original_prompt: str = option("", "what the filmed frames show; for inversion")
    original_negative_prompt: str = option("", "what they do not show; for inversion")
    decode_cfg_scale: float = option(1.0, "guidance while noise is found", low=0, high=100)
    decode_steps: int | None = option(
        None, "steps in which noise is found; none: as many as sampling takes", low=1, high=1000
    )
    randomness: float = option(0.0, "part of found noise replaced by the seed's", low=0, high=1)

    controlnet: tuple[str, ...] = option((), "ControlNets by name there, each NAME or NAME:WEIGHT")
    control: tuple[str, ...] = option(
        (), "what each is shown: a preprocessor of the server such as canny, or @ and what the run "
        "lends",
    )  # fmt: skip
    send_mask: bool = option(False, "let the server know the mask, so that it paints only there")
    mask_blur: int = option(4, "softness of a sent mask's edge in pixels", low=0, high=64)
    payload: Path | None = option(None, "a JSON file of further fields for each request")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.sampler:
            # the fresh noise of an ancestral sampler would undo what inversion found
            object.__setattr__(self, "sampler", "Euler a" if self.inversion == "none" else "Euler")
        for name in ("controlnet", "control"):
            object.__setattr__(self, name, as_tuple(getattr(self, name)))
        if self.payload is not None:
            object.__setattr__(self, "payload", Path(self.payload).expanduser())
        for name, allowed in (("inversion", INVERSIONS), ("noise_source", NOISE_SOURCES)):
            value = getattr(self, name)
            if value not in allowed:
                listed = ", ".join(word or "nothing" for word in allowed)
                raise OptionsError(f"{name.replace('_', '-')} {value!r}: expected {listed}")
        if len(self.control) != len(self.controlnet):
            raise OptionsError(
                f"control: {len(self.control)} given for {len(self.controlnet)} ControlNets; "
                "give as many, in their order"
            )
        if self.inversion == "none":
            check_idle(self, _OF_INVERSION, "inversion", "inversion")
        if not self.send_mask:
            check_idle(self, ("mask_blur",), "a mask that is sent", "send-mask")
