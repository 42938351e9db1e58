"""Options of the stylizer ``a1111``, named as in the web interface."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kadr.errors import OptionsError
from kadr.options import check_idle, option
from kadr.stylize.servers.options import ServerOptions, as_tuple

INVERSIONS = ("none", "plain", "adjusted")
NOISE_SOURCES = ("", "gpu", "cpu", "nv")
_INVERSION_OPTIONS = (
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
    prompt: str = option("", "what the frames should look like; (word:1.2) emphasizes a word")
    negative_prompt: str = option("", "what they should not look like")
    denoising_strength: float = option(
        0.5, "how much a frame changes; 0: unchanged, 1: only the prompt counts", low=0, high=1
    )
    cfg_scale: float = option(7.0, "how strictly the prompt is followed", low=0, high=100)
    sampler: str = option(
        "", "the sampler, by the server's name; default: Euler a, or Euler with inversion"
    )
    scheduler: str = option(
        "", "the noise schedule, by the server's name; default: the sampler's own"
    )
    steps: int = option(20, "sampling steps", low=1, high=1000)
    exact_steps: bool = option(False, "run all steps at any denoising strength")
    seed: int | None = option(
        0, "seed of the noise, the same for every frame; none: one per frame", low=0, high=2**32 - 1
    )
    noise_source: str = option(
        "", "which random numbers: gpu, cpu, nv; default: the server's setting"
    )
    model: str = option(
        "", "checkpoint, by its name on the server; default: the one that is loaded"
    )
    vae: str = option("", "autoencoder, by its name on the server; default: the server's setting")
    clip_skip: int | None = option(
        None,
        "which layer of the text encoder is used, counted from the last; default: the "
        "server's setting",
        low=1,
        high=12,
    )
    color_correction: bool = option(False, "match the colours of the result to the frame's")

    inversion: str = option(
        "none",
        "start from noise computed from the frame (img2img alternative test): plain, "
        "adjusted, none",
    )
    original_prompt: str = option("", "what the original frames show; for inversion")
    original_negative_prompt: str = option("", "what they do not show; for inversion")
    decode_cfg_scale: float = option(1.0, "CFG scale during inversion", low=0, high=100)
    decode_steps: int | None = option(
        None, "steps of the inversion; default: as many as sampling takes", low=1, high=1000
    )
    randomness: float = option(
        0.0, "share of the inverted noise replaced by the seed's", low=0, high=1
    )

    controlnet: tuple[str, ...] = option(
        (), "ControlNets by name on the server: NAME or NAME:WEIGHT"
    )
    control: tuple[str, ...] = option(
        (),
        "control image of each: a preprocessor of the server such as canny, or @ and the name "
        "of one that kadr makes",
    )
    send_mask: bool = option(False, "send the mask to the server, so that it paints only there")
    mask_blur: int = option(4, "blur of the sent mask's edge, in pixels", low=0, high=64)
    payload: Path | None = option(None, "a JSON file of further fields for each request")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.sampler:
            # the new noise of an ancestral sampler would undo the inversion
            object.__setattr__(self, "sampler", "Euler a" if self.inversion == "none" else "Euler")
        for name in ("controlnet", "control"):
            object.__setattr__(self, name, as_tuple(getattr(self, name)))
        if self.payload is not None:
            object.__setattr__(self, "payload", Path(self.payload).expanduser())
        for name, choices in (("inversion", INVERSIONS), ("noise_source", NOISE_SOURCES)):
            value = getattr(self, name)
            if value not in choices:
                expected = ", ".join(choice or "nothing" for choice in choices)
                raise OptionsError(f"{name.replace('_', '-')} {value!r}: expected {expected}")
        if len(self.control) != len(self.controlnet):
            raise OptionsError(
                f"control: {len(self.control)} given for {len(self.controlnet)} ControlNets; "
                "give one for each, in the same order"
            )
        if self.inversion == "none":
            check_idle(self, _INVERSION_OPTIONS, "inversion", "inversion")
        if not self.send_mask:
            check_idle(self, ("mask_blur",), "a mask that is sent", "send-mask")
